"""From signals to spectra: the STFT, and the transpose of its inverse."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.framing import Framing
from .bins_to_frames import divide
from .frames import PAD_MODES, copy_frame, find_frames, spread_pairs
from .frames_to_bins import put_spectrum, transform, write_spectrum
from .inverse_envelope import UNDIVIDED, Inverse
from .plan import NAMES, Setting, setting
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.layout import aligned_rows
from .runtime.memory import LINE, address_of, address_to_write, workspace
from .runtime.threads import share
from .weights import scaled, windows_scaled

Array = npt.NDArray[Any]
COMPLEX = {"float32": np.complex64, "float64": np.complex128}


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
        target = out + frame_bytes * group
        put_spectrum(real, stored, z, rows, row_bytes, edge, layout, tables, target, frame_bytes, valid)
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


class Analysis:
    """Spectra of signals that lie alike in memory, made ready: what is left to say is where they lie."""

    def __init__(
        self,
        layout: Setting,
        window: np.dtype[Any],
        framing: Framing,
        factor: float,
        edge: float,
        rows: tuple[int, ...],
        strides: tuple[int, ...],
        frames: int,
        channels: int,
    ) -> None:
        self._frames, self._layout, self._framing = frames, layout, framing
        # of a packed transform, the even and the odd half are each taken half
        self._weights = window, 0.5 * factor if layout.packed else factor, layout.real.dtype
        self._edge = layout.real.dtype.type(2 * edge if layout.packed else edge)
        self._signal = (*strides, rows[1], framing.left, PAD_MODES[framing.pad_mode])
        self._channels, self._block = channels, min(channels, LINE // layout.complex_size) or 1
        self._count, self._size = frames if channels else rows[0] * frames, framing.n_fft * max(1, channels)
        *sizes, row = layout.forward_scratch
        self._sizes = (*sizes, row * self._block)
        self._frame_bytes = layout.bins * layout.complex_size

    def __call__(
        self, address: int, windows: Sequence[bytes], target: int, held: Any, inverse: Inverse = UNDIVIDED
    ) -> None:
        """Transform the signals at ``address`` with a window, to ``target``; ``held`` is what both live as long as."""
        layout, frames, hop = self._layout, self._frames, self._framing.hop_length
        kind, factor, real = self._weights
        weights, samples = windows_scaled.of(windows[0], (kind, factor * inverse.scale, real), scaled)
        signal = (address, *self._signal)

        def work(first: int, last: int) -> None:
            copies, z, temporary, bins, _memory = workspace.pieces(self._sizes)
            scratch = (copies, layout.frame_bytes, z, temporary, bins, layout.row_bytes)
            if self._channels:
                interleaved_frames(
                    layout.real, layout.stored, self._edge, signal, frames, hop, self._channels, self._block,
                    first, last, samples, layout.layout, layout.forward, scratch, target,
                )  # fmt: skip
            else:
                complex_frames(
                    layout.real, layout.stored, self._edge, signal, frames, hop, inverse.at, first, last, samples,
                    layout.layout, layout.forward, scratch, target, self._frame_bytes,
                )  # fmt: skip

        share(work, self._count, layout.lanes, self._size, (held, weights, inverse))


@functools.lru_cache(maxsize=256)
def prepared(
    kind: np.dtype[Any],
    window: np.dtype[Any],
    framing: Framing,
    factor: float,
    edge: float,
    rows: tuple[int, ...],
    strides: tuple[int, ...],
    frames: int,
    channels: int = 0,
    precise: bool = False,
) -> Analysis | None:
    """One-sided spectra of ``rows`` of audio of a ``kind``, ``strides`` apart; None where NumPy has to do it."""
    stored = NAMES[kind]
    layout = setting(framing.n_fft, "float64" if precise else stored, stored)
    return None if layout is None else Analysis(layout, window, framing, factor, edge, rows, strides, frames, channels)


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
    rows, channels = aligned_rows(x), interleaved(out, framing.n_fft // 2 + 1)
    places = rows.shape, rows.strides, out.shape[-2], channels
    ready = prepared(x.dtype, window.dtype, framing, factor, edge, *places, precise)
    if ready is not None:
        ready(address_of(rows), [window.tobytes()], address_to_write(out), (rows, out), inverse)
    return ready is not None


def interleaved(out: Array, bins: int) -> int:
    """Channels of ``out [channels, N, F]``, if in memory they lie side by side for each bin of each frame; else 0."""
    if out.ndim != 3 or out.shape[0] == 1 or out.strides[0] != out.itemsize:
        return 0
    channels = out.shape[0]
    return channels if out.strides[1:] == (channels * bins * out.itemsize, channels * out.itemsize) else 0
