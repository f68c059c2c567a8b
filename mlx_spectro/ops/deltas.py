"""Slopes along time."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import Deltas, DeltasAdjoint
from .apply import defines
from .frames import pad


@defines(Deltas)
def deltas(op: Deltas, x: mx.array) -> mx.array:
    """``sum_n n (x[t + n] - x[t - n]) / (2 sum_n n^2)`` for ``n`` from 1 to ``reach``, of the padded values."""
    op.check(x.shape)
    return _slopes(pad(x, op.reach, op.reach, op.pad_mode), op.reach) * op.scale


@defines(DeltasAdjoint)
def deltas_adjoint(op: DeltasAdjoint, g: mx.array) -> mx.array:
    """Falls of what zeros surround, of which those in the padding go back to where its values came from."""
    op.check(g.shape)
    falls = _slopes(pad(g, 2 * op.reach, 2 * op.reach, "constant"), op.reach) * -op.scale
    return mx.vjp(lambda x: pad(x, op.reach, op.reach, op.pad_mode), [mx.zeros(g.shape)], [falls])[1][0]


def _slopes(x: mx.array, reach: int) -> mx.array:
    """Differences times their distances, summed, of values that have ``reach`` neighbours on either side."""
    length = x.shape[-1] - 2 * reach

    def neighbours(distance: int) -> mx.array:
        return x[..., reach + distance : reach + distance + length]

    # a distance of 0 adds nothing to what is finite: what is not spoils its own place too
    slope = 0 * (neighbours(0) - neighbours(0))
    for n in range(1, reach + 1):
        slope = slope + n * (neighbours(n) - neighbours(-n))
    return slope
