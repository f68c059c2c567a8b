"""Per-channel energy normalization of NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy
from .runtime import elementary
from .runtime.compile import inner, kernel
from .runtime.layout import Ordered
from .runtime.memory import address_of, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, operation

Array = npt.NDArray[Any]
# rows that are followed at once
_TOGETHER = 8


@kernel
def smooth_rows(x, b, state, row, first, last, out):
    """Columns from ``first`` up to ``last`` of what follows ``x[row] [N, columns]`` with a memory of one frame."""
    for k in range(first, last):
        out[row, 0, k] = b * x[row, 0, k] + state
    for n in range(1, x.shape[1]):
        for k in range(first, last):
            out[row, n, k] = b * x[row, n, k] + (1.0 - b) * out[row, n - 1, k]


@kernel
def smooth_side_by_side(x, b, state, first, last, out):
    """Rows from ``first`` up to ``last`` of what follows ``x [rows, N]``, some at once, for none waits for another."""
    for row in range(first, last, _TOGETHER):
        end = min(row + _TOGETHER, last)
        for k in range(row, end):
            out[k, 0] = b * x[k, 0] + state
        for n in range(1, x.shape[1]):
            for k in range(row, end):
                out[k, n] = b * x[k, n] + (1.0 - b) * out[k, n - 1]


def _compression(rooted: bool) -> Any:
    @operation("values", "smoothed", "scale:real", "eps:real", "gain:real", "share:real", "power:real")
    def compress(kit: Kit, values: Any, smoothed: Any, scale: Any, eps: Any, gain: Any, share: Any, power: Any) -> None:
        """A vector of values, by what they are smoothed to, in whose place the result is put."""
        scale, eps, gain, share, power = map(kit.spread, (scale, eps, gain, share, power))
        quiet = elementary.exp(-(gain * elementary.log(kit.load(smoothed) + eps)))
        raised = kit.load(values) * quiet * share
        if rooted:
            one = kit.constant(1.0)
            # the root of 1 + raised, less 1
            grown = raised / (one + elementary.sqrt(one + raised))
        else:
            grown = elementary.exp_minus_one(power * elementary.log_plus_one(raised))
        kit.store(scale * grown, smoothed)

    return compress


compress_by_root, compress_by_power = _compression(True), _compression(False)


@inner
def compress_vector(real, values, smoothed, numbers):
    """See :func:`compress_values`."""
    scale, eps, gain, share, power = numbers
    if power == 0.5:
        compress_by_root(real, real, values, smoothed, scale, eps, gain, share, power)
    else:
        compress_by_power(real, real, values, smoothed, scale, eps, gain, share, power)


@kernel
def compress_values(real, values, smoothed, numbers, first, last, lanes, spare):
    """Compress values from ``first`` up to ``last``.

    Args:
        numbers: ``(scale, eps, gain, share, power)``.
    """
    end = last - (last - first) % lanes
    for i in range(first, end, lanes):
        compress_vector(real, values + 8 * i, smoothed + 8 * i, numbers)
    if end < last:
        left, room = 8 * (last - end), spare + 8 * lanes
        copy(real, real, spare, values + 8 * end, left)
        copy(real, real, room, smoothed + 8 * end, left)
        compress_vector(real, spare, room, numbers)
        copy(real, real, smoothed + 8 * end, room, left)


def _smoothed(x: Array, b: float, state: float) -> Array:
    """What follows ``x [outer, N, inner]`` along its axis in the middle."""
    out = advised(np.empty(x.shape))
    outer, frames, columns = x.shape
    if columns == 1:
        rows, to = x[..., 0], out[..., 0]
        share(
            lambda first, last: smooth_side_by_side(rows, b, state, first, last, to), outer, _TOGETHER, frames, (x, out)
        )
        return out

    def follow(first: int, last: int) -> None:
        for row in range(outer):
            smooth_rows(x, b, state, row, first, last, out)

    share(follow, columns, 8, outer * frames, (x, out))
    return out


def normalized_energies(
    x: Array, b: float, state: float, eps: float, gain: float, bias: float, power: float, axis: int
) -> Array:
    """Energies over what they are smoothed to along an axis, and compressed: float64, laid out as they are.

    ``(x / (eps + m) ** gain + bias) ** power - bias ** power``, where ``m`` follows ``x`` by
    ``m[n] = (1 - b) m[n - 1] + b x[n]``. See Y. Wang et al., "Trainable frontend for robust and far-field keyword
    spotting", ICASSP 2017.

    Args:
        x: float32 or float64, finite and not negative.
        state: What is added to ``b x[0]``.
    """
    ordered = Ordered.of(x, axis)
    values = ordered.values.astype(np.float64)
    out = _smoothed(values, b, state)
    numbers = tuple(map(float, (bias**power, eps, gain, 1.0 / bias, power)))
    lanes, source, to = VECTOR_BYTES // 8, address_of(values), address_of(out)

    def work(first: int, last: int) -> None:
        spare, _memory = workspace.pieces((4 * VECTOR_BYTES,))
        compress_values(np.float64(1), source, to, numbers, first, last, lanes, spare)

    share(work, values.size, lanes, 16, (values, out))
    return ordered.back(out)
