"""Recursive filters, in double precision: poles near the unit circle multiply what rounding does.

MLX has double precision on the CPU alone, so all of this is computed there.
"""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import ClampedFilter, RecursiveFilter
from .apply import apply, defines


@defines(RecursiveFilter)
def recursive_filter(op: RecursiveFilter, x: mx.array, a: mx.array, b: mx.array) -> mx.array:
    """A state, the latest outputs, is a matrix times the state before it plus the input as far as ``b`` goes.

    So it is the sum of powers of the matrix times inputs ever earlier: half of the sum is the other half's, later.
    """
    dtype = x.dtype
    a, b = a / a[..., :1], b / a[..., :1]  # in their own precision
    with mx.stream(mx.cpu):
        x, a, b = (array.astype(mx.float64) for array in (x, a, b))
        x = _reversed(x) if op.backward else x
        heard = mx.stack([b[..., k, None] * later(x, k, -1) for k in range(b.shape[-1])]).sum(axis=0)
        y = _recursion(heard, a)
        return (_reversed(y) if op.backward else y).astype(dtype)


def _recursion(x: mx.array, a: mx.array) -> mx.array:
    """``x`` less what ``a`` has of the outputs before."""
    order = a.shape[-1] - 1
    if not order:
        return x
    shifts = mx.broadcast_to(mx.eye(order - 1, order, dtype=mx.float64), (*a.shape[:-1], order - 1, order))
    matrix = mx.concatenate([-a[..., None, 1:], shifts], axis=-2)
    state = mx.stack([x] + [mx.zeros_like(x)] * (order - 1), axis=-1)
    reach = 1
    while reach < x.shape[-1]:
        earlier = later(state, reach, -2)
        # not as a matrix product, whose rounding depends on how many signals there are
        parts = [(earlier * matrix[..., None, row, :]).sum(axis=-1) for row in range(order)]
        state = state + mx.stack(parts, axis=-1)
        matrix, reach = matrix @ matrix, 2 * reach
    return state[..., 0]


def later(x: mx.array, count: int, axis: int) -> mx.array:
    """``x [...]``, later by so many samples along an axis; before them there is silence."""
    length = x.shape[axis]
    count = min(count, length)
    silence, heard = mx.split(x, [length - count], axis=axis)[::-1]
    return mx.concatenate([mx.zeros_like(silence), heard], axis=axis)


def _reversed(x: mx.array) -> mx.array:
    return x[..., ::-1]


@defines(ClampedFilter)
def clamped_filter(op: ClampedFilter, x: mx.array, a: mx.array, b: mx.array) -> mx.array:
    """The filter's result, clamped."""
    return mx.clip(apply(op.filter, x, a, b), -1, 1)
