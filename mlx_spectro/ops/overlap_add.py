"""Overlapped frames."""

from __future__ import annotations

import functools

import mlx.core as mx
import numpy as np

from ..design import envelope
from ..design.framing import Framing
from ..design.operators import Frames, OverlapAdd, Synthesis
from .apply import defines
from .frames import frame, overlap_add, pad


@defines(OverlapAdd)
def overlapped(op: OverlapAdd, frames: mx.array) -> mx.array:
    """The sum."""
    return overlap_add(frames, op.hop_length)


@defines(Frames)
def framed(op: Frames, x: mx.array) -> mx.array:
    """The frames."""
    return frame(x, op.framing)


@defines(Synthesis)
def synthesis(op: Synthesis, frames: mx.array, window: mx.array) -> mx.array:
    """Windowed, summed, and divided by the windows' envelope."""
    istft, framing = op.istft, op.istft.framing
    summed = overlap_add(frames * (window * istft.scale), framing.hop_length)
    summed = summed[..., framing.left : framing.left + istft.length]
    y = summed * _inverse_envelope(window, framing, frames.shape[-2], summed.shape[-1])
    return pad(y, 0, istft.length - y.shape[-1], "constant")


def _inverse_envelope(window: mx.array, framing: Framing, frames: int, length: int) -> mx.array:
    return _cached_inverse_envelope(np.array(window).tobytes(), framing, frames, length)


@functools.lru_cache(maxsize=16)
def _cached_inverse_envelope(window: bytes, framing: Framing, frames: int, length: int) -> mx.array:
    samples = np.frombuffer(window, np.float32)
    inverse = envelope.inverse_envelope(samples, framing.hop_length, frames, framing.left, length)
    result = mx.array(inverse.astype(np.float32))
    mx.eval(result)
    return result
