"""Filterbanks whose corners are bins: triangles and rectangles, designed in float64 by NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from .banks import Matrix


def log_frequencies(bands_per_octave: int, f_min: float, f_max: float, f_ref: float = 440.0) -> Matrix:
    """Frequencies in Hz from ``f_min`` to ``f_max``, a whole number of bands from ``f_ref``.

    Example:
        >>> log_frequencies(1, 100, 1000).tolist()
        [110.0, 220.0, 440.0, 880.0]
    """
    low, high = (bands_per_octave * np.log2(f / f_ref) for f in (f_min, f_max))
    frequencies: Matrix = f_ref * 2.0 ** (np.arange(np.floor(low), np.ceil(high) + 1) / bands_per_octave)
    return frequencies[(frequencies >= f_min) & (frequencies <= f_max)]


def nearest_bins(hz: npt.ArrayLike, sample_rate: float, n_fft: int, unique: bool) -> npt.NDArray[np.int64]:
    """The bins of a transform that are nearest to frequencies, the upper of two; ``unique``, each once.

    Example:
        >>> nearest_bins([100.0, 110.0, 1000.0], 8000, 256, True).tolist()
        [3, 4, 32]
    """
    bins = np.floor(np.asarray(hz, np.float64) * n_fft / sample_rate + 0.5).astype(np.int64)
    bins = np.clip(bins, 0, n_fft // 2)
    return np.unique(bins) if unique else bins


def triangular_bank(bins: npt.NDArray[np.int64], n_fft: int, norm: bool) -> Matrix:
    """Triangles ``[n_fft // 2 + 1, filters]`` from each bin over the next to the one behind that, where they are 0.

    Of three bins that lie within two, the filter is the first alone; ``norm`` gives each a sum of 1.
    """
    columns = []
    for start, centre, stop in zip(bins, bins[1:], bins[2:], strict=False):
        column = np.zeros(n_fft // 2 + 1)
        if stop - start < 2:
            column[start] = 1.0
        else:
            column[start:centre] = np.arange(centre - start) / max(centre - start, 1)
            column[centre:stop] = 1 - np.arange(stop - centre) / max(stop - centre, 1)
        columns.append(column)
    return _bank(columns, norm)


def rectangular_bank(bins: npt.NDArray[np.int64], n_fft: int, norm: bool) -> Matrix:
    """Rectangles ``[n_fft // 2 + 1, filters]`` from each bin to the one before the next; ``norm`` for sums of 1."""
    edges = np.arange(n_fft // 2 + 1)
    return _bank([(edges >= low) & (edges < high) for low, high in itertools.pairwise(bins)], norm)


def _bank(columns: list[npt.NDArray[np.float64]], norm: bool) -> Matrix:
    bank: Matrix = np.stack(columns, axis=1).astype(np.float64)
    sums = bank.sum(axis=0)
    return bank / np.where(sums == 0, 1.0, sums) if norm else bank
