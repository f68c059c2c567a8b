"""The phase vocoder on NumPy arrays, neighbouring bins side by side in a vector, one frame after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import PhaseVocoder
from .frames import peek, spread_pairs
from .runtime import elementary
from .runtime.compile import inner, kernel
from .runtime.layout import outermost_first, ready
from .runtime.memory import address_of, address_to_write, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Complex, Kit, integer, operation

Array = npt.NDArray[Any]
# bytes of a vector of complex numbers; of one of directions and one of magnitudes
_PAIR_BYTES, _SLOT_BYTES = 2 * VECTOR_BYTES, 3 * VECTOR_BYTES
# frames in scratch memory: as many as one step needs
_SLOTS = 4
# groups of bins that go through all frames together: bins of a batch may lie side by side, and be many
_GROUPS = 4096


@operation("source", "slot")
def split(kit: Kit, source: Any, slot: Any) -> None:
    """Direction and magnitude of each lane's bin; the direction of 0 is that of its real part's sign."""
    z, zero, one = kit.load_pairs(source), kit.constant(0.0), kit.constant(1.0)
    (size,) = elementary.magnitudes([z])
    safe = size.where("ugt", zero, size, one)
    re = size.where("ugt", zero, z.re / safe, elementary.with_sign(one, z.re))
    kit.store_complex(Complex(re, z.im / safe), slot)
    kit.store(size, slot, _PAIR_BYTES)


@operation("slot", "turn")
def begin(kit: Kit, slot: Any, turn: Any) -> None:
    """The first turn of each lane's bin is its direction."""
    kit.store_complex(kit.load_complex(slot), turn)


@operation("start", "end", "low", "high", "fraction:real", "turn", "target")
def advance(kit: Kit, start: Any, end: Any, low: Any, high: Any, fraction: Any, turn: Any, target: Any) -> None:
    """Each lane's bin, of a magnitude between ``low`` and ``high``; and its turn from there on."""
    u, part = kit.load_complex(turn), kit.spread(fraction)
    level = (kit.constant(1.0) - part) * kit.load(low, _PAIR_BYTES) + part * kit.load(high, _PAIR_BYTES)
    kit.store_pairs(u.scaled(level), target)
    u = u.times(kit.load_complex(end)).times(kit.load_complex(start).conjugate)
    # a step of Newton's towards length 1, which it never leaves by more than a rounding
    kit.store_complex(u.scaled(kit.constant(1.5) - kit.constant(0.5) * u.energy), turn)


@inner
def slot_for(frame, tags, needed):
    """The slot that holds a frame, or one whose frame is not needed."""
    for slot in range(4):
        if tags[slot] == frame:
            return slot
    for slot in range(4):
        if tags[slot] not in needed:
            return slot
    return 0


@inner
def with_frame(tags, slot, frame):
    """The numbers of the frames in the slots, with another frame in one of them."""
    a, b, c, d = tags
    return (frame if slot == 0 else a, frame if slot == 1 else b, frame if slot == 2 else c, frame if slot == 3 else d)


@inner
def split_frame(real, stored, frame, spectrum, row, bins, first, last, slot, spare, shape):
    """Directions and magnitudes of a frame's groups of bins from ``first`` up to ``last``, to ``slot``."""
    address, row_bytes, frame_bytes, bin_bytes, frames, silence = spectrum
    lanes, size, _, apart = shape
    base, width = address + row_bytes * row + frame_bytes * frame, 2 * size
    for group in range(first, last):
        column = lanes * group
        source, count = base + bin_bytes * column, min(lanes, bins - column)
        if frame >= frames:
            source = silence
        elif count < lanes or bin_bytes != width:
            spread_pairs(real, stored, spare, width, source, bin_bytes, count)
            source = spare
        split(real, stored, source, slot + apart * (group - first))


@kernel
def vocoded_bins(real, stored, spectrum, bins, places, fractions, steps, first, last, scratch, shape, out):
    """The groups of bins from ``first`` up to ``last``, counted through all rows.

    Args:
        spectrum: ``(address, bytes a row, bytes a frame, bytes a bin, frames, silent bins)``.
        places: Address of ``start, end, low, high``, each of ``steps`` numbers.
        scratch: ``(turns, slots of frames, bytes of one of them, a group of bins)``.
        shape: ``(lanes, bytes of a number, bytes of a number that is computed with, bytes of a group in scratch)``.
        out: ``(address, bytes a row, bytes a frame, bytes a bin)``.
    """
    turns, slots, slot_bytes, spare = scratch
    lanes, size, real_size, apart = shape
    target, out_row_bytes, out_frame_bytes, out_bin_bytes = out
    groups, width = (bins + lanes - 1) // lanes, 2 * size
    while first < last:
        row, begun = divmod(first, groups)
        ended = min(groups, begun + last - first)
        tags = (-1, -1, -1, -1)
        for m in range(steps):
            at = places + 8 * m
            needed = (
                integer(real, real, at, 0),
                integer(real, real, at, steps),
                integer(real, real, at, 2 * steps),
                integer(real, real, at, 3 * steps),
            )
            for frame in needed:
                slot = slot_for(frame, tags, needed)
                if tags[slot] != frame:
                    to = slots + slot_bytes * slot
                    split_frame(real, stored, frame, spectrum, row, bins, begun, ended, to, spare, shape)
                    tags = with_frame(tags, slot, frame)
            start = slots + slot_bytes * slot_for(needed[0], tags, needed)
            end = slots + slot_bytes * slot_for(needed[1], tags, needed)
            low = slots + slot_bytes * slot_for(needed[2], tags, needed)
            high = slots + slot_bytes * slot_for(needed[3], tags, needed)
            fraction = peek(real, real, fractions + real_size * m)
            for group in range(begun, ended):
                column, i = lanes * group, apart * (group - begun)
                count = min(lanes, bins - column)
                if m == 0:
                    begin(real, stored, start + i, turns + i)
                to = target + out_row_bytes * row + out_frame_bytes * m + out_bin_bytes * column
                direct = count == lanes and out_bin_bytes == width
                vector = to if direct else spare
                advance(real, stored, start + i, end + i, low + i, high + i, fraction, turns + i, vector)
                if not direct:
                    spread_pairs(real, stored, to, out_bin_bytes, vector, width, count)
        first += ended - begun


def _side_by_side(x: Array, out: Array) -> list[int]:
    """The axes of ``[..., N, F]`` as those of one spectrum, frames first, where frames of both lie so; else none."""
    if x.ndim < 3 or not (x.size and out.size):
        return []
    order = outermost_first(x[..., 0, :])
    if not all(z[..., 0, :].transpose(order).flags.c_contiguous for z in (x, out)):
        return []
    frames = x.ndim - 2
    return [frames, *(axis + (axis >= frames) for axis in order)]


def phase_vocoder(
    op: PhaseVocoder, x: Array, frames: Array, fractions: Array, *, out: Array | None, precise: bool
) -> Array:
    """Spectrum ``[..., M, F]``; neighbouring bins of ``x`` and of ``out`` side by side cost no copy."""
    if out is not None and (order := _side_by_side(x, out)):
        one, result = (z.transpose(order).reshape(z.shape[-2], -1) for z in (x, out))
        phase_vocoder(op, one, frames, fractions, out=result, precise=precise)
        return out
    spectra = x if x.ndim == 3 else x.reshape(-1, *x.shape[-2:])
    if not spectra.flags.aligned:
        spectra = spectra.copy()
    target, (out_row_bytes, out_bin_bytes, out_frame_bytes) = ready(out, op.shape(x.shape, frames.shape), x.dtype)
    count, bins, steps = spectra.shape[1], spectra.shape[2], frames.shape[1]
    number: Any = np.float64 if precise or x.dtype == np.complex128 else np.float32
    places, parts = np.ascontiguousarray(frames, np.int64), np.ascontiguousarray(fractions, number)
    real, stored = number(1), spectra.real.dtype.type(1)
    lanes = VECTOR_BYTES // real.itemsize
    groups = -(-bins // lanes)
    silence = np.zeros(2 * lanes, stored.dtype)
    row_bytes, frame_bytes, bin_bytes = spectra.strides
    source = (address_of(spectra), row_bytes, frame_bytes, bin_bytes, count, address_of(silence))
    to = (address_to_write(target), out_row_bytes, out_frame_bytes, out_bin_bytes)
    at, fraction_at = address_of(places), address_of(parts)
    shape = (lanes, stored.itemsize, real.itemsize, _SLOT_BYTES)
    slot_bytes = min(groups, _GROUPS) * _SLOT_BYTES

    def work(first: int, last: int) -> None:
        turns, slots, spare, _memory = workspace.pieces((slot_bytes, _SLOTS * slot_bytes, _PAIR_BYTES))
        scratch = (turns, slots, slot_bytes, spare)
        for begin in range(first, last, _GROUPS):
            end = min(begin + _GROUPS, last)
            vocoded_bins(real, stored, source, bins, at, fraction_at, steps, begin, end, scratch, shape, to)

    held = (spectra, silence, places, parts, target)
    share(work, len(spectra) * groups, 1, steps * lanes, held)
    if out is None:
        return target
    if out is not target:
        out[...] = target
    return out


@operation("source", "count", "smallest", "largest")
def take_extremes(kit: Kit, source: Any, count: Any, smallest: Any, largest: Any) -> None:
    """Compare ``count`` vectors of complex numbers with each lane's smallest, and with its largest.

    Of a number, the larger part counts.
    """
    least, most = kit.variable(), kit.variable()
    kit.put(least, kit.load(smallest))
    with kit.loop(count) as i:
        z = kit.load_pairs(kit.at(source, kit.times(i, 2 * kit.step)))
        size = elementary.absolute(z.re).at_least(elementary.absolute(z.im))
        kit.put(most, size.at_least(kit.get(most)))
        kit.put(least, size.where("olt", kit.get(least), size, kit.get(least)))
    kit.store(kit.get(least), smallest)
    kit.store(kit.get(most), largest)


@kernel
def extremes(number, source, count, smallest, largest):
    """:func:`take_extremes` of ``count`` vectors."""
    take_extremes(number, number, source, count, smallest, largest)


def faintest(z: Array) -> float:
    """The smallest of contiguous complex ``z`` over the largest, both by their larger parts; 0 of silence."""
    parts = z.reshape(-1).view(z.real.dtype)
    number, lanes = parts.dtype.type, VECTOR_BYTES // parts.itemsize
    smallest, largest = np.full((2, lanes), np.inf, number)
    whole = parts.size // (2 * lanes)
    extremes(number(1), address_of(parts), whole, address_of(smallest), address_of(largest))
    rest = np.abs(parts[whole * 2 * lanes :]).reshape(-1, 2).max(axis=1)
    least = rest.min(initial=smallest.min())
    return float(least / rest.max(initial=largest.max())) if least else 0.0


RUN = {PhaseVocoder: phase_vocoder}
