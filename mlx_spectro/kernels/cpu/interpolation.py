"""Linear interpolation along an axis of NumPy arrays, at places that all other indices share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import kernel
from .runtime.memory import advised
from .runtime.threads import share

Array = npt.NDArray[Any]


@kernel
def interpolate_rows(x, low, part, fill, first, last, out):
    """Rows from ``first`` up to ``last`` of ``out``, each between two neighbouring rows of ``x``."""
    for k in range(first, last):
        i, s = low[k], part[k]
        if i < 0:
            for n in range(x.shape[1]):
                out[k, n] = fill
        else:
            for n in range(x.shape[1]):
                before = np.float64(x[i, n])
                out[k, n] = before + s * (np.float64(x[i + 1, n]) - before)


@kernel
def interpolate_within_rows(x, low, part, fill, first, last, out):
    """Values between neighbouring ones of each row from ``first`` up to ``last``."""
    for row in range(first, last):
        for k in range(low.size):
            i = low[k]
            if i < 0:
                out[row, k] = fill
            else:
                before = np.float64(x[row, i])
                out[row, k] = before + part[k] * (np.float64(x[row, i + 1]) - before)


@kernel
def weigh_rows(x, low, part, weights, fill, peaks, first, last, out):
    """Sums over harmonics ``[harmonics, rows]`` of weighed values between rows; ``fill`` where ``x`` has no peak."""
    for row in range(first, last):
        for n in range(x.shape[1]):
            out[row, n] = 0.0
        for h in range(weights.size):
            i, s, weight = low[h, row], part[h, row], weights[h]
            if i >= 0:
                for n in range(x.shape[1]):
                    before = np.float64(x[i, n])
                    out[row, n] += weight * (before + s * (np.float64(x[i + 1, n]) - before))
        if peaks:
            if 0 < row < x.shape[0] - 1:
                for n in range(x.shape[1]):
                    here = x[row, n]
                    if not (here > x[row - 1, n] and here > x[row + 1, n]):
                        out[row, n] = fill
            else:
                for n in range(x.shape[1]):
                    out[row, n] = fill


def places(at: Array, grid: Array) -> tuple[Array, Array]:
    """Places before numbers ``at`` in an ascending ``grid``, -1 beyond it, and how near they are to the next ones."""
    low = np.clip(np.searchsorted(grid, at), 1, grid.size - 1) - 1
    part = (at - grid[low]) / (grid[low + 1] - grid[low])
    beyond = ~((at >= grid[0]) & (at <= grid[-1]))
    low[beyond], part[beyond] = -1, 0
    return low, part


def _values(x: Array) -> Array:
    """``x`` in C's order, as compiled code takes it."""
    values = np.ascontiguousarray(x)
    return values if values.flags.writeable and values.flags.aligned else values.copy()


def interpolate(x: Array, at: Array, grid: Array, fill: float, out: Array) -> None:
    """Values ``[K, ...]`` of ``x [F, ...]`` at ``at [K]``, of which ``grid [F]`` ascends, to ``out`` in any order.

    Args:
        x: float32 or float64; computed in double precision.
        fill: What stands beyond the grid.
    """
    low, part = places(at, grid)
    columns = x.size // len(x)
    if x.ndim > 1 and out.T.flags.c_contiguous and x.T.flags.c_contiguous:
        rows, target = _values(x.T).reshape(columns, -1), advised(out.T).reshape(columns, -1)
        share(
            lambda first, last: interpolate_within_rows(rows, low, part, fill, first, last, target),
            columns, 1, at.size, (rows, target),
        )  # fmt: skip
        return
    rows = _values(x).reshape(-1, columns)
    made = advised(out if out.flags.c_contiguous else np.empty(out.shape))
    target = made.reshape(-1, columns)
    share(
        lambda first, last: interpolate_rows(rows, low, part, fill, first, last, target), at.size, 1, columns,
        (rows, target),
    )  # fmt: skip
    if made is not out:
        out[...] = made


def interpolate_apart(x: Array, at: Array, grid: Array, fill: float) -> Array:
    """Values ``[..., N, K]`` of ``x [..., N, F]`` at places of each row's own, ``at [..., N, K]`` or ``[N, K]``."""
    low, part = places(at, grid)
    low, part = (np.broadcast_to(one, (*x.shape[:-1], at.shape[-1])) for one in (low, part))
    before, after = (np.take_along_axis(x, np.maximum(low + step, 0), axis=-1).astype(np.float64) for step in (0, 1))
    after -= before
    after *= part
    after += before
    after[low < 0] = fill
    return after


def weighed_harmonics(x: Array, at: Array, grid: Array, weights: Array, fill: float | None) -> Array:
    """Weighed sums ``[F, ...]`` of ``x [F, ...]`` at ``at [harmonics, F]``; beyond ``grid [F]`` it is 0.

    Args:
        weights: ``[harmonics]``.
        fill: What stands where ``x`` is no larger than both its neighbours; None for sums everywhere.

    Returns:
        float64, in C's order.
    """
    low, part = places(at, grid)
    rows = _values(x).reshape(len(x), -1)
    out = advised(np.empty(rows.shape))
    share(
        lambda first, last: weigh_rows(rows, low, part, weights, fill or 0.0, fill is not None, first, last, out),
        len(x), 1, rows.shape[1] * len(weights), (rows, out),
    )  # fmt: skip
    return out.reshape(x.shape)
