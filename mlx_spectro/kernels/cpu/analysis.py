"""From signals to spectra: the STFT, and the transpose of its inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.framing import Framing
from .bins_to_frames import divide
from .frames import PAD_MODES, copy, copy_frame, find_frames, spread_pairs
from .frames_to_bins import transform, write_spectrum
from .inverse_envelope import UNDIVIDED, Inverse
from .plan import NAMES, setting
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.layout import aligned_rows
from .runtime.memory import address_of, address_to_write, workspace
from .runtime.threads import share

Array = npt.NDArray[Any]
COMPLEX = {"float32": np.complex64, "float64": np.complex128}
# bytes that are written together where channels are interleaved
_LINE = 64


@inner
def divided_frames(real, stored, size, lanes, group, valid, signal, frames, hop, n, inverse, scratch, scratch_row):
    """Copies of a group's frames times the inverse envelope: what :func:`find_frames` finds, for a transpose."""
    address, row_bytes, stride, length, left, mode = signal
    factors, covering, compact = inverse
    for lane in range(lanes):
        row, frame = divmod(group + min(lane, valid - 1), frames)
        target, start = scratch + lane * scratch_row, frame * hop
        copy_frame(real, stored, size, target, address + row * row_bytes, stride, length, start - left, n, mode)
        divide(real, stored, size, target, start, start + n, factors, hop, frames, covering, compact)
    return scratch, scratch_row


@kernel
def complex_frames(
    real, stored, edge, signal, frames, hop, inverse, first, last, window, layout, tables, scratch, out, frame_bytes
):
    """Complex spectra of the frames from ``first`` up to ``last``, counted through all rows of ``signal``, to ``out``.

    Args:
        signal: As in :func:`find_frames`.
        inverse: ``(address, covering, compact)`` of an inverse envelope that the signal is multiplied by; address 0 for
            none.
        layout, tables: As in :func:`transform`.
        scratch: ``(copied frames, bytes a copied frame, transform, temporary, rows, bytes a row)``.
    """
    n_fft, _, _, size, real_size, _, step = layout
    copies, copy_bytes, z, temporary, rows, row_bytes = scratch
    lanes = step // real_size
    width = 2 * size * (n_fft // 2 + 1)
    state = flush_denormals(real, real)
    for group in range(first, last, lanes):
        valid = min(lanes, last - group)
        if inverse[0]:
            source, source_bytes = divided_frames(
                real, stored, size, lanes, group, valid, signal, frames, hop, n_fft, inverse, copies, copy_bytes
            )
        else:
            source, source_bytes = find_frames(
                real, stored, size, lanes, group, valid, signal, frames, hop, n_fft, copies, copy_bytes
            )
        transform(real, stored, source, source_bytes, window, z, temporary, layout, tables)
        write_spectrum(real, stored, z, rows, row_bytes, edge, layout, tables)
        for lane in range(valid):
            copy(real, stored, out + frame_bytes * (group + lane), rows + row_bytes * lane, width)
    restore_state(real, real, state)


@kernel
def interleaved_frames(
    real, stored, edge, signal, frames, hop, channels, block, first, last, window, layout, tables, scratch, out
):
    """Complex spectra of the frames from ``first`` up to ``last`` of every channel, channels side by side in ``out``.

    Channels are taken ``block`` at a time, so that what lies side by side is written together. The other arguments are
    those of :func:`complex_frames`, with ``block`` times its rows in ``scratch``.
    """
    n_fft, _, _, size, real_size, _, step = layout
    copies, copy_bytes, z, temporary, rows, row_bytes = scratch
    lanes, bins, width = step // real_size, n_fft // 2 + 1, 2 * size
    state = flush_denormals(real, real)
    for start in range(first, last, lanes):
        valid = min(lanes, last - start)
        for channel in range(0, channels, block):
            count = min(block, channels - channel)
            for c in range(count):
                group = (channel + c) * frames + start
                source, source_bytes = find_frames(
                    real, stored, size, lanes, group, valid, signal, frames, hop, n_fft, copies, copy_bytes
                )
                transform(real, stored, source, source_bytes, window, z, temporary, layout, tables)
                write_spectrum(real, stored, z, rows + lanes * row_bytes * c, row_bytes, edge, layout, tables)
            for lane in range(valid):
                to = out + width * (channels * bins * (start + lane) + channel)
                for c in range(count):
                    at = rows + row_bytes * (lanes * c + lane)
                    spread_pairs(real, stored, to + width * c, width * channels, at, width, bins)
    restore_state(real, real, state)


def analyse(
    x: Array,
    window: Array,
    framing: Framing,
    factor: float,
    edge: float,
    out: Array,
    precise: bool = False,
    inverse: Inverse = UNDIVIDED,
) -> bool:
    """One-sided spectra of ``x [..., T]`` to ``out [..., N, F]``, contiguous; False where NumPy has to do it."""
    stored = NAMES[x.dtype]
    layout = setting(framing.n_fft, "float64" if precise else stored, stored)
    if layout is None:
        return False
    rows = aligned_rows(x)
    length, frames = rows.shape[1], out.shape[-2]
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length, framing.left, PAD_MODES[framing.pad_mode])
    # of a packed transform, the even and the odd half are each taken half
    weights = window.astype(layout.real.dtype) * (0.5 * factor if layout.packed else factor)
    edge = layout.real.dtype.type(2 * edge if layout.packed else edge)
    frame_bytes = layout.bins * out.itemsize
    target, samples = address_to_write(out), address_of(weights)

    hop = framing.hop_length
    channels = interleaved(out, layout.bins)
    block = min(channels, _LINE // out.itemsize) or 1

    def work(first: int, last: int) -> None:
        *sizes, row = layout.forward_scratch
        copies, z, temporary, bins, _memory = workspace.pieces((*sizes, row * block))
        scratch = (copies, layout.frame_bytes, z, temporary, bins, layout.row_bytes)
        if channels:
            interleaved_frames(
                layout.real, layout.stored, edge, signal, frames, hop, channels, block, first, last, samples,
                layout.layout, layout.forward, scratch, target,
            )  # fmt: skip
        else:
            complex_frames(
                layout.real, layout.stored, edge, signal, frames, hop, inverse.at, first, last, samples,
                layout.layout, layout.forward, scratch, target, frame_bytes,
            )  # fmt: skip

    count, size = frames if channels else rows.shape[0] * frames, framing.n_fft * max(1, channels)
    share(work, count, layout.lanes, size, (rows, weights, out, inverse))
    return True


def interleaved(out: Array, bins: int) -> int:
    """Channels of ``out [channels, N, F]``, if in memory they lie side by side for each bin of each frame; else 0."""
    if out.ndim != 3 or out.shape[0] == 1 or out.strides[0] != out.itemsize:
        return 0
    channels = out.shape[0]
    return channels if out.strides[1:] == (channels * bins * out.itemsize, channels * out.itemsize) else 0
