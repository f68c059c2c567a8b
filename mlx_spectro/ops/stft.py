"""The STFT, and the gradient of its powers."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx

from ..design.operators import PowerAdjoint, Stft
from .apply import apply, defines, kernels_of
from .autodiff import fused_pair
from .fft import mirrored, spectra
from .frames import frame


@defines(Stft)
def stft(op: Stft, x: mx.array, window: mx.array) -> mx.array:
    """``X[t, k] = scale * sum_n w[n] x[t * hop + n] exp(-2 pi i k n / n_fft)``, of the padded signal."""
    if not op.onesided:
        return mirrored(apply(replace(op, onesided=True), x, window), op.framing.n_fft)
    return spectra(frame(x, op.framing) * (window * op.scale))


@defines(PowerAdjoint)
def power_adjoint(op: PowerAdjoint, g: mx.array, z: mx.array, window: mx.array) -> mx.array:
    """The transpose of ``z``'s transform, of ``2 z g``."""
    return apply(op.stft.transpose((op.length,)), z * (2 * g), window)


def power_gradient(op: PowerAdjoint, g: mx.array, z: mx.array, window: mx.array) -> mx.array:
    """:class:`PowerAdjoint` with the derivatives of both ``g`` and ``z``."""
    kernels = kernels_of(op, g, z, window)
    if kernels is None:
        return power_adjoint(op, g, z, window)
    by_kernel = kernels.run
    pair = fused_pair(lambda g, z: by_kernel(op, g, z, window), lambda g, z: power_adjoint(op, g, z, window))
    return pair(g, z)
