"""mu_compress and mu_expand of librosa."""

from __future__ import annotations

import functools
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.thresholds import thresholds
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_flag, check_plain
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import BySize
from .._adapter import adapter
from .._arguments import Array, check_array, check_engine, check_kind, check_size
from .._layout import lying, memory

_mu_compress, _mu_expand = librosa.mu_compress, librosa.mu_expand
_MOST_CODES = 1 << 16
# values from which on ours is faster
_LEAST = 1000


def _check_mu(mu: Any) -> None:
    check_plain("mu", mu, 1, _MOST_CODES - 1)


@functools.lru_cache(maxsize=16)
def _thresholds(mu: float, whole_mu: bool, kind: np.dtype[Any]) -> tuple[Any, int]:
    """The least numbers of a dtype to which librosa gives each code but the first, and the first."""
    try:
        values, first = thresholds(lambda x: _mu_compress(x, mu=mu, quantize=True), kind)
    except ValueError as error:
        raise Decline(f"of librosa, {error}") from None
    return cpu.in_cells(values), first


@adapter("librosa.mu_compress", tolerances.same, also="librosa.core")
def mu_compress(x: Array, *, mu: float = 255, quantize: bool = True) -> Work:
    """librosa.mu_compress. Same arguments, same defaults.

    Codes, by the numbers from which on librosa gives each: the same ones. Ours under ``route("auto")`` where values are
    many.
    """
    check_engine()
    check_array(x)
    check_flag("quantize", quantize)
    if not quantize:
        raise Decline(BySize("librosa is as fast for values that are not quantized"))
    _check_mu(mu)
    if x.dtype.kind != "f" or not (x.min() >= -1 and x.max() <= 1):
        raise Decline("x is complex, or holds values that are not finite or beyond 1")
    check_size(x.size, _LEAST)
    reached, first = _thresholds(mu, type(mu) is int, x.dtype)

    def work() -> Array:
        codes = np.empty(x.shape, np.int64)
        cpu.codes(np.asarray(x), reached, first, codes)
        return codes

    return work


@functools.lru_cache(maxsize=32)
def _values(mu: float, whole_mu: bool, kind: np.dtype[Any], least: int, largest: int) -> Array:
    """What librosa makes of each code from ``least`` to ``largest``."""
    result: Array = _mu_expand(np.arange(least, largest + 1).astype(kind), mu=mu, quantize=True)
    return result


@adapter("librosa.mu_expand", tolerances.same, also="librosa.core")
def mu_expand(x: Array, *, mu: float = 255.0, quantize: bool = True) -> Work:
    """librosa.mu_expand. Same arguments, same defaults.

    Of whole numbers, each of which is expanded once, by librosa. Ours under ``route("auto")`` where values are many.
    """
    check_engine()
    check_flag("quantize", quantize)
    _check_mu(mu)
    if not quantize:
        raise Decline(BySize("librosa is as fast for values that are not quantized"))
    check_kind(x)
    if not (x.ndim and x.size and x.dtype.kind in "iu" and x.dtype.isnative):
        raise Decline("x is no array of whole numbers")
    check_size(x.size, _LEAST)
    least, largest = int(x.min()), int(x.max())
    if not (least * 2.0 / (1 + mu) >= -1 and largest * 2.0 / (1 + mu) <= 1):
        raise Decline("x holds codes beyond those of mu")
    least = min(least, 0)

    def work() -> Array:
        values = _values(mu, type(mu) is int, x.dtype, least, largest)
        out = memory(np.abs, lying(x), x.dtype, x.shape, values.dtype)
        # of what lies as the codes do, both are taken in one sweep
        np.take(values, np.subtract(x.T, least, dtype=np.intp), out=out.T, mode="clip")
        return out

    return work
