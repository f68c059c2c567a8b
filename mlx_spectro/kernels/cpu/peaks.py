"""Peaks of spectrograms in host arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime.compile import kernel
from .runtime.threads import share

Array = npt.NDArray[Any]


@kernel
def peaks_of_frames(values, low, high, least, first, last, shifts, strengths, counts, bins):
    """Peaks of the frames from ``first`` up to ``last``; see :func:`spectral_peaks`."""
    for frame in range(first, last):
        row = values[frame]
        floor = least * row.max()
        peaks = 0
        for k in range(low, high):
            below, here, above = row[k - 1], row[k], row[k + 1]
            if here > floor and here > below and here >= above:
                curvature, slope = above + below - 2 * here, (above - below) / 2
                shift = 0.0 if abs(slope) >= abs(curvature) else -slope / curvature
                bins[frame, peaks] = k
                shifts[frame, peaks] = shift
                strengths[frame, peaks] = here + 0.5 * slope * shift
                peaks += 1
        counts[frame] = peaks


@kernel
def count_deviations(values, edges, counts):
    """Add to ``counts``; see :func:`deviations`."""
    last = len(counts) - 1
    for value in values:
        rest = np.float64(value - np.floor(value))
        if rest >= 0.5:
            rest -= 1.0
        # a first guess may be off by a rounding
        i = min(max(int((rest + 0.5) * len(counts)), 0), last)
        while i > 0 and rest < edges[i]:
            i -= 1
        while i < last and rest >= edges[i + 1]:
            i += 1
        counts[i] += 1


def deviations(values: Array, edges: Array) -> Array:
    """How many of ``values`` deviate from the next whole number by what lies between each two of ``edges``.

    Args:
        values: Finite float32 or float64 numbers ``[N]``.
        edges: Ascending by equal steps from -0.5 to 0.5; a bin begins with its lower one.
    """
    counts = np.zeros(len(edges) - 1, np.int64)
    count_deviations(np.require(values, requirements=["C", "A", "W"]), edges, counts)
    return counts


class Peaks(NamedTuple):
    """Local maxima of frames, one frame after the other, and the parabolas through them."""

    frames: Array
    bins: Array
    positions: Array
    """In bins, float64."""
    heights: Array
    """In the magnitudes' dtype."""


def spectral_peaks(s: Array, low: int, high: int, least: float) -> Peaks:
    """The local maxima of each frame, and the parabolas through them.

    Args:
        s: float32 or float64 magnitudes ``[N, F]``.
        low, high: First bin, and end, of those that are looked at; neither first nor last of all.
        least: Share of its frame's largest magnitude that a peak must exceed.
    """
    # of one kind for all: for memory that is read-only or not aligned, numba would compile it once more
    rows = np.require(np.asarray(s), requirements=["C", "A", "W"])
    most = max(1, (high - low + 1) // 2)
    shape = (len(rows), most)
    shifts, strengths = np.empty(shape, rows.dtype), np.empty(shape, rows.dtype)
    bins, counts = np.empty(shape, np.int64), np.empty(len(rows), np.int64)

    def work(first: int, last: int) -> None:
        peaks_of_frames(rows, low, high, rows.dtype.type(least), first, last, shifts, strengths, counts, bins)

    share(work, len(rows), 1, rows.shape[1], ())
    is_peak = np.arange(most) < counts[:, None]
    return Peaks(is_peak.nonzero()[0], bins[is_peak], bins[is_peak] + shifts[is_peak], strengths[is_peak])
