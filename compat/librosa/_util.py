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
from ..contract.reasons import ByDesign
from ._adapter import adapter
from ._arguments import Array, check_array, check_engine, check_size

_LEAST = 20_000
# values that librosa is as fast at normalizing
_LEAST_NORMALIZED = 2000


@adapter("librosa.util.softmask", tolerances.masked)
def softmask(X: Array, X_ref: Array, *, power: float = 1, split_zeros: bool = False) -> Work:
    """librosa.util.softmask. Same arguments, same defaults.

    Ours under ``route("auto")`` for powers 1 and 2, and where values are many.
    """
    check_engine()
    check_exponent(power)
    if power not in (1, 2) and settings.route.get() == "auto":
        raise Decline(ByDesign("librosa is as fast for powers other than 1 and 2; route('ours') has us serve them"))
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
        x, ref = (np.array(given, order="K") for given in (X, X_ref))
        return cpu.softmasks(x, ref, power, empty=0.5 if split_zeros else 0.0)[0]

    return work


@adapter("librosa.util.normalize", tolerances.same)
def normalize(
    S: Array, *, norm: Any = np.inf, axis: int | None = 0, threshold: Any = None, fill: bool | None = None
) -> Work:
    """librosa.util.normalize. Same arguments, same defaults.

    Ours by the largest magnitude, to the bit, and under ``route("auto")`` where values are many.
    """
    check_engine()
    check_array(S)
    if type(norm) is not float or norm != math.inf:
        raise Decline(ByDesign("librosa is as fast for norms other than infinity"))
    if S.dtype.kind != "f":
        raise Decline("S is complex")
    if axis is not None:
        check_whole("axis", axis, -S.ndim, S.ndim - 1)
    if fill is not None and type(fill) is not bool:
        raise Decline("fill is neither None nor True nor False")
    if threshold is None:
        threshold = float(np.finfo(S.dtype).tiny)
    else:
        check_plain("threshold", threshold, 1e-300)
    check_size(S.size, _LEAST_NORMALIZED)
    # without the magnitudes of all values
    length = np.maximum(S.max(axis=axis, keepdims=True), -S.min(axis=axis, keepdims=True))
    if not np.isfinite(length).all():
        raise Decline("S is not finite")

    def work() -> Array:
        small = length.astype(np.float64) < threshold
        length[small] = 1 if fill is None else np.inf
        # of a quotient of float32 numbers, double precision would be rounded to the same
        result: Array = np.divide(S, length, out=np.empty_like(S))
        if fill:
            np.copyto(result, 1, where=small)
        return result

    return work
