"""Magnitudes of frames, and what is made of them before they leave the cache."""

from __future__ import annotations

from .descriptor_bodies import describe
from .epilogue_bodies import (
    apply_filters,
    emit,
    read_rows,
    read_side_by_side,
    square,
    take_decibel,
    take_log,
    take_root,
)
from .frames import copy, find_frames
from .frames_to_bins import measure_spectrum, transform
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state

LINEAR, LOG, DECIBEL, ROOT = 0, 1, 2, 3


@inner
def finish(
    real, stored, block, count, descriptors, bank, filtered, spoiled, ending, amounts, valid, out, value_bytes,
    frame_bytes, rows, row_bytes, shape,
):  # fmt: skip
    """Describe or filter the ``count`` values at ``block``, take logarithms, and put them out.

    Args:
        described: ``(bits, hz, squared, numbers, bands, scratch)`` of :func:`describe`; no bits for none.
        bank: ``(number of filters, table, weights)``; no filters for none. See :func:`apply_filters`.
        ending: ``(LINEAR, LOG, DECIBEL or ROOT, whether amin is added)``.
        amounts: ``(amin, factor, zero, low, high)`` of :func:`take_decibel`.
        shape: As in :func:`emit`.
    """
    filters, table, weights = bank
    kind, added = ending
    amin, factor, zero, low, high = amounts
    bits, hz, squared, numbers, bands, extremes = descriptors
    if bits:
        count = describe(real, stored, block, count, bits, hz, squared, numbers, bands, extremes, filtered, shape[3])
        block = filtered
    elif filters:
        apply_filters(real, block, count, filters, (table, weights), filtered, spoiled, shape[3])
        block, count = filtered, filters
    if kind == LOG:
        take_log(real, stored, block, count, added, amin)
    elif kind == DECIBEL:
        take_decibel(real, stored, block, count, amin, factor, zero, low, high)
    elif kind == ROOT:
        take_root(real, real, block, count)
    emit(real, stored, block, count, valid, out, value_bytes, frame_bytes, rows, row_bytes, shape)


@kernel
def measured_frames(
    real, stored, squared, edge, signal, frames, hop, first, last, window, layout, tables, descriptors, bank, ending,
    amounts, scratch, out, out_row_bytes, value_bytes, frame_bytes,
):  # fmt: skip
    """Magnitudes (or their squares) of the frames from ``first`` up to ``last``, counted through all rows.

    Args:
        signal: As in :func:`find_frames`.
        layout, tables: As in :func:`transform`.
        described, bank, ending, amounts: As in :func:`finish`.
        scratch: ``(copied frames, bytes a copied frame, transform, temporary, magnitudes, filtered, spoiled, rows,
            bytes a row)``.
    """
    n_fft, _, _, size, real_size, chunk, step = layout
    copies, copy_bytes, z, temporary, block, filtered, spoiled, rows, row_bytes = scratch
    lanes = step // real_size
    shape = (lanes, size, chunk, step)
    state = flush_denormals(real, real)
    group = first
    while group < last:
        row, frame = divmod(group, frames)
        valid = min(lanes, last - group)
        if out_row_bytes != frames * frame_bytes:  # the next row does not follow on this one
            valid = min(valid, frames - frame)
        source, source_bytes = find_frames(
            real, stored, size, lanes, group, valid, signal, frames, hop, n_fft, copies, copy_bytes
        )
        transform(real, stored, source, source_bytes, window, z, temporary, layout, tables)
        measure_spectrum(real, stored, z, block, squared, edge, layout, tables)
        finish(
            real, stored, block, n_fft // 2 + 1, descriptors, bank, filtered, spoiled, ending, amounts, valid,
            out + out_row_bytes * row + frame_bytes * frame, value_bytes, frame_bytes, rows, row_bytes, shape,
        )  # fmt: skip
        group += valid
    restore_state(real, real, state)


@kernel
def projected_frames(
    real, stored, values, squared, frames, count, first, last, descriptors, bank, ending, amounts, scratch, shape, out,
    out_row_bytes, value_bytes, frame_bytes,
):  # fmt: skip
    """Filters over given values, or descriptors of the frames from ``first`` up to ``last``.

    Frames are counted through blocks of rows, which are taken by turns: what lies side by side is read together.

    Args:
        values: ``(address, rows, rows a block, bytes a row, bytes a value, bytes a frame)``, ``count`` values a frame.
        squared: Whether their squares are meant.
        described, bank, ending, amounts: As in :func:`finish`.
        scratch: ``(copied values, values, filtered, spoiled, rows, bytes a row)``.
        shape: As in :func:`emit`.
    """
    copies, block, filtered, spoiled, rows, row_bytes = scratch
    lanes, size, chunk, step = shape
    address, all_rows, block_rows, source_row_bytes, source_value_bytes, source_frame_bytes = values
    state = flush_denormals(real, real)
    group = first
    while group < last:
        part, frame = divmod(group, frames)
        valid = min(lanes, last - group, frames - frame)
        for row in range(block_rows * part, min(all_rows, block_rows * (part + 1))):
            source = address + source_row_bytes * row + source_frame_bytes * frame
            if source_frame_bytes == size and valid == lanes:
                for k in range(count):
                    read_side_by_side(real, stored, source + source_value_bytes * k, block + step * k)
            else:
                for lane in range(lanes):
                    at = source + source_frame_bytes * min(lane, valid - 1)
                    if source_value_bytes == size:
                        copy(real, stored, copies + row_bytes * lane, at, size * count)
                    else:
                        for k in range(count):
                            copy(real, stored, copies + row_bytes * lane + size * k, at + source_value_bytes * k, size)
                for k in range(0, count, chunk):
                    read_rows(real, stored, copies + size * k, block + step * k, row_bytes)
            if squared:
                square(real, real, block, count)
            finish(
                real, stored, block, count, descriptors, bank, filtered, spoiled, ending, amounts, valid,
                out + out_row_bytes * row + frame_bytes * frame, value_bytes, frame_bytes, rows, row_bytes, shape,
            )  # fmt: skip
        group += valid
    restore_state(real, real, state)
