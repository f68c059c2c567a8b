"""The inverse STFT that librosa's arguments ask for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro.design import envelope
from mlx_spectro.design.framing import Framing, overlap_length
from mlx_spectro.design.operators import Istft

from ..arrays.numpy_options import check_flag, check_whole
from ..contract.decline import Decline
from ._analysis import faintest_of, window_of
from ._arguments import Array


class Synthesis(NamedTuple):
    """An inverse of so many of a spectrum's frames."""

    op: Istft
    window: Array
    frames: int


def _frames_needed(frames: int, length: int, n_fft: int, hop_length: int, center: bool) -> tuple[int, int]:
    """Frames that librosa uses of a spectrum, and the samples that it makes of them."""
    left = n_fft // 2 if center else 0
    if not length:
        return frames, overlap_length(frames, n_fft, hop_length) - 2 * left
    return min(frames, math.ceil((length + 2 * left) / hop_length)), length


def synthesis(
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    n_fft: Any,
    hop_length: Any,
    win_length: Any,
    window: Any,
    center: Any,
    length: Any,
) -> Synthesis:
    """The inverse STFT of spectra of ``shape``, bins and frames, and of complex ``dtype``."""
    n_fft = 2 * (shape[0] - 1) if n_fft is None else n_fft
    win_length = n_fft if win_length is None else win_length
    check_whole("n_fft", n_fft, 2)
    check_whole("win_length", win_length)
    if length is not None:
        check_whole("length", length, 0)
    check_flag("center", center)
    n_fft, win_length, length = int(n_fft), int(win_length), int(length or 0)
    hop_length = win_length // 4 if hop_length is None else hop_length
    check_whole("hop_length", hop_length)
    hop_length = int(hop_length)
    if shape[0] != n_fft // 2 + 1:
        raise Decline("n_fft is not what the spectrum's bins are of")
    frames, samples = _frames_needed(shape[1], length, n_fft, hop_length, center)
    left = n_fft // 2 if center else 0
    if samples < 1 or (center and frames < math.ceil(left / hop_length)):
        raise Decline("the spectrum has too few frames to cover the first sample")
    weights = window_of(window, win_length, n_fft)
    if weights.dtype == np.float32 and dtype == np.complex128:
        raise Decline("the window is a float32 array, whose squares librosa rounds: a float64 one is served")
    # librosa divides by whatever is a normal number, and leaves alone what is not
    tiny, eps = float(np.finfo(dtype).tiny), float(np.finfo(dtype).eps)
    if faintest_of(window, win_length, n_fft, weights) < eps:
        least = envelope.smallest(weights, hop_length, frames, left, samples, above=tiny)
        if least < (eps * float(np.abs(weights).max())) ** 2:
            raise Decline("samples where only rounding errors overlap")
    return Synthesis(Istft(Framing(n_fft, hop_length, left), samples, floor=tiny), weights, frames)
