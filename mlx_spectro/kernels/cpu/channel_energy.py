"""Per-channel energy normalization of NumPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy
from .runtime import elementary
from .runtime.compile import kernel
from .runtime.memory import address_of, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, operation

Array = npt.NDArray[Any]


@kernel
def smooth_rows(x, b, state, first, last, out):
    """Columns from ``first`` up to ``last`` of what follows ``x [N, columns]`` with a memory of one frame."""
    for n in range(x.shape[0]):
        for k in range(first, last):
            before = state if n == 0 else (1.0 - b) * out[n - 1, k]
            out[n, k] = b * x[n, k] + before


@operation("values", "smoothed", "scale:real", "start:real", "slope:real", "gain:real", "share:real", "power:real")
def compress(
    kit: Kit, values: Any, smoothed: Any, scale: Any, start: Any, slope: Any, gain: Any, share: Any, power: Any
) -> None:
    """A vector of values, by what they are smoothed to, in whose place the result is put."""
    scale, start, slope, gain, share, power = map(kit.spread, (scale, start, slope, gain, share, power))
    level = start + elementary.log_plus_one(kit.load(smoothed) * slope)
    quiet = elementary.exp(-(gain * level))
    raised = elementary.log_plus_one(kit.load(values) * quiet * share)
    kit.store(scale * elementary.exp_minus_one(power * raised), smoothed)


@kernel
def compress_values(real, values, smoothed, numbers, first, last, lanes, spare):
    """Values from ``first`` up to ``last``; see :func:`compress`."""
    scale, start, slope, gain, share, power = numbers
    end = last - (last - first) % lanes
    for i in range(first, end, lanes):
        compress(real, real, values + 8 * i, smoothed + 8 * i, scale, start, slope, gain, share, power)
    if end < last:
        left, room = 8 * (last - end), spare + 8 * lanes
        copy(real, real, spare, values + 8 * end, left)
        copy(real, real, room, smoothed + 8 * end, left)
        compress(real, real, spare, room, scale, start, slope, gain, share, power)
        copy(real, real, smoothed + 8 * end, room, left)


def normalized_energies(x: Array, b: float, state: float, eps: float, gain: float, bias: float, power: float) -> Array:
    """Energies ``[N, channels]`` over what they are smoothed to, and compressed, in float64.

    ``(x / (eps + m) ** gain + bias) ** power - bias ** power``, where ``m`` follows ``x`` by
    ``m[n] = (1 - b) m[n - 1] + b x[n]``. See Y. Wang et al., "Trainable frontend for robust and far-field keyword
    spotting", ICASSP 2017.

    Args:
        x: float32 or float64, finite and not negative.
        state: What is added to ``b x[0]``.
    """
    values = np.array(x, np.float64, order="C")
    out = advised(np.empty(values.shape))
    share(lambda first, last: smooth_rows(values, b, state, first, last, out), values.shape[1], 8, len(values), values)
    numbers = (bias**power, math.log(eps), 1.0 / eps, gain, 1.0 / bias, power)
    lanes, source, to = VECTOR_BYTES // 8, address_of(values), address_of(out)

    def work(first: int, last: int) -> None:
        spare, _memory = workspace.pieces((4 * VECTOR_BYTES,))
        compress_values(np.float64(1), source, to, numbers, first, last, lanes, spare)

    share(work, values.size, lanes, 16, (values, out))
    return out
