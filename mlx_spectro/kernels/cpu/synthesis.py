"""Signals from spectra in host arrays, and the transpose of the STFT."""

from __future__ import annotations

from .bins_to_frames import clear, divide, overlap_add, transform_back
from .frames import copy, spread_pairs
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state


@inner
def copy_bins(real, stored, size, target, source, bin_bytes, bins):
    """Copy the complex bins of a frame, side by side."""
    width = 2 * size
    if bin_bytes == width:
        copy(real, stored, target, source, width * bins)
    else:
        spread_pairs(real, stored, target, width, source, bin_bytes, bins)


@kernel
def signal_part(
    real, stored, edge, spectrum, frames, hop, inverse, row, low, high, window, layout, tables, scratch, out
):
    """The samples from ``low`` up to ``high`` of the overlapped frames of one row, to ``out``.

    Args:
        spectrum: ``(address, bytes a row, bytes a bin, bytes a frame)``.
        inverse: ``(address, covering, compact)`` of the inverse envelope; address 0 for no division.
        layout, tables: As in :func:`transform_back`.
        scratch: ``(copied bins, bytes a frame of them, transform, windowed frames, bytes a windowed frame)``.
    """
    n_fft, _, _, size, real_size, _, step = layout
    bins_at, bins_bytes, z, rows, row_bytes = scratch
    address, spectrum_bytes, bin_bytes, frame_bytes = spectrum
    factors, covering, compact = inverse
    lanes, bins, width = step // real_size, n_fft // 2 + 1, 2 * size
    base = address + row * spectrum_bytes
    state = flush_denormals(real, real)
    clear(real, stored, out, size * (high - low))
    first = max(0, (low - n_fft) // hop + 1)
    last = min(frames, (high - 1) // hop + 1)
    divided = low
    for group in range(first, last, lanes):
        valid = min(lanes, last - group)
        if frame_bytes == width and bin_bytes != width and valid == lanes:
            source = (base + frame_bytes * group, bin_bytes, frame_bytes)
        else:
            for lane in range(lanes):
                frame = base + frame_bytes * (group + min(lane, valid - 1))
                copy_bins(real, stored, size, bins_at + bins_bytes * lane, frame, bin_bytes, bins)
            source = (bins_at, width, bins_bytes)
        transform_back(real, stored, source, window, z, rows, row_bytes, edge, layout, tables)
        overlap_add(real, stored, size, out, low, high, rows, row_bytes, group, group + valid, group, hop, n_fft)
        if factors:
            # no later frame reaches these samples, which are still in the cache
            ready = high if group + valid >= last else min(high, max(low, (group + valid) * hop))
            divide(
                real,
                stored,
                size,
                out + size * (divided - low),
                divided,
                ready,
                factors,
                hop,
                frames,
                covering,
                compact,
            )
            divided = ready
    restore_state(real, real, state)
