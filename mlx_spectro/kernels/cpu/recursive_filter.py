"""Recursive filters along the rows of NumPy arrays, a group of neighbouring samples at a time.

A group's outputs are a product of a matrix, the impulse response in its diagonals, and the group's inputs, and of the
responses to the inputs and outputs before it. So a sample waits for those of the group before, not for its neighbour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import ClampedFilter, LaggedProducts, RecursiveFilter
from .bins_to_frames import clear
from .frames import copy, peek, poke
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.memory import address_of, address_to_write, advised, workspace
from .runtime.threads import share
from .runtime.vector import Kit, Vec, lanes, operation

Array = npt.NDArray[Any]
# all is computed in double precision: poles near the unit circle multiply what rounding does
_REAL = np.float64(1)
# vectors of a group, samples of a group and of a block
_VECTORS = 2
_GROUP = _VECTORS * lanes(8)
_BLOCK = 512


@operation("source", "target", "count")
def widen(kit: Kit, source: Any, target: Any, count: Any) -> None:
    """Copy ``count`` vectors of stored numbers as those that are computed with."""
    with kit.loop(count) as i:
        kit.store(
            kit.load_stored(kit.at(source, kit.times(i, kit.lanes * kit.stored_size))),
            kit.at(target, kit.times(i, kit.step)),
        )


@operation("x", "y", "target", "groups", "table", "inputs", "outputs", "limit:real", "sums")
def filter_groups(
    kit: Kit, x: Any, y: Any, target: Any, groups: Any, table: Any, inputs: Any, outputs: Any, limit: Any, sums: Any
) -> None:
    """Filter groups of samples from ``x`` on to ``y``, and clamped to ``target``; both have a history before them.

    Args:
        table: Of :func:`respond`.
        inputs, outputs: How many earlier ones there are responses to.
        limit: Of magnitudes at ``target``.
        sums: Where to put a vector of sums of squares of the outputs.
    """
    size, group = kit.size, _VECTORS * kit.step
    high = kit.spread(limit)
    low, squares = -high, kit.variable()
    # the impulse response, later by more and more samples, beginning a vector early
    shifted = [kit.load(table, 2 * group - kit.step - size * j) for j in range(_VECTORS * kit.lanes)]
    responses = kit.at(table, 2 * group)

    with kit.loop(groups) as g:
        first = kit.times(g, group)
        here, there = kit.at(x, first), kit.at(y, first)
        terms: list[list[Vec]] = [[] for _ in range(_VECTORS)]
        for j in range(_VECTORS * kit.lanes):
            sample = kit.broadcast(here, size * j)
            for v in range(j // kit.lanes, _VECTORS):
                terms[v].append(sample * shifted[j + kit.lanes * (_VECTORS - 1 - v)])
        found = [kit.variable() for _ in terms]
        for vector, products in zip(found, terms, strict=True):
            # two sums that take turns: neither waits for itself
            halves = []
            for half in (products[::2], products[1::2]):
                total = half[0]
                for product in half[1:]:
                    total = total + product
                halves.append(total)
            kit.put(vector, halves[0] + halves[1])

        def respond_to(earlier: Any, count: Any, rows: Any, found: Any = found) -> None:
            # the latest, which is the last to be known, comes last
            with kit.loop(count) as i:
                k = kit.builder.sub(count, i)
                sample = kit.broadcast(kit.at(earlier, kit.times(k, -size)))
                row = kit.at(rows, kit.times(kit.at(k, -1), group))
                for v, vector in enumerate(found):
                    kit.put(vector, kit.get(vector) + sample * kit.load(row, kit.step * v))

        respond_to(here, inputs, responses)
        respond_to(there, outputs, kit.at(responses, kit.times(inputs, group)))
        for v, vector in enumerate(map(kit.get, found)):
            kit.store(vector, there, kit.step * v)
            kit.put(squares, kit.get(squares) + vector * vector)
            limited = vector.where("ogt", high, high, vector)
            limited = limited.where("olt", low, low, limited)
            place = kit.at(kit.times(g, _VECTORS * kit.lanes * kit.stored_size), kit.lanes * kit.stored_size * v)
            kit.store_stored(limited, kit.at(target, place))
    kit.store(kit.get(squares), sums)


@inner
def normalize(real, stored, size, a, feedback, outputs, b, feedforward, inputs):
    """Coefficients of a filter over its feedback's first, divided in their own precision."""
    first = peek(real, stored, feedback)
    for k in range(outputs):
        poke(real, real, a + 8 * k, real * (peek(real, stored, feedback + size * k) / first))
    for k in range(inputs):
        poke(real, real, b + 8 * k, real * (peek(real, stored, feedforward + size * k) / first))


@inner
def respond(real, table, group, a, outputs, b, inputs):
    """Fill a table with ``group`` outputs of a filter at rest but for one number that is 1.

    First zeros, then that number is the first input, and then each earlier input and each earlier output, the latest
    first.
    """
    clear(real, real, table, 8 * group)
    for row in range(1 + inputs + outputs):
        made = table + 8 * group * (row + 1)
        for t in range(group):
            value = real - real
            if row <= inputs:
                if t + row <= inputs:
                    value = peek(real, real, b + 8 * (t + row))
            elif t + row - inputs <= outputs:
                value = -peek(real, real, a + 8 * (t + row - inputs))
            for k in range(1, min(t, outputs) + 1):
                value -= peek(real, real, a + 8 * k) * peek(real, real, made + 8 * (t - k))
            poke(real, real, made + 8 * t, value)


@operation("value:real", returns="real")
def rounded(kit: Kit, value: Any) -> Any:
    """``value`` as it is when it has been stored."""
    if kit.stored_size == kit.size:
        return value
    return kit.builder.fpext(kit.builder.fptrunc(value, kit.stored), kit.element)


@inner
def filter_singly(real, stored, size, x, y, target, count, a, outputs, b, inputs, limit):
    """What :func:`filter_groups` does, but a sample at a time, rounded as if stored: so nothing is finite that is not.

    An output that is not finite spoils all after it, and a number too large for the memory is not finite.
    """
    for t in range(count):
        value = real - real
        for k in range(inputs + 1):
            value += peek(real, real, b + 8 * k) * peek(real, real, x + 8 * (t - k))
        value = rounded(real, stored, value)
        poke(real, real, y + 8 * t, real - real)
        for k in range(outputs, -1, -1):
            value -= peek(real, real, a + 8 * k) * peek(real, real, y + 8 * (t - k))
        value = rounded(real, stored, value)
        poke(real, real, y + 8 * t, value)
        if value > limit:
            value = limit
        if value < -limit:
            value = -limit
        poke(real, stored, target + size * t, value)


@inner
def read(real, stored, size, target, source, stride, count, lanes):
    """Copy ``count`` samples, ``stride`` bytes apart, to the numbers that are computed with."""
    done = 0
    if stride == size:
        done = count // lanes * lanes
        widen(real, stored, source, target, count // lanes)
    for i in range(done, count):
        poke(real, real, target + 8 * i, real * peek(real, stored, source + stride * i))


@inner
def write(real, stored, size, target, stride, source, count):
    """Copy ``count`` stored samples that lie side by side to where they are ``stride`` bytes apart."""
    if stride == size:
        copy(real, stored, target, source, size * count)
    else:
        for i in range(count):
            poke(real, stored, target + stride * i, peek(real, stored, source + size * i))


@kernel
def filter_rows(real, stored, size, signal, result, filters, coefficients, limit, largest, block, first, last, scratch):
    """Filter the rows from ``first`` up to ``last``, each by the next of the filters in turn.

    Args:
        signal: ``(address, bytes a row of filters, bytes a filter, bytes a sample, length)``.
        result: The same of the result, but for its length.
        filters: How many there are.
        coefficients: ``(feedback, its order, feedforward, its order)`` as they are stored, those of all filters side by
            side.
        limit: Of the result's magnitudes.
        largest: The sum of squares above which an output may be too large for memory.
        scratch: ``(table, inputs, outputs, feedback, feedforward, results, sums)``; before inputs and outputs is room
            for those before them.
    """
    address, batch_bytes, filter_bytes, stride, length = signal
    to, to_batch, to_filter, to_stride = result
    feedback, outputs, feedforward, inputs = coefficients
    table, x, y, a, b, spare, sums = scratch
    lanes, group = _GROUP // _VECTORS, _GROUP
    state = flush_denormals(real, real)
    for i in range(first, last):
        batch, which = divmod(i, filters)
        if i == first or filters > 1:
            normalize(
                real,
                stored,
                size,
                a,
                feedback + size * (outputs + 1) * which,
                outputs + 1,
                b,
                feedforward + size * (inputs + 1) * which,
                inputs + 1,
            )
            respond(real, table, group, a, outputs, b, inputs)
        source, target = address + batch_bytes * batch + filter_bytes * which, to + to_batch * batch + to_filter * which
        clear(real, real, x - 8 * inputs, 8 * inputs)
        clear(real, real, y - 8 * outputs, 8 * outputs)
        for begin in range(0, length, block):
            count = min(block, length - begin)
            read(real, stored, size, x, source + stride * begin, stride, count, lanes)
            groups = (count + group - 1) // group
            clear(real, real, x + 8 * count, 8 * (group * groups - count))
            there = target + to_stride * begin
            direct = to_stride == size and count == group * groups
            made = there if direct else spare
            squares = real - real
            # where all of double precision is wanted, a group's rounding is more than that of its samples
            singly = size == 8
            if not singly:
                filter_groups(real, stored, x, y, made, groups, table, inputs, outputs, limit, sums)
                for lane in range(lanes):
                    squares += peek(real, real, sums + 8 * lane)
                singly = not squares <= largest
            if singly:
                filter_singly(real, stored, size, x, y, made, count, a, outputs, b, inputs, limit)
            if not direct:
                write(real, stored, size, there, to_stride, made, count)
            if count == block:
                copy(real, real, x - 8 * inputs, x + 8 * (block - inputs), 8 * inputs)
                copy(real, real, y - 8 * outputs, y + 8 * (block - outputs), 8 * outputs)
    restore_state(real, real, state)


def _streams(x: Array, filters: int) -> Array:
    """``x [..., T]`` as ``[batch, filters, T]``, a view where its strides allow."""
    rows = x.reshape(-1, filters, x.shape[-1])
    return rows if rows.flags.aligned else rows.copy()


def recursive_filter(
    op: RecursiveFilter, x: Array, a: Array, b: Array, *, out: Array | None, precise: bool, limit: float = np.inf
) -> Array:
    """Filter ``x [..., T]``, or ``[..., filters, T]`` where coefficients ``a`` and ``b`` are of several filters."""
    if precise:
        x, a, b = x.astype(np.float64), a.astype(np.float64), b.astype(np.float64)
    filters, length, number = (len(a) if a.ndim > 1 else 1), x.shape[-1], x.dtype.type
    direct = out is not None and out.flags.behaved and out.dtype == x.dtype
    made = advised(out if direct and out is not None else np.empty(x.shape, x.dtype))
    rows, to = _streams(x, filters), made.reshape(-1, filters, length)
    if not np.may_share_memory(to, made):
        made = to = np.empty(rows.shape, x.dtype)
    if op.backward:
        rows, to = rows[..., ::-1], to[..., ::-1]
    feedback, feedforward = np.ascontiguousarray(a), np.ascontiguousarray(b)
    inputs, outputs, size = b.shape[-1] - 1, a.shape[-1] - 1, x.itemsize
    block = max(_BLOCK, _GROUP * -(-max(inputs, outputs) // _GROUP))
    signal = (address_of(rows), *rows.strides, length)
    result = (address_to_write(to), *to.strides)
    coefficients = (address_of(feedback), outputs, address_of(feedforward), inputs)
    before = 8 * (max(inputs, outputs) + _GROUP)
    rooms = 8 * _GROUP * (2 + inputs + outputs), 2 * before + 8 * block, 2 * before + 8 * block
    sizes = (*rooms, 8 * (outputs + 1), 8 * (inputs + 1), size * block, 8 * lanes(8))
    largest = float(np.finfo(number).max) ** (2 if size == 4 else 1)

    def work(first: int, last: int) -> None:
        table, x_room, y_room, *others, _memory = workspace.pieces(sizes)
        scratch = (table, x_room + before, y_room + before, *others)
        filter_rows(
            _REAL, number(1), size, signal, result, filters, coefficients, limit, largest, block, first, last, scratch
        )  # fmt: skip

    share(work, rows.shape[0] * filters, 1, length * (1 + (inputs + outputs) // 8), (rows, to, feedback, feedforward))
    if out is None:
        return made.reshape(x.shape)
    if out is not made:
        out[...] = made.reshape(x.shape)
    return out


def clamped_filter(op: ClampedFilter, x: Array, a: Array, b: Array, *, out: Array | None, precise: bool) -> Array:
    """The same, clamped to magnitudes up to 1."""
    return recursive_filter(op.filter, x, a, b, out=out, precise=precise, limit=1.0)


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
def multiply_rows(real, stored, size, signal, other, filters, lags, block, first, last, scratch, result):
    """Lagged products of the rows from ``first`` up to ``last``, ``lags`` numbers a row at ``result``.

    Args:
        signal, other: As in :func:`filter_rows`.
        scratch: ``(earlier ones, the other's, sums)``; there is room for those before the earlier ones.
    """
    address, batch_bytes, filter_bytes, stride, length = signal
    address_y, batch_y, filter_y, stride_y, length = other
    x, y, sums = scratch
    lanes = _GROUP // _VECTORS
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
    rows, others = _streams(x, filters), _streams(y, filters)
    block = max(_BLOCK, _GROUP * -(-lags // _GROUP))
    signals = [(address_of(array), *array.strides, length) for array in (rows, others)]
    sums = np.empty((len(rows), filters, lags))
    room = 8 * (block + lags + _GROUP)
    sizes, to = (room + 8 * lags, room, 8 * lanes(8) * lags), address_to_write(sums)

    def work(first: int, last: int) -> None:
        earlier, *scratch, _memory = workspace.pieces(sizes)
        multiply_rows(
            _REAL, x.dtype.type(1), x.itemsize, *signals, filters, lags, block, first, last,
            (earlier + 8 * lags, *scratch), to,
        )  # fmt: skip

    share(work, len(rows) * filters, 1, length * (1 + lags // 4), (rows, others, sums))
    made: Array = sums.sum(axis=0).astype(np.float64 if precise else x.dtype)
    if out is None:
        return made
    out[...] = made
    return out


RUN = {RecursiveFilter: recursive_filter, ClampedFilter: clamped_filter, LaggedProducts: lagged_products}
