"""Frames less their sliding means, in double precision, which MLX has on the CPU alone: sums of squares cancel."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import SlidingNormalization
from ..design.windows_in_time import bounds
from .apply import defines


@defines(SlidingNormalization)
def sliding_normalization(op: SlidingNormalization, x: mx.array) -> mx.array:
    """Sums over windows are differences of sums from the start on."""
    op.check(x.shape)
    starts, ends = bounds(x.shape[-2], op.window, op.least, op.centred)
    with mx.stream(mx.cpu):
        values, count = x.astype(mx.float64), mx.array(ends - starts)[:, None].astype(mx.float64)

        def means(values: mx.array) -> mx.array:
            before = mx.concatenate([mx.zeros_like(values[..., :1, :]), mx.cumsum(values, axis=-2)], axis=-2)
            return (before[..., mx.array(ends), :] - before[..., mx.array(starts), :]) / count

        mean = means(values)
        y = values - mean
        if op.scaled:
            single = count == 1
            square, rounding = means(values * values), x.shape[-2] * mx.finfo(x.dtype).eps
            variance = mx.where(single, 1.0, square - mean * mean)
            y = mx.where(variance > rounding * square, y * mx.rsqrt(variance), mx.nan)
            y = mx.where(single, 0.0, y)
        return y.astype(x.dtype)
