"""The STFT of NumPy arrays, and its transpose, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.framing import overlap_length
from ...design.operators import Stft, StftAdjoint
from ...design.quiet import quietly
from . import numpy_fallback
from .analysis import COMPLEX, analyse, interleaved, prepared
from .inverse_envelope import UNDIVIDED
from .plan import NAMES
from .runtime.layout import Layout
from .runtime.memory import advised
from .synthesis import synthesise

Array = npt.NDArray[Any]
# samples below which three calls for a signal and its padding take longer than to copy it
_SHORT = 1 << 16


def stft(op: Stft, x: Array, window: Array, *, out: Array | None, precise: bool) -> Array:
    """Spectrum ``[..., N, F]``, to ``out`` of any memory order."""
    framing, bins = op.framing, window.size // 2 + 1
    framing.check(x.shape[-1])
    if out is None:
        out = np.empty(op.shape(x.shape), COMPLEX[NAMES[x.dtype]])
    direct = op.onesided and (out.flags.carray or (interleaved(out, bins) > 0 and out.flags.behaved))
    half = advised(out if direct else np.empty((*out.shape[:-1], bins), out.dtype))
    if not analyse(x, window, framing, op.scale, 1.0, half, precise):
        with quietly():
            weights = window * op.scale
        numpy_fallback.stft(x, weights, framing, half, precise)
    if not direct:
        out[..., :bins] = half
    if not op.onesided:
        # the upper half mirrors the lower one
        np.conjugate(half[..., (window.size - 1) // 2 : 0 : -1], out=out[..., bins:])
    return out


@quietly()
def stft_adjoint(op: StftAdjoint, g: Array, window: Array, *, out: Array | None, precise: bool) -> Array:
    """Gradient ``[..., length]`` of the audio."""
    framing, frames, bins = op.framing, g.shape[-2], window.size // 2 + 1
    if not op.onesided:
        # a bin above half the sample rate bears on the audio as its mirror image does
        half = g[..., :bins].copy()
        half[..., 1 : window.size - bins + 1] += np.conjugate(g[..., : bins - 1 : -1])
        g = half
    real, left, right, hop = NAMES[g.dtype], framing.left, framing.right, framing.hop_length
    target = advised(out if out is not None and out.flags.carray else np.empty(op.shape(g.shape), real))
    covered = overlap_length(frames, window.size, hop)

    def part(low: int, high: int, result: Array) -> Array:
        end = max(low, min(high, covered))
        result[..., end - low :] = 0
        here = result[..., : end - low]
        if end > low and not synthesise(g, window, hop, 0.5 * op.scale, 2.0, low, end, UNDIVIDED, here, precise):
            numpy_fallback.stft_adjoint(g, window * op.scale, hop, low, here)
        return result

    last = left + op.length
    if framing.pad_mode == "constant":
        part(left, last, target)
    elif op.length < _SHORT:
        whole = part(0, last + right, np.empty((*g.shape[:-2], last + right), real))
        target[...] = whole[..., left:last]
        _fold(target, whole[..., :left], whole[..., last:], framing.pad_mode)
    else:
        part(left, last, target)
        before = part(0, left, np.empty((*g.shape[:-2], left), real))
        after = part(last, last + right, np.empty((*g.shape[:-2], right), real))
        _fold(target, before, after, framing.pad_mode)
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


def prepare(op: Stft, x: Layout, window: Layout) -> Any:
    """The STFT of signals that lie alike, to spectra in C order."""
    rows = x.folded(1)
    if not op.onesided or rows is None:
        return None
    op.framing.check(x.shape[-1])
    frames = op.framing.frames(x.shape[-1])
    return prepared(x.kind, window.kind, op.framing, op.scale, 1.0, rows.shape, rows.strides, frames)


RUN = {Stft: stft, StftAdjoint: stft_adjoint}
PREPARE = {Stft: prepare}
