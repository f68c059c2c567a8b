"""Epilogues on MLX arrays."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from ..design.epilogues import Decibels, Epilogue, Log, Power, Root
from ..design.logarithms import reference_level
from ..design.operators import Elementwise
from .apply import defines
from .numerics import root


def follow(epilogue: Epilogue | None, x: mx.array) -> mx.array:
    """``x``, followed by an epilogue."""
    if epilogue is None:
        return x
    if isinstance(epilogue, Log):
        return mx.log(x + epilogue.amin if epilogue.added else mx.maximum(x, epilogue.amin))
    if isinstance(epilogue, Decibels):
        return _decibels(epilogue, x)
    if isinstance(epilogue, Power):
        return epilogue.reference * mx.power(mx.power(10.0, 0.1 * x), epilogue.power)
    assert isinstance(epilogue, Root)
    return root(x)


def _decibels(epilogue: Decibels, x: mx.array) -> mx.array:
    multiplier, amin = epilogue.multiplier, epilogue.amin
    reference, value = reference_level(epilogue.reference, amin, np.finfo(np.float32)), mx.maximum(x, amin)
    level = multiplier * mx.log10(value) - multiplier * reference.logarithm
    rounding = mx.where((value >= reference.low) & (value <= reference.high), level, 0.0)
    return level - mx.stop_gradient(rounding)


@defines(Elementwise)
def elementwise(op: Elementwise, x: mx.array) -> mx.array:
    """The epilogue alone."""
    return follow(op.epilogue, x)
