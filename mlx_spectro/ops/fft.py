"""Transforms of real frames by MLX's FFT, each the other's transpose, right on every device."""

from __future__ import annotations

import functools
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ..design.factors import factors
from .autodiff import linear


def mirrored(half: mx.array, n_fft: int) -> mx.array:
    """Two-sided spectrum of a real signal, of its one-sided one."""
    return mx.concatenate([half, mx.conj(half[..., (n_fft - 1) // 2 : 0 : -1])], axis=-1)


def spectra(x: mx.array) -> mx.array:
    """One-sided spectra ``[..., F]`` of real frames ``[..., n_fft]``."""
    n_fft = x.shape[-1]
    return linear(_rfft, lambda g, _: _irfft(g * _repeats(n_fft, 0.5), n_fft) * n_fft)(x)


def inverse_spectra(z: mx.array, n_fft: int) -> mx.array:
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
    return mx.fft.irfft(_packed(z if on_cpu() else _real_at_edges(z, n_fft)), n=n_fft)


def _real_at_edges(z: mx.array, n_fft: int) -> mx.array:
    """``z [..., F]`` with bins 0 and ``n_fft / 2`` real."""
    return mx.where(_edges(n_fft), mx.real(z).astype(mx.complex64), z)


# beyond this prime factor, CUDA's FFT makes a convolution with a chirp of a length, which costs a real one a bit
_LARGEST_PRIME = 127


def _takes_complex(n_fft: int) -> bool:
    """Whether frames are better transformed as complex ones.

    CUDA's FFT transforms two real frames of odd length as one complex frame, and a loud one leaks into a soft one.
    """
    return on_cuda() and (n_fft % 2 == 1 or _largest_prime(n_fft) > _LARGEST_PRIME)


def _packed(x: mx.array) -> mx.array:
    """``x`` laid out row by row: MLX's FFT on CUDA takes no gradient that is not."""
    return mx.contiguous(x) if on_cuda() else x


def on_cpu() -> bool:
    return mx.default_device().type == mx.DeviceType.cpu


def on_cuda() -> bool:
    return not (on_cpu() or mx.metal.is_available())


@functools.cache
def _largest_prime(n: int) -> int:
    return max(factors(n), default=1)
