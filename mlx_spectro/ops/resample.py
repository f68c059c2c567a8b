"""Audio at another rate."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from ..design import polyphase
from ..design.framing import Framing
from ..design.operators import Resample, ResampleAdjoint
from .apply import defines
from .frames import frame, overlap_add, pad


@defines(Resample)
def resample(op: Resample, x: mx.array, weights: mx.array) -> mx.array:
    """Weighted sums around every ``orig / new``-th sample; what is not finite spoils its frames."""
    length, frames = x.shape[-1], x.shape[-1] // op.orig + 1
    y = _filtered(x, weights, op.orig, op.new, op.reach, frames * op.new)
    padded = pad(0 * x, op.reach, frames * op.orig - length + op.reach, "constant")
    spoiled = frame(padded, Framing(op.orig + 2 * op.reach, op.orig)).sum(axis=-1)
    return y + mx.repeat(spoiled, op.new, axis=-1)


@defines(ResampleAdjoint)
def resample_adjoint(op: ResampleAdjoint, g: mx.array, weights: mx.array) -> mx.array:
    """Sums around every ``new / orig``-th value, with the weights that the values had for each sample."""
    reach, places, there = polyphase.transpose(op.orig, op.new, op.reach)
    of_samples = mx.where(mx.array(there), weights.reshape(-1)[mx.array(places)], 0.0)
    # a weight of 0 is none: it spoils nothing
    x = _filtered(mx.where(mx.isfinite(g), g, 0.0), of_samples, op.new, op.orig, reach, op.length)
    spoiled = (0 * g).reshape(*g.shape[:-1], -1, op.new).sum(axis=-1, keepdims=True)
    everywhere = mx.broadcast_to(spoiled, (*spoiled.shape[:-1], op.orig + 2 * op.reach))
    return x + overlap_add(everywhere, op.orig)[..., op.reach : op.reach + op.length]


def _filtered(x: mx.array, weights: mx.array, orig: int, new: int, reach: int, count: int) -> mx.array:
    """``count`` sums of what is within ``reach`` of each ``orig / new``-th value, by the phases' weights."""
    if not x.size:  # in which MLX derives no index
        return mx.zeros((*x.shape[:-1], count))
    results = np.arange(count)
    around = (results * orig // new)[:, None] + np.arange(2 * reach + 1)
    padded = pad(x, reach, max(0, int(around.max(initial=0)) + 1 - reach - x.shape[-1]), "constant")
    return (padded[..., mx.array(around)] * weights[mx.array(results % new)]).sum(axis=-1)
