"""Numbers of the frames of a signal itself: their norm and changes of sign."""

from __future__ import annotations

from typing import Any

from .epilogue_bodies import emit, read_rows
from .frames import find_frames
from .runtime import elementary
from .runtime.compile import kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.vector import Kit, Vec, operation

NORM, CROSSINGS = 0, 1
# sums that take turns, so that each stays short
_TURNS = 8


@operation("block", "count", "target")
def find_norm(kit: Kit, block: Any, count: Any, target: Any) -> None:
    """Root of the sum of the squares of ``count`` samples."""

    def sample(i: Any) -> Vec:
        return kit.load(kit.at(block, kit.times(i, kit.step)))

    def energy(factor: Vec) -> Vec:
        def square(i: Any) -> Vec:
            value = sample(i) * factor
            return value * value

        return kit.total(count, square, _TURNS)

    def largest() -> Vec:
        peak = kit.variable()
        with kit.loop(count) as i:
            kit.put(peak, elementary.absolute(sample(i)).at_least(kit.get(peak)))
        return kit.get(peak)

    def scaled() -> list[Vec]:
        up, down = elementary.scaling(largest())
        return [elementary.sqrt(energy(up)) * down]

    (norm,) = elementary.norms(lambda: [energy(kit.constant(1.0))], scaled)
    kit.store(norm, target)


@operation("block", "count", "zero:real", "target")
def count_crossings(kit: Kit, block: Any, count: Any, zero: Any, target: Any) -> None:
    """How many of ``count`` samples differ in sign from the one before; from ``-zero`` up, a sample is positive."""
    crossings, before = kit.variable(), kit.variable()
    edge, one, none = -kit.spread(zero), kit.constant(1.0), kit.constant(0.0)

    def sign(i: Any) -> Any:
        return kit.load(kit.at(block, kit.times(i, kit.step))).where("olt", edge, one, none)

    kit.put(before, sign(kit.index(0)))
    with kit.loop(count) as i:
        here = sign(i)
        kit.put(crossings, kit.get(crossings) + elementary.absolute(here - kit.get(before)))
        kit.put(before, here)
    kit.store(kit.get(crossings), target)


@kernel
def counted_frames(
    real, stored, statistic, zero, signal, frames, hop, n, first, last, scratch, shape, out, out_row_bytes, frame_bytes
):
    """The statistic of each frame of ``n`` samples from ``first`` up to ``last``, counted through all rows.

    Args:
        statistic: ``NORM`` or ``CROSSINGS``.
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
        if statistic == 0:
            find_norm(real, real, block, n, number)
        else:
            count_crossings(real, real, block, n, zero, number)
        target = out + out_row_bytes * row + frame_bytes * frame
        emit(real, stored, number, 1, valid, target, frame_bytes * frames, frame_bytes, rows, row_bytes, shape)
        group += valid
    restore_state(real, real, state)
