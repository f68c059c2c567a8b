"""The STFT and its inverse as plain MLX ops: the readable definition that every kernel is checked against."""

from __future__ import annotations

import functools

import mlx.core as mx
import numpy as np

from . import envelope
from .framing import frame, overlap_add, pad
from .geometry import Framing
from .kernels.codelets import factors
from .rules import linear
from .sums import root


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
    if framing.n_fft == 1:
        return windowed.astype(mx.complex64)
    # CUDA's FFT transforms two real frames of odd length as one complex frame, and a loud one leaks into a soft one
    if onesided and not (_on_cuda() and framing.n_fft % 2):
        return _rowwise(mx.fft.rfft(windowed))
    z = _rowwise(mx.fft.fft(windowed.astype(mx.complex64)))
    return z[..., : framing.n_fft // 2 + 1] if onesided else z


def _rowwise(x: mx.array) -> mx.array:
    """``x``, whose gradient is laid out row by row: MLX's FFT on CUDA, its gradient's FFT, takes no other."""
    if not _on_cuda():
        return x
    return linear(lambda x: x, lambda g, _: mx.contiguous(g))(x)


def magnitudes(z: mx.array, power: float) -> mx.array:
    """Magnitudes of ``z`` to ``power``. Where a magnitude is 0, so is its gradient."""
    energy = mx.square(mx.real(z)) + mx.square(mx.imag(z))
    if power == 2.0:
        return energy
    magnitude = root(energy)
    return magnitude if power == 1.0 else mx.power(magnitude, power)


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


def inverse_frames(z: mx.array, n_fft: int) -> mx.array:
    """Inverse transforms ``[..., N, n_fft]`` of one-sided spectra ``[..., N, F]``."""
    if n_fft == 1:
        return mx.real(z)
    return _rowwise(_by_product(z, n_fft) if _is_chirped(n_fft) else _irfft(z, n_fft))


def _irfft(z: mx.array, n_fft: int) -> mx.array:
    """``mx.fft.irfft``, whose own tangent is one sample short where ``n_fft`` is odd."""

    def inverse(z: mx.array) -> mx.array:
        return mx.fft.irfft(z, n=n_fft)

    def transpose(g: mx.array, shape: tuple[int, ...]) -> mx.array:
        return mx.vjp(inverse, [mx.zeros((*g.shape[:-1], shape[-1]), mx.complex64)], [g])[1][0]

    return linear(inverse, transpose)(z)


# of lengths with a larger prime factor, CUDA's FFT makes a convolution with a chirp, and loses a bit; the matrix of a
# length up to this one takes 16 MB
_LARGEST_PRIME, _LARGEST_PRODUCT = 127, 2048


def _on_cuda() -> bool:
    return mx.default_device().type != mx.DeviceType.cpu and not mx.metal.is_available()


def _is_chirped(n_fft: int) -> bool:
    return _on_cuda() and n_fft <= _LARGEST_PRODUCT and _largest_prime(n_fft) > _LARGEST_PRIME


@functools.cache
def _largest_prime(n: int) -> int:
    return max(factors(n), default=1)


def _by_product(z: mx.array, n_fft: int) -> mx.array:
    """Inverse transforms of one-sided spectra by the transform's matrix."""
    cosines, sines = _matrices(n_fft)
    return _times(mx.real(z), cosines) + _times(mx.imag(z), sines)


def _times(x: mx.array, matrix: mx.array) -> mx.array:
    """:func:`product`, and its gradient, which MLX cannot take of the halves."""
    return linear(lambda x: product(x, matrix), lambda g, _: product(g, matrix.T))(x)


@functools.lru_cache(maxsize=8)
def _matrices(n_fft: int) -> tuple[mx.array, mx.array]:
    k = np.arange(n_fft // 2 + 1)
    twice = np.where((k == 0) | (2 * k == n_fft), 1.0, 2.0)[:, None] / n_fft
    angles = 2 * np.pi / n_fft * (k[:, None] * np.arange(n_fft) % n_fft)
    found = [mx.array((twice * part).astype(np.float32)) for part in (np.cos(angles), -np.sin(angles))]
    mx.eval(found)
    return found[0], found[1]


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


# on the CPU, MLX adds a product's terms one after the other, and loses a digit of a thousand of them
_BLOCK = 64
# the sign, the exponent and the ten leading bits of a float32's fraction: what TF32 keeps
_TF32_BITS = 0xFFFFE000


def product(x: mx.array, matrix: mx.array) -> mx.array:
    """``x @ matrix`` in true float32: MLX would multiply float32 matrices on CUDA in TF32."""
    if mx.default_device().type == mx.DeviceType.cpu:
        blocks = range(0, x.shape[-1], _BLOCK)
        products = [x[..., i : i + _BLOCK] @ matrix[i : i + _BLOCK] for i in blocks]
        return functools.reduce(mx.add, products)
    if mx.metal.is_available():
        return x @ matrix
    # of two halves of 11 bits each, TF32 loses nothing
    x_high, m_high = _leading(x), _leading(matrix)
    x_low, m_low = x - x_high, matrix - m_high
    return x_high @ m_high + (x_high @ m_low + x_low @ m_high + x_low @ m_low)


def _leading(x: mx.array) -> mx.array:
    return (x.view(mx.uint32) & mx.array(_TF32_BITS, mx.uint32)).view(mx.float32)
