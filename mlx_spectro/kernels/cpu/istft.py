"""The inverse STFT of NumPy arrays, and its transpose, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.framing import overlap_length
from ...design.operators import Istft, IstftAdjoint
from . import numpy_fallback
from .analysis import COMPLEX, analyse
from .inverse_envelope import inverse_envelope, inverse_of
from .plan import NAMES
from .runtime.layout import Layout
from .runtime.memory import advised
from .synthesis import prepared, synthesise

Array = npt.NDArray[Any]


def istft(op: Istft, z: Array, window: Array, *, out: Array | None, precise: bool) -> Array:
    """Audio ``[..., length]``. ``z`` with frames first or bins first in memory costs no copy."""
    n_fft, frames, framing = window.size, z.shape[-2], op.framing
    half = z if op.onesided else z[..., : n_fft // 2 + 1]
    real = NAMES[z.dtype]
    target = advised(out if out is not None and out.flags.carray else np.empty(op.shape(z.shape), real))
    covered = max(0, min(op.length, overlap_length(frames, n_fft, framing.hop_length) - framing.left))
    audio = target[..., :covered]
    if covered:
        divided = inverse_envelope(window, framing.hop_length, frames, real, op.floor)
        factor, span = op.scale / n_fft, (framing.left, framing.left + covered)
        if not synthesise(half, window, framing.hop_length, factor, 1.0, *span, divided, audio, precise):
            numpy_fallback.istft(half, window, framing, op.scale, audio, op.floor)
    target[..., covered:] = 0
    if out is not None and out is not target:
        out[...] = target
    return target if out is None else out


def istft_adjoint(op: IstftAdjoint, g: Array, window: Array, *, out: Array | None, precise: bool) -> Array:
    """Gradient ``[..., frames, F]`` of the spectrum."""
    n_fft, bins, framing = window.size, window.size // 2 + 1, op.framing._replace(right=0, pad_mode="constant")
    if out is None:
        out = np.empty(op.shape(g.shape), COMPLEX[NAMES[g.dtype]])
    direct = op.onesided and out.flags.carray
    half = advised(out if direct else np.empty((*out.shape[:-1], bins), out.dtype))
    divided = inverse_envelope(window, framing.hop_length, op.frames, NAMES[g.dtype], op.floor)
    # a bin between the edges stands for itself and for its mirror image
    if not analyse(g, window, framing, 2 * op.scale / n_fft, 0.5, half, precise, divided):
        numpy_fallback.istft_adjoint(g, window, framing, op.scale, half)
    if not direct:
        out[..., :bins] = half
        out[..., bins:] = 0
    return out


def prepare(op: Istft, z: Layout, window: Layout) -> Any:
    """The inverse of spectra that lie alike, to signals in C order, where frames cover all of them."""
    spectra, (n_fft, hop, left, *_) = z.folded(2), op.framing
    span, frames = (left, left + op.length), z.shape[-2]
    if not op.onesided or spectra is None or not 0 < op.length <= overlap_length(frames, n_fft, hop) - left:
        return None
    real = NAMES[z.kind]
    row_bytes = op.length * np.dtype(real).itemsize
    places = span, spectra.shape, spectra.strides, row_bytes
    ready = prepared(z.kind, window.kind, n_fft, hop, op.scale / n_fft, 1.0, *places)
    if ready is None:
        return None
    kind, floor = window.kind, op.floor

    def run(address: int, weights: tuple[bytes], out: int, held: Any) -> None:
        (samples,) = weights
        ready(address, samples, inverse_of(samples, kind, hop, frames, real, floor), out, held)

    return run


RUN = {Istft: istft, IstftAdjoint: istft_adjoint}
PREPARE = {Istft: prepare}
