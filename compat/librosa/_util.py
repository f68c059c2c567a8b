"""softmask of librosa.util."""

from __future__ import annotations

import numpy as np

from mlx_spectro.kernels import cpu

from ..arrays.numpy_options import check_exponent, check_flag
from ..contract import settings, tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.reasons import ByDesign
from ._adapter import adapter
from ._arguments import Array, check_array, check_engine, check_size

_LEAST = 20_000


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
