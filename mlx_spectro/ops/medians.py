"""Medians of neighbouring values."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from ..design.operators import Medians
from .apply import defines


@defines(Medians)
def medians(op: Medians, x: mx.array) -> mx.array:
    """The value in the middle of each window of the mirrored axis, once they are in order."""
    op.check(x.shape)
    length = x.shape[op.axis]
    places = (np.arange(length)[:, None] + np.arange(op.size) - op.size // 2) % (2 * length)
    mirrored = mx.array(np.minimum(places, 2 * length - 1 - places))
    windows = mx.take(mx.moveaxis(x, op.axis, -1), mirrored, axis=-1)
    return mx.moveaxis(mx.sort(windows, axis=-1)[..., op.size // 2], -1, op.axis)
