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
_REAL, _GROUP = np.float64(1), 8
_LANES = lanes(8)
# what is added to the norm of a frame
_FLOOR = 1e-9


@operation("frame", "size", "groups", "energies", "values")
def correlate(kit: Kit, frame: Any, size: Any, groups: Any, energies: Any, values: Any) -> None:
    """Sums of a frame's samples times those a lag later, over these ones' energies, for lags from 1 on."""
    with kit.loop(groups) as group:
        here = kit.times(group, _GROUP * kit.step)
        sums = [kit.variable() for _ in range(_GROUP)]
        for total in sums:
            kit.put(total, kit.constant(0.0))
        with kit.loop(size) as n:
            at = kit.at(frame, kit.times(n, kit.size))
            sample = kit.broadcast(at)
            for k, total in enumerate(sums):
                later = kit.load(kit.at(at, here), kit.size + k * kit.step)
                kit.put(total, later.times_plus(sample, kit.get(total)))
        for k, total in enumerate(sums):
            norm = elementary.sqrt(kit.load(kit.at(energies, here), kit.size + k * kit.step)) + kit.constant(_FLOOR)
            kit.store(kit.get(total) / (norm * norm), kit.at(values, here), k * kit.step)


@inner
def sum_squares(frame, size, energies, some, others):
    """Sums of so many squares from each sample on, by sums of 1, 2, 4, ... of them: alike wherever samples are."""
    count = len(energies)
    energies[:] = 0.0
    for k in range(len(frame)):
        some[k] = frame[k] * frame[k]
    done, width = 0, 1
    while width <= size:
        if size & width:
            for k in range(count):
                energies[k] += some[done + k]
            done += width
        for k in range(len(frame) - 2 * width + 1):
            others[k] = some[k] + some[k + width]
        some, others = others, some
        width *= 2


@inner
def largest(values, best, first, last):
    """Where the largest of some values is, ``best`` if none of the others is larger."""
    for k in range(first, last):
        if values[k] > values[best]:
            best = k
    return best


@kernel
def choose(real, x, size, lags, first, limits, groups, room, addresses, best, begin, end):
    """Choose lags ``best [rows, frames]`` of the frames from ``begin`` up to ``end``, counted through all rows.

    Args:
        limits: Of a frame's energy; one that is not 0 and not between them has lag 0.
        room: Scratch memory for ``(a frame and what follows, energies, correlations, sums, sums)``, and ``addresses``
            of the first three.
    """
    frame, energies, values, some, others = room
    frames, length = best.shape[1], x.shape[1]
    for i in range(begin, end):
        row, n = divmod(i, frames)
        start = size * n
        count = min(length - start, size + lags)
        for k in range(count):
            frame[k] = x[row, start + k]
        frame[count:] = 0.0
        sum_squares(frame, size, energies, some, others)
        if energies[0] != 0 and not limits[0] <= energies[0] <= limits[1]:
            best[row, n] = 0
            continue
        correlate(real, real, addresses[0], size, groups, addresses[1], addresses[2])
        half = largest(values, first, first, lags // 2)
        whole = largest(values, half, lags // 2, lags)
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
    # a frame's correlations sum up squares of two; of smaller ones, the dtype of ``x`` holds not all digits
    numbers = np.finfo(rows.dtype)
    limits = float(numbers.tiny / numbers.eps), float(numbers.max) / 4

    def work(begin: int, end: int) -> None:
        count = groups * _GROUP * _LANES
        room = tuple(map(np.empty, (size + count, 1 + count, count, size + count, size + count)))
        addresses = tuple(map(address_of, room[:3]))
        choose(_REAL, rows, size, lags, first, limits, groups, room, addresses, best, begin, end)

    share(work, best.size, 1, size * lags, (rows, best))
    return best


def lower_medians(x: Array, window: int) -> Array:
    """Of so many values of ``x [rows, N]``, the middle one, of two the lower; the first stands before itself, too.

    Returns:
        ``[rows, N + (window - 1) // 2 - window + 1]``.
    """
    middle = (window - 1) // 2
    longer = np.pad(x, [(0, 0), (middle, 0)], "edge")
    windows = np.lib.stride_tricks.sliding_window_view(longer, window, axis=-1)
    medians: Array = np.partition(windows, middle, axis=-1)[..., middle]
    return medians
