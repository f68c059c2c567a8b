"""The STFT and its inverse as plain MLX ops: the readable definition that every kernel is checked against."""

from __future__ import annotations

import functools

import mlx.core as mx
import numpy as np

from . import envelope
from .framing import frame, overlap_add, pad
from .geometry import Framing


def stft(x: mx.array, window: mx.array, framing: Framing, *, scale: float = 1.0, onesided: bool = True) -> mx.array:
    """Short-time Fourier transform: ``X[t, k] = scale * sum_n w[n] x[t * hop + n] exp(-2 pi i k n / n_fft)``.

    Args:
        x: float32 ``[..., T]``; the last axis is time, in samples.
        window: float32 ``[n_fft]``.
        framing: Frame length, hop and padding.
        scale: Factor of the result.
        onesided: Bins up to half the sample rate only.

    Returns:
        complex64 ``[..., N, F]``, ``F = n_fft // 2 + 1`` if one-sided, else ``n_fft``; bin ``k`` lies at
        ``k * sample_rate / n_fft`` Hz.

    Raises:
        ValueError: a signal too short for its padding or for one frame.
    """
    windowed = frame(x, framing) * (window * scale)
    if onesided:
        return mx.fft.rfft(windowed)
    return mx.fft.fft(windowed.astype(mx.complex64))


def istft(
    z: mx.array,
    window: mx.array,
    framing: Framing,
    length: int,
    *,
    scale: float = 1.0,
    onesided: bool = True,
) -> mx.array:
    """Inverse STFT by windowed overlap-add over the squared-window envelope (Griffin and Lim, 1984, eq. 6).

    Args:
        z: complex64 ``[..., N, F]``. Ignored are the imaginary parts of bin 0 and of half the sample rate, and the bins
            above that, which for a real signal repeat the ones below.
        window: float32 ``[n_fft]``.
        framing: Frame length, hop and ``left``, the samples cut off the start of the overlapped frames.
        length: Samples to return.
        scale: Factor of the result.
        onesided: ``z`` holds ``n_fft // 2 + 1`` bins, else ``n_fft``.

    Returns:
        float32 ``[..., length]``; 0 where the envelope is below 1e-11 and beyond the last frame.
    """
    half = z if onesided else z[..., : framing.n_fft // 2 + 1]
    return synthesis(mx.fft.irfft(half, n=framing.n_fft), window, framing, length, scale=scale)


def synthesis(frames: mx.array, window: mx.array, framing: Framing, length: int, *, scale: float = 1.0) -> mx.array:
    """What :func:`istft` makes of the inverse transforms ``[..., N, n_fft]`` of its frames."""
    summed = overlap_add(frames * (window * scale), framing.hop_length)
    summed = summed[..., framing.left : framing.left + length]
    y = summed * _inverse_envelope(window, framing, frames.shape[-2], summed.shape[-1])
    return pad(y, 0, length - y.shape[-1], "constant")


def _inverse_envelope(window: mx.array, framing: Framing, frames: int, length: int) -> mx.array:
    return _cached_inverse_envelope(np.array(window).tobytes(), framing, frames, length)


@functools.lru_cache(maxsize=16)
def _cached_inverse_envelope(window: bytes, framing: Framing, frames: int, length: int) -> mx.array:
    samples = np.frombuffer(window, np.float32)
    inverse = envelope.inverse_envelope(samples, framing.hop_length, frames, framing.left, length)
    result = mx.array(inverse.astype(np.float32))
    mx.eval(result)
    return result
