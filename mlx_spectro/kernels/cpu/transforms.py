"""Transforms of NumPy arrays, and their transposes, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro.design import envelope
from mlx_spectro.design.framing import Framing, overlap_length

from . import numpy_fallback
from .analysis import complex_frames, interleaved_frames
from .frames import PAD_MODES
from .inverse_envelope import UNDIVIDED, Inverse, inverse_envelope
from .plan import NAMES, setting
from .runtime.layout import aligned_rows
from .runtime.memory import address_of, address_to_write, advised, workspace
from .runtime.threads import share
from .synthesis import signal_part

Array = npt.NDArray[Any]
_COMPLEX = {"float32": np.complex64, "float64": np.complex128}
# bytes that are written together where channels are interleaved
_LINE = 64


def _analyse(
    x: Array,
    window: Array,
    framing: Framing,
    factor: float,
    edge: float,
    out: Array,
    precise: bool = False,
    frames: int = 0,
    inverse: Inverse = UNDIVIDED,
) -> bool:
    """One-sided spectra of ``x [..., T]`` to ``out [..., N, F]``, contiguous; False where NumPy has to do it."""
    stored = NAMES[x.dtype]
    found = setting(framing.n_fft, "float64" if precise else stored, stored)
    if found is None:
        return False
    rows = aligned_rows(x)
    length = rows.shape[1]
    frames = frames or framing.frames(length)
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length, framing.left, PAD_MODES[framing.pad_mode])
    # of a packed transform, the even and the odd half are each taken half
    weights = window.astype(found.real.dtype) * (0.5 * factor if found.packed else factor)
    edge = found.real.dtype.type(2 * edge if found.packed else edge)
    frame_bytes = found.bins * out.itemsize
    target, samples = address_to_write(out), address_of(weights)

    hop = framing.hop_length
    channels = _interleaved(out, found.bins)
    block = min(channels, _LINE // out.itemsize) or 1

    def work(first: int, last: int) -> None:
        *sizes, row = found.forward_scratch
        copies, z, temporary, bins, _memory = workspace.pieces((*sizes, row * block))
        scratch = (copies, found.frame_bytes, z, temporary, bins, found.row_bytes)
        if channels:
            interleaved_frames(
                found.real, found.stored, edge, signal, frames, hop, channels, block, first, last, samples,
                found.layout, found.forward, scratch, target,
            )  # fmt: skip
        else:
            complex_frames(
                found.real, found.stored, edge, signal, frames, hop, inverse.at, first, last, samples,
                found.layout, found.forward, scratch, target, frame_bytes,
            )  # fmt: skip

    count, size = frames if channels else rows.shape[0] * frames, framing.n_fft * max(1, channels)
    share(work, count, found.lanes, size, (rows, weights, out, inverse))
    return True


def _interleaved(out: Array, bins: int) -> int:
    """Channels of ``out [channels, N, F]``, if in memory they lie side by side for each bin of each frame; else 0."""
    if out.ndim != 3 or out.shape[0] == 1 or out.strides[0] != out.itemsize:
        return 0
    channels = out.shape[0]
    return channels if out.strides[1:] == (channels * bins * out.itemsize, channels * out.itemsize) else 0


def stft(
    x: Array,
    window: Array,
    *,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    scale: float = 1.0,
    onesided: bool = True,
    precise: bool = False,
    out: Array | None = None,
) -> Array:
    """Short-time Fourier transform.

    Args:
        x: float32 or float64 audio ``[..., T]`` of any strides.
        window: Samples ``[n_fft]``.
        hop_length: Samples between frame starts.
        left, right: Samples by which the signal is extended before and after.
        pad_mode: ``"constant"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        scale: Factor of the result.
        onesided: Bins up to half the sample rate only.
        precise: Compute float32 audio in float64 and round the result once.
        out: Where to put the result.

    Returns:
        complex64 or complex128 ``[..., N, F]``.

    Raises:
        ValueError: a signal too short for its padding or for one frame.
    """
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    length, bins = x.shape[-1], window.size // 2 + 1
    framing.check(length)
    shape = (*x.shape[:-1], framing.frames(length), bins if onesided else window.size)
    kind = _COMPLEX[NAMES[x.dtype]]
    if out is None:
        out = np.empty(shape, kind)
    direct = onesided and (out.flags.carray or (_interleaved(out, bins) > 0 and out.flags.behaved))
    half = advised(out if direct else np.empty((*shape[:-1], bins), kind))
    if not _analyse(x, window, framing, scale, 1.0, half, precise):
        numpy_fallback.stft(x, window * scale, framing, half, precise)
    if not direct:
        out[..., :bins] = half
    if not onesided:
        # the upper half mirrors the lower one
        np.conjugate(half[..., (window.size - 1) // 2 : 0 : -1], out=out[..., bins:])
    return out


def istft_adjoint(
    g: Array,
    window: Array,
    *,
    frames: int,
    hop_length: int,
    left: int,
    scale: float = 1.0,
    onesided: bool = True,
    out: Array | None = None,
) -> Array:
    """Transpose of :func:`istft`: a gradient ``[..., length]`` to that of the spectrum, ``[..., frames, F]``.

    The gradient of a complex number is that by its real part plus ``i`` times that by its imaginary part.
    """
    n_fft, bins = window.size, window.size // 2 + 1
    kind = _COMPLEX[NAMES[g.dtype]]
    shape = (*g.shape[:-1], frames, bins if onesided else n_fft)
    if out is None:
        out = np.empty(shape, kind)
    direct = onesided and out.flags.carray
    half = advised(out if direct else np.empty((*shape[:-1], bins), kind))
    framing = Framing(n_fft, hop_length, left)
    divided = inverse_envelope(window, hop_length, frames, NAMES[g.dtype])
    # a bin between the edges stands for itself and for its mirror image
    if not _analyse(g, window, framing, 2 * scale / n_fft, 0.5, half, frames=frames, inverse=divided):
        numpy_fallback.istft_adjoint(g, window, framing, scale, half)
    if not direct:
        out[..., :bins] = half
        out[..., bins:] = 0
    return out


def _synthesise(
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
    stored = NAMES[z.dtype]
    found = setting(window.size, "float64" if precise else stored, stored)
    if found is None:
        return False
    frames = z.shape[-2]
    spectra = z if z.ndim == 3 else z.reshape(-1, *z.shape[-2:])
    if not spectra.flags.aligned:
        spectra = spectra.copy()
    rows = out if out.ndim == 2 else out.reshape(-1, high - low)
    source = (address_of(spectra), spectra.strides[0], spectra.strides[2], spectra.strides[1])
    weights = window.astype(found.real.dtype) * factor
    samples, edge = address_of(weights), found.real.dtype.type(edge)
    target, row_bytes, length = address_to_write(rows), rows.strides[0], high - low

    def work(first: int, last: int) -> None:
        bins, transform, windowed, _memory = workspace.pieces(found.backward_scratch)
        scratch = (bins, found.row_bytes, transform, windowed, found.frame_bytes)
        while first < last:
            row, start = divmod(first, length)
            count = min(length - start, last - first)
            signal_part(
                found.real, found.stored, edge, source, frames, hop_length, inverse.at, row, low + start,
                low + start + count, samples, found.layout, found.backward, scratch,
                target + row_bytes * row + out.itemsize * start,
            )  # fmt: skip
            first += count

    # a sample costs as much as the frames over it
    count, size = rows.shape[0] * length, -(-window.size // hop_length)
    share(work, count, found.lanes * hop_length, size, (spectra, weights, rows, inverse))
    return True


def istft(
    z: Array,
    window: Array,
    *,
    hop_length: int,
    left: int,
    length: int,
    scale: float = 1.0,
    onesided: bool = True,
    floor: float = envelope.FLOOR,
    precise: bool = False,
    out: Array | None = None,
) -> Array:
    """Inverse STFT: windowed overlap-add over the sum of the squared windows.

    Args:
        z: complex64 or complex128 ``[..., N, F]`` of any strides; frames first or bins first in memory cost no copy.
        window: Samples ``[n_fft]``.
        hop_length: Samples between frame starts.
        left: Samples cut off the start of the overlapped frames.
        length: Samples to return.
        scale: Factor of the result.
        onesided: ``z`` holds ``n_fft // 2 + 1`` bins, else ``n_fft``.
        floor: Smallest envelope that is divided by.
        precise: Transform complex64 spectra in double precision.
        out: Where to put the result.

    Returns:
        float32 or float64 ``[..., length]``; 0 where the envelope is below ``floor`` and beyond the last frame.
    """
    n_fft, frames = window.size, z.shape[-2]
    half = z if onesided else z[..., : n_fft // 2 + 1]
    real = NAMES[z.dtype]
    shape = (*z.shape[:-2], length)
    target = advised(out if out is not None and out.flags.carray else np.empty(shape, real))
    covered = max(0, min(length, overlap_length(frames, n_fft, hop_length) - left))
    kept = target[..., :covered]
    if covered:
        divided = inverse_envelope(window, hop_length, frames, real, floor)
        factor, span = scale / n_fft, (left, left + covered)
        if not _synthesise(half, window, hop_length, factor, 1.0, *span, divided, kept, precise):
            numpy_fallback.istft(half, window, Framing(n_fft, hop_length, left), scale, kept, floor)
    target[..., covered:] = 0
    if out is not None and out is not target:
        out[...] = target
    return target if out is None else out


@numpy_fallback.quietly
def stft_adjoint(
    g: Array,
    window: Array,
    *,
    length: int,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    scale: float = 1.0,
    onesided: bool = True,
    out: Array | None = None,
) -> Array:
    """Transpose of :func:`stft`: a gradient ``[..., N, F]`` to that of the audio, ``[..., length]``.

    The gradient of a complex number is that by its real part plus ``i`` times that by its imaginary part.
    """
    n_fft, frames, bins = window.size, g.shape[-2], window.size // 2 + 1
    if not onesided:
        # a bin above half the sample rate bears on the audio as its mirror image does
        half = g[..., :bins].copy()
        half[..., 1 : n_fft - bins + 1] += np.conjugate(g[..., : bins - 1 : -1])
        g = half
    real = NAMES[g.dtype]
    target = advised(out if out is not None and out.flags.carray else np.empty((*g.shape[:-2], length), real))
    covered = overlap_length(frames, n_fft, hop_length)

    def part(low: int, high: int, result: Array) -> Array:
        end = max(low, min(high, covered))
        result[..., end - low :] = 0
        here = result[..., : end - low]
        if end > low and not _synthesise(g, window, hop_length, 0.5 * scale, 2.0, low, end, UNDIVIDED, here):
            numpy_fallback.stft_adjoint(g, window * scale, hop_length, low, here)
        return result

    part(left, left + length, target)
    if pad_mode != "constant":
        before = part(0, left, np.empty((*g.shape[:-2], left), real))
        after = part(left + length, left + length + right, np.empty((*g.shape[:-2], right), real))
        _fold(target, before, after, pad_mode)
    if out is not None and out is not target:
        out[...] = target
    return target if out is None else out


def _fold(x: Array, before: Array, after: Array, pad_mode: str) -> None:
    """Add to ``x [..., T]`` what its padding received."""
    left, right, length = before.shape[-1], after.shape[-1], x.shape[-1]
    if pad_mode == "reflect":
        x[..., 1 : left + 1] += before[..., ::-1]
        x[..., length - 1 - right : length - 1] += after[..., ::-1]
    elif pad_mode == "replicate":
        x[..., 0] += before.sum(axis=-1)
        x[..., -1] += after.sum(axis=-1)
    else:
        x[..., length - left :] += before
        x[..., :right] += after
