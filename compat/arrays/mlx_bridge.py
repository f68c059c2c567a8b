"""Arrays of other libraries transformed by MLX, with the signatures of :mod:`mlx_spectro.kernels.cpu`.

Host arrays are copied in and out; MPS tensors share their memory with MLX.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_spectro.design.framing import Framing
from mlx_spectro.ops import operators
from mlx_spectro.ops.decibels import to_decibel

if TYPE_CHECKING:
    import torch


def _stft(
    x: mx.array,
    window: mx.array,
    *,
    hop_length: int,
    left: int,
    right: int,
    pad_mode: str,
    scale: float,
    onesided: bool,
) -> mx.array:
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    return operators.stft(x, window, framing, scale=scale, onesided=onesided)


def _istft(
    z: mx.array, window: mx.array, *, hop_length: int, left: int, length: int, scale: float, onesided: bool
) -> mx.array:
    framing = Framing(window.size, hop_length, left)
    return operators.istft(z, window, framing, length, scale=scale, onesided=onesided)


def _stft_adjoint(g: mx.array, window: mx.array, *, length: int, **options: Any) -> mx.array:
    audio = mx.zeros((*g.shape[:-2], length))
    return mx.vjp(lambda x: _stft(x, window, **options), [audio], [g])[1][0]


def _istft_adjoint(g: mx.array, window: mx.array, *, frames: int, **options: Any) -> mx.array:
    bins = window.size // 2 + 1 if options["onesided"] else window.size
    spectrum = mx.zeros((*g.shape[:-1], frames, bins), mx.complex64)
    return mx.vjp(lambda z: _istft(z, window, length=g.shape[-1], **options), [spectrum], [g])[1][0]


def _spectrogram(
    x: mx.array,
    window: mx.array,
    *,
    hop_length: int,
    left: int,
    right: int,
    pad_mode: str,
    scale: float,
    onesided: bool,
    power: float,
) -> mx.array:
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    half = operators.spectrogram(x, window, framing, power=power, scale=scale)
    return half if onesided else mx.concatenate([half, half[..., (window.size - 1) // 2 : 0 : -1]], axis=-1)


def _filterbank(
    x: mx.array,
    window: mx.array,
    bank: mx.array,
    *,
    hop_length: int,
    left: int,
    right: int,
    pad_mode: str,
    scale: float,
    power: float,
    ending: operators.Ending,
) -> mx.array:
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    return operators.filterbank(x, window, framing, bank, power=power, scale=scale, ending=ending)


def _decibels(x: mx.array, *, multiplier: float, amin: float, reference: float) -> mx.array:
    return to_decibel(x, multiplier, amin, reference)


def _from_decibel(x: mx.array, *, ref: float, power: float) -> mx.array:
    return ref * mx.power(mx.power(10.0, 0.1 * x), power)


_FUNCTIONS: dict[str, Callable[..., mx.array]] = {
    "stft": _stft,
    "istft": _istft,
    "stft_adjoint": _stft_adjoint,
    "istft_adjoint": _istft_adjoint,
    "spectrogram": _spectrogram,
    "filterbank": _filterbank,
    "project": operators.project,
    "decibels": _decibels,
    "from_decibel": _from_decibel,
}


def _on_host(function: Callable[..., mx.array]) -> Callable[..., None]:
    def call(x: npt.NDArray[Any], *weights: npt.NDArray[Any], out: npt.NDArray[Any], **options: Any) -> None:
        constants = (_constant(w.tobytes(), w.shape, w.dtype.str) for w in weights)
        np.copyto(out, np.array(function(mx.array(x), *constants, **options), copy=False))

    return call


@functools.lru_cache(maxsize=32)
def _constant(values: bytes, shape: tuple[int, ...], dtype: str) -> mx.array:
    """A window or a filterbank: always the same array, by which what is made of it is known again."""
    array = mx.array(np.frombuffer(values, dtype).reshape(shape))
    mx.eval(array)
    return array


# what mlx_spectro.kernels.cpu is for host kernels
host = SimpleNamespace(**{name: _on_host(function) for name, function in _FUNCTIONS.items()})


def on_metal(name: str, *tensors: torch.Tensor, **options: Any) -> torch.Tensor:
    """One of these functions of MPS tensors: neither library copies, and each waits for the other."""
    import torch

    torch.mps.synchronize()
    # MLX sees memory, and not that torch means its conjugate or its negative
    plain = (tensor.detach().resolve_conj().resolve_neg() for tensor in tensors)
    result = _FUNCTIONS[name](*map(mx.from_dlpack, plain), **options)
    mx.eval(result)
    return torch.utils.dlpack.from_dlpack(result)
