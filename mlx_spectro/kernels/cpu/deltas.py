"""Slopes along the rows of NumPy arrays, a vector of neighbouring places at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import Deltas, DeltasAdjoint
from .frames import PAD_MODES, copy, copy_frame, peek, poke, source_index
from .runtime.compile import inner, kernel
from .runtime.layout import aligned_rows
from .runtime.memory import address_of, address_to_write, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, operation

Array = npt.NDArray[Any]
# vectors that share a distance, and values of a row that are taken at once
_SIDE_BY_SIDE, _BLOCK = 4, 2048
_GROUP_BYTES = _SIDE_BY_SIDE * VECTOR_BYTES


@operation("source", "target", "groups", "distances", "count", "scale:real")
def take_slopes(kit: Kit, source: Any, target: Any, groups: Any, distances: Any, count: Any, scale: Any) -> None:
    """Slopes at the values from ``source`` on, between neighbours at each of ``count`` distances, 0, 1, and so on.

    Args:
        groups: Of so many vectors side by side.
        distances: Where they lie as numbers.
    """
    factor = kit.spread(scale)
    with kit.loop(groups) as i:
        first = kit.times(i, _GROUP_BYTES)
        places = [kit.at(first, kit.index(VECTOR_BYTES * k)) for k in range(_SIDE_BY_SIDE)]
        slopes = [kit.variable() for _ in places]
        with kit.loop(count) as n:
            distance = kit.broadcast(kit.at(distances, kit.times(n, kit.size)))
            apart = kit.times(n, kit.stored_size)
            for place, slope in zip(places, slopes, strict=True):
                here = kit.at(source, place)
                # at a distance of 0, what is not finite spoils its own place
                rise = kit.load_stored(kit.at(here, apart)) - kit.load_stored(kit.at(here, kit.times(apart, -1)))
                kit.put(slope, kit.get(slope) + rise * distance)
        for place, slope in zip(places, slopes, strict=True):
            kit.store_stored(kit.get(slope) * factor, kit.at(target, place))


@inner
def slopes_at(number, size, row, stride, length, mode, start, count, reach, scale, distances, padded, target, step):
    """Slopes at ``count`` places from ``start`` on of a padded row; ``step`` values are taken side by side."""
    copy_frame(number, number, size, padded, row, stride, length, start - reach, count + 2 * reach, mode)
    groups = (count + step - 1) // step
    take_slopes(number, number, padded + size * reach, target, groups, distances, reach + 1, scale)


@kernel
def slopes_of_rows(number, scale, signal, mode, folded, reach, distances, block, first, last, scratch, size, step, out):
    """Slopes of the blocks from ``first`` up to ``last``, counted through all rows.

    Args:
        signal: ``(address, bytes a row, bytes a value, length)``.
        mode: How rows are extended.
        folded: How they had been, if slopes beyond their ends are to be given back to where those values came from.
        distances: As in :func:`take_slopes`.
        scratch: ``(padded values, slopes, slopes beyond an end)``.
        step: Values that are taken side by side.
    """
    address, row_bytes, stride, length = signal
    padded, slopes, beyond = scratch
    blocks = (length + block - 1) // block
    for i in range(first, last):
        row, part = divmod(i, blocks)
        source, begin = address + row_bytes * row, block * part
        count = min(block, length - begin)
        slopes_at(
            number, size, source, stride, length, mode, begin, count, reach, scale, distances, padded, slopes, step
        )
        if folded and (begin <= reach or begin + count >= length - reach):
            for start in (-reach, length):
                slopes_at(
                    number, size, source, stride, length, mode, start, reach, reach, scale, distances, padded, beyond,
                    step,
                )  # fmt: skip
                for j in range(reach):
                    place = source_index(start + j, length, folded) - begin
                    if 0 <= place < count:
                        to = slopes + size * place
                        poke(number, number, to, peek(number, number, to) + peek(number, number, beyond + size * j))
        copy(number, number, out + size * (length * row + begin), slopes, size * count)


def deltas(op: Deltas, x: Array, *, out: Array | None, precise: bool) -> Array:
    """Slopes of ``x [..., T]``, or the transpose."""
    op.check(x.shape)
    values = x.astype(np.float64) if precise else x
    rows, length, size, reach = aligned_rows(values), x.shape[-1], values.itemsize, op.reach
    direct = out is not None and out.flags.c_contiguous and out.flags.behaved and out.dtype == values.dtype
    target = advised(out if direct and out is not None else np.empty(x.shape, values.dtype))
    number, mode = values.dtype.type, PAD_MODES[op.pad_mode]
    mode, folded, scale = (0, mode, -op.scale) if isinstance(op, DeltasAdjoint) else (mode, 0, op.scale)
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length)
    # what overlaps is a small part of a block
    block, distances = max(_BLOCK, 4 * reach), np.arange(reach + 1, dtype=number)
    numbers, to = address_of(distances), address_to_write(target)
    # the last group reaches beyond the last value
    sizes = tuple(size * count + _GROUP_BYTES for count in (block + 2 * reach, block, reach))

    def work(first: int, last: int) -> None:
        *scratch, _memory = workspace.pieces(sizes)
        slopes_of_rows(
            number(1), number(scale), signal, mode, folded, reach, numbers, block, first, last, tuple(scratch), size,
            _GROUP_BYTES // size, to,
        )  # fmt: skip

    share(work, len(rows) * -(-length // block), 1, min(length, block) * (1 + reach // 8), (rows, distances, target))
    if out is None:
        return target
    if out is not target:
        out[...] = target
    return out


RUN = {Deltas: deltas, DeltasAdjoint: deltas}
