"""f0_harmonics and interp_harmonics of librosa."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import LARGEST, Array, check_array, check_engine


def check_interpolated(x: Any, freqs: Any, kind: Any, fill_value: Any, axis: Any) -> None:
    """Decline values that we cannot interpolate along an axis as SciPy does."""
    check_engine()
    check_array(x)
    check_whole("axis", axis, -32, 32)
    check_plain("fill_value", fill_value)
    if not (isinstance(kind, str) and kind == "linear"):
        raise Decline("kind is not 'linear'")
    if x.dtype != np.float64 or not -x.ndim <= axis < x.ndim:
        raise Decline("the values are not float64, or have no such axis")
    if not max(-float(x.min()), float(x.max())) < LARGEST["d"]:
        raise Decline("the values are not finite, or too large to subtract")
    check_frequencies(freqs)
    if freqs.size != x.shape[axis]:
        raise Decline("freqs are not as many as there are values")


def check_frequencies(freqs: Any) -> None:
    """Decline what are no frequencies of all frames alike, or some of which librosa warns."""
    check_array(freqs)
    if freqs.ndim != 1 or freqs.dtype != np.float64:
        raise Decline("freqs are no float64 array of one axis")
    if np.isnan(freqs).any() or np.isfinite(freqs).sum() < 2 or np.unique(freqs).size < freqs.size:
        raise Decline("frequencies are not numbers, too few, or not unique")


def ascending(freqs: Array) -> tuple[Array, Array]:
    """Places of the finite ones of ``freqs`` in their order, and those frequencies."""
    finite = np.flatnonzero(np.isfinite(freqs))
    order = finite[np.argsort(freqs[finite], kind="stable")]
    return order, freqs[order]


def check_harmonics(harmonics: Any) -> Array:
    """Numbers of harmonics, as an array."""
    values = np.asarray(harmonics)
    if values.ndim != 1 or values.dtype.char not in "dl" or not values.size or not np.isfinite(values).all():
        raise Decline("the harmonics are no plain numbers")
    return values.astype(np.float64)


# a quotient of differences, of values that may be far apart, times a difference
@adapter("librosa.f0_harmonics", tolerances.sums, also="librosa.core", order=lambda given: 8)
def f0_harmonics(
    x: Array,
    *,
    f0: Array,
    freqs: Array,
    harmonics: Any,
    kind: str = "linear",
    fill_value: float = 0,
    axis: int = -2,
) -> Work:
    """librosa.f0_harmonics. Same arguments, same defaults.

    Ours of frequencies that are the same in all frames, interpolated linearly.
    """
    check_interpolated(x, freqs, kind, fill_value, axis)
    multiples = check_harmonics(harmonics)
    frames = x.swapaxes(axis, -1)
    if type(f0) is not np.ndarray or f0.dtype != np.float64 or f0.shape != frames.shape[:-1]:
        raise Decline("f0 is no float64 array of a frequency a frame")
    order, knots = ascending(freqs)
    return lambda: cpu.interpolate_frames(frames, order, knots, f0, multiples, fill_value).swapaxes(axis, -1)


@adapter("librosa.interp_harmonics", tolerances.sums, also="librosa.core", order=lambda given: 8)
def interp_harmonics(
    x: Array,
    *,
    freqs: Array,
    harmonics: Any,
    kind: str = "linear",
    fill_value: float = 0,
    axis: int = -2,
) -> Work:
    """librosa.interp_harmonics. Same arguments, same defaults.

    Ours of frequencies that are the same in all frames, interpolated linearly.
    """
    check_interpolated(x, freqs, kind, fill_value, axis)
    multiples = check_harmonics(harmonics)
    if not np.isfinite(freqs).all():
        raise Decline("a frequency is infinite, around which librosa's values are not numbers")
    return lambda: interpolated(x, axis, freqs, np.multiply.outer(multiples, freqs), fill_value)


def interpolated(x: Array, axis: int, freqs: Array, wanted: Array, fill_value: float) -> Array:
    """``x`` at ``wanted`` frequencies, whose axes take the place of ``axis``, in memory as SciPy's interp1d has it."""
    axis %= x.ndim
    rows = np.moveaxis(x, axis, 0)
    order, knots = ascending(freqs)
    values = cpu.interpolate_rows(rows.reshape(len(rows), -1), order, knots, wanted.ravel(), fill_value)
    axes = [
        *range(wanted.ndim, wanted.ndim + axis),
        *range(wanted.ndim),
        *range(wanted.ndim + axis, wanted.ndim + x.ndim - 1),
    ]
    return values.reshape(*wanted.shape, *rows.shape[1:]).transpose(axes)
