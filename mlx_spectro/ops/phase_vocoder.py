"""The phase vocoder."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import PhaseVocoder
from .apply import defines
from .numerics import magnitude


@defines(PhaseVocoder)
def phase_vocoder(op: PhaseVocoder, x: mx.array, frames: mx.array, fractions: mx.array) -> mx.array:
    """Interpolated magnitudes times a running product of turns (Flanagan and Golden, Phase Vocoder, 1966).

    The advance that is expected of a bin's phase, taken off before differences are wrapped and put back afterwards, is
    gone modulo a turn, and so are all angles: a difference of phases is a product with a conjugate.
    """
    silent = mx.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, 1), (0, 0)])
    rows = mx.minimum(frames, x.shape[-2])
    start, end, low, high = (mx.take(silent, rows[i], axis=-2) for i in range(4))
    first, turns = unit(start[..., :1, :]), unit(end) * mx.conj(unit(start))
    turned = unit(_running_product(mx.concatenate([first, turns[..., :-1, :]], axis=-2)))
    return (magnitude(low) * (1 - fractions)[:, None] + magnitude(high) * fractions[:, None]) * turned


def unit(z: mx.array) -> mx.array:
    """The direction of ``z``; of 0 that of its real part's sign."""
    re, im, size = mx.real(z), mx.imag(z), magnitude(z)
    none, safe = size == 0, mx.where(size == 0, 1.0, size)
    sign = mx.where(mx.view(mx.stop_gradient(re), mx.int32) < 0, -1.0, 1.0)
    return mx.where(none, sign, re / safe) + 1j * mx.where(none, 0.0, im / safe)


def _running_product(turns: mx.array) -> mx.array:
    """Products of all frames up to each, by frames 1, 2, 4, ... before: of few factors, each is rounded few times."""
    reach = 1
    while reach < turns.shape[-2]:
        further = turns[..., reach:, :] * turns[..., :-reach, :]
        turns = mx.concatenate([turns[..., :reach, :], further], axis=-2)
        reach *= 2
    return turns
