"""Decibels."""

from __future__ import annotations

from typing import Literal

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.logarithms import reference_level
from ..features import _inputs


def to_decibel(x: mx.array, multiplier: float, amin: float, ref_value: float = 1.0) -> mx.array:
    """``multiplier * log10(max(x, amin) / max(ref_value, amin))``; the reference's own level is 0."""
    reference, value = reference_level(ref_value, amin, np.finfo(np.float32)), mx.maximum(x, amin)
    level = multiplier * mx.log10(value) - multiplier * reference.logarithm
    rounding = mx.where((value >= reference.low) & (value <= reference.high), level, 0.0)
    return level - mx.stop_gradient(rounding)


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


def amplitude_to_db(
    x: mx.array,
    *,
    stype: Literal["power", "magnitude"] = "power",
    top_db: float | None = 80.0,
    amin: float = 1e-10,
    ref_value: float = 1.0,
    mode: Literal["torchaudio_compat", "per_example"] = "torchaudio_compat",
) -> mx.array:
    """Decibels of a power or magnitude spectrogram.

    Args:
        x: Spectrogram ``[..., F, N]``, not negative, of real numbers; integers become float32.
        stype: ``"power"`` takes 10, ``"magnitude"`` 20 times the logarithm.
        top_db: Range below the maximum, in dB, that is kept; None keeps all.
        amin: Smallest value of ``x`` and ``ref_value`` that is told apart.
        ref_value: Value that becomes 0 dB.
        mode: Which values share a maximum: ``"torchaudio_compat"`` the last three axes, ``"per_example"`` the last two.

    Returns:
        dB, as many as ``x`` has values, in its floating-point type.

    Raises:
        TypeError: no MLX array, or one of complex numbers.
        ValueError: an unknown option, a negative ``top_db``, an ``amin`` that is not positive.
    """
    _check.one_of("stype", stype, ("power", "magnitude"))
    _check.one_of("mode", mode, ("torchaudio_compat", "per_example"))
    amin, ref_value = _check.number("amin", amin, above=0), _check.number("ref_value", ref_value)
    top_db = _check.number_or_none("top_db", top_db, at_least=0)
    x = _inputs.numbers("x", x)
    x_db = to_decibel(x, 10.0 if stype == "power" else 20.0, amin, ref_value)
    return clip_below_peak(x_db, top_db, packed_axes(x) if mode == "torchaudio_compat" else example_axes(x))
