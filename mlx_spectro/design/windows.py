"""Analysis windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .. import _check

# sums of cosines: F. J. Harris, "On the use of windows for harmonic analysis with the DFT", Proc. IEEE 66 (1978)
_COSINE_TERMS: dict[str, Sequence[float]] = {
    "hann": (0.5, -0.5),
    "hamming": (0.54, -0.46),
    "blackman": (0.42, -0.5, 0.08),
    "rect": (1.0,),
}


def window_samples(window_fn: str, win_length: int, periodic: bool = True) -> npt.NDArray[np.float64]:
    """Samples ``[win_length]`` of a named window in float64.

    Example:
        >>> window_samples("hann", 4).round(3).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    if not isinstance(window_fn, str) or window_fn not in _COSINE_TERMS:
        raise ValueError(f"Unknown window_fn {_check.shown(window_fn)}: one of {', '.join(map(repr, _COSINE_TERMS))}")
    period = win_length if periodic else max(win_length - 1, 1)
    phase = 2 * np.pi * np.arange(win_length) / period
    samples = np.zeros(win_length)
    for k, term in enumerate(_COSINE_TERMS[window_fn]):
        samples += term * np.cos(k * phase)
    return samples if win_length > 1 else np.ones(1)
