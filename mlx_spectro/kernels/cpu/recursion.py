"""Recursive filters of rows in memory, a vector of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from .bins_to_frames import clear
from .frames import copy, peek, poke
from .runtime.compile import inner, kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.vector import CHUNK, Kit, Vec, operation

# taps in registers, beside that of the present input
NEAR = 2


class OneLane(Kit):
    """Vectors of a single number."""

    def __init__(self, kit: Kit) -> None:
        vars(self).update(vars(kit))
        self.lanes, self.step, self.vector = 1, self.size, ir.VectorType(self.element, 1)

    def gather(self, address: Any, row_bytes: Any) -> list[Vec]:
        piece = self._load(address, ir.VectorType(self.stored, self.chunk), self.stored_size)
        return [self._arithmetic(self._shuffle(piece, piece, [i])) for i in range(self.chunk)]

    def scatter(self, values: Sequence[Vec], address: Any, row_bytes: Any) -> None:
        for i, value in enumerate(values):
            self._store(self._in_memory(value), self.at(address, self.stored_size * i), self.stored_size)


def filter_chunks(
    kit: Kit, orders: tuple[Any, ...], source: Any, row_bytes: Any, target: Any, to_bytes: Any, chunks: Any, taps: Any,
    x: Any, y: Any, limit: Any, sums: Any,
) -> None:  # fmt: skip
    """Filter chunks of samples, each lane's row by taps of its own.

    Args:
        orders: How many of the taps are of earlier inputs and outputs, where there are more than the near ones.
        source, row_bytes: Where the lanes' rows lie.
        target, to_bytes: Where those of the result do.
        chunks: How many to filter.
        taps: Vectors of feedforward, the present input's first, and of feedback.
        x, y: There are vectors of inputs and outputs before them. Where there are only near taps, the last ones replace
            those; else all are written from here on.
        limit: Of magnitudes at ``target``.
        sums: A vector to add the squares of outputs to.
    """
    step, high = kit.step, kit.spread(limit)
    low, near = -high, range(NEAR)
    inputs, outputs = orders or map(kit.index, (NEAR, NEAR))
    feedback = kit.at(taps, kit.times(kit.at(inputs, 1), step))
    b, a = [kit.load(taps, step * k) for k in range(1 + NEAR)], [kit.load(feedback, step * k) for k in near]
    heard, told, squares = [kit.variable() for _ in near], [kit.variable() for _ in near], kit.variable()
    for variables, memory in ((heard, x), (told, y)):
        for k in near:
            kit.put(variables[k], kit.load(memory, -step * (k + 1)))
    kit.put(squares, kit.load(sums))

    def more(memory: Any, weights: Any, count: Any) -> Vec:
        """The sum of ``count`` products of ever earlier values and their taps."""

        def product(k: Any) -> Vec:
            away = kit.times(k, step)
            return kit.load(kit.builder.sub(memory, away)) * kit.load(kit.at(weights, away))

        return kit.total(count, product, 2)

    with kit.loop(chunks) as i:
        offset, place = kit.times(i, CHUNK), kit.times(i, kit.chunk * step)
        samples, results = kit.gather(kit.at(source, offset), row_bytes), []
        here, there = kit.at(x, place), kit.at(y, place)
        earlier, later = list(map(kit.get, heard)), list(map(kit.get, told))
        for u, sample in enumerate(samples):
            total = sample * b[0] + earlier[0] * b[1] + earlier[1] * b[2]
            if orders:
                kit.store(sample, here, step * u)
                before = step * (u - 1 - NEAR)
                total = total + more(kit.at(here, before), kit.at(taps, step * (1 + NEAR)), kit.at(inputs, -NEAR))
                total = total + more(kit.at(there, before), kit.at(feedback, step * NEAR), kit.at(outputs, -NEAR))
            # the latest output, which is the last to be known, comes last
            result = total + later[1] * a[1] + later[0] * a[0]
            if orders:
                kit.store(result, there, step * u)
            kit.put(squares, kit.get(squares) + result * result)
            earlier, later = [sample, earlier[0]], [result, later[0]]
            results.append(result.clamped(low, high))
        kit.scatter(results, kit.at(target, offset), to_bytes)
        for variable, value in zip(heard + told, earlier + later, strict=True):
            kit.put(variable, value)
    kit.store(kit.get(squares), sums)
    if not orders:
        for variables, memory in ((heard, x), (told, y)):
            for k in near:
                kit.store(kit.get(variables[k]), memory, -step * (k + 1))


@operation(
    "inputs", "outputs", "source", "row_bytes", "target", "to_bytes", "chunks", "taps", "x", "y", "limit:real", "sums"
)
def filter_far(kit: Kit, inputs: Any, outputs: Any, *arguments: Any) -> None:
    """:func:`filter_chunks` by any number of taps."""
    filter_chunks(kit, (inputs, outputs), *arguments)


@operation("source", "row_bytes", "target", "to_bytes", "chunks", "taps", "x", "y", "limit:real", "sums")
def filter_near(kit: Kit, *arguments: Any) -> None:
    """:func:`filter_chunks` by the near taps, which stay in registers."""
    filter_chunks(kit, (), *arguments)


@operation("source", "target", "chunks", "taps", "x", "y", "limit:real", "sums")
def filter_one(kit: Kit, source: Any, target: Any, *arguments: Any) -> None:
    """:func:`filter_near` of a single row, which would take as long as a vector of them."""
    filter_chunks(OneLane(kit), (), source, None, target, None, *arguments)


@operation("target", "source", "count")
def copy_reversed(kit: Kit, target: Any, source: Any, count: Any) -> None:
    """Copy ``count`` stored numbers so that the last comes first; vectors, and what is left over singly."""
    size, lanes = kit.stored_size, kit.lanes
    vectors = kit.builder.udiv(count, kit.index(lanes))
    end = kit.at(source, kit.times(count, size))
    with kit.loop(vectors) as i:
        done = kit.times(i, lanes * size)
        last = kit.builder.sub(kit.at(end, -lanes * size), done)
        kit.store_stored(kit.reversed(kit.load_stored(last)), kit.at(target, done))
    done = kit.times(vectors, lanes)
    with kit.loop(kit.builder.sub(count, done)) as i:
        at = kit.times(kit.at(i, done), size)
        kit.poke(kit.at(target, at), kit.peek(kit.builder.sub(kit.at(end, -size), at)))


@operation("value:real", returns="real")
def rounded(kit: Kit, value: Any) -> Any:
    """``value`` as it is when it has been stored."""
    if kit.stored_size == kit.size:
        return value
    return kit.builder.fpext(kit.builder.fptrunc(value, kit.stored), kit.element)


@inner
def transfer(real, stored, size, target, step, source, stride, count):
    """Copy ``count`` stored samples, ``stride`` bytes apart, to where they are ``step`` bytes apart."""
    if stride == size and step == size:
        copy(real, stored, target, source, size * count)
    elif stride == size and step == -size:
        copy_reversed(real, stored, target - size * (count - 1), source, count)
    elif stride == -size and step == size:
        copy_reversed(real, stored, target, source - size * (count - 1), count)
    else:
        for i in range(count):
            poke(real, stored, target + step * i, peek(real, stored, source + stride * i))


@inner
def take_taps(real, stored, size, lanes, lane, taps, feedforward, inputs, far, feedback, outputs, back):
    """A lane's taps: coefficients over the feedback's first, divided in their own precision, and then zeros.

    ``far`` and ``back`` are how many of either are of earlier ones.
    """
    first = peek(real, stored, feedback)
    for k in range(far + 1):
        value = peek(real, stored, feedforward + size * k) / first if k <= inputs else stored - stored
        poke(real, real, taps + 8 * (lanes * k + lane), real * value)
    for k in range(1, back + 1):
        value = peek(real, stored, feedback + size * k) / first if k <= outputs else stored - stored
        poke(real, real, taps + 8 * (lanes * (far + k) + lane), -real * value)


@inner
def filter_singly(real, stored, size, source, stride, target, step, count, a, outputs, b, inputs, x, y, limit):
    """Filter a row sample by sample and all rounded as if stored, so that nothing is finite that is not by definition.

    An output that is not finite spoils all after it, and a number too large for the memory is not finite.

    Args:
        a, b: The coefficients as they are stored.
        x, y: Room for those that a sample follows from.
    """
    first = peek(real, stored, a)
    clear(real, real, x, 8 * (inputs + 1))
    clear(real, real, y, 8 * (outputs + 1))
    for t in range(count):
        for k in range(inputs, 0, -1):
            poke(real, real, x + 8 * k, peek(real, real, x + 8 * (k - 1)))
        for k in range(outputs, 0, -1):
            poke(real, real, y + 8 * k, peek(real, real, y + 8 * (k - 1)))
        poke(real, real, x, real * peek(real, stored, source + stride * t))
        poke(real, real, y, real - real)
        value = real - real
        for k in range(inputs + 1):
            value += real * (peek(real, stored, b + size * k) / first) * peek(real, real, x + 8 * k)
        value = rounded(real, stored, value)
        for k in range(outputs, -1, -1):
            term = real * (peek(real, stored, a + size * k) / first) * peek(real, real, y + 8 * k)
            value = rounded(real, stored, value - rounded(real, stored, term))
        poke(real, real, y, value)
        if value > limit:
            value = limit
        if value < -limit:
            value = -limit
        poke(real, stored, target + step * t, value)


@kernel
def filter_rows(
    real, stored, size, signal, result, shape, coefficients, limit, largest, block, lanes, first, last, scratch
):
    """Filter groups of rows, a lane each, from group ``first`` up to ``last``, each row by the next filter in turn.

    Args:
        signal, result: ``(address, bytes a row of filters, bytes a filter, bytes a sample, bytes a lane)``; the last is
            0 where lanes are not evenly apart.
        shape: ``(rows, filters, length)``.
        coefficients: ``(feedback, its order, feedforward, its order)`` as they are stored, those of all filters side by
            side.
        limit: Of the result's magnitudes.
        largest: The sum of squares above which an output may be too large for memory.
        scratch: ``(taps, inputs, outputs, sums, signals, results, bytes of a lane's)``; before inputs and outputs is
            room for earlier ones.
    """
    address, batch_bytes, filter_bytes, stride, lane_bytes = signal
    to, to_batch, to_filter, to_stride, to_lane = result
    rows, filters, length = shape
    feedback, outputs, feedforward, inputs = coefficients
    taps, x, y, sums, heard, told, room = scratch
    far, back = max(inputs + inputs % 2, NEAR), max(outputs + outputs % 2, NEAR)
    chunk, most = CHUNK // size, lanes
    state = flush_denormals(real, real)
    clear(real, real, heard, room * most)
    for group in range(first, last):
        begin, count = most * group, min(most, rows - most * group)
        single = count == 1 and far == NEAR and back == NEAR
        lanes = 1 if single else most
        step = 8 * lanes
        if group == first or filters > 1 or single:
            for lane in range(lanes):
                which = (begin + min(lane, count - 1)) % filters
                b, a = feedforward + size * (inputs + 1) * which, feedback + size * (outputs + 1) * which
                take_taps(real, stored, size, lanes, lane, taps, b, inputs, far, a, outputs, back)
        clear(real, real, x - step * far, step * far)
        clear(real, real, y - step * back, step * back)
        clear(real, real, sums, step)
        batch, which = divmod(begin, filters)
        source, target = address + batch_bytes * batch + filter_bytes * which, to + to_batch * batch + to_filter * which
        for t in range(0, length, block):
            samples = min(block, length - t)
            whole = count == lanes and samples % chunk == 0
            if whole and lane_bytes and stride == size:
                read, read_bytes = source + size * t, lane_bytes
            else:
                read, read_bytes = heard, room
                for lane in range(count):
                    batch, which = divmod(begin + lane, filters)
                    there = address + batch_bytes * batch + filter_bytes * which + stride * t
                    transfer(real, stored, size, heard + room * lane, size, there, stride, samples)
            at_once = whole and to_lane and to_stride == size
            written, written_bytes = (target + size * t, to_lane) if at_once else (told, room)
            chunks = (samples + chunk - 1) // chunk
            if single:
                filter_one(real, stored, read, written, chunks, taps, x, y, limit, sums)
            elif far == NEAR and back == NEAR:
                filter_near(real, stored, read, read_bytes, written, written_bytes, chunks, taps, x, y, limit, sums)
            else:
                filter_far(
                    real, stored, far, back, read, read_bytes, written, written_bytes, chunks, taps, x, y, limit, sums
                )
                copy(real, real, x - step * far, x + step * (block - far), step * far)
                copy(real, real, y - step * back, y + step * (block - back), step * back)
            if not at_once:
                for lane in range(count):
                    batch, which = divmod(begin + lane, filters)
                    there = to + to_batch * batch + to_filter * which + to_stride * t
                    transfer(real, stored, size, there, to_stride, told + room * lane, size, samples)
        for lane in range(count):
            if not peek(real, real, sums + 8 * lane) <= largest:
                batch, which = divmod(begin + lane, filters)
                filter_singly(
                    real, stored, size, address + batch_bytes * batch + filter_bytes * which, stride,
                    to + to_batch * batch + to_filter * which, to_stride, length,
                    feedback + size * (outputs + 1) * which, outputs, feedforward + size * (inputs + 1) * which, inputs,
                    x, y, limit,
                )  # fmt: skip
                clear(real, real, heard, room * most)
    restore_state(real, real, state)
