"""Spans of each example overwritten."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import MaskSpans
from .apply import defines


@defines(MaskSpans)
def mask_spans(op: MaskSpans, x: mx.array, drawn: mx.array, value: mx.array) -> mx.array:
    """What is inside of any span is the value, and all else as it was."""
    inside = mx.zeros(x.shape, mx.bool_)
    for axis, length, share in zip(op.axes, *drawn, strict=True):
        start = mx.floor(share * (x.shape[axis] - length))[..., None]
        end, places = start + mx.floor(length)[..., None], mx.arange(x.shape[axis])
        span = (places >= start) & (places < end)
        inside = inside | (span[..., None, :] if axis == -1 else span[..., None])
    return mx.where(inside, value, x)
