"""The lags at which frames of NumPy arrays are most like what comes after them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime import elementary
from .runtime.compile import inner, kernel
from .runtime.memory import address_of
from .runtime.threads import share
from .runtime.vector import Kit, lanes, operation

Array = npt.NDArray[Any]
# sums are in double precision, of so many vectors of lags at once
_REAL, _GROUP = np.float64(1), 4
_LANES = lanes(8)
# what is added to the norm of a frame
_FLOOR = 1e-9


@operation("frame", "size", "groups", "values")
def correlate(kit: Kit, frame: Any, size: Any, groups: Any, values: Any) -> None:
    """Sums of a frame's samples times those a lag later, over these ones' energies, for lags from 1 on."""
    with kit.loop(groups) as group:
        here = kit.times(group, _GROUP * kit.step)
        sums = [(kit.variable(), kit.variable()) for _ in range(_GROUP)]
        with kit.loop(size) as n:
            at = kit.at(frame, kit.times(n, kit.size))
            sample = kit.broadcast(at)
            for k, (product, energy) in enumerate(sums):
                later = kit.load(kit.at(at, here), kit.size + k * kit.step)
                kit.put(product, later.times_plus(sample, kit.get(product)))
                kit.put(energy, later.times_plus(later, kit.get(energy)))
        for k, (product, energy) in enumerate(sums):
            norm = elementary.sqrt(kit.get(energy)) + kit.constant(_FLOOR)
            kit.store(kit.get(product) / (norm * norm), kit.at(values, here), k * kit.step)


@inner
def largest(values, first, last):
    """Where the largest of some values is, the first of those that are equal."""
    best = first
    for k in range(first + 1, last):
        if values[k] > values[best]:
            best = k
    return best


@kernel
def choose(real, x, size, lags, first, limit, groups, frame, values, addresses, best, begin, end):
    """Choose lags ``best [rows, frames]`` of the frames from ``begin`` up to ``end``, counted through all rows.

    Args:
        limit: Of a frame's energy; one that exceeds it has lag 0.
        frame, values: Scratch memory, and ``addresses`` where it lies.
    """
    frames, length = best.shape[1], x.shape[1]
    for i in range(begin, end):
        row, n = divmod(i, frames)
        start = size * n
        count, energy = min(length - start, size + lags), 0.0
        for k in range(count):
            frame[k] = x[row, start + k]
        frame[count:] = 0.0
        for k in range(size):
            energy += frame[k] * frame[k]
        if not energy <= limit:
            best[row, n] = 0
            continue
        correlate(real, real, addresses[0], size, groups, addresses[1])
        whole, half = largest(values, first, lags), largest(values, first, lags // 2)
        best[row, n] = 1 + (half if values[half] > 0.99 * values[whole] else whole)


def best_lags(x: Array, size: int, lags: int, first: int) -> Array:
    """The lag, in samples, at which each frame's normalised cross-correlation is largest.

    A lag below the middle is taken where it comes within a hundredth. B. S. Atal, "Automatic speaker recognition based
    on pitch contours", JASA 52(6), 1972; the correlation is that of Kaldi's pitch tracker, without its penalties.

    Args:
        x: float32 or float64 ``[rows, T]``; after the end it is 0.
        size: Samples of a frame, and from one to the next.
        lags: The longest lag.
        first: The longest lag that is not looked at, below ``lags // 2``.

    Returns:
        int64 ``[rows, frames]``; 0 for a frame that is not finite, or whose energy the dtype of ``x`` hardly holds.
    """
    rows = np.ascontiguousarray(x)
    best = np.empty((len(rows), -(-rows.shape[1] // size)), np.int64)
    groups = -(-lags // (_GROUP * _LANES))
    # a frame's correlations sum up squares of two
    limit = float(np.finfo(rows.dtype).max) / 4

    def work(begin: int, end: int) -> None:
        values = np.empty(groups * _GROUP * _LANES)
        frame = np.empty(size + values.size)
        addresses = address_of(frame), address_of(values)
        choose(_REAL, rows, size, lags, first, limit, groups, frame, values, addresses, best, begin, end)

    share(work, best.size, 1, size * lags, (rows, best))
    return best
