"""Phases for given magnitudes."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import GriffinLim
from .apply import apply, defines
from .numerics import magnitude


@defines(GriffinLim)
def griffinlim(op: GriffinLim, magnitudes: mx.array, start: mx.array, window: mx.array) -> mx.array:
    """Audio is made and transformed again and again, each time with the given magnitudes (Griffin and Lim, 1984).

    With momentum, some of the spectrum before is taken off first (Perraudin, Balazs and Sondergaard, 2013).
    """
    spectrum, before = start, None
    for _ in range(op.iterations):
        rebuilt = apply(op.stft, apply(op.istft, spectrum, window), window)
        change = rebuilt if before is None else rebuilt - op.momentum * before
        spectrum, before = magnitudes * (change / (magnitude(change) + op.eps)), rebuilt
    return apply(op.istft, spectrum, window)
