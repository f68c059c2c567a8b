"""Phases for given magnitudes, in NumPy arrays: one pass over memory from audio to the audio of its phases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.framing import overlap_length
from ...design.operators import GriffinLim
from ...design.quiet import quietly
from .bins_to_frames import clear, divide, overlap_add, transform_back
from .frames import PAD_MODES, copy, find_frames
from .frames_to_bins import transform, write_spectrum
from .inverse_envelope import inverse_envelope
from .istft import istft
from .plan import NAMES, compiled, setting
from .runtime import elementary
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.memory import address_of, advised, workspace
from .runtime.threads import get_num_threads, share
from .runtime.vector import VECTOR_BYTES, Kit, operation
from .stft import stft
from .weights import scaled

Array = npt.NDArray[Any]


@operation("turns", "levels", "target")
def join_values(kit: Kit, turns: Any, levels: Any, target: Any) -> None:
    """A complex value of each lane, of a magnitude and a phase in turns from 0 to 1."""
    # the fourth power of a quarter of the phase, counted from half a turn, of which it is the negative
    quarter = (kit.load(turns) - kit.constant(0.5)) * kit.constant(math.pi / 2)
    z = elementary.small_cis(quarter)
    z = z.times(z)
    kit.store_pairs(z.times(z).scaled(-kit.load_stored(levels)), target)


@kernel
def joined_values(real, stored, size, turns, levels, target, first, last, lanes, spare):
    """Complex values of the magnitudes and phases from ``first`` up to ``last``; ``spare`` is for four vectors."""
    whole, width, real_size = first + (last - first) // lanes * lanes, 2 * size, 8
    for i in range(first, whole, lanes):
        join_values(real, stored, turns + real_size * i, levels + size * i, target + width * i)
    left = last - whole
    if left:
        level, values = spare + real_size * lanes, spare + 2 * real_size * lanes
        copy(real, stored, spare, turns + real_size * whole, real_size * left)
        copy(real, stored, level, levels + size * whole, size * left)
        join_values(real, stored, spare, level, values)
        copy(real, stored, target + width * whole, values, width * left)


def with_phases(levels: Array, turns: Array) -> Array:
    """The spectrum of magnitudes ``levels`` and phases ``turns``, float64 numbers from 0 to 1; both contiguous."""
    spectrum = advised(np.empty(levels.shape, np.result_type(levels, np.complex64)))
    stored, lanes = levels.dtype.type(1), VECTOR_BYTES // 8
    at, to = (address_of(turns), address_of(levels)), address_of(spectrum)

    def work(first: int, last: int) -> None:
        spare, _memory = workspace.pieces((4 * VECTOR_BYTES,))
        joined_values(np.float64(1), stored, stored.itemsize, *at, to, first, last, lanes, spare)

    share(work, levels.size, lanes, 1, (turns, levels, spectrum))
    return spectrum


@operation("rebuilt", "before", "levels", "momentum:real", "eps:real", "after")
def turn_values(kit: Kit, rebuilt: Any, before: Any, levels: Any, momentum: Any, eps: Any, after: Any) -> None:
    """Give values at ``rebuilt`` their levels, and the phases of what they have beyond some of those ``before``.

    What they were goes to ``after``.
    """
    new, part = kit.load_pairs(rebuilt), kit.spread(momentum)
    change = new.minus(kit.load_pairs(before).scaled(part))
    (size,) = elementary.magnitudes([change])
    phase = change.scaled(kit.constant(1.0) / (size + kit.spread(eps)))
    kit.store_pairs(new, after)
    kit.store_pairs(phase.scaled(kit.load_stored(levels)), rebuilt)


@inner
def turn_row(number, size, rebuilt, before, levels, momentum, eps, after, count, lanes, spare):
    """:func:`turn_values` of ``count`` values; ``spare`` is scratch memory for four vectors of them."""
    width = 2 * size
    whole = count // lanes * lanes
    for i in range(0, whole, lanes):
        at = width * i
        turn_values(number, number, rebuilt + at, before + at, levels + size * i, momentum, eps, after + at)
    left = count - whole
    if left:
        at, step = width * whole, width * lanes
        new, old, level, rest = spare, spare + step, spare + 2 * step, spare + 3 * step
        copy(number, number, new, rebuilt + at, width * left)
        copy(number, number, old, before + at, width * left)
        copy(number, number, level, levels + size * whole, size * left)
        turn_values(number, number, new, old, level, momentum, eps, rest)
        copy(number, number, rebuilt + at, new, width * left)
        copy(number, number, after + at, rest, width * left)


@kernel
def turned_part(
    real, back, stored, edges, signal, frames, hop, inverse, low, high, levels, spectra, amounts, windows, layouts,
    tables, scratch, out,
):  # fmt: skip
    """The samples from ``low`` up to ``high`` of the audio that has the phases of given audio, to ``out``.

    Args:
        real, back: Of the types that are computed in, to and fro.
        edges: What bins 0 and ``n_fft / 2`` are multiplied by, to and fro, as all pairs here.
        signal: As in :func:`find_frames`.
        inverse: As in :func:`signal_part`.
        levels: Address of the magnitudes ``[N, F]``.
        spectra: Addresses of the spectra ``[N, F]`` before, 0 for none, and after.
        amounts: Momentum, and what is added to magnitudes.
        windows: Their addresses.
        layouts, tables: As in :func:`transform` and :func:`transform_back`.
        scratch: ``(copied frames, bytes of one, transform, temporary, bins, bytes of a frame of them, windowed frames,
            bytes of one, a few vectors)``.
    """
    n_fft, _, _, size, real_size, _, step = layouts[0]
    copies, copy_bytes, z, temporary, rows, row_bytes, windowed, frame_bytes, spare = scratch
    factors, covering, compact = inverse
    before, after = spectra
    lanes, back_lanes, bins, width = step // real_size, step // layouts[1][4], n_fft // 2 + 1, 2 * size
    state = flush_denormals(real, real)
    clear(real, stored, out, size * (high - low))
    first = max(0, (low - n_fft) // hop + 1)
    last = min(frames, (high - 1) // hop + 1)
    divided = low
    for group in range(first, last, back_lanes):
        valid = min(back_lanes, last - group)
        for part in range(0, valid, lanes):
            source, source_bytes = find_frames(
                real, stored, size, lanes, group + part, min(lanes, valid - part), signal, frames, hop, n_fft, copies,
                copy_bytes,
            )  # fmt: skip
            transform(real, stored, source, source_bytes, windows[0], z, temporary, layouts[0], tables[0])
            write_spectrum(real, stored, z, rows + row_bytes * part, row_bytes, edges[0], layouts[0], tables[0])
        for lane in range(valid):
            here, at = rows + row_bytes * lane, (group + lane) * bins
            old = before + width * at if before else here
            to, level = after + width * at, levels + size * at
            turn_row(stored, size, here, old, level, amounts[0], amounts[1], to, bins, step // size, spare)
        bins_at = (rows, width, row_bytes)
        transform_back(back, stored, bins_at, windows[1], z, windowed, frame_bytes, edges[1], layouts[1], tables[1])
        overlap_add(real, stored, size, out, low, high, windowed, frame_bytes, group, group + valid, group, hop, n_fft)
        # no later frame reaches these samples, which are still in the cache
        ready = high if group + valid >= last else min(high, max(low, (group + valid) * hop))
        to = out + size * (divided - low)
        divide(real, stored, size, to, divided, ready, factors, hop, frames, covering, compact)
        divided = ready
    restore_state(real, real, state)


def griffinlim(
    op: GriffinLim, magnitudes: Array, start: Array, window: Array, *, out: Array | None, precise: bool
) -> Array:
    """Audio ``[..., length]``. Two spectra are in memory beside what is given.

    What is ``precise`` are the transforms of audio: back to audio they are as precise as the magnitudes.
    """
    levels = np.ascontiguousarray(magnitudes)
    direct = out is not None and out.flags.carray
    last = out if direct and out is not None else np.empty(op.shape(start.shape), levels.dtype)
    if op.iterations:
        op.stft.framing.check(op.istft.length)
        frames = op.stft.framing.frames(op.istft.length)
        if frames != levels.shape[-2]:
            raise ValueError(f"{op.istft.length} samples have {frames} frames, and not {levels.shape[-2]}")
        audio = istft(op.istft, start, window, out=None, precise=False)
        iterate = _iterate if compiled(window.size) else _iterate_by_numpy
        iterate(op, levels, audio, window, last, precise)
    else:
        istft(op.istft, start, window, out=last, precise=False)
    if out is None:
        return last
    if out is not last:
        out[...] = last
    return out


def _iterate(op: GriffinLim, levels: Array, audio: Array, window: Array, last: Array, precise: bool) -> None:
    """Each iteration, from ``audio`` to ``last``: of one row after the other, whose spectra stay in the cache."""
    stored, framing, left = NAMES[levels.dtype], op.stft.framing, op.istft.framing.left
    to, back = setting(window.size, "float64" if precise else stored, stored), setting(window.size, stored, stored)
    assert to is not None and back is not None
    (frames, bins), length, hop = levels.shape[-2:], op.istft.length, framing.hop_length
    covered = min(length, overlap_length(frames, window.size, hop) - left)
    inverse = inverse_envelope(window, hop, frames, stored, op.istft.floor)
    # of a packed transform, the even and the odd half are each taken half
    samples, half = (window.tobytes(), window.dtype), 0.5 if to.packed else 1.0
    weights, weights_at = scaled(*samples, op.stft.scale * half, to.real.dtype)
    weights_back, back_at = scaled(*samples, inverse.scale * op.istft.scale / window.size, back.real.dtype)
    windows = weights_at, back_at
    edges = to.real.dtype.type(2 if to.packed else 1), back.real.dtype.type(1)
    size, number, rows, covering = audio.itemsize, levels.dtype.type, audio.size // length, -(-window.size // hop)
    sources, targets, level = audio.reshape(rows, length), last.reshape(rows, length), address_of(levels)
    copies, transform, temporary, _ = to.forward_scratch
    row_bins, transform_back, windowed = back.backward_scratch
    sizes = (copies, max(transform, transform_back), temporary, row_bins, windowed, 8 * VECTOR_BYTES)
    mode, complex_type = PAD_MODES[framing.pad_mode], np.result_type(levels, np.complex64)

    def iteration(i: int, row: int, signals: tuple[Array, Array], spectra: list[Array]) -> tuple[Any, Any]:
        """The work of one, and what it holds."""
        source, target = signals
        target[covered:] = 0
        signal = (address_of(source), 0, size, length, framing.left, mode)
        pair = (address_of(spectra[1 - i % 2]) if i else 0, address_of(spectra[i % 2]))
        amounts, at, place = (
            (number(op.momentum if i else 0), number(op.eps)),
            level + size * frames * bins * row,
            (address_of(target)),
        )

        def work(first: int, end: int) -> None:
            copied, z, rest, these, frames_back, spare, _memory = workspace.pieces(sizes)
            scratch = (copied, to.frame_bytes, z, rest, these, back.row_bytes, frames_back, back.frame_bytes, spare)
            turned_part(
                to.real, back.real, to.stored, edges, signal, frames, hop, inverse.at, left + first, left + end, at,
                pair, amounts, windows, (to.layout, back.layout), (to.forward, back.backward), scratch,
                place + size * first,
            )  # fmt: skip

        return work, (signals, spectra, levels, weights, weights_back, inverse)

    def some_rows(first: int, end: int, alone: bool = True) -> None:
        spectra = [advised(np.empty((frames, bins), complex_type)) for _ in range(2)]
        for row in range(first, end):
            # by turns, so that the last one is the result
            signals = [sources[row], targets[row]]
            source = signals[0]
            if op.iterations % 2 == 0:
                signals[0] = np.empty_like(source)
            for i in range(op.iterations):
                target = signals[1 - i % 2 if op.iterations % 2 else i % 2]
                work, held = iteration(i, row, (source, target), spectra)
                if alone:
                    work(0, covered)
                else:
                    share(work, covered, back.lanes * hop, 2 * covering, held)
                source = target

    if rows < get_num_threads():
        some_rows(0, rows, alone=False)
    else:
        share(some_rows, rows, 1, 2 * covering * covered * op.iterations, (audio, last))


@quietly()
def _iterate_by_numpy(op: GriffinLim, levels: Array, audio: Array, window: Array, last: Array, precise: bool) -> None:
    number, before = levels.dtype.type, np.zeros((), np.result_type(levels, np.complex64))
    for _ in range(op.iterations):
        rebuilt = stft(op.stft, audio, window, out=None, precise=precise)
        change = rebuilt - number(op.momentum) * before
        istft(op.istft, change / (np.abs(change) + number(op.eps)) * levels, window, out=last, precise=False)
        audio, before = last, rebuilt


RUN = {GriffinLim: griffinlim}
