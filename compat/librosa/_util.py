"""softmask and normalize of librosa.util."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mlx_spectro.kernels import cpu

from ..arrays.numpy_options import check_exponent, check_flag, check_plain, check_whole
from ..contract import settings, tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.reasons import BySize, unread
from ._adapter import adapter
from ._arguments import LARGEST, Array, check_array, check_engine, check_size, energy
from ._layout import lying, memory

_LEAST = 7000
_LEAST_NORMALIZED = 100_000
_FAST_NORMS = (math.inf, -math.inf, 0, 1, 2)
_SMALLEST_NORM, _LARGEST_NORM = 0.1, 100
# of a power of ten that double precision holds
_MOST_DIGITS = 300


@adapter("librosa.util.softmask", tolerances.masked)
def softmask(X: Array, X_ref: Array, *, power: float = 1, split_zeros: bool = False) -> Work:
    """librosa.util.softmask. Same arguments, same defaults.

    Ours under ``route("auto")`` for powers 1 and 2, and where values are many.
    """
    check_engine()
    check_exponent(power)
    if power not in (1, 2) and settings.route.get() == "auto":
        raise Decline(BySize("librosa is as fast for powers other than 1 and 2; route('ours') has us serve them"))
    check_flag("split_zeros", split_zeros)
    for x in (X, X_ref):
        check_array(x)
        if x.dtype.kind != "f" or not (x.min() >= 0 and np.isfinite(x.max())):
            raise Decline("an array is complex, or holds values that are negative or not finite")
    check_size(X.size, _LEAST)
    if (X.shape, X.dtype, X.strides) != (X_ref.shape, X_ref.dtype, X_ref.strides):
        raise Decline("X and X_ref differ in shape, dtype or memory order")

    def work() -> Array:
        # whose places the masks take
        x, ref = (memory(np.abs, lying(X), X.dtype, X.shape, X.dtype) for _ in range(2))
        x[...], ref[...] = X, X_ref
        return cpu.softmasks(x, ref, power, empty=0.5 if split_zeros else 0.0)[0]

    return work


def _check_norm(norm: Any, fill: Any, values: Array) -> None:
    """Decline norms that librosa does not know, or whose powers may overflow or vanish."""
    if norm is None:
        raise Decline(BySize("norm is None: the array is returned as it is"))
    if type(norm) is float and math.isinf(norm):
        return
    check_plain("norm", norm, 0, _LARGEST_NORM)
    if norm == 0 and fill:
        raise Decline("norm is 0, which filled values cannot have")
    if 0 < norm < _SMALLEST_NORM:
        raise Decline("norm is next to 0, and takes roots of rounding errors")
    if norm not in (0, 1, 2):
        # of the largest number, and of how many
        digits = norm * math.log10(max(float(np.abs(values).max()), 1)) + math.log10(values.size)
        if digits > _MOST_DIGITS or digits > _MOST_DIGITS * norm:
            raise Decline("sums of such powers may overflow")


def _terms(given: dict[str, Any]) -> float:
    """How many roundings a norm has, and its root multiplies: those of sums in double precision, and one of a value."""
    s, norm = given["S"], given["norm"]
    single = float(np.finfo(np.float64).eps / np.finfo(s.dtype).eps)
    return 1 + single * (0 if math.isinf(norm) else s.size / max(min(norm, 1), _SMALLEST_NORM))


@adapter("librosa.util.normalize", tolerances.sums, order=_terms)
def normalize(
    S: Array,
    *,
    norm: float | None = np.inf,
    axis: int | None = 0,
    threshold: float | None = None,
    fill: bool | None = None,
) -> Work:
    """librosa.util.normalize. Same arguments, same defaults.

    Under ``route("auto")`` where values are many.
    """
    check_engine()
    check_array(S)
    check_size(S.size, _LEAST_NORMALIZED)
    if norm not in _FAST_NORMS and settings.route.get() == "auto":
        raise Decline(BySize("librosa is as fast for other norms than 1 and 2; route('ours') has us serve them"))
    if S.dtype.kind != "f":
        raise Decline("S is complex")
    if not energy(S) < LARGEST[S.dtype.char]:
        raise Decline("S is not finite, or its squares may overflow")
    if fill is not None and type(fill) is not bool:
        raise Decline(unread("fill", fill))
    if axis is not None:
        check_whole("axis", axis, -S.ndim, S.ndim - 1)
    _check_norm(norm, fill, S)
    if threshold is not None:
        check_plain("threshold", threshold, float(np.finfo(np.float64).tiny))
    least = float(np.finfo(S.dtype).tiny) if threshold is None else threshold

    def work() -> Array:
        assert norm is not None
        lengths = cpu.norms(S, norm, axis)
        small = lengths < np.float64(least)
        lengths[small] = 1.0 if fill is None else math.inf
        values = cpu.divided(S, lengths, axis)
        if fill and small.any():
            along = S.size if axis is None else S.shape[axis]
            values[np.broadcast_to(small, S.shape)] = 1.0 if math.isinf(norm) else along ** (-1.0 / norm)
        # as librosa's
        return values.view(np.memmap) if type(S) is np.memmap else values

    return work
