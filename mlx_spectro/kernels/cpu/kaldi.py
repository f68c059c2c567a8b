"""Kaldi's features of NumPy arrays: from samples to logarithms in one pass, a vector of frames at a time."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...design.epilogues import Log
from ...design.kaldi import EPSILON
from ...design.operators import KaldiFilterbank, KaldiSpectrogram
from ...design.quiet import quietly
from . import numpy_fallback
from .bins_to_frames import clear
from .epilogue_bodies import apply_filters, emit, read_rows, take_log
from .fft import forward_passes
from .frames import FORWARD_PAD_MODES, find_frames
from .frames_to_bins import measure_spectrum
from .measurement import measure_given, to_out
from .plan import NAMES, Setting, setting
from .runtime import elementary
from .runtime.compile import kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.layout import aligned_rows, ready
from .runtime.memory import address_of, address_to_write, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES, Kit, Vec, operation
from .sparse_bank import NO_BANK, sparse

Array = npt.NDArray[Any]
# sums that take turns, so that each stays short
_TURNS = 8
# of the logarithm of an energy among a frame's values
_FIRST, _LAST, _NOWHERE = 0, 1, -1


@operation("block", "count", "length:real", "remove_mean", "factor:real", "window", "raw", "energy")
def extract(
    kit: Kit, block: Any, count: Any, length: Any, remove_mean: Any, factor: Any, window: Any, raw: Any, energy: Any
) -> None:
    """The ``count`` samples at ``block`` without their mean, pre-emphasised by ``factor``, and windowed, in place.

    To ``energy`` goes the sum of squares: of the ``raw`` ones without their mean, or of the windowed ones. ``length``
    is the number ``count``.
    """

    def address(i: Any) -> Any:
        return kit.at(block, kit.times(i, kit.step))

    mean, before = kit.variable(), kit.variable()
    with kit.when(remove_mean, 1):
        # not times an inverse: of a constant, nothing is to be left
        kit.put(mean, kit.total(count, lambda i: kit.load(address(i)), _TURNS) / kit.spread(length))
    offset, share = kit.get(mean), kit.spread(factor)
    kit.put(before, kit.load(block) - offset)

    def square(i: Any, of_raw: int) -> Vec:
        value = kit.load(address(i)) - offset
        shaped = (value - kit.get(before) * share) * kit.broadcast(kit.at(window, kit.times(i, kit.size)))
        kit.put(before, value)
        kit.store(shaped, address(i))
        return value * value if of_raw else shaped * shaped

    for kind in (0, 1):
        with kit.when(raw, kind):
            kit.store(kit.total(count, lambda i, kind=kind: square(i, kind), _TURNS), energy)  # type: ignore[misc]


@operation("energy", "target", "scale:real", "amin:real", "least:real")
def take_log_energy(kit: Kit, energy: Any, target: Any, scale: Any, amin: Any, least: Any) -> None:
    """The logarithm of ``scale`` times an energy, which is at least ``amin``; it is itself at least ``least``."""
    value = (kit.load(energy) * kit.spread(scale)).at_least(kit.spread(amin))
    kit.store(elementary.log(value).at_least(kit.spread(least)), target)


@kernel
def extracted_frames(
    real, stored, squared, edge, signal, frames, hop, first, last, extraction, window, layout, tables, bank, ending,
    scratch, out, out_row_bytes, value_bytes, frame_bytes,
):  # fmt: skip
    """Values of the frames from ``first`` up to ``last``, counted through all rows.

    Args:
        squared: Whether magnitudes are.
        edge, layout, tables: As in :func:`measure_spectrum`, of an even transform.
        signal: As in :func:`find_frames`.
        extraction: ``(samples a frame, the same as a number, whether their mean is removed, pre-emphasis, whether the
            energy is the raw samples')``; ``window`` is their window.
        bank: ``(number of filters, table, weights)``; no filters for none. See :func:`apply_filters`.
        ending: ``(whether to take logarithms, where that of the energy goes, scale, amin, least)``, the last three as
            in :func:`take_log_energy`.
        scratch: ``(copied frames, bytes a copied frame, transform, magnitudes, filtered, spoiled, energy, rows,
            bytes a row)``.
    """
    n_fft, _, _, size, real_size, chunk, step = layout
    passes, count, _, twiddles, _ = tables
    samples, length, remove_mean, preemphasis, raw = extraction
    filters, table, weights = bank
    logarithmic, place, scale, amin, least = ending
    copies, copy_bytes, z, magnitudes, filtered, spoiled, energy, rows, row_bytes = scratch
    lanes, bins = step // real_size, n_fft // 2 + 1
    shape = (lanes, size, chunk, step)
    state = flush_denormals(real, real)
    group = first
    while group < last:
        row, frame = divmod(group, frames)
        valid = min(lanes, last - group)
        if out_row_bytes != frames * frame_bytes:  # the next row does not follow on this one
            valid = min(valid, frames - frame)
        source, source_bytes = find_frames(
            real, stored, size, lanes, group, valid, signal, frames, hop, samples, copies, copy_bytes
        )
        for i in range(0, samples, chunk):
            i = max(0, min(i, samples - chunk))
            read_rows(real, stored, source + size * i, z + step * i, source_bytes)
        extract(real, real, z, samples, length, remove_mean, preemphasis, window, raw, energy)
        clear(real, real, z + step * samples, step * (n_fft - samples))
        # neighbouring samples, a vector each, are what is transformed as one complex number
        forward_passes(real, z, passes, 0, count, 2 * step, twiddles)
        measure_spectrum(real, stored, z, magnitudes, squared, edge, layout, tables)
        block, values, skipped = magnitudes, bins, 0
        if filters:
            skipped = int(place == 0)
            block, values = filtered, filters + int(place >= 0)
            apply_filters(real, magnitudes, bins, filters, (table, weights), block + step * skipped, spoiled, step)
        if logarithmic:
            take_log(real, stored, block + step * skipped, filters if filters else bins, 0, amin)
        if place >= 0:
            to = block if place == 0 else block + step * filters
            take_log_energy(real, stored, energy, to, scale, amin, least)
        emit(
            real, stored, block, values, valid, out + out_row_bytes * row + frame_bytes * frame, value_bytes,
            frame_bytes, rows, row_bytes, shape,
        )  # fmt: skip
        group += valid
    restore_state(real, real, state)


def spectrogram(op: KaldiSpectrogram, x: Array, window: Array, *, out: Array | None, precise: bool) -> Array:
    """Logarithms ``[..., N, F]`` of frames' energies at each frequency, and of their whole energy."""
    return _extracted(op, x, window, None, out, precise)


def filterbank(op: KaldiFilterbank, x: Array, window: Array, bank: Array, *, out: Array | None, precise: bool) -> Array:
    """Filtered magnitudes ``[..., N, values]``, or their logarithms."""
    return _extracted(op, x, window, bank, out, precise)


class _Plan(NamedTuple):
    """What the kernel takes of an operator, for a type in memory and one to calculate in."""

    layout: Setting
    squared: int
    place: int
    extraction: tuple[Any, ...]
    ending: tuple[Any, ...]
    copy_bytes: int


def _settings(op: KaldiSpectrogram) -> tuple[int, bool, int]:
    """The power of magnitudes, whether their logarithms are taken, and where that of the energy goes."""
    if isinstance(op, KaldiFilterbank):
        return op.power, op.logarithmic, {"first": _FIRST, "last": _LAST, "": _NOWHERE}[op.energy]
    return 2, True, _FIRST


@functools.lru_cache(maxsize=64)
def _planned(op: KaldiSpectrogram, stored: str, real: str) -> _Plan | None:
    """None where NumPy has to do the transform."""
    how = op.extraction
    layout = setting(how.n_fft, real, stored)
    if layout is None or not layout.packed:
        return None
    number, samples, (power, logarithmic, place) = layout.real.dtype.type, how.framing.n_fft, _settings(op)
    extraction = (samples, number(samples), int(how.remove_mean), number(how.preemphasis), int(how.raw_energy))
    # windowed samples are taken half: of a packed transform, the even ones and the odd ones are
    scale = number(1 if how.raw_energy else 4)
    ending = (int(logarithmic), place, scale, number(EPSILON), number(how.least))
    return _Plan(layout, int(power == 2), place, extraction, ending, padded(samples * np.dtype(stored).itemsize))


def _extracted(
    op: KaldiSpectrogram, x: Array, window: Array, bank: Array | None, out: Array | None, precise: bool
) -> Array:
    op.check(x.shape)
    stored, framing, n_fft = NAMES[x.dtype], op.extraction.framing, op.extraction.n_fft
    real = "float64" if precise else stored
    plan = _planned(op, stored, real)
    if plan is None:
        return to_out(_by_numpy(op, x, window, bank, precise), out)
    layout, step = plan.layout, VECTOR_BYTES
    filters = None if bank is None else sparse(bank, real)
    values = layout.bins if filters is None else filters.filters + (plan.place >= 0)
    frames = framing.frames(x.shape[-1])
    target, (out_row_bytes, value_bytes, frame_bytes) = ready(out, (*x.shape[:-1], frames, values), stored)
    rows = aligned_rows(x)
    mode = FORWARD_PAD_MODES[framing.pad_mode]
    signal = (address_of(rows), rows.strides[0], rows.strides[1], rows.shape[1], framing.left, mode)
    weights = window.astype(real) * layout.real.dtype.type(0.5)
    row_bytes = padded(x.itemsize * values + CHUNK)
    # a chunk more, which is written, and not read
    block = (max(values, layout.bins) + CHUNK) * step
    sizes = (layout.lanes * plan.copy_bytes, n_fft * step, block, block, step, step, layout.lanes * row_bytes)
    at, to, table = address_of(weights), address_to_write(target), NO_BANK if filters is None else filters.at
    edge = layout.real.dtype.type(2)

    def work(first: int, last: int) -> None:
        copies, z, magnitudes, filtered, spoiled, energy, lines, _memory = workspace.pieces(sizes)
        scratch = (copies, plan.copy_bytes, z, magnitudes, filtered, spoiled, energy, lines, row_bytes)
        extracted_frames(
            layout.real, layout.stored, plan.squared, edge, signal, frames, framing.hop_length, first, last,
            plan.extraction, at, layout.layout, layout.forward, table, plan.ending, scratch, to, out_row_bytes,
            value_bytes, frame_bytes,
        )  # fmt: skip

    share(work, rows.shape[0] * frames, layout.lanes, n_fft, (rows, weights, filters, target))
    return to_out(target, out)


@quietly()
def _by_numpy(op: KaldiSpectrogram, x: Array, window: Array, bank: Array | None, precise: bool) -> Array:
    """The values of transforms that there is no plan for."""
    how, (power, logarithmic, place) = op.extraction, _settings(op)
    frames = numpy_fallback.frames_of(x, how.framing, range(how.framing.frames(x.shape[-1])))
    frames = frames.astype(np.float64 if precise else x.dtype)
    if how.remove_mean:
        frames = frames - frames.mean(axis=-1, keepdims=True)
    before = np.concatenate([frames[..., :1], frames[..., :-1]], axis=-1)
    shaped = (frames - frames.dtype.type(how.preemphasis) * before) * window.astype(frames.dtype)
    energy = np.square(frames if how.raw_energy else shaped).sum(axis=-1, keepdims=True)
    energy = np.maximum(np.log(np.maximum(energy, EPSILON)), how.least).astype(x.dtype)
    magnitudes = np.abs(np.fft.rfft(shaped, how.n_fft)).astype(x.dtype)
    y = measure_given(magnitudes**power, precise, None, bank, Log(EPSILON) if logarithmic else None)
    if bank is None:
        y[..., :1] = energy
    elif place != _NOWHERE:
        y = np.concatenate([energy, y] if place == _FIRST else [y, energy], axis=-1)
    return y


RUN = {KaldiSpectrogram: spectrogram, KaldiFilterbank: filterbank}
