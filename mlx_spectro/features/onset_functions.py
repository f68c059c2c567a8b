"""Onset detection functions: of each frame of a spectrogram or a spectrum, how much it looks like a note's start.

Those of a spectrum go by its phases; they are of frames whose phases are their centres' or their starts', alike. Sums
and means are over bins. The first frames, for which there is none to compare with, have 0.
"""

from __future__ import annotations

import functools

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..design.operators import Project
from ..ops.apply import apply
from ..ops.frames import pad
from ..ops.numerics import constant, magnitude, mean, total
from ..ops.phase_vocoder import unit
from . import _inputs
from ._replay import recorded


def _levels(s: mx.array) -> mx.array:
    """Magnitudes ``[..., N, F]`` of a spectrogram or a spectrum ``[..., F, N]``."""
    is_complex = mx.issubdtype(_inputs.array("s", s).dtype, mx.complexfloating)
    return _by_frames("s", magnitude(s) if is_complex else _inputs.real("s", s))


def _spectrum(z: mx.array) -> mx.array:
    """A spectrum ``[..., N, F]`` of ``[..., F, N]``."""
    if not mx.issubdtype(_inputs.array("z", z).dtype, mx.complexfloating):
        raise TypeError(f"z must be a complex spectrum, got {z.dtype}")
    return _by_frames("z", z)


def _by_frames(name: str, x: mx.array) -> mx.array:
    if x.ndim < 2:
        raise ValueError(f"{name} must have 2 or more axes, [..., bins, frames], got shape {x.shape}")
    return mx.swapaxes(x, -1, -2)


def _behind(x: mx.array, lag: int) -> mx.array:
    """``x [..., N - lag, F]`` behind ``lag`` frames of 0."""
    return mx.pad(x, [(0, 0)] * (x.ndim - 2) + [(lag, 0), (0, 0)])


def rise(s: mx.array, lag: int, before: mx.array | None = None) -> mx.array:
    """By how much ``s [..., N, F]`` is more than it was ``lag`` frames before, or ``before`` was."""
    lag = min(_check.integer("lag", lag, at_least=1), s.shape[-2])
    earlier = (s if before is None else before)[..., : s.shape[-2] - lag, :]
    return _behind(mx.maximum(s[..., lag:, :] - earlier, 0.0), lag)


def extreme(x: mx.array, size: int, axis: int, greatest: bool, origin: int = 0) -> mx.array:
    """The greatest or smallest of ``size`` values around each, moved back by ``origin``; the ends are mirrored."""
    length = x.shape[axis]
    if (size == 1 and not origin) or not length:
        return x
    x = mx.moveaxis(x, axis, -1)
    left, right = size // 2 + origin, size - 1 - size // 2 - origin
    x = pad(x, left, right, "symmetric")
    windows = [x[..., i : i + length] for i in range(size)]
    return mx.moveaxis(functools.reduce(mx.maximum if greatest else mx.minimum, windows), -1, axis)


def _angles(u: mx.array) -> mx.array:
    return mx.arctan2(mx.imag(u), mx.real(u))


@recorded()
def high_frequency_content(s: mx.array) -> mx.array:
    """Mean of magnitudes times their bins' numbers.

    Masri, "Computer modeling of sound for transformation and synthesis of musical signals", Bristol 1996.

    Args:
        s: Magnitudes ``[..., F, N]``, or a spectrum, complex64, of which they are taken.

    Returns:
        float32 ``[..., N]``.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: fewer than two axes.
    """
    levels = _levels(s)
    return mean(levels * mx.arange(levels.shape[-1]))[..., 0]


@recorded()
def spectral_flux(s: mx.array, *, lag: int = 1) -> mx.array:
    """Sum of the rises of magnitudes over ``lag`` frames (Masri, 1996; Dixon, "Onset detection revisited", DAFx 2006).

    Args:
        s: Magnitudes ``[..., F, N]``, filtered or logarithms too; or a spectrum, complex64.
        lag: Frames between the two that are compared.

    Returns:
        float32 ``[..., N]``.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: fewer than two axes, or a ``lag`` below 1.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> levels = mx.array([[0.0, 1.0, 1.0], [2.0, 0.0, 3.0]])  # two bins, three frames
        >>> mlx_spectro.spectral_flux(levels).tolist()
        [0.0, 1.0, 3.0]
    """
    return total(rise(_levels(s), lag))[..., 0]


@recorded()
def spectral_difference(s: mx.array, *, lag: int = 1) -> mx.array:
    """Sum of the squares of magnitudes' rises over ``lag`` frames.

    Duxbury, Sandler and Davies, "A hybrid approach to musical note onset detection", DAFx 2002. The arguments, the
    result and the errors are those of :func:`spectral_flux`.
    """
    return total(mx.square(rise(_levels(s), lag)))[..., 0]


@recorded()
def superflux(s: mx.array, *, lag: int = 1, max_bins: int = 3) -> mx.array:
    """Sum of rises over the greatest of neighbouring bins ``lag`` frames before, so that vibrato is none.

    Böck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013.

    Args:
        s: Magnitudes ``[..., F, N]``, as a rule logarithms of filtered ones; or a spectrum, complex64.
        lag: Frames between the two that are compared.
        max_bins: Neighbouring bins of which the greatest counts, the bin itself in the middle.

    Returns:
        float32 ``[..., N]``.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: fewer than two axes, or a value below 1.
    """
    levels = _levels(s)
    widest = extreme(levels, _check.integer("max_bins", max_bins, at_least=1), -1, True)
    return total(rise(levels, lag, widest))[..., 0]


@recorded()
def modified_kullback_leibler(s: mx.array, *, lag: int = 1, eps: float = 2.0**-52) -> mx.array:
    """Mean of ``log(1 + now / (before + eps))``, magnitudes over those ``lag`` frames before.

    Brossier, "Automatic annotation of musical audio for interactive applications", London 2006, who has the sum.

    Args:
        s: Magnitudes ``[..., F, N]``, not negative, or a spectrum, complex64.
        lag: Frames between the two that are compared.
        eps: Added to what is divided by.

    Returns:
        float32 ``[..., N]``.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: fewer than two axes, a ``lag`` below 1, or an ``eps`` that is not positive.
    """
    levels, eps = _levels(s), _check.number("eps", eps, above=0)
    lag = min(_check.integer("lag", lag, at_least=1), levels.shape[-2])
    ratio = levels[..., lag:, :] / (levels[..., : levels.shape[-2] - lag, :] + eps)
    return mean(_behind(mx.log1p(ratio), lag))[..., 0]


def _deviation(z: mx.array) -> mx.array:
    """Phases' second differences ``[..., N, F]``, from minus half a turn to half a turn."""
    directions = unit(z)
    turns = directions[..., 1:, :] * mx.conj(directions[..., :-1, :])
    return _behind(_angles(turns[..., 1:, :] * mx.conj(turns[..., :-1, :])), min(2, z.shape[-2]))


@recorded()
def phase_deviation(z: mx.array) -> mx.array:
    """Mean of how far phases are from going on as between the two frames before, in radians up to half a turn.

    Bello, Duxbury, Davies and Sandler, "On the use of phase and energy for musical onset detection in the complex
    domain", IEEE Signal Processing Letters 11 (2004).

    Args:
        z: Spectrum, complex64 ``[..., F, N]``. The phase of 0 is 0.

    Returns:
        float32 ``[..., N]``.

    Raises:
        TypeError: no MLX array, or one of real numbers.
        ValueError: fewer than two axes.
    """
    return mean(mx.abs(_deviation(_spectrum(z))))[..., 0]


@recorded()
def weighted_phase_deviation(z: mx.array) -> mx.array:
    """Mean of phases' deviations times magnitudes (Dixon, "Onset detection revisited", DAFx 2006).

    The argument, the result and the errors are those of :func:`phase_deviation`.
    """
    spectrum = _spectrum(z)
    return mean(mx.abs(_deviation(spectrum)) * magnitude(spectrum))[..., 0]


@recorded()
def normalized_weighted_phase_deviation(z: mx.array, *, eps: float = 2.0**-52) -> mx.array:
    """:func:`weighted_phase_deviation` over the mean of magnitudes (Dixon, "Onset detection revisited", DAFx 2006).

    ``eps`` is added to what is divided by. The argument, the result and the errors are those of
    :func:`phase_deviation`.
    """
    spectrum, eps = _spectrum(z), _check.number("eps", eps, above=0)
    levels = magnitude(spectrum)
    return (mean(mx.abs(_deviation(spectrum)) * levels) / (mean(levels) + eps))[..., 0]


def _surprise(z: mx.array) -> mx.array:
    """Distances ``[..., N, F]`` from what the two frames before promise: as loud, and turned on as far.

    Before the first frame there is silence; of the second, which has but one before it, the phase 0 is promised.
    """
    directions = unit(z)
    turned = directions[..., 1:, :] * mx.conj(directions[..., :-1, :])
    turned = mx.concatenate([mx.conj(directions[..., :1, :]), turned], axis=-2)[..., : max(0, z.shape[-2] - 1), :]
    promised = _behind(z[..., :-1, :] * turned, min(1, z.shape[-2]))
    return magnitude(z - promised)


@recorded()
def complex_domain(z: mx.array) -> mx.array:
    """Sum of distances from the numbers that the two frames before promise: as large, and turned on as far.

    Bello, Duxbury, Davies and Sandler (2004), as in :func:`phase_deviation`. Before the first frame there is silence,
    from which it differs by all that it is; the second is compared with the first's magnitudes in phase 0, as madmom
    compares it.

    The argument, the result and the errors are those of :func:`phase_deviation`.
    """
    return total(_surprise(_spectrum(z)))[..., 0]


@recorded()
def rectified_complex_domain(z: mx.array, *, lag: int = 1) -> mx.array:
    """:func:`complex_domain` of the bins that are louder than ``lag`` frames before (Dixon, 2006).

    The other argument, the result and the errors are those of :func:`phase_deviation`.
    """
    spectrum = _spectrum(z)
    rises = rise(magnitude(spectrum), lag) > 0
    return total(mx.where(rises, _surprise(spectrum), 0.0))[..., 0]


def complex_flux(
    z: mx.array,
    s: mx.array | None = None,
    *,
    lag: int = 1,
    max_bins: int = 3,
    filterbank: mx.array | npt.ArrayLike | None = None,
    temporal_filter: int = 3,
    temporal_origin: int = 0,
) -> mx.array:
    """:func:`superflux` of which tremolo is taken off: rises count as far as the local group delay moves.

    Böck and Widmer, "Local group delay based vibrato and tremolo suppression for onset detection", ISMIR 2013.

    Args:
        z: Spectrum, complex64 ``[..., F, N]``, whose phases are those of its frames' centres.
        s: What rises ``[..., filters, N]``. Default: the magnitudes of ``z``, filtered.
        lag, max_bins: As in :func:`superflux`.
        filterbank: Filters ``[F, filters]``; the smallest group delay of a filter's bins and their neighbours counts.
            Default: none, and that of each bin and its two neighbours.
        temporal_filter: Frames of which the largest group delay counts.
        temporal_origin: Frames by which these are moved to the past from being centred.

    Returns:
        float32 ``[..., N]``.

    Raises:
        TypeError: no MLX arrays, or one of real numbers or integers.
        ValueError: a value out of its range, or another number of bins, filters or frames.
    """
    spectrum = _spectrum(z)
    size = _check.integer("temporal_filter", temporal_filter, at_least=1)
    origin = _check.integer("temporal_origin", temporal_origin, at_least=-(size // 2))
    if origin > (size - 1) // 2:
        raise ValueError(f"temporal_origin must be at most {(size - 1) // 2}, got {origin}")
    max_bins = _check.integer("max_bins", max_bins, at_least=1)
    bank = None if filterbank is None else _inputs.samples("filterbank", filterbank)
    if bank is not None and (bank.ndim != 2 or len(bank) != spectrum.shape[-1] or not bank.any(axis=0).all()):
        raise ValueError(f"filterbank must be [{spectrum.shape[-1]}, filters], none empty, got shape {bank.shape}")
    if s is None:
        levels = magnitude(spectrum)
        levels = levels if bank is None else apply(Project(), levels, constant(bank))
    else:
        levels = _levels(s)
        filters = spectrum.shape[-1] if bank is None else bank.shape[1]
        if levels.shape != (*spectrum.shape[:-1], filters):
            raise ValueError(f"s must be [..., {filters}, {spectrum.shape[-2]}] as z, got shape {s.shape}")
    directions = unit(spectrum)
    delay = mx.abs(_angles(directions[..., :-1] * mx.conj(directions[..., 1:]))) * (1 / np.pi)
    delay = mx.pad(delay, [(0, 0)] * (delay.ndim - 1) + [(0, 1)])
    delay = extreme(delay, size, -2, True, origin)
    share = extreme(delay, 3, -1, False) if bank is None else _smallest(delay, bank)
    return total(rise(levels, lag, extreme(levels, max_bins, -1, True)) * share)[..., 0]


def _smallest(x: mx.array, bank: npt.NDArray[np.float32]) -> mx.array:
    """The smallest ``[..., filters]`` of ``x [..., F]`` in each filter's bins and their neighbours."""
    reached = [np.flatnonzero(column) for column in bank.T]
    first = np.array([max(0, bins[0] - 1) for bins in reached])
    last = np.array([min(len(bank), bins[-1] + 2) for bins in reached]) - 1
    places = np.minimum(first[:, None] + np.arange((last - first).max() + 1), last[:, None])
    return mx.take(x, mx.array(places), axis=-1).min(axis=-1)
