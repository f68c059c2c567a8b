"""The inverse STFT."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx

from .. import _check
from ..design.operators import Istft, Synthesis
from .apply import apply, define, defines, kernels_of
from .fft import inverse_spectra


@defines(Istft)
def istft(op: Istft, z: mx.array, window: mx.array) -> mx.array:
    """Windowed overlap-add over the sum of the squared windows (Griffin and Lim, 1984, eq. 6)."""
    n_fft = op.framing.n_fft
    if not op.onesided:
        return apply(replace(op, onesided=True), z[..., : n_fft // 2 + 1], window)
    synthesis, frames = Synthesis(op), inverse_spectra(z, n_fft)
    # where there is a kernel there is a choice
    fuses = kernels_of(synthesis, frames, window) is not None and _check.switch("MLX_OLA_FUSE_NORM", default=True)
    return (apply if fuses else define)(synthesis, frames, window)
