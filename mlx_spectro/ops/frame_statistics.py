"""A number of each frame."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import FrameStatistic
from .apply import defines
from .frames import frame
from .numerics import norm


@defines(FrameStatistic)
def frame_statistic(op: FrameStatistic, x: mx.array) -> mx.array:
    """The norm of each frame, or how often its sign changes."""
    frames = frame(x, op.framing)
    if op.statistic == "norm":
        return norm(frames)[..., 0]
    negative = frames < -op.zero
    return (negative[..., 1:] != negative[..., :-1]).sum(axis=-1).astype(mx.float32)
