"""The strongest of each spectrum's bins, in NumPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import kernel
from .runtime.threads import share

Array = npt.NDArray[Any]


@kernel
def strongest_of_frames(spectrum, low, high, margin, least, root, first, last, doubts):
    """Of the frames from ``first`` up to ``last``; see :func:`keep_strongest`.

    Args:
        doubts: 0; becomes 1 where a frame is in doubt, 2 where it is next to nothing.
    """
    for frame in range(first, last):
        row = spectrum[frame]
        best = second = 0.0
        at = low
        for k in range(low, high):
            re, im = np.float64(row[k].real), np.float64(row[k].imag)
            square = re * re + im * im
            if square > best:
                best, second, at = square, best, k
            elif square > second:
                second = square
        if best == 0:
            row[:] = 0
            continue
        value, size = np.complex128(row[at]), math.sqrt(best)
        if size < least:
            doubts[frame] = 2
        elif second > best * (1 - 2 * margin) or abs(value.real) < margin * size:
            doubts[frame] = 1
        else:
            row[:] = 0
            row[at] = value / (root + (size if value.real > 0 else 0.0))


def keep_strongest(spectrum: Array, low: int, high: int, margin: float, least: float) -> Array | None:
    """Leave of each frame the strongest bin alone, at a magnitude of 1.

    Where a bin's real part is negative, librosa's largest value of a frame is 0, and the magnitude that of a bin over
    the root of the smallest normal number.

    Args:
        spectrum: complex64 or complex128 values ``[N, F]`` in C order, which are overwritten.
        low, high: First bin, and end, of those that are looked at; the others count as 0.
        margin: A bin is in doubt where another one is relatively no more than this smaller, and so is the sign of a
            real part that is relatively smaller than this.
        least: A bin whose magnitude is smaller is next to nothing, unless it is 0.

    Returns:
        Frames in doubt, which are as they were; None where one is next to nothing.
    """
    doubts = np.zeros(len(spectrum), np.int8)
    root = math.sqrt(float(np.finfo(spectrum.dtype).tiny))

    def work(first: int, last: int) -> None:
        strongest_of_frames(spectrum, low, high, margin, least, root, first, last, doubts)

    share(work, len(spectrum), 1, spectrum.shape[1], (spectrum, doubts))
    return None if doubts.max(initial=0) > 1 else np.flatnonzero(doubts)
