"""What librosa's functions ask of their arrays, and who computes with them."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays.kinds import is_plain
from ..arrays.numpy_options import is_dtype
from ..arrays.placement import check_host_kernels
from ..contract import settings
from ..contract.decline import Decline
from ..contract.reasons import BySize

Array = npt.NDArray[Any]

# a tenth of the largest number of each precision
LARGEST = {"f": 3e37, "d": 1e307}

# below it are numbers next to those with fewer digits, which kernels take for 0
_FAINTEST = {"f": 1e-31, "d": 1e-291}

_LEAST_BESIDE_VECTORS = 100_000


def check_engine() -> None:
    """Decline where no host kernel can compute."""
    check_host_kernels("librosa")


def check_size(size: int, least: int) -> None:
    """Decline elementwise work on so few values that NumPy had better do it."""
    if settings.route.get() == "auto" and size < least:
        raise Decline(BySize("librosa is as fast on so few values; route('ours') has us serve them"))


@functools.cache
def numpy_has_vectors() -> bool:
    """Whether NumPy takes logarithms and magnitudes of complex numbers by vectors, for which it needs AVX-512."""
    from mlx_spectro.kernels.cpu.runtime.vector import VECTOR_BYTES

    return VECTOR_BYTES == 64


def check_size_beside_vectors(size: int, least: int) -> None:
    """:func:`check_size`, and of more values where NumPy computes by vectors too."""
    check_size(size, _LEAST_BESIDE_VECTORS if numpy_has_vectors() else least)


def check_kind(x: Any) -> None:
    """Decline what is not an array, or is more than one."""
    if not is_plain(x):
        raise Decline(f"the array is a {type(x).__name__}: plain NumPy arrays are served")


def check_array(x: Any) -> None:
    """Decline what we cannot compute with."""
    check_kind(x)
    if not x.ndim:
        raise Decline("the array has no axes")
    if x.dtype.char not in "fdFD" or not x.dtype.isnative:
        raise Decline(f"the array is {x.dtype}: single and double precision are served")
    if not x.size:
        raise Decline("the array is empty")


def energy(x: Array) -> float:
    """Sum of the squared magnitudes of ``x``; not finite where a value is not, or where the squares overflow."""
    flat = x.ravel(order="K")
    # unlike other products of two vectors, this one never warns
    return float(np.vdot(flat, flat).real)


def check_faintness(x: Array, axis: Any = None) -> None:
    """Decline where the largest of ``x`` along ``axis`` is next to what kernels take for 0, and is not 0."""
    _check_largest(np.abs(x).max(axis=axis))


def _check_largest(largest: Any) -> None:
    """:func:`check_faintness` of NumPy's numbers that are the largest magnitudes of others."""
    if ((largest > 0) & (largest < _FAINTEST[largest.dtype.char])).any():
        raise Decline("some values are next to the smallest that there are, which kernels take for 0")


def audio_energy(y: Any) -> float:
    """Sum of the squares of audio ``y``; what librosa rejects or warns of is declined."""
    check_array(y)
    if y.dtype.kind != "f":
        raise Decline("the audio is complex")
    total = energy(y)
    if not math.isfinite(total):
        raise Decline("the audio is not finite, or its squares overflow")
    if not total:
        check_faintness(y)
    return total


def check_magnitudes(s: Any, squared: Any = None) -> None:
    """Decline given magnitudes ``s [..., F, N]`` that we cannot compute with.

    Args:
        squared: The dtype in which librosa squares them, if not their own.
    """
    check_engine()
    check_array(s)
    if s.dtype.kind != "f" or s.ndim < 2:
        raise Decline("S is no real spectrogram")
    if s.shape[-2] < 2:
        raise Decline("S has a single bin")
    maximum = s.max()
    smallest, largest = float(s.min()), float(maximum)
    # of what is larger, sums of squares may overflow
    if not (smallest >= 0 and s.shape[-2] * largest * largest < LARGEST[np.dtype(squared or s.dtype).char]):
        raise Decline("S holds values that are negative, not finite or too large to square")
    _check_largest(maximum)


def check_result(shape: tuple[int, ...], natural: Any, dtype: Any, out: Any, *inputs: Any) -> None:
    """Decline a result of another ``dtype`` than its natural one, and memory ``out`` that we cannot write it to.

    Args:
        inputs: What librosa reads while it writes: where it lies in ``out``, what comes of it depends on their order.
    """
    if dtype is not None and not is_dtype(dtype, natural):
        raise Decline("dtype is not the result's own")
    if out is None:
        return
    if not is_plain(out):
        raise Decline(f"out is a {type(out).__name__}: plain NumPy arrays are written to")
    if out.shape != shape or out.dtype != natural:
        raise Decline("out has another shape or dtype than the result")
    if not out.flags.writeable:
        raise Decline("out is read-only")
    shared = any(isinstance(x, np.ndarray) and np.may_share_memory(out, x) for x in inputs)
    if shared or _overlaps_itself(out):
        raise Decline("out lies where an input does, or has values in one place")


def _overlaps_itself(x: Array) -> bool:
    """Whether two of ``x``'s values may lie in the same place."""
    reached = x.itemsize
    for step, count in sorted((abs(step), count) for step, count in zip(x.strides, x.shape, strict=True) if count > 1):
        if step < reached:
            return True
        reached += step * (count - 1)
    return False
