"""Numbers of the frames of a signal itself: energy and changes of sign."""

from __future__ import annotations

from typing import Any

from .compiling import kernel
from .endings import emit, read_rows
from .frames import find_frames
from .state import flush_denormals, restore_state
from .vector import Kit, operation

ENERGY, CROSSINGS = 0, 1
# sums that take turns, so that each stays short
_TURNS = 8


@operation("block", "count", "target")
def find_energy(kit: Kit, block: Any, count: Any, target: Any) -> None:
    """Sum of the squares of ``count`` samples."""
    sums = [kit.variable() for _ in range(_TURNS)]
    with kit.loop(kit.builder.udiv(count, kit.index(_TURNS))) as i:
        for u, total in enumerate(sums):
            value = kit.load(kit.at(block, kit.times(kit.at(kit.times(i, _TURNS), u), kit.step)))
            kit.put(total, kit.get(total) + value * value)
    rest = kit.builder.urem(count, kit.index(_TURNS))
    with kit.loop(rest) as i:
        value = kit.load(kit.at(block, kit.times(kit.builder.sub(count, kit.at(i, 1)), kit.step)))
        kit.put(sums[0], kit.get(sums[0]) + value * value)
    parts = [kit.get(total) for total in sums]
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
    kit.store(parts[0], target)


@operation("block", "count", "zero:real", "target")
def count_crossings(kit: Kit, block: Any, count: Any, zero: Any, target: Any) -> None:
    """How many of ``count`` samples differ in sign from the one before; from ``-zero`` up, a sample is positive."""
    found, before = kit.variable(), kit.variable()
    edge, one, none = -kit.spread(zero), kit.constant(1.0), kit.constant(0.0)

    def sign(i: Any) -> Any:
        return kit.load(kit.at(block, kit.times(i, kit.step))).where("olt", edge, one, none)

    kit.put(before, sign(kit.index(0)))
    with kit.loop(count) as i:
        here = sign(i)
        kit.put(found, kit.get(found) + kit.magnitude(here - kit.get(before)))
        kit.put(before, here)
    kit.store(kit.get(found), target)


@kernel
def counted_frames(
    real, stored, wanted, zero, signal, frames, hop, n, first, last, scratch, shape, out, out_row_bytes, frame_bytes
):
    """The wanted number of each frame of ``n`` samples from ``first`` up to ``last``, counted through all rows.

    Args:
        wanted: ``ENERGY`` or ``CROSSINGS``.
        signal: As in :func:`find_frames`.
        scratch: ``(copied frames, bytes a copied frame, samples, number, rows, bytes a row)``.
        shape: As in :func:`emit`.
    """
    copies, copy_bytes, block, number, rows, row_bytes = scratch
    lanes, size, chunk, step = shape
    state = flush_denormals(real, real)
    group = first
    while group < last:
        row, frame = divmod(group, frames)
        valid = min(lanes, last - group, frames - frame)
        source, source_bytes = find_frames(
            real, stored, size, lanes, group, valid, signal, frames, hop, n, copies, copy_bytes
        )
        for i in range(0, n, chunk):
            # the last chunk ends where the frame ends
            i = max(0, min(i, n - chunk))
            read_rows(real, stored, source + size * i, block + step * i, source_bytes)
        if wanted == 0:
            find_energy(real, real, block, n, number)
        else:
            count_crossings(real, real, block, n, zero, number)
        target = out + out_row_bytes * row + frame_bytes * frame
        emit(real, stored, number, 1, valid, target, frame_bytes * frames, frame_bytes, rows, row_bytes, shape)
        group += valid
    restore_state(real, real, state)
