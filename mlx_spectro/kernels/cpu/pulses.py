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
def strongest_of_frames(spectrum, low, high, margin, least, root, first, last, doubtful):
    """See :func:`keep_strongest`; adds to ``doubtful`` how many frames, from ``first`` up to ``last``, are so."""
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
        value, size = np.complex128(row[at]), math.sqrt(best)
        row[:] = 0
        if best > 0:
            if not (second <= best * (1 - 2 * margin) and size >= least and abs(value.real) >= margin * size):
                doubtful[0] += 1
            row[at] = value / (root + (size if value.real > 0 else 0.0))


def keep_strongest(spectrum: Array, low: int, high: int, margin: float, least: float) -> bool:
    """Leave of each frame the strongest bin alone, at a magnitude of 1; whether there is no doubt which it is.

    Where a bin's real part is negative, librosa's largest value of a frame is 0, and the magnitude that of a bin over
    the root of the smallest normal number.

    Args:
        spectrum: complex64 or complex128 values ``[N, F]`` in C order, which are overwritten.
        low, high: First bin, and end, of those that are looked at; the others count as 0.
        margin: A bin is in doubt where another one is relatively no more than this smaller, and so is the sign of a
            real part that is relatively smaller than this.
        least: And a bin whose magnitude is smaller.
    """
    doubtful = np.zeros(1, np.int64)
    root = math.sqrt(float(np.finfo(spectrum.dtype).tiny))

    def work(first: int, last: int) -> None:
        here = np.zeros(1, np.int64)
        strongest_of_frames(spectrum, low, high, margin, least, root, first, last, here)
        if here[0]:
            doubtful[0] = 1

    share(work, len(spectrum), 1, spectrum.shape[1], (spectrum,))
    return not doubtful[0]
