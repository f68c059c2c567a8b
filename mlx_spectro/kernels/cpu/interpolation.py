"""Values of frames of NumPy arrays between those that are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import peek
from .runtime.compile import inner, kernel
from .runtime.memory import address_of, advised
from .runtime.threads import share

Array = npt.NDArray[Any]
_REAL = np.float64(1)


@inner
def knot_below(knots, at):
    """The knot at which a stretch begins that holds ``at``, which lies between the first and the last one."""
    low, high = 0, len(knots) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if at >= knots[middle]:
            low = middle
        else:
            high = middle
    return low


@kernel
def interpolated_frames(real, addresses, stride, places, knots, frequencies, multiples, fill, first, last, out):
    """Fill ``out``; see :func:`interpolate_frames`.

    Args:
        addresses: Of the first value of each frame.
        stride: Bytes from one to the next.
    """
    last_knot = len(knots) - 1
    for frame in range(first, last):
        values = addresses[frame]
        for h in range(len(multiples)):
            at = frequencies[frame] * multiples[h]
            if not (knots[0] <= at <= knots[last_knot]):
                out[frame, h] = fill
                continue
            low = knot_below(knots, at)
            below = peek(real, real, values + stride * places[low])
            above = peek(real, real, values + stride * places[low + 1])
            if at == knots[low + 1]:
                out[frame, h] = above
            else:
                slope = (above - below) / (knots[low + 1] - knots[low])
                out[frame, h] = slope * (at - knots[low]) + below


def interpolate_frames(
    x: Array, places: Array, knots: Array, frequencies: Array, multiples: Array, fill: float
) -> Array:
    """``x`` at multiples of each frame's frequency, linearly interpolated: ``[..., multiples]``.

    Args:
        x: float64 values ``[..., F]`` of frames, of any strides.
        places: On the last axis, of the value at each knot.
        knots: Ascending frequencies.
        frequencies: Of each frame, ``[...]``.
        fill: The value beyond the knots, and where a frequency is not a number.
    """
    starts: Array = np.zeros((), np.int64)
    for count, step in zip(x.shape[:-1], x.strides[:-1], strict=True):
        starts = starts[..., None] + step * np.arange(count)
    starts = (address_of(x) + starts).ravel()
    out = np.empty((starts.size, multiples.size))
    f0 = np.require(frequencies.ravel(), requirements=["C", "A", "W"])

    def work(first: int, last: int) -> None:
        interpolated_frames(_REAL, starts, x.strides[-1], places, knots, f0, multiples, float(fill), first, last, out)

    share(work, starts.size, 1, 16 * multiples.size, (x, out))
    return out.reshape(*x.shape[:-1], multiples.size)


@kernel
def interpolated_rows(rows, places, knots, wanted, fill, first, last, out):
    """Rows from ``first`` up to ``last``; see :func:`interpolate_rows`."""
    for i in range(first, last):
        at = wanted[i]
        if not (knots[0] <= at <= knots[len(knots) - 1]):
            out[i] = fill
            continue
        low = knot_below(knots, at)
        below, above = rows[places[low]], rows[places[low + 1]]
        share_above = (at - knots[low]) / (knots[low + 1] - knots[low])
        for j in range(out.shape[1]):
            out[i, j] = share_above * (above[j] - below[j]) + below[j]


def interpolate_rows(x: Array, places: Array, knots: Array, wanted: Array, fill: float) -> Array:
    """Rows between those of ``x [F, N]``, float64 and finite, linearly interpolated: ``[wanted, N]``.

    Args:
        places: Of the row at each knot.
        knots: Ascending frequencies.
        wanted: Frequencies of the result's rows.
        fill: The value beyond the knots.
    """
    rows = np.require(x, requirements=["C", "A", "W"])
    out = advised(np.empty((wanted.size, rows.shape[1])))

    def work(first: int, last: int) -> None:
        interpolated_rows(rows, places, knots, wanted, float(fill), first, last, out)

    share(work, wanted.size, 1, rows.shape[1], (rows, out))
    return out
