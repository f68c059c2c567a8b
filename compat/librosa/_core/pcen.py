"""pcen of librosa."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_number, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import Array, check_array, check_engine, check_size
from .._layout import lying, memory, placed

_pcen = librosa.pcen
_LEAST = 500
# of what is larger, powers of quotients may overflow
_LARGEST, _LARGEST_LOGARITHM = 1e30, 300


@functools.cache
def _normalized(axis: int) -> Callable[[Array], Array]:
    def of_energies(energies: Array) -> Array:
        result: Array = _pcen(energies, axis=axis)
        return result

    return of_energies


@functools.lru_cache(maxsize=64)
def _state(b: float) -> float:
    """The state that librosa begins with."""
    import scipy.signal

    return float(scipy.signal.lfilter_zi([b], [1, b - 1])[0])


def _coefficient(b: Any, time_constant: Any, sr: Any, hop_length: Any) -> float:
    """What of each frame is taken into the mean; by default, half of it is forgotten after ``time_constant``."""
    if b is None:
        check_plain("time_constant", time_constant, 1e-3, 1e6)
        check_number("sr", sr, 1e-3)
        check_number("hop_length", hop_length, 1e-3)
        frames = time_constant * sr / float(hop_length)
        b = float((np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2))
    else:
        check_plain("time_constant", time_constant, 1e-300)
    check_plain("b", b, 1e-6, 1)
    return float(b)


def _exponents(given: dict[str, Any]) -> float:
    """How large the exponents are that are rounded, and so by how much more what they are the logarithms of."""
    gain, power, eps = (float(given[name]) for name in ("gain", "power", "eps"))
    levels = math.log1p(float(given["S"].max())) + abs(math.log(eps))
    return (2 + power) * (1 + gain) * (1 + levels)


@adapter("librosa.pcen", tolerances.sums, also="librosa.core", order=_exponents)
def pcen(
    S: Array,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    gain: float = 0.98,
    bias: float = 2,
    power: float = 0.5,
    time_constant: float = 0.400,
    eps: float = 1e-6,
    b: float | None = None,
    max_size: int = 1,
    ref: Array | None = None,
    axis: int = -1,
    max_axis: int | None = None,
    zi: Array | None = None,
    return_zf: bool = False,
) -> Work:
    """librosa.pcen. Same arguments, same defaults.

    Of energies from beginning to end, in one pass.
    """
    check_engine()
    check_array(S)
    if ref is not None or zi is not None or return_zf:
        raise Decline("a reference or a state is given, or one is asked for")
    check_whole("max_size", max_size)
    if max_size != 1:
        raise Decline("max_size is not 1")
    check_plain("gain", gain, 0, 16)
    check_plain("power", power, 1e-6, 8)
    check_plain("bias", bias, 1e-6, 1e6)
    check_plain("eps", eps, 1e-30, 1e6)
    coefficient = _coefficient(b, time_constant, sr, hop_length)
    if S.dtype.kind != "f" or not (S.min() >= 0 and float(S.max()) < _LARGEST):
        raise Decline("S is complex, or holds values that are negative, not finite or too large")
    check_whole("axis", axis, -S.ndim, S.ndim - 1)
    loudest, quietest = math.log1p(float(S.max())), abs(math.log(eps))
    if max(gain * (loudest + quietest), power * (loudest + gain * quietest + abs(math.log(bias)))) > _LARGEST_LOGARITHM:
        raise Decline("gain and eps are such that powers may overflow")
    check_size(S.size, _LEAST)

    def work() -> Array:
        energies = cpu.normalized_energies(S, coefficient, _state(coefficient), eps, gain, bias, power, int(axis))
        return placed(energies, memory(_normalized(int(axis)), lying(S), S.dtype, S.shape, np.float64))

    return work
