"""interp_harmonics, f0_harmonics and salience of librosa."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.kernels import cpu

from ...arrays.kinds import is_plain
from ...arrays.numpy_options import check_choice, check_flag, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import unread
from .._adapter import adapter
from .._arguments import Array, check_array, check_engine, check_size, energy
from .._layout import lying, memory, placed

_interp_harmonics, _salience = librosa.interp_harmonics, librosa.salience
# values from which on ours is faster
_LEAST = 500
_NUMBERS = frozenset((int, float, np.float64))


class _Harmonics(NamedTuple):
    """Where a spectrogram is to be interpolated."""

    axis: int
    """Of its frequencies, counted from the first."""
    freqs: Array
    multiples: Array


def rising(freqs: Array) -> slice | Array:
    """Where the finite ones of ``freqs`` lie, in ascending order; a slice where they rise or fall all along."""
    finite = np.flatnonzero(np.isfinite(freqs))
    order = finite[np.argsort(freqs[finite], kind="stable")]
    step = int(order[1] - order[0]) if order.size > 1 else 1
    if abs(step) > 1 or (np.diff(order) != step).any():
        return order
    end = int(order[0]) + step * order.size
    return slice(int(order[0]), None if end < 0 else end, step)


def numbers(name: str, values: Any) -> Array:
    """Finite numbers as double precision ``[n]``."""
    listed = type(values) in (list, tuple) and all(type(value) in _NUMBERS for value in values)
    if not (listed or (is_plain(values) and values.ndim == 1 and values.dtype.char in "dl")):
        raise Decline(unread(name, values))
    numbers = np.asarray(values, np.float64)
    if not (numbers.size and np.isfinite(numbers).all()):
        raise Decline(f"{name} is empty, or not finite")
    return numbers


def check_fill(fill_value: Any) -> None:
    if not (type(fill_value) is float and math.isnan(fill_value)):
        check_plain("fill_value", fill_value)


def _harmonics(x: Any, freqs: Any, harmonics: Any, kind: Any, axis: Any) -> _Harmonics:
    check_engine()
    check_array(x)
    if x.dtype.kind != "f" or x.ndim < 2:
        raise Decline("the spectrogram is complex, or has fewer than two axes")
    check_choice("kind", kind, "linear")
    check_whole("axis", axis, -x.ndim, x.ndim - 1)
    if not (is_plain(freqs) and freqs.dtype == np.float64 and freqs.shape == (x.shape[axis],) and freqs.size > 1):
        raise Decline("freqs is no array of one real frequency for each bin, or there is a single bin")
    steps = np.diff(freqs)
    if not (np.isfinite(freqs[[0, -1]]).all() and ((steps > 0).all() or (steps < 0).all())):
        raise Decline("freqs neither rises nor falls from bin to bin")
    if not math.isfinite(energy(x)):
        raise Decline("the spectrogram is not finite, or its squares overflow")
    return _Harmonics(int(axis) % x.ndim, freqs, numbers("harmonics", harmonics))


def _largest(arguments: dict[str, Any]) -> float:
    """The largest value that is interpolated; librosa makes differences in its precision, and ours are double's."""
    x, weights = arguments["x"] if "x" in arguments else arguments["S"], arguments.get("weights")
    double = float(np.finfo(x.dtype).eps / np.finfo(np.float64).eps)
    shares = np.ones(1) if weights is None else np.asarray(weights, np.float64)
    # weights may be of either sign
    return double * float(np.abs(x).max()) * float(np.abs(shares).sum() / abs(shares.sum())) * (1 + shares.size)


@functools.cache
def _interpolated(axis: int) -> Callable[[Array], Array]:
    def of_spectrogram(x: Array) -> Array:
        bins = np.arange(1.0, 1 + x.shape[axis])
        result: Array = _interp_harmonics(x, freqs=bins, harmonics=[1.0, 2.0], axis=axis)
        return result

    return of_spectrogram


@adapter("librosa.interp_harmonics", tolerances.of_given, also="librosa.core", order=_largest)
def interp_harmonics(
    x: Array, *, freqs: Array, harmonics: Any, kind: str = "linear", fill_value: float = 0, axis: int = -2
) -> Work:
    """librosa.interp_harmonics. Same arguments, same defaults.

    Ours between frequencies that all frames share.
    """
    wanted = _harmonics(x, freqs, harmonics, kind, axis)
    check_fill(fill_value)
    check_size(x.size * wanted.multiples.size, _LEAST)
    return lambda: _at_harmonics(x, wanted, fill_value)


def _at_harmonics(x: Array, wanted: _Harmonics, fill_value: float) -> Array:
    axis, freqs, multiples = wanted
    ascending = rising(freqs)
    at = np.multiply.outer(multiples, freqs)
    shape = (*x.shape[:axis], *at.shape, *x.shape[axis + 1 :])
    out = memory(_interpolated(axis - x.ndim), lying(x), x.dtype, shape, np.float64)
    # [harmonics * bins, ...], a view wherever it is written to in one sweep
    ahead = np.moveaxis(out, (axis, axis + 1), (0, 1))
    flat = ahead.reshape(at.size, *ahead.shape[2:])
    cpu.interpolate(np.moveaxis(x, axis, 0)[ascending], at.ravel(), freqs[ascending], float(fill_value), flat)
    if not np.may_share_memory(flat, out):
        ahead[...] = flat.reshape(ahead.shape)
    return out


@adapter("librosa.salience", tolerances.of_given, also="librosa.core", order=_largest)
def salience(
    S: Array,
    *,
    freqs: Array,
    harmonics: Any,
    weights: Any = None,
    aggregate: Any = None,
    filter_peaks: bool = True,
    fill_value: float = np.nan,
    kind: str = "linear",
    axis: int = -2,
) -> Work:
    """librosa.salience. Same arguments, same defaults.

    Ours for weighed means, which take no memory for single harmonics.
    """
    wanted = _harmonics(S, freqs, harmonics, kind, axis)
    if freqs[0] > freqs[-1]:
        raise Decline("freqs does not rise from bin to bin")
    if aggregate is not None and aggregate is not np.average:
        raise Decline("aggregate is not np.average")
    if axis >= 0:
        raise Decline("axis is counted from the first, and librosa takes another one for the harmonics")
    check_flag("filter_peaks", filter_peaks)
    if filter_peaks:
        check_fill(fill_value)
    shares = np.ones(wanted.multiples.size) if weights is None else numbers("weights", weights)
    total = shares.sum()
    if shares.shape != wanted.multiples.shape or not abs(total) > 1e-9 * np.abs(shares).max():
        raise Decline("weights are not one for each harmonic, or have no sum")
    check_size(S.size, _LEAST)

    def work() -> Array:
        at = np.multiply.outer(wanted.multiples, freqs)
        fill = float(fill_value) if filter_peaks else None
        sums = cpu.weighed_harmonics(np.moveaxis(S, axis, 0), at, freqs, shares / total, fill)
        values = np.moveaxis(sums, 0, axis)
        return placed(values, memory(_saliences(axis, bool(filter_peaks)), lying(S), S.dtype, S.shape, np.float64))

    return work


@functools.cache
def _saliences(axis: int, filter_peaks: bool) -> Callable[[Array], Array]:
    def of_spectrogram(x: Array) -> Array:
        bins = np.arange(1.0, 1 + x.shape[axis])
        result: Array = _salience(x, freqs=bins, harmonics=[1.0, 2.0], filter_peaks=filter_peaks, axis=axis)
        return result

    return of_spectrogram


@adapter("librosa.f0_harmonics", tolerances.of_given, also="librosa.core", order=_largest)
def f0_harmonics(
    x: Array, *, f0: Array, freqs: Array, harmonics: Any, kind: str = "linear", fill_value: float = 0, axis: int = -2
) -> Work:
    """librosa.f0_harmonics. Same arguments, same defaults.

    Ours between frequencies that all frames share, for all frames at once.
    """
    wanted = _harmonics(x, freqs, harmonics, kind, axis)
    check_fill(fill_value)
    if wanted.axis != x.ndim - 2:
        raise Decline("axis is not the last but one")
    if not (is_plain(f0) and f0.dtype == np.float64 and f0.shape in (x.shape[-1:], (*x.shape[:-2], x.shape[-1]))):
        raise Decline("f0 is no array of one real frequency for each frame")

    def work() -> Array:
        at, frames, ascending = np.multiply.outer(f0, wanted.multiples), x.swapaxes(-1, -2), rising(freqs)
        return cpu.interpolate_apart(frames[..., ascending], at, freqs[ascending], float(fill_value)).swapaxes(-1, -2)

    return work
