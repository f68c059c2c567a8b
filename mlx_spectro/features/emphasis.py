"""Pre-emphasis of high frequencies, and its inverse."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.operators import RecursiveFilter
from ..ops.apply import apply
from ..ops.numerics import constant
from . import _inputs
from ._replay import recorded
from ._shared import like_input


@recorded()
def preemphasis(x: mx.array, *, coeff: float = 0.97) -> mx.array:
    """Each sample less ``coeff`` times the one before it; before the first there is silence.

    Args:
        x: Audio ``[..., T]``.
        coeff: Share of the sample before.

    Returns:
        float32 ``[..., T]``.

    Raises:
        TypeError: audio that is no MLX array, or not floating point.
        ValueError: a coefficient that is not finite, or an array without axes.
    """
    coeff = _check.number("coeff", coeff)
    audio = _inputs.as_audio(x)
    return like_input(x, mx.concatenate([audio[..., :1], audio[..., 1:] - coeff * audio[..., :-1]], axis=-1))


@_check.remembered(32)
def _feedback(coeff: float) -> tuple[mx.array, mx.array]:
    return constant(np.array([1.0, -coeff])), constant(np.array([1.0, 0.0]))


@recorded()
def deemphasis(x: mx.array, *, coeff: float = 0.97) -> mx.array:
    """The inverse of :func:`preemphasis`: each sample plus ``coeff`` times the result before it.

    The arguments, the result and the errors are those of :func:`preemphasis`. It is computed in double precision and
    rounded once; with a ``coeff`` of 1 or more, results grow without bound.
    """
    coeff = _check.number("coeff", coeff)
    return like_input(x, apply(RecursiveFilter(), _inputs.as_audio(x), *_feedback(coeff)))
