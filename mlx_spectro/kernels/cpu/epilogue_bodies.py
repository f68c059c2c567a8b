"""What can follow the magnitudes of a spectrum, in scratch memory, one vector a bin: filters, logarithms, storing."""

from __future__ import annotations

from typing import Any

from .epilogues import level
from .frames import copy
from .runtime import elementary
from .runtime.compile import inner
from .runtime.vector import Kit, Vec, integer, operation

# sums that take turns, so that each stays short
_TURNS = 4


@operation("block", "weights", "count", "target")
def weigh(kit: Kit, block: Any, weights: Any, count: Any, target: Any) -> None:
    """Sum of ``count`` bins from ``block``, each times its weight."""

    def term(i: Any) -> Vec:
        weight = kit.broadcast(kit.at(weights, kit.times(i, kit.size)))
        return kit.load(kit.at(block, kit.times(i, kit.step))) * weight

    kit.store(kit.total(count, term, _TURNS), target)


@operation("block", "count", "target")
def spoil(kit: Kit, block: Any, count: Any, target: Any) -> None:
    """0, or NaN in the lanes where a value of the block is not finite."""
    zero = kit.constant(0.0)
    kit.store(kit.total(count, lambda i: kit.load(kit.at(block, kit.times(i, kit.step))) * zero, _TURNS), target)


@operation("target", "spoiled", "count")
def add_spoiled(kit: Kit, target: Any, spoiled: Any, count: Any) -> None:
    """Add what :func:`spoil` found to every value."""
    mark = kit.load(spoiled)
    with kit.loop(count) as i:
        address = kit.at(target, kit.times(i, kit.step))
        kit.store(kit.load(address) + mark, address)


@operation("block", "count")
def square(kit: Kit, block: Any, count: Any) -> None:
    """Every value times itself."""
    with kit.loop(count) as i:
        address = kit.at(block, kit.times(i, kit.step))
        value = kit.load(address)
        kit.store(value * value, address)


@operation("block", "count")
def take_root(kit: Kit, block: Any, count: Any) -> None:
    """Every value's square root."""
    with kit.loop(count) as i:
        address = kit.at(block, kit.times(i, kit.step))
        kit.store(elementary.sqrt(kit.load(address)), address)


@operation("block", "count", "added", "amin:real")
def take_log(kit: Kit, block: Any, count: Any, added: Any, amin: Any) -> None:
    """Natural logarithm of each value plus ``amin`` if ``added``, else of the larger of the two."""
    floor = kit.spread(amin)
    with kit.loop(count) as i:
        address = kit.at(block, kit.times(i, kit.step))
        value = kit.load(address)
        with kit.when(added, 1):
            kit.store(elementary.log(value + floor), address)
        with kit.when(added, 0):
            kit.store(elementary.log(value.at_least(floor)), address)


@operation("block", "count", "amin:real", "factor:real", "zero:real", "low:real", "high:real")
def take_decibel(kit: Kit, block: Any, count: Any, amin: Any, factor: Any, zero: Any, low: Any, high: Any) -> None:
    """Each value's :func:`level`."""
    amounts = [kit.spread(amount) for amount in (amin, factor, zero, low, high)]
    with kit.loop(count) as i:
        address = kit.at(block, kit.times(i, kit.step))
        kit.store(level(kit.load(address), *amounts), address)


@operation("block", "target", "row_bytes")
def write_rows(kit: Kit, block: Any, target: Any, row_bytes: Any) -> None:
    """The next chunk of values to each lane's row."""
    kit.scatter([kit.load(block, kit.step * i) for i in range(kit.chunk)], target, row_bytes)


@operation("block", "target")
def write_side_by_side(kit: Kit, block: Any, target: Any) -> None:
    """A value of each lane, side by side."""
    kit.store_stored(kit.load(block), target)


@operation("source", "target", "row_bytes")
def read_rows(kit: Kit, source: Any, target: Any, row_bytes: Any) -> None:
    """The next chunk of values of each lane's row."""
    for i, value in enumerate(kit.gather(source, row_bytes)):
        kit.store(value, target, kit.step * i)


@operation("source", "target")
def read_side_by_side(kit: Kit, source: Any, target: Any) -> None:
    """A value of each lane, where they lie side by side."""
    kit.store(kit.load_stored(source), target)


@inner
def emit(real, stored, block, count, valid, out, value_bytes, frame_bytes, rows, row_bytes, shape):
    """``count`` values of ``valid`` lanes from ``block`` to ``out``.

    One of ``value_bytes`` and ``frame_bytes`` is the size of a number: a frame's values, or a value's frames, lie side
    by side. ``rows`` is scratch memory, ``shape`` is ``(lanes, stored size, chunk, vector bytes)``.
    """
    lanes, size, chunk, step = shape
    if value_bytes == size:
        for i in range(0, count, chunk):
            write_rows(real, stored, block + step * i, rows + size * i, row_bytes)
        for lane in range(valid):
            copy(real, stored, out + frame_bytes * lane, rows + row_bytes * lane, size * count)
    elif valid == lanes:
        for i in range(count):
            write_side_by_side(real, stored, block + step * i, out + value_bytes * i)
    else:
        for i in range(count):
            write_side_by_side(real, stored, block + step * i, rows)
            copy(real, stored, out + value_bytes * i, rows, size * valid)


@inner
def apply_filters(real, block, count, filters, bank, target, spoiled, step):
    """Filters over the ``count`` values at ``block``, one vector a filter.

    ``bank`` is ``(address of each filter's first bin, number of bins and offset of the weights in bytes, address of the
    weights)``. A lane with a value that is not finite gets NaN in every filter, as a dense product would give it.
    """
    table, weights = bank
    for m in range(filters):
        first, bins = integer(real, real, table, 3 * m), integer(real, real, table, 3 * m + 1)
        at = weights + integer(real, real, table, 3 * m + 2)
        weigh(real, real, block + step * first, at, bins, target + step * m)
    spoil(real, real, block, count, spoiled)
    add_spoiled(real, real, target, spoiled, filters)
