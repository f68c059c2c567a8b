"""power_to_db, amplitude_to_db and their inverses of librosa."""

from __future__ import annotations

import inspect
import math
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.epilogues import Decibels
from mlx_spectro.design.operators import Elementwise
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_number, check_plain
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import BySize
from .._adapter import adapter
from .._arguments import Array, check_array, check_engine, check_size_beside_vectors, energy
from .._layout import lying, memory

_power_to_db, _amplitude_to_db = librosa.power_to_db, librosa.amplitude_to_db

# from librosa 1.0 on, each spectrum of several has a maximum of its own: https://github.com/librosa/librosa/pull/2051
_PARAMETERS = inspect.signature(librosa.power_to_db).parameters
BY_SPECTRUM = "axes" in _PARAMETERS
_EVERY = _PARAMETERS["axes"].default if BY_SPECTRUM else None
# what librosa's own features make of power, and that as what follows a filterbank
OF_POWER = (10.0, 1e-10)
DECIBEL = Decibels(*OF_POWER)


def _check_axes(axes: Any, ndim: int) -> None:
    """Decline maxima over ``axes`` that are librosa's to take."""
    several = axes if type(axes) is tuple else (axes,)
    if not BY_SPECTRUM or axes is None or (type(axes) is str and axes == "auto"):
        return
    are_axes = all(type(axis) is int and -ndim <= axis < ndim for axis in several)
    if not (are_axes and len({axis % ndim for axis in several}) == len(several) > 0):
        raise Decline("axes are not different axes of the array")


def _axes(axes: Any, ndim: int) -> Any:
    """The axes over which librosa takes a maximum."""
    if not BY_SPECTRUM:
        return None
    if type(axes) is not str:
        return axes
    return (-2, -1) if ndim > 1 else (-1,)


def clipped(x_db: Array, top_db: float | None, axes: Any = "auto") -> Array:
    """``x_db``, overwritten, with nothing more than ``top_db`` below its maximum."""
    if top_db is None:
        return x_db
    over = _axes(axes, x_db.ndim)
    np.maximum(x_db, x_db.max(axis=over, keepdims=True) - top_db, out=x_db)
    return x_db


def _reference(ref: Any, magnitude: Array, axes: Any) -> Any:
    """What librosa divides by: a number, or one for each spectrum; None where it words an error or a warning."""
    if not callable(ref):
        return np.abs(ref)
    options = {"axis": _axes(axes, magnitude.ndim), "keepdims": True} if BY_SPECTRUM else {}
    reference = ref(magnitude, **options)
    values = np.asarray(reference)
    if values.dtype.kind not in "iuf" or values.ndim > magnitude.ndim or not np.isfinite(values).all():
        return None
    if np.may_share_memory(values, magnitude):  # librosa squares amplitudes where they lie
        return None
    if not values.ndim and values.dtype == np.float32 != magnitude.dtype:  # whose logarithm librosa rounds as such
        return None
    fits = all(n in (1, m) for n, m in zip(values.shape[::-1], magnitude.shape[::-1], strict=False))
    return reference if fits else None


def _check_reference(ref: Any, dtype: Any) -> None:
    """Take functions and numbers, of single precision for values of that."""
    if not (callable(ref) or (type(ref) is np.float32 == dtype and np.isfinite(ref))):
        check_number("ref", ref)


def _decibels(values: Array, multiplier: float, amin: float, reference: Any = 1.0) -> Array:
    """``multiplier * log10(max(values, amin) / max(reference, amin))``, in the memory order that NumPy gives it."""
    out = memory(np.abs, lying(values), values.dtype, values.shape, values.dtype)
    one = np.ndim(reference) == 0
    zero, precise = float(reference) if one else 1.0, values.dtype == np.float32
    cpu.run(Elementwise(Decibels(multiplier, amin, zero)), values, precise=precise, out=out)
    if not one:
        kind = np.float32 if np.result_type(reference) == np.float32 else np.float64
        out -= _decibels(np.asarray(reference, kind), multiplier, amin)
    return out


def _absolute(s: Array) -> Array:
    """Magnitudes of real values, which mostly are such already."""
    return s if s.min() >= 0 else np.abs(s)


def _plan(theirs: Any, s: Any, amplitude: bool, ref: Any, amin: Any, top_db: Any, axes: Any) -> Work:
    """Decibels of power, or of amplitudes, which librosa squares."""
    check_engine()
    # of a smaller power librosa makes a denormal number
    check_plain("amin", amin, 1e-15 if amplitude else 1e-30)
    if top_db is not None:
        check_plain("top_db", top_db, 0)
    check_array(s)
    _check_reference(ref, s.dtype)
    if s.dtype.kind == "c":
        raise Decline("S is complex: np.abs(S) is served")
    _check_axes(axes, s.ndim)
    check_size_beside_vectors(s.size, 12_000)
    if amplitude and not math.isfinite(energy(s)):
        raise Decline("S holds values that are not finite, or whose squares overflow")

    def work() -> Array:
        array = np.asarray(s)
        values = _absolute(array) if amplitude else array
        reference = _reference(ref, values, axes)
        if reference is None:
            options = {"axes": axes} if BY_SPECTRUM else {}
            result: Array = theirs(s, ref=ref, amin=amin, top_db=top_db, **options)
            return result
        return clipped(_decibels(values, 20.0 if amplitude else 10.0, amin, reference), top_db, axes)

    return work


@adapter("librosa.power_to_db", tolerances.elementwise, also="librosa.core")
def power_to_db(
    S: Array, *, ref: Any = 1.0, amin: float = 1e-10, top_db: float | None = 80.0, axes: Any = _EVERY
) -> Work:
    """librosa.power_to_db. Same arguments, same defaults.

    Ours under ``route("auto")`` where values are many: librosa is as fast on few.
    """
    return _plan(_power_to_db, S, False, ref, amin, top_db, axes)


@adapter("librosa.amplitude_to_db", tolerances.elementwise, also="librosa.core")
def amplitude_to_db(
    S: Array, *, ref: Any = 1.0, amin: float = 1e-5, top_db: float | None = 80.0, axes: Any = _EVERY
) -> Work:
    """librosa.amplitude_to_db. Same arguments, same defaults.

    Ours under ``route("auto")`` where values are many: librosa is as fast on few.
    """
    return _plan(_amplitude_to_db, S, True, ref, amin, top_db, axes)


def _power(s: Any, ref: Any, exponent: float, least: float, root: int = 1) -> Work:
    """``ref * 10 ** (exponent * s)``, which librosa computes as a root, for ``ref`` from ``least`` on."""
    check_engine()
    check_array(s)
    check_plain("ref", ref, least)
    if s.dtype.kind == "c":
        raise Decline("the decibels are complex")
    if settings.route.get() == "auto":
        raise Decline(BySize("librosa is as fast; route('ours') has us serve it"))
    largest = float(s.max()) * exponent + math.log10(max(abs(ref), 1.0))
    if not largest * root < math.log10(np.finfo(s.dtype).max):
        raise Decline("the decibels are so large that their powers overflow")

    def work() -> Array:
        powers = np.multiply(s, exponent * math.log(10), dtype=np.float64)
        np.exp(powers, out=powers)
        powers *= ref
        result: Array = powers.astype(s.dtype, copy=False)
        return result

    return work


@adapter("librosa.db_to_power", tolerances.elementwise, also="librosa.core")
def db_to_power(S_db: Array, *, ref: float = 1.0) -> Work:
    """librosa.db_to_power. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: librosa is as fast.
    """
    return _power(S_db, ref, 0.1, -1e15)


@adapter("librosa.db_to_amplitude", tolerances.elementwise, also="librosa.core")
def db_to_amplitude(S_db: Array, *, ref: float = 1.0) -> Work:
    """librosa.db_to_amplitude. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: librosa is as fast.
    """
    return _power(S_db, abs(ref) if type(ref) in (int, float) else ref, 0.05, 1e-15, root=2)
