"""How much frames of audio differ from themselves some samples later, and the period at which they do least."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime.compile import kernel
from .troughs import is_trough

Array = npt.NDArray[Any]


@kernel
def differences_of_frames(squares, products, shortest, values, shifts):
    """Fill ``values`` and ``shifts``; see :class:`Differences`."""
    periods = values.shape[1]
    for frame in range(len(values)):
        row, product, square = values[frame], products[frame], squares[frame]
        energy = total = square[0] - square[0]
        for k in range(1, shortest + periods):
            energy += square[k - 1]
            # in the samples' precision throughout, which a product with an integer is not
            half = product[0] - product[k]
            difference = half + half - energy if k > 1 else half + half
            total += difference
            if k >= shortest:
                row[k - shortest] = np.float64(difference) / (np.float64(total) / k + np.finfo(np.float64).tiny)
        shift = shifts[frame]
        shift[0] = shift[periods - 1] = 0.0
        for k in range(1, periods - 1):
            curvature, slope = row[k + 1] + row[k - 1] - 2 * row[k], (row[k + 1] - row[k - 1]) / 2
            shift[k] = 0.0 if abs(slope) >= abs(curvature) else -slope / curvature


@kernel
def lowest_or_first_below(values, threshold, out):
    """Fill ``out``; see :meth:`Differences.troughs`."""
    for frame in range(len(values)):
        row = values[frame]
        chosen, lowest = -1, 0
        for k in range(len(row)):
            if row[k] < threshold and is_trough(row, k):
                chosen = k
                break
            if row[k] < row[lowest]:
                lowest = k
        out[frame] = lowest if chosen < 0 else chosen


class Differences(NamedTuple):
    """Normalised differences of frames, of periods from the shortest one on."""

    values: Array
    """``[N, periods]``, float64."""
    shifts: Array
    """``[N, periods]``: how far the lowest point of the parabola through a value and its neighbours is from it, or 0
    where that is more than a sample."""

    @classmethod
    def of(cls, squares: Array, products: Array, shortest: int, longest: int) -> Differences:
        """By equation 8 of A. de Cheveigne and H. Kawahara, "YIN, a fundamental frequency estimator for speech and
        music", J. Acoust. Soc. Am. 111, 2002; sums are rounded one after the other, to the samples' precision.
        As in librosa, of the period of one sample no energy is subtracted.

        Args:
            squares: Of the frames' samples ``[N, at least longest]``.
            products: Autocorrelations ``[N, longest + 1]``, which count frames as 0 beyond their ends.
            shortest: First period, 1 or more.
            longest: Last period, at least two more.
        """
        values = np.empty((len(squares), longest + 1 - shortest))
        shifts = np.empty_like(values)
        squares, products = (np.require(x, requirements=["C", "A", "W"]) for x in (squares, products))
        differences_of_frames(squares, products, shortest, values, shifts)
        return cls(values, shifts)

    def troughs(self, threshold: float) -> Array:
        """Places ``[N]`` of the first trough below ``threshold``, or of the lowest value where none is."""
        places = np.empty(len(self.values), np.int64)
        lowest_or_first_below(self.values, float(threshold), places)
        return places
