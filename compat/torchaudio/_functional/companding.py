"""mu_law_encoding and mu_law_decoding of torchaudio.functional: by the numbers that torchaudio makes of each code."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchaudio import functional as theirs

from mlx_spectro.design.thresholds import thresholds
from mlx_spectro.kernels import cpu

from ...arrays import torch_results
from ...arrays.placement import engine
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_pays, check_tensor
from ...arrays.torch_tensors import to_host
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import BySize, unread
from .resample import check_defaults

_encode, _decode = theirs.mu_law_encoding, theirs.mu_law_decoding
# of more, thresholds lie closer together than a look-up tells apart
_MOST_ENCODED, _MOST_DECODED = 1 << 8, 1 << 16
# values to be encoded, below which torchaudio is as fast
_MANY = 1 << 17


def _check_companded(x: Any, channels: Any, most: int) -> None:
    """Decline what host kernels do not take, or do not take side by side in memory."""
    if not x.is_cpu:
        raise Decline(BySize("on a GPU, codes beyond quantization_channels are not seen without waiting"))
    if engine("float64") is not cpu:
        raise Decline("host kernels alone compute this")
    check_defaults()
    if type(channels) is not int:
        raise Decline(unread("quantization_channels", channels))
    if not 2 <= channels <= most:
        raise Decline(f"quantization_channels is below 2 or above {most}")
    if not (x.numel() and x.is_contiguous()):
        raise Decline("there are no values, or they do not lie side by side in memory: x.contiguous() is served")


@functools.lru_cache(maxsize=16)
def _thresholds(channels: int, kind: np.dtype[Any]) -> tuple[Any, int]:
    """The least numbers of a dtype to which torchaudio gives each code but the first, and the first."""
    try:
        values, first = thresholds(lambda x: _encode(torch.from_numpy(x), channels).numpy(), kind)
    except ValueError as error:
        raise Decline(f"of torchaudio, {error}") from None
    return cpu.in_cells(values), first


@adapter("torchaudio.functional.mu_law_encoding", tolerances.same)
def mu_law_encoding(x: Tensor, quantization_channels: int) -> Work:
    """torchaudio.functional.mu_law_encoding. Same arguments, same defaults.

    Codes, by the numbers from which on torchaudio gives each: the same ones.
    """
    check_tensor(x)
    if x.is_complex():
        raise Decline("there are no real values")
    _check_companded(x, quantization_channels, _MOST_ENCODED)
    check_pays(x, x.numel(), _MANY, "values")

    def work() -> Tensor:
        least, largest = x.detach().aminmax()
        if not (least >= -1 and largest <= 1):
            raise Decline("there are values that are not finite, or beyond 1")
        values = to_host(x)
        y = torch_results.empty(x.shape, torch.int64)
        cpu.codes(values, *_thresholds(quantization_channels, values.dtype), to_host(y))
        return y

    return work


@functools.lru_cache(maxsize=16)
def _values(channels: int) -> npt.NDArray[np.float32]:
    """What torchaudio makes of each code."""
    values: npt.NDArray[np.float32] = _decode(torch.arange(channels), channels).numpy()
    return values


@adapter("torchaudio.functional.mu_law_decoding", tolerances.same)
def mu_law_decoding(x_mu: Tensor, quantization_channels: int) -> Work:
    """torchaudio.functional.mu_law_decoding. Same arguments, same defaults.

    Of whole numbers, each of which torchaudio decodes once.
    """
    check_tensor(x_mu, whole=True)
    _check_companded(x_mu, quantization_channels, _MOST_DECODED)

    def work() -> Tensor:
        least, largest = map(int, x_mu.aminmax())
        if least < 0 or largest >= quantization_channels:
            raise Decline("there are codes beyond those of quantization_channels")
        x = torch_results.empty(x_mu.shape, torch.float32)
        cpu.values_of(to_host(x_mu), _values(quantization_channels), to_host(x))
        return x

    return work
