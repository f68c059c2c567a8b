"""Transforms of lengths that the kernels have no plan for, by NumPy's FFT, a few frames at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro.design import envelope
from mlx_spectro.design.framing import Framing

from ...design.quiet import quietly
from .frames import FORWARD_PAD_MODES, source_index

Array = npt.NDArray[Any]
# samples in frames at a time
_AT_ONCE = 1 << 18
# NumPy transforms so many frames together and those left over singly, which on ARM round otherwise
_TOGETHER = 4


def _groups(frames: int, n_fft: int) -> Iterator[range]:
    step = max(1, _AT_ONCE // n_fft)
    for first in range(0, frames, step):
        yield range(first, min(frames, first + step))


def frames_of(x: Array, framing: Framing, group: range) -> Array:
    """Frames ``[..., len(group), n_fft]`` of the padded signal."""
    starts = np.arange(group.start, group.stop) * framing.hop_length - framing.left
    index = starts[:, None] + np.arange(framing.n_fft)
    length = x.shape[-1]
    outside = (index < 0) | (index >= length)
    silent = np.zeros_like(outside)
    if outside.any():
        mode = FORWARD_PAD_MODES[framing.pad_mode]
        moved = np.array([source_index(i, length, mode) for i in index[outside]])
        silent[outside] = moved < 0
        index[outside] = np.maximum(moved, 0)
    return np.where(silent, x.dtype.type(0), x[..., index])


def _none_left_over(frames: Array) -> Array:
    """``frames [..., N, F]`` one after the other in memory, and silent ones, so that no value depends on how many."""
    *rows, count, size = frames.shape
    whole = np.zeros((*rows, count + -count % _TOGETHER, size), frames.dtype)
    whole[..., :count, :] = frames
    return whole


@quietly()
def stft(x: Array, window: Array, framing: Framing, out: Array, precise: bool = False) -> None:
    """One-sided spectra ``[..., N, F]``."""
    weights = window.astype(np.float64 if precise else x.dtype)
    for group in _groups(out.shape[-2], framing.n_fft):
        frames = frames_of(x, framing, group) * weights
        out[..., group.start : group.stop, :] = np.fft.rfft(_none_left_over(frames))[..., : len(group), :]


@quietly()
def istft(z: Array, window: Array, framing: Framing, scale: float, out: Array, floor: float) -> None:
    """The signal ``[..., length]`` after ``framing.left`` samples of the overlapped frames."""
    _overlap(z, (window * scale).astype(out.dtype), framing.hop_length, framing.left, out)
    out *= envelope.inverse_envelope(
        window.astype(np.float64), framing.hop_length, z.shape[-2], framing.left, out.shape[-1], floor
    ).astype(out.dtype)


@quietly()
def stft_adjoint(g: Array, window: Array, hop_length: int, low: int, out: Array) -> None:
    """Transpose of :func:`stft`, for the samples from ``low`` of the padded signal."""
    weights = window * (0.5 * window.size)
    doubled = g.copy()
    doubled[..., 0] *= 2
    if window.size % 2 == 0:
        doubled[..., -1] *= 2
    _overlap(doubled, weights.astype(out.dtype), hop_length, low, out)


@quietly()
def istft_adjoint(g: Array, window: Array, framing: Framing, scale: float, out: Array) -> None:
    """Transpose of :func:`istft`."""
    inverse = envelope.inverse_envelope(window, framing.hop_length, out.shape[-2], framing.left, g.shape[-1])
    audio = g[..., : inverse.size] * inverse.astype(g.dtype)
    stft(audio, window * (2 * scale / window.size), framing, out)
    out[..., 0] *= 0.5
    if window.size % 2 == 0:
        out[..., -1] *= 0.5


def _overlap(z: Array, weights: Array, hop_length: int, low: int, out: Array) -> None:
    n_fft, high = weights.size, low + out.shape[-1]
    out[...] = 0
    for group in _groups(z.shape[-2], n_fft):
        spectra = _none_left_over(z[..., group.start : group.stop, :])
        frames = np.fft.irfft(spectra, n=n_fft)[..., : len(group), :].astype(out.dtype) * weights
        for i, frame in enumerate(group):
            start = frame * hop_length
            a, b = max(start, low), min(start + n_fft, high)
            if b > a:
                out[..., a - low : b - low] += frames[..., i, a - start : b - start]
