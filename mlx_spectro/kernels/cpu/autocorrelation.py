"""Autocorrelations of windowed frames of NumPy arrays."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.framing import Framing
from ...design.operators import Stft
from .fft import factors, forward_passes
from .frames import PAD_MODES, copy, find_frames
from .frames_to_bins import measure_spectrum, real_parts, transform
from .plan import NAMES, setting
from .runtime import elementary
from .runtime.compile import kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.layout import aligned_rows
from .runtime.memory import address_of, address_to_write, advised, workspace
from .runtime.threads import share
from .runtime.vector import Kit, lanes, operation
from .stft import stft

Array = npt.NDArray[Any]
_REAL = np.float64(1)
_LANES = lanes(8)
_SMALLEST = 32


@functools.lru_cache(maxsize=64)
def _points(lags: int) -> int:
    """An even length of transforms, of small prime factors, in which no product of so many lags comes around."""
    points = max(_SMALLEST, 2 * lags)
    while factors(points // 2) is None:
        points += 2
    return points


@operation("values", "count", "scale:real", "target", "row_bytes")
def write_lags(kit: Kit, values: Any, count: Any, scale: Any, target: Any, row_bytes: Any) -> None:
    """Values of ``count`` lags, times ``scale``, to a row a lag."""
    factor = kit.spread(scale)
    with kit.loop(count) as k:
        value = kit.load(kit.at(values, kit.times(k, kit.step))) * factor
        kit.store_stored(value, kit.at(target, kit.times(k, row_bytes)))


@operation("values", "count", "scale:real", "target", "row_bytes")
def write_normalized_lags(kit: Kit, values: Any, count: Any, scale: Any, target: Any, row_bytes: Any) -> None:
    """:func:`write_lags` over the largest magnitude of each lane, unless that is no normal number."""
    largest, factor = kit.variable(), kit.spread(scale)
    with kit.loop(count) as k:
        at = kit.at(values, kit.times(k, kit.step))
        value = kit.load(at) * factor
        kit.store(value, at)
        kit.put(largest, elementary.absolute(value).most(kit.get(largest)))
    tiny, one = kit.constant(float(np.finfo(np.float64).tiny)), kit.constant(1.0)
    size = kit.get(largest)
    divisor = tiny.where("ogt", size, one, size)
    with kit.loop(count) as k:
        value = kit.load(kit.at(values, kit.times(k, kit.step))) / divisor
        kit.store_stored(value, kit.at(target, kit.times(k, row_bytes)))


@operation("powers", "end", "count")
def mirror_powers(kit: Kit, powers: Any, end: Any, count: Any) -> None:
    """Put ``count`` vectors from ``powers`` on before ``end``, in reverse order."""
    with kit.loop(count) as k:
        offset = kit.times(k, kit.step)
        kit.store(kit.load(kit.at(powers, offset)), kit.builder.sub(end, offset), -kit.step)


@kernel
def autocorrelated_frames(
    real, stored, size, signal, frames, hop, lags, normalized, scale, first, last, window, layout, tables, scratch,
    spare, result,
):  # fmt: skip
    """Autocorrelations of the frames from ``first`` up to ``last``, counted through all rows of the signal.

    Args:
        signal: As in :func:`find_frames`.
        scale: Of an autocorrelation, for the length of its transforms.
        scratch: ``(copied frames, bytes of one, transform, temporary, powers)``.
        spare: Room for a vector a lag.
        result: ``(address, bytes of a row of the signal, bytes a lag)``; frames lie side by side.
    """
    n_fft, step, lanes = layout[0], layout[6], layout[6] // layout[4]
    passes, count, _, twiddles, _ = tables
    copies, copy_bytes, z, temporary, powers = scratch
    target, row_bytes, lag_bytes = result
    edge = real + real
    state = flush_denormals(real, real)
    group = first
    while group < last:
        row, frame = divmod(group, frames)
        valid = min(lanes, last - group, frames - frame)
        source, source_bytes = find_frames(
            real, stored, size, lanes, group, valid, signal, frames, hop, n_fft, copies, copy_bytes
        )
        transform(real, stored, source, source_bytes, window, z, temporary, layout, tables)
        measure_spectrum(real, stored, z, powers, 1, edge, layout, tables)
        # those of bins above half the sample rate
        mirror_powers(real, real, powers + step, powers + step * n_fft, n_fft // 2 - 1)
        forward_passes(real, powers, passes, 0, count, 2 * step, twiddles)
        real_parts(real, real, powers, z, edge, layout, tables)
        to, to_bytes = target + row_bytes * row + 8 * frame, lag_bytes
        if valid < lanes:
            to, to_bytes = spare, step
        if normalized:
            write_normalized_lags(real, real, z, lags, scale, to, to_bytes)
        else:
            write_lags(real, real, z, lags, scale, to, to_bytes)
        if valid < lanes:
            to = target + row_bytes * row + 8 * frame
            for k in range(lags):
                copy(real, real, to + lag_bytes * k, spare + step * k, 8 * valid)
        group += valid
    restore_state(real, real, state)


def autocorrelations(x: Array, window: Array, normalized: bool, out: Array) -> None:
    """Autocorrelations of the frames at each sample of ``x [..., T]``, to ``out [..., lags, N]``.

    P. Grosche, M. Müller and F. Kurth, "Cyclic tempogram: a mid-level tempo representation for music signals", ICASSP
    2010. By two transforms in double precision, of the frame and of its powers.

    Args:
        x: float32 or float64 samples.
        window: Weights ``[lags]`` of a frame's samples.
        normalized: Divide each frame by its largest magnitude.
        out: float64 memory, an axis of frames that lie side by side.
    """
    rows, lags, frames = aligned_rows(x), window.size, out.shape[-1]
    n_fft = _points(lags)
    layout = setting(n_fft, "float64", NAMES[x.dtype])
    assert layout is not None
    framing = Framing(n_fft, 1)
    # of even and odd samples, each is taken half
    weights = np.zeros(n_fft)
    weights[:lags] = 0.5 * window
    rows_out = out.reshape(-1, *out.shape[-2:]) if out.ndim != 3 else out
    assert np.may_share_memory(rows_out, out)
    signal = (address_of(rows), *rows.strides, rows.shape[-1], 0, PAD_MODES[framing.pad_mode])
    copies, z, temporary, _ = layout.forward_scratch
    vector = 8 * _LANES
    sizes = (copies, max(z, vector * (n_fft // 2 + 1)), temporary, vector * (n_fft + 2), vector * lags)
    result = (address_to_write(advised(out)), rows_out.strides[0], rows_out.strides[1])

    def work(first: int, last: int) -> None:
        copied, transformed, rest, powers, spare, _memory = workspace.pieces(sizes)
        scratch = (copied, layout.frame_bytes, transformed, rest, powers)
        autocorrelated_frames(
            layout.real, layout.stored, x.itemsize, signal, frames, 1, lags, normalized, 0.5 / n_fft, first, last,
            address_of(weights), layout.layout, layout.forward, scratch, spare, result,
        )  # fmt: skip

    share(work, len(rows) * frames, _LANES, n_fft, (rows, weights, out))


# of long signals' transforms, and blocks of a signal whose spectra are in memory at once
_POINTS = 1 << 14
_BLOCKS = 32
MOST_LAGS = _POINTS // 2


def first_autocorrelations(x: Array, lags: int) -> Array:
    """Autocorrelations ``[rows, lags]``, float64, of ``x [rows, T]`` at the first few lags, at most ``MOST_LAGS``.

    Block by block: of the products of a block's samples with later ones, those beyond the block are the next samples.
    """
    hop = _POINTS - lags + 1
    blocks = -(-x.shape[-1] // hop)
    first, both = np.zeros(_POINTS), np.ones(_POINTS)
    first[:hop] = 1
    totals = np.zeros((len(x), _POINTS // 2 + 1), complex)
    for begin in range(0, blocks, _BLOCKS):
        count = min(_BLOCKS, blocks - begin)
        part = x[:, begin * hop : (begin + count) * hop + lags - 1]
        op = Stft(Framing(_POINTS, hop, 0, (count - 1) * hop + _POINTS - part.shape[-1]))
        own, reached = (stft(op, part, window, out=None, precise=False) for window in (first, both))
        totals += np.sum(own.conj() * reached, axis=1, dtype=complex)
    sums: Array = np.fft.irfft(totals, axis=-1)[:, :lags]
    return sums
