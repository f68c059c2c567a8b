"""Frames of NumPy arrays less their sliding means, by sums that frames enter and leave."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import SlidingNormalization
from ...design.windows_in_time import bounds
from .runtime.compile import kernel
from .runtime.memory import advised
from .runtime.threads import share

Array = npt.NDArray[Any]


@kernel
def normalize(x, starts, ends, scaled, rounding, y, sums, squares, first, last):
    """Normalize the features of signals ``x [signals, frames, features]`` from ``first`` up to ``last``.

    Args:
        starts, ends: Of each frame's window.
        rounding: Of a mean of squares, what a variance has to exceed.
        sums, squares: Room for a window's, in double precision, ``[signals, features]``.
    """
    _, frames, features = x.shape
    for i in range(first, last):
        total, energy = sums[i], squares[i]
        total[:] = 0
        energy[:] = 0
        start, end = 0, 0
        for n in range(frames):
            if starts[n] > start:
                for k in range(features):
                    value = np.float64(x[i, start, k])
                    total[k] -= value
                    energy[k] -= value * value
                start += 1
            while end < ends[n]:
                for k in range(features):
                    value = np.float64(x[i, end, k])
                    total[k] += value
                    energy[k] += value * value
                end += 1
            count = end - start
            for k in range(features):
                mean = total[k] / count
                left = x[i, n, k] - mean
                if scaled and count > 1:
                    square = energy[k] / count
                    variance = square - mean * mean
                    left = left / np.sqrt(variance) if variance > rounding * square else np.nan
                elif scaled:
                    left = 0.0
                y[i, n, k] = left


def sliding_normalization(op: SlidingNormalization, x: Array, *, out: Array | None, precise: bool) -> Array:
    """Normalize ``x [..., N, F]``."""
    op.check(x.shape)
    values = np.ascontiguousarray(x, np.float64 if precise else x.dtype)
    direct = out is not None and out.flags.carray and out.dtype == values.dtype
    y = advised(out if direct and out is not None else np.empty(x.shape, values.dtype))
    signals = values.reshape(-1, *x.shape[-2:])
    target, room = y.reshape(signals.shape), np.empty((2, len(signals), x.shape[-1]))
    rounding = x.shape[-2] * float(np.finfo(values.dtype).eps)
    starts, ends = bounds(x.shape[-2], op.window, op.least, op.centred)

    def work(first: int, last: int) -> None:
        normalize(signals, starts, ends, op.scaled, rounding, target, *room, first, last)

    share(work, len(signals), 1, 4 * x.shape[-2] * x.shape[-1], (signals, target, room))
    if out is None:
        return y
    if not direct:
        out[...] = y
    return out


RUN = {SlidingNormalization: sliding_normalization}
