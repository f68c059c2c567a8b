"""In which memory order librosa leaves a result: asked of librosa, once for each way an array can lie."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..contract import settings
from ..contract.decline import Decline
from ._arguments import Array

# a stand-in's axes are this long, or one where the array's are
LONG = 4
_MOST_AXES = 8


class Lying(NamedTuple):
    """How an array's axes lie in memory, as far as it decides how results of it do."""

    order: str
    """``"C"`` or ``"F"``; ``""`` where it is neither."""
    axes: tuple[int, ...]
    """In either order 1 for an axis of length 1 and else 0; in neither, see :func:`_ranks`."""


def lying(x: Array) -> Lying:
    """How ``x`` lies."""
    if x.flags.c_contiguous or x.flags.f_contiguous:
        return in_order("C" if x.flags.c_contiguous else "F", x.shape)
    return Lying("", _ranks(x))


def in_order(order: str, shape: tuple[int, ...]) -> Lying:
    """How an array of ``shape`` lies in C's order or in Fortran's."""
    return Lying(order, tuple([int(count == 1) for count in shape])) if 1 in shape else _dense(order, len(shape))


@functools.cache
def _dense(order: str, ndim: int) -> Lying:
    return Lying(order, (0,) * ndim)


def _ranks(x: Array) -> tuple[int, ...]:
    """Of each axis its place among the strides, from 2 on and as negative as they are; 0 where it is repeated."""
    sizes = sorted({abs(stride) for stride in x.strides})
    return tuple(
        1 if count == 1 else (2 + sizes.index(abs(stride))) * int(np.sign(stride))
        for count, stride in zip(x.shape, x.strides, strict=True)
    )


def _stand_in(how: Lying, dtype: np.dtype[Any]) -> Array:
    """A small array of ones that lies so."""
    if sum(axis != 1 for axis in how.axes) > _MOST_AXES:
        raise Decline("there are so many axes that an array of a few values along each is large")
    if how.order:
        return np.ones([1 if single else LONG for single in how.axes], dtype, order=how.order)  # type: ignore[call-overload, no-any-return]
    counts = [1 if rank == 1 else LONG for rank in how.axes]
    steps = [2 * LONG ** (abs(rank) - 1) if rank else 0 for rank in how.axes]
    ones = np.ones(1 + sum((count - 1) * step for count, step in zip(counts, steps, strict=True)), dtype)
    lying_so = np.lib.stride_tricks.as_strided(ones, counts, [step * dtype.itemsize for step in steps])
    return lying_so[tuple(slice(None, None, -1 if rank < 0 else 1) for rank in how.axes)]


class _Order(NamedTuple):
    """The order of a result's axes in memory."""

    name: str
    """``"C"`` or ``"F"``; ``""`` where it is neither."""
    outermost_first: list[int]
    back: list[int]
    """The way back."""


@functools.lru_cache(maxsize=512)
def _order(result_of: Callable[[Array], Array], how: Lying, dtype: np.dtype[Any]) -> _Order:
    with settings.numerics.here("strict"):
        strides = result_of(_stand_in(how, dtype)).strides
    axes = np.argsort([-abs(stride) for stride in strides], kind="stable")
    counted = np.arange(axes.size)
    name = "C" if (axes == counted).all() else "F" if (axes[::-1] == counted).all() else ""
    return _Order(name, axes.tolist(), np.argsort(axes).tolist())


def placed(values: Array, out: Array) -> Array:
    """``values`` as they lie in ``out``: themselves, or ``out`` filled with them."""
    if values.strides == out.strides:
        return values
    out[...] = values
    return out


def memory(
    result_of: Callable[[Array], Array], how: Lying, input_dtype: np.dtype[Any], shape: tuple[int, ...], dtype: Any
) -> Array:
    """New memory of ``shape``, in the order of ``result_of``'s result for an array of ``input_dtype`` that lies so.

    Args:
        result_of: A function of librosa or of NumPy of one array; it is called, with a small one, once a layout.
    """
    order = _order(result_of, how, input_dtype)
    if order.name:
        return np.empty(shape, dtype, order.name)  # type: ignore[call-overload, no-any-return]
    return np.empty([shape[axis] for axis in order.outermost_first], dtype).transpose(order.back)
