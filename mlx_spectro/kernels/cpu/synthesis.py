"""From spectra to signals: the inverse STFT, and the transpose of the STFT."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from .bins_to_frames import clear, divide, overlap_add, transform_back
from .frames import copy, spread_pairs
from .inverse_envelope import Inverse
from .plan import NAMES, Setting, setting
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.memory import address_of, address_to_write, side_by_side, workspace
from .runtime.threads import share
from .weights import scaled, windows_scaled

Array = npt.NDArray[Any]


@inner
def copy_bins(real, stored, size, target, source, bin_bytes, bins):
    """Copy the complex bins of a frame, side by side."""
    width = 2 * size
    if bin_bytes == width:
        copy(real, stored, target, source, width * bins)
    else:
        spread_pairs(real, stored, target, width, source, bin_bytes, bins)


@kernel
def signal_part(real, stored, edge, spectrum, frames, hop, inverse, low, high, window, layout, tables, scratch, signal):
    """The samples from ``low`` up to ``high`` of the overlapped frames of rows, to ``signal``.

    Rows are taken by turns, so that bins which lie side by side in memory are read together.

    Args:
        spectrum: ``(address, rows, bytes a row, bytes a bin, bytes a frame)``.
        inverse: ``(address, covering, compact)`` of the inverse envelope; address 0 for no division.
        layout, tables: As in :func:`transform_back`.
        scratch: ``(copied bins, bytes a frame of them, transform, windowed frames, bytes a windowed frame)``.
        signal: ``(address, bytes a row)``.
    """
    n_fft, _, _, size, real_size, _, step = layout
    bins_at, bins_bytes, z, rows, row_bytes = scratch
    address, count, spectrum_bytes, bin_bytes, frame_bytes = spectrum
    out, out_bytes = signal
    factors, covering, compact = inverse
    lanes, bins, width = step // real_size, n_fft // 2 + 1, 2 * size
    state = flush_denormals(real, real)
    for row in range(count):
        clear(real, stored, out + out_bytes * row, size * (high - low))
    first = max(0, (low - n_fft) // hop + 1)
    last = min(frames, (high - 1) // hop + 1)
    divided = low
    for group in range(first, last, lanes):
        valid = min(lanes, last - group)
        # no later frame reaches the samples before, which are still in the cache
        ready = high if group + valid >= last else min(high, max(low, (group + valid) * hop))
        for row in range(count):
            base, target = address + spectrum_bytes * row, out + out_bytes * row
            if frame_bytes == width and bin_bytes != width and valid == lanes:
                source = (base + frame_bytes * group, bin_bytes, frame_bytes)
            else:
                for lane in range(lanes):
                    frame = base + frame_bytes * (group + min(lane, valid - 1))
                    copy_bins(real, stored, size, bins_at + bins_bytes * lane, frame, bin_bytes, bins)
                source = (bins_at, width, bins_bytes)
            transform_back(real, stored, source, window, z, rows, row_bytes, edge, layout, tables)
            overlap_add(real, stored, size, target, low, high, rows, row_bytes, group, group + valid, group, hop, n_fft)
            if factors:
                at = target + size * (divided - low)
                divide(real, stored, size, at, divided, ready, factors, hop, frames, covering, compact)
        divided = ready
    restore_state(real, real, state)


class Synthesis:
    """Signals of spectra that lie alike in memory, made ready: what is left to say is where they lie."""

    def __init__(
        self,
        layout: Setting,
        window: np.dtype[Any],
        hop_length: int,
        factor: float,
        edge: float,
        span: tuple[int, int],
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        row_bytes: int,
    ) -> None:
        self._layout, self._hop, self._span = layout, hop_length, span
        self._weights, self._edge = (window, factor, layout.real.dtype), layout.real.dtype.type(edge)
        self._source, self._frames, self._row_bytes = (strides[0], strides[2], strides[1]), shape[1], row_bytes
        self._rows, self._block = shape[0], side_by_side(shape[0], strides, layout.complex_size)

    def __call__(self, address: int, window: bytes, inverse: Inverse, target: int, held: Any) -> None:
        """Transform the spectra at ``address``, to ``target``; ``held`` is what both live as long as."""
        layout, hop, (low, high) = self._layout, self._hop, self._span
        kind, factor, real = self._weights
        weights, samples = windows_scaled.of(window, (kind, factor * inverse.scale, real), scaled)
        length, size, block, row_bytes = high - low, layout.layout[3], self._block, self._source[0]

        def work(first: int, last: int) -> None:
            bins, transform, windowed, _memory = workspace.pieces(layout.backward_scratch)
            scratch = (bins, layout.row_bytes, transform, windowed, layout.frame_bytes)
            while first < last:
                row, start = divmod(first, length)
                row *= block
                count = min(length - start, last - first)
                spectrum = (address + row_bytes * row, min(block, self._rows - row), *self._source)
                signal_part(
                    layout.real, layout.stored, self._edge, spectrum, self._frames, hop, inverse.at, low + start,
                    low + start + count, samples, layout.layout, layout.backward, scratch,
                    (target + self._row_bytes * row + size * start, self._row_bytes),
                )  # fmt: skip
                first += count

        # a sample costs as much as the frames over it
        size_of = -(-layout.layout[0] // hop) * block
        share(work, -(-self._rows // block) * length, layout.lanes * hop, size_of, (held, weights, inverse))


@functools.lru_cache(maxsize=256)
def prepared(
    kind: np.dtype[Any],
    window: np.dtype[Any],
    n_fft: int,
    hop_length: int,
    factor: float,
    edge: float,
    span: tuple[int, int],
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    row_bytes: int,
    precise: bool = False,
) -> Synthesis | None:
    """Samples of a ``span`` of the overlapped frames of spectra ``[rows, N, F]``; None where NumPy has to do it.

    Args:
        row_bytes: From one row of samples to the next.
    """
    stored = NAMES[kind]
    layout = setting(n_fft, "float64" if precise else stored, stored)
    if layout is None:
        return None
    return Synthesis(layout, window, hop_length, factor, edge, span, shape, strides, row_bytes)


def synthesise(
    z: Array,
    window: Array,
    hop_length: int,
    factor: float,
    edge: float,
    low: int,
    high: int,
    inverse: Inverse,
    out: Array,
    precise: bool = False,
) -> bool:
    """Samples from ``low`` up to ``high`` of overlapped frames, to ``out [..., high - low]``, whose last axis is dense.

    False where NumPy has to do it.
    """
    spectra = z if z.ndim == 3 else z.reshape(-1, *z.shape[-2:])
    if not spectra.flags.aligned:
        spectra = spectra.copy()
    rows = out if out.ndim == 2 else out.reshape(-1, high - low)
    places = (low, high), spectra.shape, spectra.strides, rows.strides[0]
    ready = prepared(z.dtype, window.dtype, window.size, hop_length, factor, edge, *places, precise)
    if ready is not None:
        ready(address_of(spectra), window.tobytes(), inverse, address_to_write(rows), (spectra, rows))
    return ready is not None
