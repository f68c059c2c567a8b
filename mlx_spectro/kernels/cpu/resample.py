"""Audio at another rate, along the rows of NumPy arrays: polyphase filters of a vector of far-apart frames."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design import polyphase
from ...design.operators import Resample, ResampleAdjoint
from .epilogue_bodies import write_rows
from .frames import copy, find_frames, peek, poke
from .runtime.compile import inner, kernel
from .runtime.layout import aligned_rows
from .runtime.memory import LINE, address_of, address_to_write, advised, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, Kit, integer, lanes, operation

Array = npt.NDArray[Any]
# sums that are taken side by side, so that none waits for its last product
_SIDE_BY_SIDE = 4
# vectors of samples and of results that lie in a near cache, and so many that phases are not parted
_NEAR, _MOST = 2048, 4096


@operation("source", "apart", "count", "target", "checks")
def turn_in(kit: Kit, source: Any, apart: Any, count: Any, target: Any, checks: Any) -> None:
    """Make vectors of ``count`` chunks of each lane's row; add 0 or NaN to that at ``checks``."""
    check, nothing = kit.variable(), kit.constant(0.0)
    kit.put(check, kit.load(checks))
    with kit.loop(count) as i:
        to = kit.at(target, kit.times(i, kit.chunk * kit.step))
        values = kit.gather(kit.at(source, kit.times(i, CHUNK)), apart)
        for j, value in enumerate(values):
            kit.store(value, to, kit.step * j)
        total = values[0]
        for value in values[1:]:
            total = total + value
        kit.put(check, kit.get(check) + total * nothing)
    kit.store(kit.get(check), checks)


def _sum(kit: Kit, sources: Sequence[Any], weights: Sequence[Any], taps: Any, targets: Sequence[Any]) -> None:
    """Sums of ``taps`` vectors times weights, side by side; equal weights are read once."""
    sums = [kit.variable() for _ in sources]
    with kit.loop(taps) as k:
        at, of = kit.times(k, kit.step), kit.times(k, kit.size)
        factors = {weight: kit.broadcast(kit.at(weight, of)) for weight in dict.fromkeys(weights)}
        for total, source, weight in zip(sums, sources, weights, strict=True):
            kit.put(total, kit.get(total) + kit.load(kit.at(source, at)) * factors[weight])
    for total, target in zip(sums, targets, strict=True):
        kit.store(kit.get(total), target)


@operation("source", "weights", "taps", "target")
def filter_one(kit: Kit, source: Any, weights: Any, taps: Any, target: Any) -> None:
    """One phase of a frame."""
    _sum(kit, [source], [weights], taps, [target])


@operation("a", "b", "c", "d", "weights", "taps", "target")
def filter_phases(kit: Kit, a: Any, b: Any, c: Any, d: Any, weights: Any, taps: Any, target: Any) -> None:
    """Four phases of a frame, whose samples are found from ``a``, ``b``, ``c`` and ``d`` on."""
    rows = [kit.at(weights, kit.times(kit.times(taps, kit.size), p)) for p in range(_SIDE_BY_SIDE)]
    _sum(kit, [a, b, c, d], rows, taps, [kit.at(target, kit.step * p) for p in range(_SIDE_BY_SIDE)])


@operation("source", "apart", "weights", "taps", "target", "target_apart")
def filter_frames(kit: Kit, source: Any, apart: Any, weights: Any, taps: Any, target: Any, target_apart: Any) -> None:
    """A phase of four frames."""
    frames = range(_SIDE_BY_SIDE)
    sources = [kit.at(source, kit.times(apart, r)) for r in frames]
    _sum(kit, sources, [weights] * len(frames), taps, [kit.at(target, kit.times(target_apart, r)) for r in frames])


@inner
def filtered(number, size, step, orig, starts, base, run, low, high, weights, taps, source, target):
    """Phases from ``low`` up to ``high`` of ``run`` frames, a vector each, frame by frame."""
    count, row = high - low, size * taps
    p, source = low, source - step * base
    if run == 1:
        while p + 4 <= high:
            a, b = integer(number, number, starts, p), integer(number, number, starts, p + 1)
            c, d = integer(number, number, starts, p + 2), integer(number, number, starts, p + 3)
            filter_phases(
                number, number, source + step * a, source + step * b, source + step * c, source + step * d,
                weights + row * p, taps, target + step * (p - low),
            )  # fmt: skip
            p += 4
    while p < high:
        first, r = source + step * integer(number, number, starts, p), 0
        while r + 4 <= run:
            filter_frames(
                number, number, first + step * orig * r, step * orig, weights + row * p, taps,
                target + step * (r * count + p - low), step * count,
            )  # fmt: skip
            r += 4
        while r < run:
            to = target + step * (r * count + p - low)
            filter_one(number, number, first + step * orig * r, weights + row * p, taps, to)
            r += 1
        p += 1


@inner
def write(number, size, chunk, width, step, source, count, first, pieces, total, to, out, out_row, length, room, row):
    """Write ``count`` vectors to the lanes' rows from result ``to`` of each piece on, as far as there is room.

    Args:
        first: The first lane's piece, of ``total``, of which a row of ``length`` results has ``pieces``.
        to: ``(results from piece to piece, the first one's place in its piece)``.
        room: Memory for all lanes, in rows of ``row`` bytes, for what cannot be written in whole chunks.
    """
    apart, place = to
    line, piece = divmod(first, pieces)
    at = piece * apart + place
    whole = first + width <= total and piece + width <= pieces and at + (width - 1) * apart + count <= length
    if whole and count >= chunk:
        target = out + out_row * line + size * at
        for j in range(0, count, chunk):
            i = min(j, count - chunk)
            write_rows(number, number, source + step * i, target + size * i, size * apart)
        return
    for j in range(0, count, chunk):
        write_rows(number, number, source + step * j, room + size * j, row)
    for lane in range(min(width, total - first)):
        line, piece = divmod(first + lane, pieces)
        at = piece * apart + place
        few = min(count, length - at)
        if few > 0:
            copy(number, number, out + out_row * line + size * at, room + row * lane, size * few)


@kernel
def polyphase_of_rows(number, signal, filters, pieces, total, first, last, scratch, numbers, out, out_row, results):
    """The parts from ``first`` up to ``last`` of what is filtered: a vector of pieces, and a block of phases.

    Returns 0, or NaN where not all was finite.

    Args:
        signal: ``(address, bytes a row, bytes a value, length)``.
        filters: ``(orig, new, reach, weights, starts)``, the last two addresses; starts are the phases' samples.
        pieces: Of a row, each a run of frames; ``total`` of all rows.
        scratch: ``(copies, samples, sums, lanes' results, checks)``, then bytes a copy and a row of results.
        numbers: ``(frames a piece, phases a block, bytes a value, bytes a vector)``.
        out: Where the first row's ``results`` go, ``out_row`` bytes from row to row.
    """
    address, row_bytes, stride, length = signal
    orig, new, reach, weights, starts = filters
    copies, samples, sums, room, checks, copy_row, room_row = scratch
    run, phases, size, step = numbers
    taps, width, chunk, blocks = 2 * reach + 1, step // size, CHUNK // size, (new + phases - 1) // phases
    check = number - number
    for lane in range(width):
        poke(number, number, checks + size * lane, check)
    for i in range(first, last):
        group, block = divmod(i, blocks)
        low, lane = phases * block, width * group
        high = min(new, low + phases)
        base = integer(number, number, starts, low)
        needed = (run - 1) * orig + integer(number, number, starts, high - 1) - base + taps
        chunks = (needed + chunk - 1) // chunk
        source, apart = find_frames(
            number, number, size, width, lane, min(width, total - lane),
            (address, row_bytes, stride, length, reach - base, 0), pieces, run * orig, chunks * chunk, copies, copy_row,
        )  # fmt: skip
        turn_in(number, number, source, apart, chunks, samples, checks)
        filtered(number, size, step, orig, starts, base, run, low, high, weights, taps, samples, sums)
        write(
            number, size, chunk, width, step, sums, run * (high - low), lane, pieces, total, (run * new, low), out,
            out_row, results, room, room_row,
        )  # fmt: skip
    for lane in range(width):
        check += peek(number, number, checks + size * lane)
    return check


@functools.lru_cache(32)
def _starts(orig: int, new: int) -> Array:
    """Of each phase, the sample at or before its result."""
    return np.arange(new) * orig // new


def _filtered(rows: Array, weights: Array, orig: int, new: int, reach: int, out: Array) -> bool:
    """Fill ``out [rows, results]``; whether all that was read is finite."""
    size, number = rows.itemsize, rows.dtype.type
    width, chunk, count, results = lanes(size), CHUNK // size, len(rows), out.shape[1]
    step, frames = size * width, -(-results // new)
    # runs of four frames share weights, where all lanes have one
    run = max(1, min(_NEAR // (orig + new), count * frames // width) // _SIDE_BY_SIDE) * _SIDE_BY_SIDE
    if count * frames < run * width:
        run = 1
    phases = new
    if orig + new > _MOST:
        run, phases = 1, -(-new // -(-(orig + new) // _NEAR))
    pieces = -(-frames // run)
    total, blocks = count * pieces, -(-new // phases)
    starts, values = _starts(orig, new), np.ascontiguousarray(weights, number)
    needed = (run - 1) * orig + -(-phases * orig // new) + 2 * reach + 1 + chunk
    copy_row, room_row = padded(size * needed), padded(size * (run * phases + chunk))
    sizes = (width * copy_row, step * needed, step * (run * phases + chunk), width * room_row, LINE)
    signal = (address_of(rows), rows.strides[0], rows.strides[1], rows.shape[1])
    filters = (orig, new, reach, address_of(values), address_of(starts))
    to, finite = address_to_write(out), list[bool]()

    def work(first: int, last: int) -> None:
        *scratch, _memory = workspace.pieces(sizes)
        check = polyphase_of_rows(
            number(1), signal, filters, pieces, total, first, last, (*scratch, copy_row, room_row),
            (run, phases, size, step), to, out.strides[0], results,
        )  # fmt: skip
        finite.append(check == 0)

    parts = -(-total // width) * blocks
    share(work, parts, 1, width * run * phases * (1 + reach // 4), (rows, values, starts, out))
    return all(finite)


def _frames_with(op: Resample | ResampleAdjoint, bad: Array, results: int) -> Array:
    """Which results, ``[rows, results]``, are in frames that hold or reach ``bad [rows, values]``."""
    if isinstance(op, Resample):
        begin = np.arange(results // op.new) * op.orig
        return np.repeat(_any(bad, begin - op.reach, begin + op.orig + op.reach), op.new, axis=1)
    frames: Array = np.logical_or.reduce(bad.reshape(len(bad), -1, op.new), axis=2)
    place = np.arange(results)
    return _any(frames, (place - op.reach) // op.orig, (place + op.reach) // op.orig + 1)


def _any(what: Array, first: Array, end: Array) -> Array:
    """Whether any of ``what [rows, n]`` from ``first`` up to ``end`` is true, for each pair of places."""
    counts = np.zeros((len(what), what.shape[1] + 1), np.int64)
    np.cumsum(what, axis=1, out=counts[:, 1:])
    first, end = (np.clip(place, 0, what.shape[1]) for place in (first, end))
    result: Array = counts[:, end] > counts[:, first]
    return result


def resample(op: Resample | ResampleAdjoint, x: Array, weights: Array, *, out: Array | None, precise: bool) -> Array:
    """``x [..., T]`` at another rate, or the transpose."""
    values = x.astype(np.float64) if precise else x
    rows, shape, (orig, new, reach) = aligned_rows(values), op.shape(x.shape), (op.orig, op.new, op.reach)
    direct = out is not None and out.flags.c_contiguous and out.flags.behaved and out.dtype == values.dtype
    target = advised(out if direct and out is not None else np.empty(shape, values.dtype))
    results = target.reshape(len(rows), -1)
    filters: tuple[Array, int, int, int] = weights, orig, new, reach
    if isinstance(op, ResampleAdjoint):
        of_samples = polyphase.transposed_weights(weights, orig, new, reach)
        filters = of_samples, new, orig, of_samples.shape[1] // 2
    if not _filtered(rows, *filters, results):
        good = np.isfinite(rows)
        _filtered(np.where(good, rows, rows.dtype.type(0)), *filters, results)
        results[_frames_with(op, ~good, results.shape[1])] = np.nan
    if out is None:
        return target
    if out is not target:
        out[...] = target
    return out


RUN = {Resample: resample, ResampleAdjoint: resample}
