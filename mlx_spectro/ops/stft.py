"""The STFT and its inverse as plain MLX ops: the readable definition that every kernel is checked against."""

from __future__ import annotations

import functools
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ..design import envelope
from ..design.framing import Framing
from ..kernels.gpu.codelets import factors
from .autodiff import linear
from .frames import frame, overlap_add, pad
from .numerics import magnitude


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
    half = _transformed(frame(x, framing) * (window * scale))
    return half if onesided else mirrored(half, framing.n_fft)


def mirrored(half: mx.array, n_fft: int) -> mx.array:
    """Two-sided spectrum of a real signal, of its one-sided one."""
    return mx.concatenate([half, mx.conj(half[..., (n_fft - 1) // 2 : 0 : -1])], axis=-1)


def magnitudes(z: mx.array, power: float) -> mx.array:
    """Magnitudes of ``z`` to ``power``. Where a magnitude is 0, so is its gradient."""
    if power == 2.0:
        return mx.square(mx.real(z)) + mx.square(mx.imag(z))
    size = magnitude(z)
    return size if power == 1.0 else mx.power(size, power)


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
    return synthesis(inverse_frames(half, framing.n_fft), window, framing, length, scale=scale)


def _transformed(x: mx.array) -> mx.array:
    """One-sided spectra ``[..., F]`` of real frames ``[..., n_fft]``."""
    n_fft = x.shape[-1]
    return linear(_rfft, lambda g, _: _irfft(g * _repeats(n_fft, 0.5), n_fft) * n_fft)(x)


def inverse_frames(z: mx.array, n_fft: int) -> mx.array:
    """Inverse transforms ``[..., N, n_fft]`` of one-sided spectra ``[..., N, F]``."""
    return linear(lambda z: _irfft(z, n_fft), lambda g, _: _rfft(g) * (_repeats(n_fft, 2.0) / n_fft))(z)


@functools.lru_cache(maxsize=64)
def _repeats(n_fft: int, factor: float) -> mx.array:
    """``factor`` for each of ``F`` bins that stands for its mirror image too, 1 for the others."""
    return _evaluated(np.where(_at_edges(n_fft), 1.0, factor).astype(np.float32))


@functools.lru_cache(maxsize=64)
def _edges(n_fft: int) -> mx.array:
    return _evaluated(_at_edges(n_fft))


def _at_edges(n_fft: int) -> npt.NDArray[np.bool_]:
    """Which of ``F`` bins lie at 0 and at half the sample rate."""
    edges: npt.NDArray[np.bool_] = 2 * np.arange(n_fft // 2 + 1) % n_fft == 0
    return edges


def _evaluated(values: npt.NDArray[Any]) -> mx.array:
    """``values`` for any thread to use."""
    # what is not evaluated belongs to its thread: https://github.com/ml-explore/mlx/issues/3529
    array = mx.array(values)
    mx.eval(array)
    return array


def _rfft(x: mx.array) -> mx.array:
    n_fft = x.shape[-1]
    if n_fft == 1:
        return x.astype(mx.complex64)
    if not _takes_complex(n_fft):
        return mx.fft.rfft(_packed(x))
    return mx.fft.fft(_packed(x.astype(mx.complex64)))[..., : n_fft // 2 + 1]


def _irfft(z: mx.array, n_fft: int) -> mx.array:
    if n_fft == 1:
        return mx.real(z)
    if _takes_complex(n_fft):
        return mx.real(mx.fft.ifft(_packed(mirrored(_real_at_edges(z, n_fft), n_fft))))
    # on CUDA, imaginary parts at the edges, which mean nothing, spoil inverses of 4096 and more: they do in torch, too,
    # https://github.com/pytorch/pytorch/issues/154496
    return mx.fft.irfft(_packed(z if _on_cpu() else _real_at_edges(z, n_fft)), n=n_fft)


def _real_at_edges(z: mx.array, n_fft: int) -> mx.array:
    """``z [..., F]`` with bins 0 and ``n_fft / 2`` real."""
    return mx.where(_edges(n_fft), mx.real(z).astype(mx.complex64), z)


# beyond this prime factor, CUDA's FFT makes a convolution with a chirp of a length, which costs a real one a bit
_LARGEST_PRIME = 127


def _takes_complex(n_fft: int) -> bool:
    """Whether frames are better transformed as complex ones.

    CUDA's FFT transforms two real frames of odd length as one complex frame, and a loud one leaks into a soft one.
    """
    return _on_cuda() and (n_fft % 2 == 1 or _largest_prime(n_fft) > _LARGEST_PRIME)


def _packed(x: mx.array) -> mx.array:
    """``x`` laid out row by row: MLX's FFT on CUDA takes no gradient that is not."""
    return mx.contiguous(x) if _on_cuda() else x


def _on_cpu() -> bool:
    return mx.default_device().type == mx.DeviceType.cpu


def _on_cuda() -> bool:
    return not (_on_cpu() or mx.metal.is_available())


@functools.cache
def _largest_prime(n: int) -> int:
    return max(factors(n), default=1)


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


# MLX adds a product's terms one after the other, and loses a digit of a thousand of them: on the CPU by rounding, in
# CUDA's matrix units by cutting off
_BLOCK = 64
# the sign, the exponent and the ten leading bits of a float32's fraction: what TF32 keeps, in which MLX multiplies on
# CUDA unless a variable that it reads once says otherwise, https://github.com/ml-explore/mlx/issues/3860
_TF32_BITS = 0xFFFFE000


def product(x: mx.array, matrix: mx.array) -> mx.array:
    """``x @ matrix`` in true float32: MLX would multiply float32 matrices on CUDA in TF32."""
    if mx.metal.is_available() and not _on_cpu():
        return x @ matrix
    multiply = _in_halves if _on_cuda() else mx.matmul
    blocks = range(0, x.shape[-1], _BLOCK)
    return functools.reduce(mx.add, [multiply(x[..., i : i + _BLOCK], matrix[i : i + _BLOCK]) for i in blocks])


def _in_halves(x: mx.array, matrix: mx.array) -> mx.array:
    """``x @ matrix``, of two halves of 11 bits each, of which TF32 loses nothing."""
    x_high, m_high = _leading(x), _leading(matrix)
    x_low, m_low = x - x_high, matrix - m_high
    return x_high @ m_high + (x_high @ m_low + x_low @ m_high + x_low @ m_low)


def _leading(x: mx.array) -> mx.array:
    return (x.view(mx.uint32) & mx.array(_TF32_BITS, mx.uint32)).view(mx.float32)
