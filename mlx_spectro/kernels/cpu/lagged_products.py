"""Sums of products of signals, of which one is later, in NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import LaggedProducts
from .bins_to_frames import clear
from .frames import copy, peek, poke
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.layout import streams
from .runtime.memory import address_of, address_to_write, workspace
from .runtime.threads import share
from .runtime.vector import Kit, Vec, lanes, operation

Array = npt.NDArray[Any]
# sums are in double precision
_REAL = np.float64(1)
_LANES = lanes(8)
# samples of a row that are multiplied at once
_PIECE = 512


@operation("target", "source", "count")
def widen(kit: Kit, target: Any, source: Any, count: Any) -> None:
    """Copy ``count`` vectors of stored numbers as those that are computed with."""
    with kit.loop(count) as i:
        there = kit.at(target, kit.times(i, kit.step))
        kit.store(kit.load_stored(kit.at(source, kit.times(i, kit.lanes * kit.stored_size))), there)


@inner
def read(real, stored, size, target, source, stride, count, lanes):
    """Copy ``count`` samples, ``stride`` bytes apart, to the numbers that are computed with."""
    done = 0
    if stride == size:
        done = count // lanes * lanes
        widen(real, stored, target, source, count // lanes)
    for i in range(done, count):
        poke(real, real, target + 8 * i, real * peek(real, stored, source + stride * i))


@operation("x", "y", "count", "lags", "sums")
def add_products(kit: Kit, x: Any, y: Any, count: Any, lags: Any, sums: Any) -> None:
    """Add ``count`` vectors from ``y`` on, times those from ``x`` on and from ever earlier, to a vector a lag."""
    with kit.loop(lags) as k:
        earlier, to = kit.at(x, kit.times(k, -kit.size)), kit.at(sums, kit.times(k, kit.step))

        def product(i: Any, earlier: Any = earlier) -> Vec:
            at = kit.times(i, kit.step)
            return kit.load(kit.at(earlier, at)) * kit.load(kit.at(y, at))

        kit.store(kit.load(to) + kit.total(count, product, 4), to)


@kernel
def multiply_rows(real, stored, size, signal, other, filters, lags, block, lanes, first, last, scratch, result):
    """Lagged products of the rows from ``first`` up to ``last``, ``lags`` numbers a row at ``result``.

    Args:
        signal, other: ``(address, bytes a row of filters, bytes a filter, bytes a sample, length)``.
        scratch: ``(earlier ones, the other's, sums)``; there is room for those before the earlier ones.
    """
    address, batch_bytes, filter_bytes, stride, length = signal
    address_y, batch_y, filter_y, stride_y, length = other
    x, y, sums = scratch
    state = flush_denormals(real, real)
    for i in range(first, last):
        batch, which = divmod(i, filters)
        source, source_y = (
            address + batch_bytes * batch + filter_bytes * which,
            address_y + batch_y * batch + filter_y * which,
        )
        clear(real, real, x - 8 * lags, 8 * lags)
        clear(real, real, sums, 8 * lanes * lags)
        for begin in range(0, length, block):
            count = min(block, length - begin)
            read(real, stored, size, x, source + stride * begin, stride, count, lanes)
            read(real, stored, size, y, source_y + stride_y * begin, stride_y, count, lanes)
            vectors = (count + lanes - 1) // lanes
            clear(real, real, x + 8 * count, 8 * (lanes * vectors - count))
            clear(real, real, y + 8 * count, 8 * (lanes * vectors - count))
            add_products(real, real, x, y, vectors, lags, sums)
            copy(real, real, x - 8 * lags, x + 8 * (block - lags), 8 * lags)
        for k in range(lags):
            total = real - real
            for lane in range(lanes):
                total += peek(real, real, sums + 8 * (lanes * k + lane))
            poke(real, real, result + 8 * (lags * i + k), total)
    restore_state(real, real, state)


def lagged_products(op: LaggedProducts, x: Array, y: Array, *, out: Array | None, precise: bool) -> Array:
    """Sums ``[filters, lags]`` over batch and time of ``x [..., filters, T]``, earlier, times ``y`` of its shape."""
    filters, length, lags = x.shape[-2], x.shape[-1], op.lags
    rows, others = streams(x, filters), streams(y, filters)
    block = max(_PIECE, -(-lags // _LANES) * _LANES)
    signals = [(address_of(array), *array.strides, length) for array in (rows, others)]
    sums = np.empty((len(rows), filters, lags))
    room = 8 * (block + lags + _LANES)
    sizes, to = (room + 8 * lags, room, 8 * _LANES * lags), address_to_write(sums)

    def work(first: int, last: int) -> None:
        earlier, *scratch, _memory = workspace.pieces(sizes)
        multiply_rows(
            _REAL, x.dtype.type(1), x.itemsize, *signals, filters, lags, block, _LANES, first, last,
            (earlier + 8 * lags, *scratch), to,
        )  # fmt: skip

    share(work, len(rows) * filters, 1, length * (1 + lags // 4), (rows, others, sums))
    products: Array = sums.sum(axis=0).astype(np.float64 if precise else x.dtype)
    if out is None:
        return products
    out[...] = products
    return out


RUN = {LaggedProducts: lagged_products}
