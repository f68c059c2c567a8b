"""power_to_db, amplitude_to_db and their inverses of librosa."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from mlx_spectro import cpu

from .. import limits, modes
from ..dispatch import Plan
from ..reasons import REJECTED, ByDesign
from ._serving import Array, array_reason, engine_reason, faster_reason, is_number, serves

# from librosa 1.0 on, each spectrum of several has a maximum of its own
_BY_SPECTRUM = "axes" in inspect.signature(librosa.power_to_db).parameters
_LEAST = 100_000
# what librosa's own features make of power, as what follows a filterbank
DECIBEL = ("db", 10.0, 1e-10, 1.0)


def _axes(axes: Any, ndim: int) -> Any:
    """The axes over which librosa takes a maximum."""
    if not _BY_SPECTRUM or axes != "auto":
        return None if not _BY_SPECTRUM else axes
    return (-2, -1) if ndim > 1 else (-1,)


def clipped(x_db: Array, top_db: float | None, axes: Any = "auto") -> Array:
    """``x_db``, overwritten, with nothing more than ``top_db`` below its maximum."""
    if top_db is None:
        return x_db
    over = _axes(axes, x_db.ndim)
    np.maximum(x_db, x_db.max(axis=over, keepdims=True) - top_db, out=x_db)
    return x_db


def _reference(ref: Any, magnitude: Array, axes: Any) -> Any:
    """What librosa divides by: a number, or one for each spectrum."""
    if not callable(ref):
        return np.abs(ref)
    if not _BY_SPECTRUM:
        return ref(magnitude)
    return ref(magnitude, axis=_axes(axes, magnitude.ndim), keepdims=True)


def _decibels(values: Array, multiplier: float, amin: float, reference: Any) -> Array:
    """``multiplier * log10(max(values, amin) / max(reference, amin))``, in ``values``'s memory order."""
    stack = values if values.ndim > 1 else values[None]
    flipped = stack.flags.f_contiguous and not stack.flags.c_contiguous
    out = np.empty_like(stack)
    source, target = (stack.T, out.T) if flipped else (stack, out)
    one = np.ndim(reference) == 0
    ending = ("db", multiplier, amin, float(reference) if one else 1.0)
    cpu.project(source, ending=ending, precise=values.dtype == np.float32, out=target)
    if not one:
        out -= multiplier * np.log10(np.maximum(amin, reference))
    return out if values.ndim > 1 else out[0]


def _plan(s: Any, multiplier: float, ref: Any, amin: Any, top_db: Any, axes: Any, prepare: Callable[..., Any]) -> Plan:
    reason = engine_reason() or array_reason(s)
    if reason or s.dtype.kind == "c":
        return reason or "a complex spectrum"
    if not (is_number(amin) and amin > 0 and (top_db is None or (is_number(top_db) and top_db >= 0))):
        return REJECTED
    if not (callable(ref) or is_number(ref)):
        return "a reference that is no number"
    # a reference that divides to less than 1e-38 keeps librosa's own rounding
    if amin < 1e-30:
        return "an amin below 1e-30"

    def work() -> Array:
        values = prepare(s)
        return clipped(_decibels(values, multiplier, amin, _reference(ref, values, axes)), top_db, axes)

    return faster_reason(s.size, _LEAST) or work


@serves("librosa.power_to_db", limits.elementwise)
def power_to_db(
    S: Array, *, ref: Any = 1.0, amin: float = 1e-10, top_db: float | None = 80.0, axes: Any = "auto"
) -> Plan:
    return _plan(S, 10.0, ref, amin, top_db, axes, lambda s: s)


def _absolute(s: Array) -> Array:
    """Magnitudes of real values, which mostly are such already."""
    return s if s.min() >= 0 else np.abs(s)


@serves("librosa.amplitude_to_db", limits.elementwise)
def amplitude_to_db(
    S: Array, *, ref: Any = 1.0, amin: float = 1e-5, top_db: float | None = 80.0, axes: Any = "auto"
) -> Plan:
    return _plan(S, 20.0, ref, amin, top_db, axes, _absolute)


def _power(s: Any, ref: Any, exponent: float) -> Plan:
    """``ref * 10 ** (exponent * s)``."""
    reason = engine_reason() or array_reason(s)
    if reason or s.dtype.kind == "c" or not is_number(ref):
        return reason or REJECTED
    if modes.route.get() == "auto":
        return ByDesign("NumPy's own operations are as fast")

    def work() -> Array:
        powers = np.exp(s.astype(np.float64) * (exponent * math.log(10)))
        powers *= ref
        result: Array = powers.astype(s.dtype, copy=False)
        return result

    return work


@serves("librosa.db_to_power", limits.elementwise)
def db_to_power(S_db: Array, *, ref: float = 1.0) -> Plan:
    return _power(S_db, ref, 0.1)


@serves("librosa.db_to_amplitude", limits.elementwise)
def db_to_amplitude(S_db: Array, *, ref: float = 1.0) -> Plan:
    return _power(S_db, abs(ref) if is_number(ref) else ref, 0.05)
