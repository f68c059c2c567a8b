"""Recursive filters along the rows of NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import ClampedFilter, RecursiveFilter
from .recursion import NEAR, filter_rows
from .runtime.layout import streams
from .runtime.memory import address_of, address_to_write, advised, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES, lanes

Array = npt.NDArray[Any]
# all is computed in double precision: poles near the unit circle multiply what rounding does
_REAL = np.float64(1)
_LANES = lanes(8)
# samples of a row that are filtered at once
_BLOCK = 128


def _apart(rows: Array) -> int:
    """Bytes from each row of ``rows [batch, filters, T]`` to the next; 0 where they differ."""
    batch, filters, _ = rows.shape
    if filters == 1:
        return rows.strides[0]
    return rows.strides[1] if batch == 1 or rows.strides[0] == filters * rows.strides[1] else 0


def recursive_filter(
    op: RecursiveFilter, x: Array, a: Array, b: Array, *, out: Array | None, precise: bool, limit: float = np.inf
) -> Array:
    """Filter ``x [..., T]``, or ``[..., filters, T]`` where coefficients ``a`` and ``b`` are of several filters."""
    if precise:
        x, a, b = x.astype(np.float64), a.astype(np.float64), b.astype(np.float64)
    filters, length, number = (len(a) if a.ndim > 1 else 1), x.shape[-1], x.dtype.type
    direct = out is not None and out.flags.behaved and out.dtype == x.dtype
    y = advised(out if direct and out is not None else np.empty(x.shape, x.dtype))
    rows, to = streams(x, filters), y.reshape(-1, filters, length)
    if not np.may_share_memory(to, y):
        y = to = np.empty(rows.shape, x.dtype)
    if op.backward:
        rows, to = rows[..., ::-1], to[..., ::-1]
    feedback, feedforward = np.ascontiguousarray(a), np.ascontiguousarray(b)
    inputs, outputs, size = b.shape[-1] - 1, a.shape[-1] - 1, x.itemsize
    far = max(inputs, outputs, NEAR) + 1
    block = max(_BLOCK, -(-far // CHUNK) * CHUNK)
    signal, result = (address_of(rows), *rows.strides, _apart(rows)), (address_to_write(to), *to.strides, _apart(to))
    shape = (len(rows) * filters, filters, length)
    coefficients = (address_of(feedback), outputs, address_of(feedforward), inputs)
    before, room = VECTOR_BYTES * far, padded(size * block)
    history = before + VECTOR_BYTES * (block + 1)
    sizes = (VECTOR_BYTES * (2 * far + 1), history, history, VECTOR_BYTES, _LANES * room, _LANES * room)
    largest = float(np.finfo(number).max) ** (2 if size == 4 else 1)

    def work(first: int, last: int) -> None:
        taps, earlier, later, *others, _memory = workspace.pieces(sizes)
        filter_rows(
            _REAL, number(1), size, signal, result, shape, coefficients, limit, largest, block, _LANES, first, last,
            (taps, earlier + before, later + before, *others, room),
        )  # fmt: skip

    groups = -(-shape[0] // _LANES)
    share(work, groups, 1, _LANES * length * (1 + (inputs + outputs) // 8), (rows, to, feedback, feedforward))
    if out is None:
        return y.reshape(x.shape)
    if out is not y:
        out[...] = y.reshape(x.shape)
    return out


def clamped_filter(op: ClampedFilter, x: Array, a: Array, b: Array, *, out: Array | None, precise: bool) -> Array:
    """The same, clamped to magnitudes up to 1."""
    return recursive_filter(op.filter, x, a, b, out=out, precise=precise, limit=1.0)


RUN = {RecursiveFilter: recursive_filter, ClampedFilter: clamped_filter}
