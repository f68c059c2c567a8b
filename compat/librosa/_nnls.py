"""nnls of librosa.util: SciPy's steps, without what SciPy and librosa do around them."""

from __future__ import annotations

import functools
import importlib
import math
from typing import Any

import librosa
import numpy as np

from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ._adapter import adapter
from ._arguments import Array, check_array, check_engine, energy

librosa.util.nnls  # noqa: B018 - librosa 1.0 imports its module as late
_theirs = importlib.import_module("librosa.util._nnls")
_objective = getattr(_theirs, "_nnls_obj", None)
_MOST_VALUES = librosa.util.MAX_MEM_BLOCK
# from librosa 1.0 on, it inverts by SciPy, with a cutoff of its own
_CUTOFF = getattr(_theirs, "COND", None)
_ARGUMENTS = "setulb(m,x,l,u,nbd,f,g,factr,pgtol,wa,iwa,task,lsave,isave,dsave,maxls,ln_task)"
_MOST_ITERATIONS = 15000
# as fmin_l_bfgs_b has them
_REDUCTION, _GRADIENT, _SEARCHES = 1e7, 1e-5, 20
_EVALUATE, _ITERATED = 3, 1


@functools.cache
def _step() -> Any:
    """SciPy's step of L-BFGS-B, and the integers that it counts with."""
    from scipy.linalg import lapack
    from scipy.optimize import _lbfgsb

    said = str(_lbfgsb.setulb.__doc__).partition("\n")[0].replace(" ", "")
    if said != _ARGUMENTS or _objective is None:
        raise Decline("this version of SciPy, or of librosa, steps in another way")
    return _lbfgsb.setulb, np.int64 if getattr(lapack, "HAS_ILP64", False) else np.int32


@functools.lru_cache(maxsize=4)
def _inverted(values: bytes, dtype: str, shape: tuple[int, int]) -> Array:
    basis = np.frombuffer(values, dtype).reshape(shape)
    if _CUTOFF is None:
        return np.linalg.pinv(basis)
    import scipy.linalg

    inverse: Array = scipy.linalg.pinv(basis, rtol=_CUTOFF)
    return inverse


def _start(basis: Array, targets: Array) -> Array:
    """Where librosa begins: at least squares, without what is negative."""
    inverse = _inverted(basis.tobytes(), basis.dtype.str, basis.shape)
    start: Array = np.einsum("fm,...mt->...ft", inverse, targets, optimize=True)
    np.clip(start, 0, None, out=start)
    return start


def _minimum(basis: Array, targets: Array, start: Array) -> Array:
    """Where SciPy's ``fmin_l_bfgs_b`` ends, of librosa's objective, with bounds of 0 and none above."""
    step, whole = _step()
    memory = basis.shape[1]
    x = np.maximum(start.ravel(), 0.0, dtype=np.float64)
    size = x.size
    bounds, kinds = np.zeros(size), np.ones(size, whole)
    value, gradient = np.array(0.0), np.zeros(size)
    room, places = np.zeros(2 * memory * size + 5 * size + 11 * memory**2 + 8 * memory), np.zeros(3 * size, whole)
    task, in_search, flags, counts, numbers = (
        *(np.zeros(length, whole) for length in (2, 2, 4, 44)),
        np.zeros(29),
    )
    iterations = evaluations = 0
    while True:
        step(
            memory, x, bounds, bounds, kinds, value, gradient, _REDUCTION, _GRADIENT, room, places, task, flags, counts,
            numbers, _SEARCHES, in_search,
        )  # fmt: skip
        if task[0] == _EVALUATE:
            evaluations += 1
            value, gradient = _objective(x.copy(), start.shape, basis, targets)  # type: ignore[misc]
        elif task[0] == _ITERATED:
            iterations += 1
        else:
            return x.reshape(start.shape)
        if max(iterations, evaluations) >= _MOST_ITERATIONS:
            raise Decline("the search is longer than SciPy's may be")


def check_targets(targets: Any) -> None:
    """Take what a basis times magnitudes is to be, ``[..., M, N]``."""
    check_engine()
    _step()
    check_array(targets)
    if targets.dtype.kind != "f" or targets.ndim < 2:
        raise Decline("what is to be reached is complex, or has fewer than two axes")
    if not math.isfinite(energy(targets)):
        raise Decline("what is to be reached is not finite, or its squares overflow")


def solve(basis: Array, targets: Array) -> Array:
    """librosa's non-negative magnitudes ``[..., F, N]`` of which ``basis [M, F]`` makes nearly ``targets``."""
    columns = max(1, int(_MOST_VALUES // (np.prod(targets.shape[:-1]) * basis.itemsize)))
    x = _start(basis, targets)
    if targets.shape[-1] <= columns:
        return _minimum(basis, targets, x).astype(basis.dtype)
    for first in range(0, targets.shape[-1], columns):
        block = np.s_[..., first : first + columns]
        x[block] = _minimum(basis, targets[block], x[block])
    return x


@adapter("librosa.util.nnls", tolerances.repeated)
def nnls(A: Array, B: Array, **kwargs: Any) -> Work:
    """librosa.util.nnls. Same arguments, same defaults.

    Where librosa stops, after the same steps of SciPy's: they are what takes the time where it takes many.
    """
    if kwargs:
        raise Decline("arguments for SciPy's minimization")
    check_targets(B)
    check_array(A)
    if A.dtype != B.dtype or A.ndim != 2 or A.shape[0] != B.shape[-2]:
        raise Decline("A is no basis of B's dtype and number of rows")
    if not math.isfinite(energy(A)):
        raise Decline("A is not finite, or its squares overflow")
    return lambda: solve(A, B)
