"""Decibels."""

from __future__ import annotations

from typing import Literal

import mlx.core as mx

from .. import _check
from ..design.epilogues import Decibels
from ..ops.decibels import clip_below_peak, example_axes, packed_axes
from ..ops.epilogues import follow
from . import _inputs


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
    x_db = follow(Decibels(10.0 if stype == "power" else 20.0, amin, ref_value), x)
    return clip_below_peak(x_db, top_db, packed_axes(x) if mode == "torchaudio_compat" else example_axes(x))
