"""Soft masks of pairs of NumPy arrays, and what they leave of a third."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy, peek, poke
from .runtime.compile import inner, kernel
from .runtime.memory import address_of, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, Vec, operation

Array = npt.NDArray[Any]


def _masks(squared: bool) -> Any:
    @operation("first", "second", "first_margin:real", "second_margin:real", "empty:real", "tiny:real")
    def masks(kit: Kit, first: Any, second: Any, *numbers: Any) -> None:
        """Both masks of a vector of either array, in their place."""
        first_margin, second_margin, empty, tiny = map(kit.spread, numbers)
        one = kit.constant(1.0)

        def mask(x: Vec, other: Vec) -> Vec:
            larger = x.most(other)
            scale = larger.where("olt", tiny, one, larger)
            share, rest = x / scale, other / scale
            if squared:
                share, rest = share * share, rest * rest
            return larger.where("olt", tiny, empty, share / (share + rest))

        x, y = kit.load(first), kit.load(second)
        kit.store(mask(x, y * first_margin), first)
        kit.store(mask(y, x * second_margin), second)

    return masks


masks_of_values, masks_of_squares = _masks(False), _masks(True)


@operation("values", "mask", "target", "pairs")
def apply(kit: Kit, values: Any, mask: Any, target: Any, pairs: Any) -> None:
    """A vector of values, or of ``pairs`` for complex numbers, times their mask."""
    factor = kit.load(mask)
    with kit.when(pairs, 1):
        kit.store_pairs(kit.load_pairs(values).scaled(factor), target)
    with kit.when(pairs, 0):
        kit.store(kit.load(values) * factor, target)


@inner
def masked_vectors(number, power, masks, numbers, values, pairs, targets):
    """Masks of a vector of values, and what they leave of others."""
    if power == 2:
        masks_of_squares(number, number, masks[0], masks[1], numbers[0], numbers[1], numbers[2], numbers[3])
    else:
        masks_of_values(number, number, masks[0], masks[1], numbers[0], numbers[1], numbers[2], numbers[3])
    if values:
        apply(number, number, values, masks[0], targets[0], pairs)
        apply(number, number, values, masks[1], targets[1], pairs)


@kernel
def masked_values(number, size, masks, numbers, power, values, pairs, targets, begin, end, spare):
    """Values from ``begin`` up to ``end`` times their masks; these take the place of what they are made of.

    Args:
        masks: Addresses of the two arrays that masks are made of.
        numbers: ``(first margin, second margin, mask where both are empty, smallest that is not empty)``.
        power: 1 or 2.
        values: Address of what is masked; 0 where masks are all.
        pairs: 1 where that is complex.
        targets: Addresses of the two results.
        spare: Room for a vector of each.
    """
    lanes, each = VECTOR_BYTES // size, size * (1 + pairs)
    last = end - (end - begin) % lanes
    x, y = masks
    to_x, to_y = targets
    for i in range(begin, last, lanes):
        masked_vectors(
            number, power, (x + size * i, y + size * i), numbers, values + each * i if values else 0, pairs,
            (to_x + each * i, to_y + each * i),
        )  # fmt: skip
    if last < end:
        room = (spare, spare + VECTOR_BYTES)
        z, results = spare + 2 * VECTOR_BYTES, (spare + 4 * VECTOR_BYTES, spare + 6 * VECTOR_BYTES)
        for k in range(2):
            copy(number, number, room[k], masks[k] + size * last, size * (end - last))
        if values:
            copy(number, number, z, values + each * last, each * (end - last))
        masked_vectors(number, power, room, numbers, z if values else 0, pairs, results)
        for k in range(2):
            if values:
                copy(number, number, targets[k] + each * last, results[k], each * (end - last))
            else:
                copy(number, number, masks[k] + size * last, room[k], size * (end - last))


@inner
def softmask(x, other, power, empty, tiny):
    """The mask of one value."""
    larger = max(x, other)
    if larger < tiny:
        return empty
    share, rest = (x / larger) ** power, (other / larger) ** power
    return share / (share + rest)


@kernel
def masks_of_powers(number, size, masks, numbers, power, begin, end):
    """Masks of the values from ``begin`` up to ``end``, of any power; see :func:`masked_values`."""
    first_margin, second_margin, empty, tiny = numbers
    for i in range(begin, end):
        at_x, at_y = masks[0] + size * i, masks[1] + size * i
        x, y = peek(number, number, at_x), peek(number, number, at_y)
        poke(number, number, at_x, softmask(x, y * first_margin, power, empty, tiny))
        poke(number, number, at_y, softmask(y, x * second_margin, power, empty, tiny))


def _strides_of(x: Array, kind: np.dtype[Any]) -> tuple[int, ...]:
    """Strides of an array of another kind that lies as ``x`` does."""
    return tuple(stride // x.itemsize * kind.itemsize for stride in x.strides)


def softmasks(
    first: Array,
    second: Array,
    power: float,
    margins: tuple[float, float] = (1.0, 1.0),
    values: Array | None = None,
    empty: float = 0.0,
) -> tuple[Array, Array]:
    """Soft masks of two arrays, each against the other times a margin, or what they leave of ``values``.

    The mask of ``x`` against ``y`` is ``x ** power / (x ** power + y ** power)``. See D. Fitzgerald,
    "Harmonic/percussive separation using median filtering", DAFx-10, 2010, and J. Driedger, M. Müller and S. Disch,
    "Extending harmonic-percussive separation of audio", ISMIR 2014.

    Args:
        first, second: float32 or float64, not negative and finite, of equal strides and without gaps; overwritten.
        power: More than 0; infinity for masks that are 1 where ``x > y`` and else 0.
        margins: What the other is multiplied by, for ``first`` and for ``second``; at least 1.
        values: Real or complex, of the same precision and shape.
        empty: The mask where neither is a normal number.
    """
    if values is not None and (values.strides != _strides_of(first, values.dtype) or not values.flags.aligned):
        given, values = values, np.empty_like(first, values.dtype)
        values[...] = given
    if math.isinf(power):
        return _of(values, (first > second * margins[0], second > first * margins[1]))
    kind = first.dtype
    number, limits, size = kind.type, np.finfo(kind), kind.itemsize
    numbers = tuple(map(number, (*margins, empty, limits.tiny)))
    masks = address_of(first), address_of(second)
    if power not in (1, 2):

        def powers(begin: int, end: int) -> None:
            masks_of_powers(number(1), size, masks, numbers, number(power), begin, end)

        share(powers, first.size, 1, 32, (first, second))
        return _of(values, (first, second))
    results, pairs = (first, second), int(values is not None and values.dtype.kind == "c")
    if values is not None and pairs:
        results = advised(np.empty_like(values)), advised(np.empty_like(values))
    targets, source = (address_of(results[0]), address_of(results[1])), 0 if values is None else address_of(values)

    def work(begin: int, end: int) -> None:
        spare, _memory = workspace.pieces((8 * VECTOR_BYTES,))
        masked_values(number(1), size, masks, numbers, int(power), source, pairs, targets, begin, end, spare)

    share(work, first.size, VECTOR_BYTES // size, 2, (first, second, values, results))
    return results


def _of(values: Array | None, masks: tuple[Array, Array]) -> tuple[Array, Array]:
    return masks if values is None else (values * masks[0], values * masks[1])
