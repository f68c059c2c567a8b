"""Values of frames of NumPy arrays between those that are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import peek
from .runtime.compile import kernel
from .runtime.memory import address_of
from .runtime.threads import share

Array = npt.NDArray[Any]
_REAL = np.float64(1)


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
            low, high = 0, last_knot
            while high - low > 1:
                middle = (low + high) // 2
                if at >= knots[middle]:
                    low = middle
                else:
                    high = middle
            below = peek(real, real, values + stride * places[low])
            above = peek(real, real, values + stride * places[high])
            if at == knots[high]:
                out[frame, h] = above
            else:
                slope = (above - below) / (knots[high] - knots[low])
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
    starts = np.zeros((), np.int64)
    for count, step in zip(x.shape[:-1], x.strides[:-1], strict=True):
        starts = starts[..., None] + step * np.arange(count)
    starts = (address_of(x) + starts).ravel()
    out = np.empty((starts.size, multiples.size))
    f0 = np.require(frequencies.ravel(), requirements=["C", "A", "W"])

    def work(first: int, last: int) -> None:
        interpolated_frames(
            _REAL, starts, x.strides[-1], places, knots, f0, multiples, float(fill), first, last, out
        )

    share(work, starts.size, 1, 16 * multiples.size, (x, out))
    return out.reshape(*x.shape[:-1], multiples.size)
