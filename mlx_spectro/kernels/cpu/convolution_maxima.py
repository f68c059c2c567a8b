"""The largest of several convolutions of matrices in NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import kernel
from .runtime.memory import address_of, advised
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, operation

Array = npt.NDArray[Any]
_REAL = np.float64(1)
# vectors of a row that share a weight
_TOGETHER = 4
_COLUMNS = _TOGETHER * VECTOR_BYTES // 8


@operation("source", "offsets", "weights", "taps", "largest")
def enlarge(kit: Kit, source: Any, offsets: Any, weights: Any, taps: Any, largest: Any) -> None:
    """Sums of ``taps`` weighed values around some neighbouring ones, where they are larger than what is there."""
    sums = [kit.variable() for _ in range(_TOGETHER)]
    with kit.loop(taps) as i:
        at = kit.times(i, 8)
        weight, place = kit.broadcast(kit.at(weights, at)), kit.at(source, kit.integer(kit.at(offsets, at)))
        for u, total in enumerate(sums):
            kit.put(total, kit.get(total) + kit.load(place, kit.step * u) * weight)
    for u, total in enumerate(sums):
        kit.store(kit.get(total).most(kit.load(largest, kit.step * u)), largest, kit.step * u)


@kernel
def enlarge_rows(real, source, matrix_bytes, row_bytes, rows, groups, group_bytes, filters, first, last, result, width):
    """Rows from ``first`` up to ``last``, counted through all matrices.

    Args:
        filters: ``(offsets in bytes, weights, where each filter's begin)``.
        width: Bytes of a row of the result.
    """
    offsets, weights, begins = filters
    for row in range(first, last):
        matrix, place = divmod(row, rows)
        for group in range(groups):
            at = source + matrix_bytes * matrix + row_bytes * place + group_bytes * group
            for k in range(len(begins) - 1):
                begin = begins[k]
                enlarge(
                    real, real, at, offsets + 8 * begin, weights + 8 * begin, begins[k + 1] - begin,
                    result + width * row + group_bytes * group,
                )  # fmt: skip


def largest_convolution(x: Array, filters: Sequence[Array], least: float | None) -> Array:
    """The largest value of convolutions with ``filters``, of matrices that are mirrored at their edges.

    Args:
        x: float32 or float64 ``[..., M, N]``, no smaller than a filter.
        filters: float64 ``[m, n]``, centred at ``[m // 2, n // 2]``.
        least: What results are no less than.

    Returns:
        In C's order.
    """
    matrices = x.reshape(-1, *x.shape[-2:])
    (count, rows, columns), groups = matrices.shape, -(-x.shape[-1] // _COLUMNS)
    reach = max(max(one.shape) for one in filters) // 2 + 1
    padded = np.pad(matrices, [(0, 0), (reach, reach), (reach, reach)], mode="symmetric")
    # beyond it, the last group of a row reads what it does not need
    room = np.zeros((count, rows + 2 * reach, groups * _COLUMNS + 2 * reach))
    room[..., : columns + 2 * reach] = padded
    offsets, weights, begins = [], [], [0]
    for one in filters:
        # what is a rounding of 0 is left out, as SciPy leaves it out
        turned = one[::-1, ::-1]
        down, right = np.nonzero(np.abs(turned) > np.finfo(np.float64).eps)
        centre = [(size - 1) // 2 for size in one.shape]
        offsets.append((down - centre[0] + reach) * room.strides[-2] + (right - centre[1] + reach) * 8)
        weights.append(turned[down, right])
        begins.append(begins[-1] + len(down))
    places, numbers = np.concatenate(offsets).astype(np.int64), np.ascontiguousarray(np.concatenate(weights))
    result = advised(np.full((count * rows, groups * _COLUMNS), -math.inf if least is None else least))
    where = (address_of(places), address_of(numbers), np.array(begins))

    def work(first: int, last: int) -> None:
        enlarge_rows(
            _REAL, address_of(room), room.strides[0], room.strides[1], rows, groups, 8 * _COLUMNS, where, first, last,
            address_of(result), result.strides[0],
        )  # fmt: skip

    share(work, count * rows, 1, columns * (begins[-1] // 8 + 1), (room, places, numbers, result))
    return np.ascontiguousarray(result[:, :columns].reshape(x.shape), x.dtype)
