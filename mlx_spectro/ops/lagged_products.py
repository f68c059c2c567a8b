"""Sums of products of signals, of which one is later, in double precision, which MLX has on the CPU alone."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import LaggedProducts
from .apply import defines
from .recursive_filter import later


@defines(LaggedProducts)
def lagged_products(op: LaggedProducts, x: mx.array, y: mx.array) -> mx.array:
    """Products of each sample and the other signal's earlier ones, summed over batch and time."""
    dtype = x.dtype
    with mx.stream(mx.cpu):
        x, y = x.astype(mx.float64), y.astype(mx.float64)
        axes = [axis for axis in range(x.ndim) if axis != x.ndim - 2]
        sums = [(later(x, k, -1) * y).sum(axis=axes) for k in range(op.lags)]
        return mx.stack(sums, axis=-1).astype(dtype)
