"""How likely each trough of a difference function is a period."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner, kernel

Array = npt.NDArray[Any]
# frames whose troughs are in memory at once
_BLOCK = 64


@inner
def is_trough(x, i):
    """Whether a value is less than the one before, and no more than the one after."""
    if i == 0:
        return x[0] < x[1]
    return x[i] < x[i - 1] and (i + 1 == len(x) or x[i] <= x[i + 1])


@kernel
def priors_of_frames(x, thresholds, prior, decay, counts, before, matrix, places, ends, lowest, below):
    """Fill what :func:`trough_probabilities` reads, one trough of a frame after the other.

    Args:
        prior: Of a first trough among so many.
        decay: From it to the next ones.
        counts, before: Room for the troughs below each threshold, and for those of them that came before.
    """
    troughs = 0
    for frame in range(len(x)):
        row, start = x[frame], troughs
        best = start
        counts[:] = 0
        for i in range(len(row)):
            if is_trough(row, i):
                places[troughs] = i
                if row[i] < row[places[best]]:
                    best = troughs
                troughs += 1
                for k in range(len(thresholds)):
                    counts[k] += row[i] < thresholds[k]
        before[:] = 0
        for trough in range(start, troughs):
            height = row[places[trough]]
            for k in range(len(thresholds)):
                matrix[trough, k] = 0.0
                if height < thresholds[k]:
                    matrix[trough, k] = min(1.0, prior[counts[k]] * decay[before[k]])
                    before[k] += 1
        ends[frame], lowest[frame], below[frame] = troughs, best - start, 0
        if troughs > start:
            for k in range(len(thresholds)):
                below[frame] += not row[places[best]] < thresholds[k]


def trough_probabilities(x: Array, thresholds: Array, weights: Array, parameter: float, none_below: float) -> Array:
    """Probabilities ``[N, periods]`` that a trough of a frame is its period; 0 where none is.

    M. Mauch and S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold distributions",
    ICASSP 2014. Of the troughs below a threshold, earlier ones are likelier, by a Boltzmann distribution. They are
    summed by NumPy's product of a matrix and a vector: what is left to 1 may be its rounding alone.

    Args:
        x: Normalised differences ``[N, periods]`` of at least two periods.
        thresholds: In ascending order.
        weights: Probabilities of the thresholds.
        parameter: Of the distribution, more than 0.
        none_below: Probability that the lowest trough is the period where none lies below a threshold.
    """
    rows = np.require(x, requirements=["C", "A", "W"])
    out = np.zeros_like(rows)
    steps, most = len(thresholds), rows.shape[1] // 2 + 1
    decay, prior = np.exp(-parameter * np.arange(most)), np.zeros(most + 1)
    prior[1:] = (1 - np.exp(-parameter)) / (1 - np.exp(-parameter * np.arange(1, most + 1)))
    missed = none_below * np.array([np.sum(weights[:count]) for count in range(steps + 1)])
    matrix, places = np.empty((_BLOCK * most, steps)), np.empty(_BLOCK * most, np.int64)
    counts, before = np.empty(steps, np.int64), np.empty(steps, np.int64)
    ends, lowest, below = (np.empty(_BLOCK, np.int64) for _ in range(3))
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        priors_of_frames(block, thresholds, prior, decay, counts, before, matrix, places, ends, lowest, below)
        start = 0
        for frame, end in enumerate(ends[: len(block)]):
            if end > start:
                probabilities = matrix[start:end].dot(weights)
                probabilities[lowest[frame]] += missed[below[frame]]
                out[first + frame, places[start:end]] = probabilities
            start = end
    return out
