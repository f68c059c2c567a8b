"""Norms along an axis of NumPy arrays, and arrays over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime import elementary
from .runtime.compile import inner as called
from .runtime.compile import kernel
from .runtime.layout import Ordered
from .runtime.memory import address_of, advised
from .runtime.threads import share
from .runtime.vector import Kit, Vec, lanes, operation

Array = npt.NDArray[Any]
# vectors of columns that a row is read by
_TOGETHER = 4
# rows of a block; of a long signal, blocks are what threads share
_ROWS = 1024
_LARGEST, _SMALLEST, _COUNT, _SUM, _ENERGY = range(5)
_KINDS = {math.inf: _LARGEST, -math.inf: _SMALLEST, 0: _COUNT, 1: _SUM, 2: _ENERGY}


def _folds(start: float, join: Callable[[Vec, Vec], Vec]) -> Any:
    @operation("rows", "row_bytes", "count", "target")
    def fold(kit: Kit, rows: Any, row_bytes: Any, count: Any, target: Any) -> None:
        """What ``join`` makes of the magnitudes of each of a group of columns, one row after the other."""
        results = [kit.variable() for _ in range(_TOGETHER)]
        for result in results:
            kit.put(result, kit.constant(start))
        with kit.loop(count) as i:
            row = kit.at(rows, kit.times(i, row_bytes))
            for u, result in enumerate(results):
                value = elementary.absolute(kit.load_stored(kit.at(row, u * kit.lanes * kit.stored_size)))
                kit.put(result, join(kit.get(result), value))
        for u, result in enumerate(results):
            kit.store(kit.get(result), target, kit.step * u)

    return fold


def _counted(total: Vec, x: Vec) -> Vec:
    none, one = total.kit.constant(0.0), total.kit.constant(1.0)
    return total + x.where("ogt", none, one, none)


fold_largest = _folds(0.0, lambda result, x: x.most(result))
fold_smallest = _folds(math.inf, lambda result, x: elementary.smaller(x, result))
fold_count = _folds(0.0, _counted)
fold_sum = _folds(0.0, lambda result, x: result + x)
fold_energy = _folds(0.0, lambda result, x: result + x * x)


@operation("rows", "row_bytes", "count", "divisors", "target")
def divide(kit: Kit, rows: Any, row_bytes: Any, count: Any, divisors: Any, target: Any) -> None:
    """A group of columns over their divisors."""
    below = [kit.load(divisors, kit.step * u) for u in range(_TOGETHER)]
    with kit.loop(count) as i:
        offset = kit.times(i, row_bytes)
        row, to = kit.at(rows, offset), kit.at(target, offset)
        for u, divisor in enumerate(below):
            at = u * kit.lanes * kit.stored_size
            kit.store_stored(kit.load_stored(kit.at(row, at)) / divisor, kit.at(to, at))


@called
def find_columns(k, steps, shape):
    """Where a group of columns lies, and the group, counted through its block of ``out``, and its first column.

    Args:
        steps: Bytes ``(from one row of blocks to the next, from one block to the next, a value)``.
        shape: ``(blocks in a row, rows of a block, columns, columns of a group)``.
    """
    parts, _, columns, group = shape
    block, column = divmod(k, (columns + group - 1) // group)
    row, part = divmod(block, parts)
    # the last group ends where the columns end
    column = min(column * group, columns - group)
    return steps[0] * row + steps[1] * part + steps[2] * column, row, block, column


@kernel
def fold_blocks(real, stored, kind, x, steps, shape, first, last, out, size):
    """What is made of groups of columns from ``first`` up to ``last``, counted through all blocks.

    Args:
        kind: ``_LARGEST``, ``_SMALLEST``, ``_COUNT``, ``_SUM`` or ``_ENERGY``.
        x: Address of blocks ``[rows of blocks, blocks, rows, columns]``; see :func:`find_columns`.
        out: Address of ``[rows of blocks, blocks, columns]``, of ``size`` bytes a value.
    """
    _, rows, columns, _ = shape
    row_bytes = steps[2] * columns
    for k in range(first, last):
        offset, _, block, column = find_columns(k, steps, shape)
        at, to = x + offset, out + size * (columns * block + column)
        if kind == _LARGEST:
            fold_largest(real, stored, at, row_bytes, rows, to)
        elif kind == _SMALLEST:
            fold_smallest(real, stored, at, row_bytes, rows, to)
        elif kind == _COUNT:
            fold_count(real, stored, at, row_bytes, rows, to)
        elif kind == _SUM:
            fold_sum(real, stored, at, row_bytes, rows, to)
        else:
            fold_energy(real, stored, at, row_bytes, rows, to)


@kernel
def divide_blocks(real, stored, x, steps, shape, divisors, size, first, last, out):
    """Groups of columns over their divisors ``[rows of blocks, columns]``; see :func:`fold_blocks`."""
    _, rows, columns, _ = shape
    for k in range(first, last):
        offset, row, _, column = find_columns(k, steps, shape)
        below = divisors + size * (columns * row + column)
        divide(real, stored, x + offset, steps[2] * columns, rows, below, out + offset)


class _Blocks(NamedTuple):
    """How values ``[outer, n, inner]`` are read: the first of ``n`` as blocks of rows that vectors fit into."""

    outer: int
    parts: int
    """Blocks for each of ``outer``; 0 where vectors are longer than all there is."""
    rows: int
    joined: int
    """Of ``n``, how many make a row."""
    inner: int
    n: int
    group: int

    @classmethod
    def of(cls, shape: tuple[int, int, int], group: int) -> _Blocks:
        outer, n, inner = shape
        joined = -(-group // inner)
        parts = -(-(n // joined) // _ROWS)
        return cls(outer, parts, n // joined // max(parts, 1), joined, inner, n, group)

    @property
    def whole(self) -> int:
        """How many of ``n`` are in blocks."""
        return self.parts * self.rows * self.joined

    def share(self, work: Callable[[tuple[int, ...], tuple[int, ...], int, int], None], size: int, held: Any) -> None:
        """Call ``work(steps, shape, first, last)`` for all groups of columns; see :func:`find_columns`."""
        columns = self.joined * self.inner
        steps = (size * self.n * self.inner, size * self.rows * columns, size)
        shape = (self.parts, self.rows, columns, self.group)
        count = self.outer * self.parts * -(-columns // self.group)
        share(lambda first, last: work(steps, shape, first, last), count, 1, self.rows * self.group, held)


def _terms(x: Array, norm: float) -> Array:
    """What norms are the largest, the smallest or the sum of."""
    if math.isinf(norm):
        return np.abs(x)
    sizes = np.abs(x).astype(np.float64)
    return (sizes > 0).astype(np.float64) if norm == 0 else sizes**norm


def norms(x: Array, norm: float, axis: int | None) -> Array:
    """Norms along an axis, which stays with a length of 1; of infinite order as they are, others in float64.

    Args:
        x: float32 or float64, finite; powers do not overflow.
        norm: Infinity for the largest magnitude, its negative for the smallest, 0 for how many are not 0, else an
            exponent above 0.
        axis: None for the norm of all values.
    """
    ordered = Ordered.of(x, axis)
    values, kind = ordered.values, _KINDS.get(norm)
    real = x.dtype.type if math.isinf(norm) else np.float64
    outer, n, inner = values.shape
    blocks = _Blocks.of(values.shape, _TOGETHER * lanes(np.dtype(real).itemsize))
    join = {math.inf: np.max, -math.inf: np.min}.get(norm, np.sum)
    results, begin = [], 0
    if kind is not None and blocks.parts:
        folded, begin = np.empty((outer, blocks.parts, blocks.joined, inner), real), blocks.whole
        source, to = address_of(values), address_of(folded)

        def work(steps: tuple[int, ...], shape: tuple[int, ...], first: int, last: int) -> None:
            fold_blocks(real(1), x.dtype.type(1), kind, source, steps, shape, first, last, to, folded.itemsize)

        blocks.share(work, x.itemsize, (values, folded))
        results.append(join(folded, axis=(1, 2)))
    if begin < n:
        results.append(join(_terms(values[:, begin:], norm), axis=1))
    whole: Array = join(results, axis=0) if len(results) > 1 else results[0]
    return ordered.back((whole ** (1.0 / norm) if 0 < norm < math.inf else whole)[:, None])


def divided(x: Array, divisors: Array, axis: int | None) -> Array:
    """``x`` over what :func:`norms` returns, in memory of NumPy's order for ``x``.

    In the divisors' precision, and rounded to that of ``x``. That is the same in float32 and in float64 where both are
    float32: twice the digits, and two more, leave no tie to the second rounding. See S. Figueroa, "When is double
    rounding innocuous?", ACM SIGNUM Newsletter, 1995.
    """
    ordered = Ordered.of(x, axis)
    values, below, number = ordered.values, ordered.forth(divisors), divisors.dtype.type
    blocks = _Blocks.of(values.shape, _TOGETHER * lanes(below.itemsize))
    results, begin = advised(np.empty(values.shape, x.dtype)), blocks.whole
    if blocks.parts:
        tiled = np.tile(below, (1, blocks.joined, 1))
        source, under, to = address_of(values), address_of(tiled), address_of(results)

        def work(steps: tuple[int, ...], shape: tuple[int, ...], first: int, last: int) -> None:
            divide_blocks(number(1), x.dtype.type(1), source, steps, shape, under, tiled.itemsize, first, last, to)

        blocks.share(work, x.itemsize, (values, tiled, results))
    np.divide(values[:, begin:], below, out=results[:, begin:], casting="same_kind")
    return ordered.back(results)
