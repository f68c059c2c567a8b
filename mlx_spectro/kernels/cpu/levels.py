"""Single values of NumPy arrays: rounded to steps, or shifted and limited."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy, poke
from .runtime.compile import kernel
from .runtime.memory import address_of, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, of_llvm, operation

Array = npt.NDArray[Any]
# values of a row that are rounded at once
_PART = 2048


@operation("x", "count", "scale:real")
def scale_vectors(kit: Kit, x: Any, count: Any, scale: Any) -> None:
    """Multiply ``count`` vectors in their place."""
    factor = kit.spread(scale)
    with kit.loop(count) as i:
        at = kit.at(x, kit.times(i, kit.step))
        kit.store(kit.load(at) * factor, at)


@operation("x", "noise", "count", "step:real", "y")
def round_vectors(kit: Kit, x: Any, noise: Any, count: Any, step: Any, y: Any) -> None:
    """The nearest multiples of ``step`` to ``count`` vectors with their noise."""
    unit = kit.spread(step)
    with kit.loop(count) as i:
        at = kit.times(i, kit.step)
        total = kit.load(kit.at(x, at)) + kit.load(kit.at(noise, at))
        kit.store(of_llvm("llvm.rint", total) * unit, kit.at(y, at))


@operation("rounded", "original", "count", "y")
def add_errors(kit: Kit, rounded: Any, original: Any, count: Any, y: Any) -> None:
    """``count`` vectors of rounded values, each with the error of the one before it."""
    with kit.loop(count) as i:
        at = kit.times(i, kit.step)
        before = kit.at(rounded, at)
        error = kit.load(before) - kit.load(kit.at(original, at))
        kit.store(kit.load(before, kit.size) + error, kit.at(y, at))


@kernel
def quantize_rows(real, size, x, noise, original, length, scale, step, lanes, rooms, part, y, first, last):
    """See :func:`quantize`.

    Args:
        original: 0 where errors are not added.
        rooms: Scratch memory for a part of each, and one number more at either end.
    """
    source, added, rounded, others = rooms
    for row in range(first, last):
        poke(real, real, rounded, real - real)
        poke(real, real, others, real - real)
        for begin in range(0, length, part):
            count, at = min(part, length - begin), size * (length * row + begin)
            vectors = (count + lanes - 1) // lanes
            copy(real, real, source, x + at, size * count)
            copy(real, real, added, noise + size * begin, size * count)
            # a product that has been in memory is rounded: it becomes no part of a sum
            scale_vectors(real, real, source, vectors, scale)
            # the first of these is what came before
            round_vectors(real, real, source, added, vectors, step, rounded + size)
            if original:
                copy(real, real, others + size, original + at, size * count)
                add_errors(real, real, rounded, others, vectors, source)
                copy(real, real, y + at, source, size * count)
                copy(real, real, rounded, rounded + size * count, size)
                copy(real, real, others, others + size * count, size)
            else:
                copy(real, real, y + at, rounded + size, size * count)


def quantize(x: Array, noise: Array, scale: float, step: float, original: Array | None) -> Array:
    """The nearest multiples of ``step`` to signals, after noise was added.

    Args:
        x: float32 or float64 ``[rows, T]``.
        noise: ``[T]``, of the same dtype.
        scale: What signals are multiplied by before, to be whole numbers.
        step: A power of two.
        original: If given, of the shape of ``x``; the error of each sample to it is added to the next.
    """
    signals, number = np.ascontiguousarray(x), x.dtype.type
    y, others = advised(np.empty_like(signals)), None if original is None else np.ascontiguousarray(original)
    held = signals, np.ascontiguousarray(noise), others, y
    addresses = [0 if each is None else address_of(each) for each in held]
    room = x.itemsize * (_PART + 2) + VECTOR_BYTES

    def work(first: int, last: int) -> None:
        *rooms, _memory = workspace.pieces((room,) * 4)
        quantize_rows(
            number(1), x.itemsize, *addresses[:3], x.shape[1], number(scale), number(step),
            VECTOR_BYTES // x.itemsize, tuple(rooms), _PART, addresses[3], first, last,
        )  # fmt: skip

    share(work, len(signals), 1, x.shape[1], held)
    return y


@kernel
def shift_values(x, shift, threshold, gain, left, first, last):
    """See :func:`shift`; ``left`` is what lies between the threshold and 1."""
    one = type(shift)(1)
    upward = shift > 0
    for k in range(first, last):
        value = x[k]
        if upward and value > threshold:
            value = (value - threshold) * gain / left + threshold + shift
            x[k] = threshold if value > threshold else value
        elif not upward and value < -threshold:
            value = (value + threshold) * gain / left - threshold + shift
            x[k] = -threshold if value < -threshold else value
        else:
            value = value + shift
            x[k] = one if value > one else -one if value < -one else value


def shift(x: Array, amount: float, threshold: float, gain: float) -> None:
    """Shift ``x [N]`` in its place, within [-1, 1]; what lies beyond a threshold on that side is pressed together.

    Args:
        x: float32 or float64, contiguous.
        gain: Of what lies beyond, divided by what lies between the threshold and 1.
    """
    numbers = tuple(map(x.dtype.type, (amount, threshold, gain, 1 - threshold)))

    def work(first: int, last: int) -> None:
        shift_values(x, *numbers, first, last)

    share(work, x.size, 1, 2, x)
