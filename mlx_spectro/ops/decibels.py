"""Ranges of decibels."""

from __future__ import annotations

import mlx.core as mx


def clip_below_peak(x_db: mx.array, top_db: float | None, axes: tuple[int, ...]) -> mx.array:
    """``x_db`` with nothing more than ``top_db`` below its maximum over ``axes``."""
    if top_db is None or not x_db.size:
        return x_db
    floor = x_db.max(axis=axes, keepdims=True) - top_db
    # spread in two steps, so that the gradient is summed in two, and keeps its digits
    return mx.maximum(x_db, mx.broadcast_to(floor, (*x_db.shape[:-1], 1)))


def example_axes(x: mx.array) -> tuple[int, ...]:
    """The axes of one example: the last two."""
    return tuple(range(max(-2, -x.ndim), 0))


def packed_axes(x: mx.array) -> tuple[int, ...]:
    """The axes that torchaudio clips together: the last three."""
    return tuple(range(max(-3, -x.ndim), 0))
