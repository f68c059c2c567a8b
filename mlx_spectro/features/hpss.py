"""Harmonic and percussive parts of a spectrogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.operators import Medians
from ..ops.apply import apply
from ..ops.numerics import magnitude
from . import _inputs
from ._replay import recorded

_TINY = float(np.finfo(np.float32).tiny)


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be one value or two, got {_check.shown(value)}")
        return value[0], value[1]
    return value, value


def _shares(part: mx.array, other: mx.array, power: float, empty: float) -> mx.array:
    """Of each value of ``part`` and ``other``, raised to ``power``, the share of ``part``; ``empty`` of nothing."""
    if math.isinf(power):
        return (part > other).astype(mx.float32)
    larger = mx.stop_gradient(mx.maximum(part, other))
    silent = larger < _TINY
    larger = mx.where(silent, 1.0, larger)
    mine, theirs = ((mx.where(silent, 1.0, values) / larger) ** power for values in (part, other))
    return mx.where(silent, empty, mine / (mine + theirs))


@recorded()
def hpss(
    s: mx.array,
    *,
    kernel_size: int | Sequence[int] = 31,
    power: float = 2.0,
    margin: float | Sequence[float] = 1.0,
    mask: bool = False,
) -> tuple[mx.array, mx.array]:
    """Harmonic and percussive parts of a spectrogram, by medians along time and along frequency.

    Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010; with margins Driedger, Müller and
    Disch, "Extending harmonic-percussive separation of audio", ISMIR 2014.

    Args:
        s: Magnitudes ``[..., F, N]``, not negative, or a spectrum, complex64, which keeps its phases.
        kernel_size: Frames of a median along time and bins of one along frequency, where values are mirrored at the
            ends; or a pair of them, in that order.
        power: Exponent of the medians that masks are shares of; ``math.inf`` for masks of 0 and 1.
        margin: How many times one median must be the other before a part gets half of a value, at least 1; or a pair
            of them, the harmonic part's first. Above 1, the parts do not add up to ``s``.
        mask: Return the masks.

    Returns:
        The harmonic and the percussive part, or their masks, ``[..., F, N]``: of the type of ``s``, masks in float32.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: a value out of its range, or fewer than two axes.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> harmonic, percussive = mlx_spectro.hpss(mx.ones((2, 257, 126)))
        >>> harmonic.shape
        (2, 257, 126)
    """
    along_time, along_frequency = (
        _check.integer("kernel_size", size, at_least=1) for size in _pair("kernel_size", kernel_size)
    )
    margins = [_check.number("margin", least, at_least=1) for least in _pair("margin", margin)]
    power = _check.number("power", power, above=0, finite=False)
    mask = _check.flag("mask", mask)
    is_complex = mx.issubdtype(_inputs.array("s", s).dtype, mx.complexfloating)
    s = s if is_complex else _inputs.real("s", s)
    if s.ndim < 2:
        raise ValueError(f"s must have 2 or more axes, [..., bins, frames], got shape {s.shape}")
    levels = magnitude(s) if is_complex else s
    harmonic, percussive = apply(Medians(along_time, -1), levels), apply(Medians(along_frequency, -2), levels)
    # what both filters find empty is shared, unless a margin leaves a rest
    empty = 0.5 if max(margins) == 1 else 0.0
    masks = (
        _shares(harmonic, percussive * margins[0], power, empty),
        _shares(percussive, harmonic * margins[1], power, empty),
    )
    return masks if mask else (s * masks[0], s * masks[1])
