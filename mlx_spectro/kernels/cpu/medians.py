"""Medians along an axis of NumPy arrays, of neighbouring rows of values at a time, a lane each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import Medians
from .epilogue_bodies import read_rows, write_rows
from .frames import copy
from .runtime.compile import inner, kernel
from .runtime.elementary import larger, smaller
from .runtime.layout import dense, outermost_first, takes
from .runtime.memory import address_of, address_to_write, advised, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES, Kit, Vec, operation

Array = npt.NDArray[Any]
# windows that share the work of putting their values in order
_TOGETHER = 16
# sizes with a network of their own, librosa's default and a common one: each takes seconds to compile
_IN_NETWORKS = (17, 31)


def merged(a: Sequence[Vec], b: Sequence[Vec]) -> list[Vec]:
    """Two ascending lists as one, by Batcher's odd-even merge.

    K. E. Batcher, "Sorting networks and their applications", AFIPS Spring Joint Computer Conference, 1968.
    """
    if not a or not b:
        return [*a, *b]
    if len(a) == len(b) == 1:
        return [smaller(a[0], b[0]), larger(a[0], b[0])]
    even, odd = merged(a[::2], b[::2]), merged(a[1::2], b[1::2])
    pairs = [(smaller(x, y), larger(x, y)) for x, y in zip(odd, even[1:], strict=False)]
    rest = max(even[1 + len(pairs) :], odd[len(pairs) :], key=len)
    return [even[0], *(x for pair in pairs for x in pair), *rest]


def ascending(x: Sequence[Vec]) -> list[Vec]:
    """Values in ascending order."""
    half = len(x) // 2
    return merged(ascending(x[:half]), ascending(x[half:])) if half else list(x)


def middles(x: Sequence[Vec], size: int) -> list[Vec]:
    """Medians of all windows of ``size`` neighbouring values.

    What windows have in common is put in order once: of all of them, then of either half of them, and so on. Of that,
    only those ranks are kept which may be the median's once the values are known that a window does not share. LLVM
    removes comparisons whose results nobody uses.
    """

    def divide(x: Sequence[Vec], common: list[Vec], rank: int) -> list[Vec]:
        """Medians of the windows of ``x``, of whose common values the one of ``rank`` would be it."""
        count = len(x) - size + 1
        if count == 1:
            return [common[rank]]
        half = count // 2
        first = divide(x[: size + half - 1], *ranked(common, x[half - 1 : count - 1], half - 1, rank))
        return first + divide(x[half:], *ranked(common, x[size : size + half], half - 1, rank))

    def ranked(common: list[Vec], more: Sequence[Vec], unknown: int, rank: int) -> tuple[list[Vec], int]:
        together = merged(common, ascending(more))
        first = max(0, rank - unknown)
        return together[first : rank + 1], rank - first

    count = len(x) - size + 1
    return divide(x, *ranked([], x[count - 1 : size], count - 1, size // 2))


def _network(size: int) -> Any:
    @operation("values", "target")
    def network(kit: Kit, values: Any, target: Any) -> None:
        """Medians of the next windows."""
        for part, first in kit.parts():
            x = [part.load(values, first + kit.step * i) for i in range(size + _TOGETHER - 1)]
            for i, median in enumerate(middles(x, size)):
                part.store(median, target, first + kit.step * i)

    return network


@operation("leaving", "entering", "values", "size")
def replace(kit: Kit, leaving: Any, entering: Any, values: Any, size: Any) -> None:
    """Take a value out of ``size`` ascending ones, beyond which infinity stands, and put another in."""
    out, new = kit.load(leaving), kit.load(entering)
    here, before = kit.variable(), kit.variable()
    kit.put(here, kit.load(values))
    kit.put(before, kit.constant(-math.inf))
    with kit.loop(size) as i:
        place = kit.at(values, kit.times(i, kit.step))
        value, after = kit.get(here), kit.load(place, kit.step)
        # what is left moves up, from the place where the value stood
        left = value.where("olt", out, value, after)
        kit.store(larger(kit.get(before), smaller(left, new)), place)
        kit.put(here, after)
        kit.put(before, left)


@operation("target", "source")
def move(kit: Kit, target: Any, source: Any) -> None:
    """Copy a vector."""
    kit.store(kit.load(source), target)


@operation("values", "size")
def clear(kit: Kit, values: Any, size: Any) -> None:
    """So many values that are less than any, and beyond them one that is more."""
    with kit.loop(size) as i:
        kit.store(kit.constant(-math.inf), kit.at(values, kit.times(i, kit.step)))
    kit.store(kit.constant(math.inf), kit.at(values, kit.times(size, kit.step)))


@inner
def extend(number, strip, length, size):
    """Mirror ``length`` vectors at both their ends, beyond which the last one comes again; as often as need be."""
    before = size // 2
    begin, period = strip + VECTOR_BYTES * before, 2 * length
    for i in range(size - 1):
        place = i - before if i < before else i - before + length
        source = place % period
        source = source if source < length else period - 1 - source
        move(number, number, begin + VECTOR_BYTES * place, begin + VECTOR_BYTES * source)


@inner
def sliding(number, strip, target, count, size, values):
    """Medians of ``count`` windows, each with the values of the one before but for one."""
    clear(number, number, values, size)
    for i in range(size + count - 1):
        # the first ones take the place of what is less than any
        leaving = strip + VECTOR_BYTES * (i - size) if i >= size else values
        replace(number, number, leaving, strip + VECTOR_BYTES * i, values, size)
        if i >= size - 1:
            move(number, number, target + VECTOR_BYTES * (i - size + 1), values + VECTOR_BYTES * (size // 2))


of_17, of_31 = map(_network, _IN_NETWORKS)


@inner
def medians_of_strip(number, strip, target, count, size, network, values):
    """Medians of ``count`` windows of vectors, from ``strip`` on; a few more may be written."""
    if network == 31:
        for i in range(0, count, _TOGETHER):
            of_31(number, number, strip + VECTOR_BYTES * i, target + VECTOR_BYTES * i)
    elif network == 17:
        for i in range(0, count, _TOGETHER):
            of_17(number, number, strip + VECTOR_BYTES * i, target + VECTOR_BYTES * i)
    else:
        sliding(number, strip, target, count, size, values)


@kernel
def medians_across(number, bytes_each, lanes, source, target, shape, size, network, first, last, scratch):
    """Medians of columns, ``lanes`` of them side by side at a time, in groups from ``first`` up to ``last``.

    Args:
        shape: ``(values of a column, columns side by side)``, of these no fewer than ``lanes``.
        scratch: ``(padded values, medians, values in order)``.
    """
    strip, middle, values = scratch
    length, row = shape
    groups, row_bytes, begin = (row + lanes - 1) // lanes, bytes_each * row, strip + VECTOR_BYTES * (size // 2)
    for group in range(first, last):
        block, place = divmod(group, groups)
        at = block * length * row_bytes + bytes_each * min(place * lanes, row - lanes)
        for i in range(length):
            move(number, number, begin + VECTOR_BYTES * i, source + at + row_bytes * i)
        extend(number, strip, length, size)
        medians_of_strip(number, strip, middle, length, size, network, values)
        for i in range(length):
            move(number, number, target + at + row_bytes * i, middle + VECTOR_BYTES * i)


@kernel
def medians_along(number, bytes_each, lanes, source, target, shape, size, network, first, last, scratch):
    """Medians of rows, ``lanes`` of them at a time, in groups from ``first`` up to ``last``.

    Args:
        shape: ``(values of a row, rows)``.
        scratch: ``(padded values, medians, values in order, rows as they lie, bytes from one to the next)``.
    """
    strip, middle, values, lines, line = scratch
    length, rows = shape
    chunk, row_bytes, begin = CHUNK // bytes_each, bytes_each * length, strip + VECTOR_BYTES * (size // 2)
    for group in range(first, last):
        row = group * lanes
        for lane in range(lanes):
            copy(number, number, lines + line * lane, source + row_bytes * min(row + lane, rows - 1), row_bytes)
        for i in range(0, length, chunk):
            read_rows(number, number, lines + bytes_each * i, begin + VECTOR_BYTES * i, line)
        extend(number, strip, length, size)
        medians_of_strip(number, strip, middle, length, size, network, values)
        for i in range(0, length, chunk):
            write_rows(number, number, middle + VECTOR_BYTES * i, lines + bytes_each * i, line)
        for lane in range(min(lanes, rows - row)):
            copy(number, number, target + row_bytes * (row + lane), lines + line * lane, row_bytes)


def medians(op: Medians, x: Array, *, out: Array | None, precise: bool) -> Array:
    """Medians along an axis of ``x``, which lie in memory as its values do."""
    op.check(x.shape)
    values = dense(x)
    made = advised(out if out is not None and takes(out, values) else np.empty_like(values, subok=False))
    order = outermost_first(values)
    _filter(values.transpose(order), order.index(op.axis % x.ndim), op.size, made.transpose(order))
    if out is None:
        return made
    if out is not made:
        out[...] = made
    return out


def _filter(x: Array, axis: int, size: int, out: Array) -> None:
    """Medians of contiguous ``x``, to ``out``."""
    number, bytes_each, lanes = x.dtype.type(1), x.itemsize, VECTOR_BYTES // x.itemsize
    outer, length, row = (math.prod(part) for part in (x.shape[:axis], x.shape[axis : axis + 1], x.shape[axis + 1 :]))
    if 1 < row < lanes:
        turned = np.ascontiguousarray(x.swapaxes(axis, -1))
        made = np.empty_like(turned)
        _filter(turned, x.ndim - 1, size, made)
        out[...] = made.swapaxes(axis, -1)
        return
    source, target, network = address_of(x), address_to_write(out), size if size in _IN_NETWORKS else 0
    # the last of the windows that are taken together, and of the values that are turned, lie beyond the end
    sizes = [VECTOR_BYTES * count for count in (length + size + 2 * _TOGETHER, length + _TOGETHER, size + 1)]
    lines: tuple[int, ...] = ()
    if row > 1:
        function, shape, groups = medians_across, (length, row), outer * -(-row // lanes)
    else:
        function, shape, groups = medians_along, (length, outer), -(-outer // lanes)
        line = padded(bytes_each * length + CHUNK)
        sizes, lines = [*sizes, lanes * line], (line,)

    def work(first: int, last: int) -> None:
        *scratch, _memory = workspace.pieces(tuple(sizes))
        function(number, bytes_each, lanes, source, target, shape, size, network, first, last, (*scratch, *lines))

    share(work, groups, 1, lanes * length * (1 + size // 16), (x, out))


RUN = {Medians: medians}
