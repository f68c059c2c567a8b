"""Analysis windows for MLX."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.windows import window_samples
from ..types import WindowLike
from . import _inputs


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

    Example:
        >>> from mlx_spectro import make_window
        >>> make_window(None, "rect", 2, 4, True).tolist()
        [0.0, 1.0, 1.0, 0.0]
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
