"""The kernels' operations on NumPy arrays, in float64 as the truth or in float32 as torch computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .places import positions, starts

Array = npt.NDArray[Any]
Real = type[np.float32] | type[np.float64]


def stft(x: Array, window: Array, hop: int, left: int, right: int, mode: str, dtype: Real) -> Array:
    """Spectra ``[R, N, F]`` of signals ``[R, T]``."""
    where = positions(x.shape[-1], left, right, mode)
    extended = np.where(where < 0, 0, x.astype(dtype)[:, where])
    frames = 1 + (extended.shape[-1] - window.size) // hop
    framed = extended[:, starts(frames, window.size, hop)] * window.astype(dtype)
    spectra: Array = torch.fft.rfft(torch.from_numpy(framed)).numpy()
    return spectra


def overlap_add(frames: Array, hop: int) -> Array:
    """Sum of frames ``[R, N, L]`` placed ``hop`` samples apart."""
    rows, count, size = frames.shape
    summed = np.zeros((rows, size + hop * (count - 1)), frames.dtype)
    for f in range(count):
        summed[:, f * hop : f * hop + size] += frames[:, f]
    return summed


def envelope(window: Array, hop: int, frames: int, dtype: Real) -> Array:
    """Overlap-added squares of ``frames`` windows."""
    squares: Array = np.broadcast_to(window.astype(dtype) ** 2, (1, frames, window.size))
    total: Array = overlap_add(squares, hop)[0]
    return total


def _inverse_envelope(window: Array, hop: int, frames: int, dtype: Real) -> Array:
    total = envelope(window, hop, frames, dtype)
    return np.divide(1, total, where=total >= 1e-11, out=np.zeros_like(total)).astype(dtype)


def _cut(samples: Array, left: int, length: int) -> Array:
    cut = samples[..., left : left + length]
    return np.pad(cut, [(0, 0)] * (cut.ndim - 1) + [(0, length - cut.shape[-1])])


def istft(z: Array, window: Array, hop: int, left: int, length: int, dtype: Real) -> Array:
    """Signals ``[R, length]`` of spectra ``[R, N, F]``."""
    spectrum = torch.from_numpy(z.astype(np.complex128 if dtype is np.float64 else np.complex64))
    frames = torch.fft.irfft(spectrum, n=window.size).numpy() * window.astype(dtype)
    summed = overlap_add(frames, hop) * _inverse_envelope(window, hop, z.shape[1], dtype)
    return _cut(summed, left, length)


def stft_adjoint(
    g: Array, window: Array, hop: int, left: int, right: int, mode: str, length: int, dtype: Real
) -> Array:
    """Transpose of :func:`stft` as an operator on real and imaginary parts."""
    n_fft = window.size
    weighted: Array = g.astype(np.complex128 if dtype is np.float64 else np.complex64)
    weighted[..., 1 : (n_fft + 1) // 2] /= 2
    frames = torch.fft.irfft(torch.from_numpy(weighted), n=n_fft, norm="forward").numpy() * window.astype(dtype)
    summed = _cut(overlap_add(frames, hop), 0, left + length + right)
    where = positions(length, left, right, mode)
    gathered: Array = np.zeros((len(g), length), dtype)
    index: Any = (slice(None), where[where >= 0])
    np.add.at(gathered, index, summed[:, where >= 0])
    return gathered


def istft_adjoint(g: Array, window: Array, hop: int, left: int, frames: int, dtype: Real) -> Array:
    """Transpose of :func:`istft` as an operator on real and imaginary parts."""
    n_fft = window.size
    inverse = _inverse_envelope(window, hop, frames, dtype)
    covered: Array = np.zeros((len(g), inverse.size), dtype)
    inside = min(g.shape[-1], inverse.size - left)
    covered[:, left : left + inside] = g[:, :inside]
    z: Array = stft(covered * inverse, window, hop, 0, 0, "constant", dtype)
    z *= dtype(2 / n_fft)
    z[..., 0] /= 2
    if n_fft % 2 == 0:
        z[..., -1] /= 2
    return z
