"""Spectrograms, filtered or not, and cepstra."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from ..design.operators import (
    Cepstrum,
    ClippedFilterbank,
    Filterbank,
    PowerAdjoint,
    Project,
    ProjectClipped,
    Spectrogram,
)
from .apply import apply, defines, derives
from .autodiff import Function, with_rules
from .decibels import clip_below_peak, example_axes, packed_axes
from .epilogues import follow
from .numerics import magnitude
from .stft import power_gradient


@defines(Spectrogram)
def spectrogram(op: Spectrogram, x: mx.array, window: mx.array) -> mx.array:
    """Magnitudes to a power. Where a magnitude is 0, so is its gradient."""
    z = apply(op.stft, x, window)
    if op.power == 2.0:
        return mx.square(mx.real(z)) + mx.square(mx.imag(z))
    size = magnitude(z)
    return size if op.power == 1.0 else mx.power(size, op.power)


@defines(Filterbank)
def filterbank(op: Filterbank, x: mx.array, window: mx.array, bank: mx.array) -> mx.array:
    """The spectrogram times the bank, and what follows."""
    if op.epilogue is not None:
        return follow(op.epilogue, apply(op.linear, x, window, bank))
    return apply(Project(), apply(op.spectrogram, x, window), bank)


@defines(ClippedFilterbank)
def clipped_filterbank(op: ClippedFilterbank, x: mx.array, window: mx.array, bank: mx.array) -> mx.array:
    """The filterbank, clipped."""
    y = apply(op.filterbank, x, window, bank)
    return clip_below_peak(y, op.top_db, (packed_axes if op.packed else example_axes)(y))


@defines(Cepstrum)
def cepstrum(op: Cepstrum, x: mx.array, window: mx.array, bank: mx.array, basis: mx.array) -> mx.array:
    """The filterbank, clipped, times the basis."""
    if op.top_db is not None and op.packed:
        clipped = apply(ClippedFilterbank(op.filterbank, op.top_db, packed=True), x, window, bank)
        return apply(Project(), clipped, basis)
    y = apply(op.filterbank, x, window, bank)
    return apply(Project() if op.top_db is None else ProjectClipped(op.top_db), y, basis)


@derives(Spectrogram, Filterbank)
def _of_power(op: Spectrogram | Filterbank, weights: tuple[Any, ...], forward: Function) -> Function | None:
    """The rules of ``|z|^2``, in one look at the spectrum, and of a bank after it."""
    if op.power != 2 or (isinstance(op, Filterbank) and op.epilogue is not None):
        return None
    window, *banks = weights
    stft = op.stft if isinstance(op, Spectrogram) else op.spectrogram.stft

    def vjp(x: mx.array, g: mx.array) -> mx.array:
        for bank in banks:
            g = apply(Project(transposed=True), g, bank)
        return power_gradient(PowerAdjoint(stft, x.shape[-1]), g, apply(stft, x, window), window)

    def jvp(x: mx.array, t: mx.array) -> mx.array:
        y = 2 * mx.real(mx.conj(apply(stft, x, window)) * apply(stft, t, window))
        for bank in banks:
            y = apply(Project(), y, bank)
        return y

    return with_rules(forward, vjp, jvp)
