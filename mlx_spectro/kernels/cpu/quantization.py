"""Codes of the values of NumPy arrays, how many of ascending thresholds each one has reached, and values of codes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner, kernel
from .runtime.memory import advised
from .runtime.threads import share

Array = npt.NDArray[Any]
# of the bits of a float32, what is left are its sign, its exponent and the leading five of its fraction
_SHIFT = 18
_CELLS = 1 << (32 - _SHIFT)


class Thresholds(NamedTuple):
    """Ascending thresholds, and where among them to begin for values of alike size."""

    values: Array
    """And beyond them, infinity for as many as a cell holds."""
    begins: Array
    """Of each cell of float32, how many thresholds lie in cells before it."""
    most: int
    """In a cell."""


@inner
def cell(value):
    """Which of the cells of float32 a number is in, by its bits: negative numbers descend."""
    return (np.int64(np.float32(value).view(np.int32)) >> 18) + 8192


@kernel
def fill_cells(values, cells):
    """The cells of values."""
    for i in range(values.size):
        cells[i] = cell(values[i])


@kernel
def count_reached(x, thresholds, begins, most, first_code, first, last, out):
    """Codes of the values from ``first`` up to ``last``, the least of which is ``first_code``."""
    for i in range(first, last):
        value = x[i]
        reached = np.int64(begins[cell(value)])
        # sums have no branches, which would be taken at random
        reached += np.int64(value >= thresholds[reached])
        for _ in range(1, most):
            reached += np.int64(value >= thresholds[reached])
        out[i] = first_code + reached


def in_cells(values: Array) -> Thresholds:
    """Thresholds for :func:`codes` of ascending float32 or float64 ``values``, between -2 and 2."""
    cells, places = np.empty(values.size, np.int64), np.arange(_CELLS)
    fill_cells(values, cells)
    in_order = np.where(places < _CELLS // 2, _CELLS // 2 - 1 - places, places)
    begins = np.searchsorted(in_order[cells], np.arange(_CELLS + 1)).astype(np.int32)
    most = int(np.diff(begins).max())
    beyond = np.full(most, np.inf, values.dtype)
    return Thresholds(np.append(values, beyond), begins[in_order], most)


def codes(x: Array, thresholds: Thresholds, first_code: int, out: Array) -> None:
    """Write codes of finite ``x`` of the thresholds' dtype to int64 ``out``: ``first_code`` where none is reached.

    ``out`` has the shape of ``x`` and is in C's order.
    """
    values = np.ascontiguousarray(x)
    if not (values.flags.writeable and values.flags.aligned):
        values = values.copy()
    flat, made = values.reshape(-1), advised(out).reshape(-1)
    share(
        lambda first, last: count_reached(flat, *thresholds, first_code, first, last, made), flat.size, 1, 4,
        (flat, made, thresholds),
    )  # fmt: skip


def values_of(codes: Array, values: Array, out: Array) -> None:
    """Write the value of each of ``codes``, contiguous whole numbers from 0 to below ``len(values)``, to ``out``."""
    flat, result = codes.reshape(-1), advised(out).reshape(-1)

    def work(first: int, last: int) -> None:
        np.take(values, flat[first:last], out=result[first:last], mode="clip")

    share(work, flat.size, 1, 2, (flat, result))
