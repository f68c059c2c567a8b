"""The inverse STFT and its transpose."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx

from .. import _check
from ..design.operators import Istft, IstftAdjoint, Synthesis
from .apply import apply, define, defines
from .fft import inverse_spectra


@defines(Istft)
def istft(op: Istft, z: mx.array, window: mx.array) -> mx.array:
    """Windowed overlap-add over the sum of the squared windows (Griffin and Lim, 1984, eq. 6)."""
    n_fft = op.framing.n_fft
    if not op.onesided:
        return apply(replace(op, onesided=True), z[..., : n_fft // 2 + 1], window)
    fuses = _check.switch("MLX_OLA_FUSE_NORM", default=True)
    return (apply if fuses else define)(Synthesis(op), inverse_spectra(z, n_fft), window)


@defines(IstftAdjoint)
def istft_adjoint(op: IstftAdjoint, g: mx.array, window: mx.array) -> mx.array:
    """The gradient by MLX's own rules."""
    forward = op.transpose(g.shape)
    spectrum = mx.zeros(op.shape(g.shape), mx.complex64)
    return mx.vjp(lambda z: istft(forward, z, window), [spectrum], [g])[1][0]
