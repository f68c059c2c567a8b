"""Analysis windows."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..features import _inputs
from ..types import WindowLike

# sums of cosines: F. J. Harris, "On the use of windows for harmonic analysis with the DFT", Proc. IEEE 66 (1978)
_COSINE_TERMS: dict[str, Sequence[float]] = {
    "hann": (0.5, -0.5),
    "hamming": (0.54, -0.46),
    "blackman": (0.42, -0.5, 0.08),
    "rect": (1.0,),
}


def window_samples(window_fn: str, win_length: int, periodic: bool = True) -> npt.NDArray[np.float64]:
    """Samples ``[win_length]`` of a named window in float64."""
    if not isinstance(window_fn, str) or window_fn not in _COSINE_TERMS:
        raise ValueError(f"Unknown window_fn {_check.shown(window_fn)}: one of {', '.join(map(repr, _COSINE_TERMS))}")
    period = win_length if periodic else max(win_length - 1, 1)
    phase = 2 * np.pi * np.arange(win_length) / period
    samples = np.zeros(win_length)
    for k, term in enumerate(_COSINE_TERMS[window_fn]):
        samples += term * np.cos(k * phase)
    return samples if win_length > 1 else np.ones(1)


def make_window(window: WindowLike, window_fn: str, win_length: int, n_fft: int, periodic: bool) -> mx.array:
    """Window of ``n_fft`` samples, centred and filled with zeros where ``win_length`` is shorter.

    Args:
        window: Samples ``[win_length]`` or ``[n_fft]`` (an array of MLX's or NumPy's, or a list), the name of a window,
            or None for ``window_fn``.
        window_fn: ``"hann"``, ``"hamming"``, ``"blackman"`` or ``"rect"``.
        win_length: Window length in samples, at most ``n_fft``.
        n_fft: Frame length in samples.
        periodic: The period is ``win_length`` samples (for spectra) instead of ``win_length - 1`` (for filters).

    Returns:
        float32 ``[n_fft]``, evaluated, so that it can be used from any thread.

    Raises:
        TypeError: samples that are no real numbers.
        ValueError: an unknown name, or samples of another length.
    """
    n_fft = _check.integer("n_fft", n_fft, at_least=1)
    win_length = _check.integer("win_length", win_length, at_least=1)
    if win_length > n_fft:
        raise ValueError(f"win_length must be at most n_fft={n_fft}, got {win_length}")
    if window is None or isinstance(window, str):
        samples = window_samples(window or window_fn, win_length, _check.flag("periodic", periodic)).astype(np.float32)
    else:
        samples = _inputs.samples("window", window)
        if samples.ndim != 1 or samples.size not in (win_length, n_fft):
            raise ValueError(
                f"window length must be win_length={win_length} or n_fft={n_fft} samples, got shape {samples.shape}"
            )
    left = (n_fft - samples.size) // 2
    result = mx.array(np.pad(samples, (left, n_fft - samples.size - left)))
    mx.eval(result)
    return result
