"""How likely each trough of a difference function is a period."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner, kernel
from .runtime.threads import share

Array = npt.NDArray[Any]


@inner
def is_trough(x, i):
    """Whether a value is less than the one before, and no more than the one after."""
    if i == 0:
        return x[0] < x[1]
    return x[i] < x[i - 1] and (i + 1 == len(x) or x[i] <= x[i + 1])


@kernel
def probabilities_of_frames(x, thresholds, weights, prior, decay, none_below, first, last, places, counts, before, out):
    """Probabilities of the frames from ``first`` up to ``last``; see :func:`trough_probabilities`.

    Args:
        prior: Of a first trough among so many.
        places, counts, before: Room for the troughs of a frame, and for those below each threshold.
    """
    for frame in range(first, last):
        row = x[frame]
        found, lowest = 0, 0
        counts[:] = 0
        for i in range(len(row)):
            if is_trough(row, i):
                places[found] = i
                if row[i] < row[places[lowest]]:
                    lowest = found
                found += 1
                for k in range(len(thresholds)):
                    counts[k] += row[i] < thresholds[k]
        before[:] = 0
        for trough in range(found):
            height = row[places[trough]]
            total, missed = 0.0, 0.0
            for k in range(len(thresholds)):
                if height < thresholds[k]:
                    total += min(1.0, prior[counts[k]] * decay[before[k]]) * weights[k]
                    before[k] += 1
                else:
                    missed += weights[k]
            if trough == lowest:
                total += none_below * missed
            out[frame, places[trough]] = total


def trough_probabilities(x: Array, thresholds: Array, weights: Array, parameter: float, none_below: float) -> Array:
    """Probabilities ``[N, periods]`` that a trough of a frame is its period; 0 where none is.

    M. Mauch and S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold distributions",
    ICASSP 2014. Of the troughs below a threshold, earlier ones are likelier, by a Boltzmann distribution.

    Args:
        x: Normalised differences ``[N, periods]`` of at least two periods.
        thresholds: In ascending order.
        weights: Probabilities of the thresholds.
        parameter: Of the distribution, more than 0.
        none_below: Probability that the lowest trough is the period where none lies below a threshold.
    """
    rows = np.require(x, requirements=["C", "A", "W"])
    out = np.zeros_like(rows)
    most = rows.shape[1] + 1
    decay = np.exp(-parameter * np.arange(most))
    prior = np.zeros(most)
    prior[1:] = (1 - np.exp(-parameter)) / (1 - np.exp(-parameter * np.arange(1, most)))

    def work(first: int, last: int) -> None:
        places, counts, before = (np.empty(size, np.int64) for size in (most, len(thresholds), len(thresholds)))
        probabilities_of_frames(
            rows, thresholds, weights, prior, decay, float(none_below), first, last, places, counts, before, out
        )

    share(work, len(rows), 1, 4 * rows.shape[1], ())
    return out
