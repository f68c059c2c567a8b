"""Means and medians of chosen rows of NumPy arrays."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy
from .runtime.compile import kernel
from .runtime.elementary import smaller
from .runtime.memory import address_of, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, operation

Array = npt.NDArray[Any]
# vectors of a row that go through a network, or are summed up, together
_TOGETHER = 4
_GROUP = _TOGETHER * VECTOR_BYTES


def _comparisons(count: int) -> Iterator[tuple[int, int]]:
    """Pairs of places to be put in order, one pair after the other, which sorts ``count`` values.

    Batcher's merge exchange: algorithm 5.2.2M of D. Knuth, The Art of Computer Programming, volume 3, 1998.
    """
    top = 1 << max(count - 1, 1).bit_length() - 1
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield from ((i, i + d) for i in range(count - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


@functools.lru_cache(maxsize=512)
def _network(count: int) -> Array:
    """The comparisons ``[:, 2]`` on which the median of ``count`` values depends, in bytes from the first one on."""
    needed, chosen = {count // 2, (count - 1) // 2}, []
    for pair in reversed(list(_comparisons(count))):
        if not needed.isdisjoint(pair):
            needed.update(pair)
            chosen.append(pair)
    return np.array(chosen[::-1], np.int64).reshape(-1, 2) * _GROUP


@operation("values", "pairs", "count")
def put_in_order(kit: Kit, values: Any, pairs: Any, count: Any) -> None:
    """Exchange groups of values where the first of a pair, told by distances in bytes, is the larger one."""
    with kit.loop(count) as i:
        pair = kit.at(pairs, kit.times(i, 16))
        first, second = (kit.at(values, kit.integer(kit.at(pair, offset))) for offset in (0, 8))
        for u in range(_TOGETHER):
            a, b = kit.load(first, kit.step * u), kit.load(second, kit.step * u)
            kit.store(smaller(a, b), first, kit.step * u)
            kit.store(a.most(b), second, kit.step * u)


@operation("first", "second", "target")
def middle(kit: Kit, first: Any, second: Any, target: Any) -> None:
    """The mean of two groups of values."""
    for u in range(_TOGETHER):
        at = kit.step * u
        kit.store((kit.load(first, at) + kit.load(second, at)) * kit.constant(0.5), target, at)


@operation("rows", "row_bytes", "chosen", "count", "target")
def gather(kit: Kit, rows: Any, row_bytes: Any, chosen: Any, count: Any, target: Any) -> None:
    """Copy a group of values of each chosen row."""
    with kit.loop(count) as i:
        row = kit.at(rows, kit.times(kit.integer(kit.at(chosen, kit.times(i, 8))), row_bytes))
        for u in range(_TOGETHER):
            kit.store(kit.load(row, kit.step * u), kit.at(target, kit.times(i, _GROUP)), kit.step * u)


@operation("rows", "row_bytes", "chosen", "count", "target", "parts:real")
def mean(kit: Kit, rows: Any, row_bytes: Any, chosen: Any, count: Any, target: Any, parts: Any) -> None:
    """The mean of a group of values of chosen rows, which are summed up one after the other."""
    totals = [kit.variable() for _ in range(_TOGETHER)]
    with kit.loop(count) as i:
        row = kit.at(rows, kit.times(kit.integer(kit.at(chosen, kit.times(i, 8))), row_bytes))
        for u, total in enumerate(totals):
            kit.put(total, kit.get(total) + kit.load(row, kit.step * u))
    for u, total in enumerate(totals):
        kit.store(kit.get(total) / kit.spread(parts), target, kit.step * u)


@kernel
def aggregate_rows(number, rows, row_bytes, chosen, begins, networks, pairs, first, last, result, values):
    """Means or medians of the rows that are chosen for each of those from ``first`` up to ``last``.

    Args:
        networks: Where the comparisons for so many values begin among all ``pairs``; nothing for means.
        values: Room for a group of values of each row that is chosen.
    """
    for row in range(first, last):
        begin, count = begins[row], begins[row + 1] - begins[row]
        here, target = chosen + 8 * begin, result + row_bytes * row
        if not count:
            copy(number, number, target, rows + row_bytes * row, row_bytes)
            continue
        for at in range(0, row_bytes, _GROUP):
            if not len(networks):
                mean(number, number, rows + at, row_bytes, here, count, target + at, number * count)
                continue
            gather(number, number, rows + at, row_bytes, here, count, values)
            size = networks[count + 1] - networks[count]
            put_in_order(number, number, values, pairs + 16 * networks[count], size)
            low, high = _GROUP * ((count - 1) // 2), _GROUP * (count // 2)
            middle(number, number, values + low, values + high, target + at)


def aggregates(x: Array, chosen: Array, begins: Array, kind: str) -> Array:
    """Of each row of ``x [rows, values]`` the mean or the median of those chosen for it; itself where none is.

    Args:
        x: float32 or float64, finite; sums are in that precision, one row after the other.
        chosen: Rows for the first row, and so on.
        begins: Where those for each row begin, and the last ones end.
        kind: ``"mean"`` or ``"median"``.
    """
    number, values = x.dtype.type(1), _GROUP // x.itemsize
    rows = np.zeros((len(x), -(-x.shape[1] // values) * values), x.dtype)
    rows[:, : x.shape[1]] = x
    result = np.empty_like(rows)
    chosen, begins = np.ascontiguousarray(chosen, np.int64), np.ascontiguousarray(begins, np.int64)
    sizes = np.diff(begins)
    most = int(sizes.max(initial=0))
    networks, pairs = _networks(sizes, most) if kind == "median" else (np.empty(0, np.int64),) * 2
    source, to, row_bytes = address_of(rows), address_of(result), rows.strides[0]

    def work(first: int, last: int) -> None:
        room, _memory = workspace.pieces((_GROUP * (most + 1),))
        aggregate_rows(
            number, source, row_bytes, address_of(chosen), begins, networks, address_of(pairs), first, last, to, room
        )  # fmt: skip

    share(work, len(x), 1, rows.shape[1] * (most + 1), (rows, result, chosen, pairs))
    return result[:, : x.shape[1]]


def medians_of_columns(x: Array) -> Array:
    """The median of each column of ``x [rows, values]``, float32 or float64 and finite."""
    rows = len(x)
    begins = np.full(rows + 1, rows)
    begins[0] = 0
    medians: Array = aggregates(x, np.arange(rows), begins, "median")[0]
    return medians


def _networks(sizes: Array, most: int) -> tuple[Array, Array]:
    """Where the comparisons for so many values begin, up to ``most`` and one more, and all of them."""
    needed = set(sizes.tolist())
    networks = [_network(count if count in needed else 0) for count in range(most + 1)]
    return np.cumsum([0, *map(len, networks)]), np.concatenate(networks)
