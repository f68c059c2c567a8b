"""Filterbanks over bins: on a logarithmic scale of frequencies, and of corners of one's own."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..design import log_banks
from ..ops.numerics import constant
from . import _inputs


def _corners(
    frequencies: npt.ArrayLike, n_fft: int, sample_rate: float, unique: bool, least: int
) -> npt.NDArray[np.int64]:
    """The bins of corners, of which there must be a number for one filter."""
    n_fft = _check.integer("n_fft", n_fft, at_least=2)
    sample_rate = _check.number("sample_rate", sample_rate, above=0)
    hz = np.asarray(frequencies, np.float64)
    if hz.ndim != 1 or not np.isfinite(hz).all() or (hz < 0).any() or (np.diff(hz) < 0).any():
        raise ValueError(f"frequencies must ascend from 0 Hz or more, [corners], got {_check.shown(frequencies)}")
    bins = log_banks.nearest_bins(hz, sample_rate, n_fft, _check.flag("unique", unique))
    if bins.size < least:
        raise ValueError(
            f"a filter needs {least} frequencies, and {hz.size} are nearest to {bins.size} bins at n_fft={n_fft}, "
            f"sample_rate={sample_rate}; raise n_fft, or widen the range of frequencies"
        )
    return bins


def triangular_fbanks(
    frequencies: mx.array | npt.ArrayLike, *, n_fft: int, sample_rate: float, norm: bool = True, unique: bool = True
) -> mx.array:
    """Triangular filters over the bins nearest to given corners.

    Filter ``m`` is 0 at corner ``m``, rises to 1 at corner ``m + 1``, and falls to 0 at corner ``m + 2``; of corners
    within two bins, it is 1 at the first of them.

    Args:
        frequencies: Corners in Hz, ascending.
        n_fft: Frame length in samples.
        sample_rate: Hz.
        norm: Give each filter a sum of 1.
        unique: Of corners with the same bin, keep one: fewer filters, and none twice.

    Returns:
        float32 ``[n_fft // 2 + 1, filters]``, of ``n`` corners ``n - 2`` filters.

    Raises:
        TypeError: frequencies that are no real numbers.
        ValueError: a value out of its range, or too few corners.

    Example:
        >>> import mlx_spectro
        >>> bank = mlx_spectro.triangular_fbanks([0.0, 500.0, 1000.0, 2000.0], n_fft=16, sample_rate=8000, norm=False)
        >>> bank[:5].T.tolist()
        [[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5, 0.0]]
    """
    corners = _corners(_inputs.samples("frequencies", frequencies), n_fft, sample_rate, unique, 3)
    return constant(log_banks.triangular_bank(corners, n_fft, _check.flag("norm", norm)))


def rectangular_fbanks(
    frequencies: mx.array | npt.ArrayLike, *, n_fft: int, sample_rate: float, norm: bool = True, unique: bool = True
) -> mx.array:
    """Rectangular filters between the bins nearest to given corners: each from its lower corner to below its upper.

    Returns:
        float32 ``[n_fft // 2 + 1, filters]``, of ``n`` corners ``n - 1`` filters.

    The arguments and the errors are those of :func:`triangular_fbanks`.
    """
    corners = _corners(_inputs.samples("frequencies", frequencies), n_fft, sample_rate, unique, 2)
    return constant(log_banks.rectangular_bank(corners, n_fft, _check.flag("norm", norm)))


def log_fbanks(
    *,
    n_fft: int,
    sample_rate: float,
    bands_per_octave: int = 12,
    f_min: float = 30.0,
    f_max: float = 17000.0,
    f_ref: float = 440.0,
    norm: bool = True,
    unique: bool = True,
) -> mx.array:
    """Triangular filters on a logarithmic scale of frequencies, as of the notes of a keyboard.

    Args:
        bands_per_octave: Corners an octave.
        f_min, f_max: Hz between which corners lie, both included; madmom leaves out a corner at ``f_max`` itself.
        f_ref: A corner in Hz, or where one would be.
        n_fft, sample_rate, norm, unique: As in :func:`triangular_fbanks`.

    Returns:
        float32 ``[n_fft // 2 + 1, filters]``.

    Raises:
        ValueError: a value out of its range, or too few bins between ``f_min`` and ``f_max``.

    Example:
        >>> import mlx_spectro
        >>> mlx_spectro.log_fbanks(n_fft=2048, sample_rate=44100).shape
        (1025, 81)
    """
    bands = _check.integer("bands_per_octave", bands_per_octave, at_least=1)
    f_min, f_max = _check.number("f_min", f_min, above=0), _check.number("f_max", f_max, above=0)
    if not f_min < f_max:
        raise ValueError(f"f_min must be below f_max, got f_min={f_min}, f_max={f_max}")
    f_ref = _check.number("f_ref", f_ref, above=0)
    hz = log_banks.log_frequencies(bands, f_min, f_max, f_ref)
    corners = _corners(hz, n_fft, sample_rate, unique, 3)
    return constant(log_banks.triangular_bank(corners, n_fft, _check.flag("norm", norm)))
