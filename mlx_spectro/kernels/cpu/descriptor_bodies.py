"""Descriptors of the magnitudes of a frame, while they are in scratch memory, one vector a bin."""

from __future__ import annotations

import math
from typing import Any

from .runtime import elementary
from .runtime.compile import inner
from .runtime.vector import Kit, integer, operation

# what is wanted, as bits
CENTROID, BANDWIDTH, ROLLOFF, FLATNESS, CONTRAST = 1, 2, 4, 8, 16


def _term(kit: Kit, block: Any, i: Any) -> Any:
    return kit.load(kit.at(block, kit.times(i, kit.step)))


def _share(kit: Kit, total: Any) -> Any:
    """What a silent frame's sums are divided by instead of its total."""
    tiny = 2.0**-126 if kit.stored_size == 4 else 2.0**-1022
    return total.where("olt", kit.constant(tiny), kit.constant(1.0), total)


@operation("block", "count", "hz", "total", "centroid")
def find_centroid(kit: Kit, block: Any, count: Any, hz: Any, total: Any, centroid: Any) -> None:
    """Sum of the magnitudes, and the mean frequency weighted by them."""
    sums = kit.variable(), kit.variable()
    with kit.loop(count) as i:
        value = _term(kit, block, i)
        kit.put(sums[0], kit.get(sums[0]) + value)
        kit.put(sums[1], kit.get(sums[1]) + value * kit.broadcast(kit.at(hz, kit.times(i, kit.size))))
    kit.store(kit.get(sums[0]), total)
    kit.store(kit.get(sums[1]) / _share(kit, kit.get(sums[0])), centroid)


@operation("block", "count", "hz", "total", "centroid", "squared", "target")
def find_bandwidth(
    kit: Kit, block: Any, count: Any, hz: Any, total: Any, centroid: Any, squared: Any, target: Any
) -> None:
    """Mean distance from the centroid, or the root of its mean square."""
    moment, middle = kit.variable(), kit.load(centroid)
    divisor = _share(kit, kit.load(total))
    with kit.loop(count) as i:
        distance = elementary.absolute(kit.broadcast(kit.at(hz, kit.times(i, kit.size))) - middle)
        share = _term(kit, block, i)
        with kit.when(squared, 1):
            kit.put(moment, kit.get(moment) + share * distance * distance)
        with kit.when(squared, 0):
            kit.put(moment, kit.get(moment) + share * distance)
    mean = kit.get(moment) / divisor
    with kit.when(squared, 1):
        kit.store(elementary.sqrt(mean), target)
    with kit.when(squared, 0):
        kit.store(mean, target)


@operation("block", "count", "hz", "total", "share:real", "target")
def find_rolloff(kit: Kit, block: Any, count: Any, hz: Any, total: Any, share: Any, target: Any) -> None:
    """Lowest frequency up to which ``share`` of the magnitudes' sum lies."""
    running, rolloff = kit.variable(), kit.variable()
    threshold = kit.load(total) * kit.spread(share)
    kit.put(rolloff, kit.broadcast(hz))
    with kit.loop(kit.at(count, -1)) as i:
        reached = kit.get(running) + _term(kit, block, i)
        kit.put(running, reached)
        following = kit.broadcast(kit.at(hz, kit.times(i, kit.size)), kit.size)
        kit.put(rolloff, reached.where("olt", threshold, following, kit.get(rolloff)))
    kit.store(kit.get(rolloff), target)


class _Sum:
    """A sum with what each addition has rounded: W. Kahan, "Further remarks on reducing truncation errors", 1965."""

    def __init__(self, kit: Kit) -> None:
        self._kit, self._total, self._lost = kit, kit.variable(), kit.variable()

    def add(self, value: Any) -> None:
        term, before = value - self._kit.get(self._lost), self.get()
        self._kit.put(self._total, before + term)
        self._kit.put(self._lost, (self.get() - before) - term)

    def get(self) -> Any:
        return self._kit.get(self._total)


@operation("block", "count", "squared", "amin:real", "target")
def find_flatness(kit: Kit, block: Any, count: Any, squared: Any, amin: Any, target: Any) -> None:
    """Mean of the logarithms of the magnitudes (or of their squares), and their mean, none taken below ``amin``."""
    # logarithms of as many equal values are rounded alike, each time that they are added
    logs, values, floor = _Sum(kit), _Sum(kit), kit.spread(amin)
    share = kit.spread(kit.builder.sitofp(count, kit.element))

    def add(value: Any) -> None:
        value = value.at_least(floor)
        logs.add(elementary.log(value))
        values.add(value)

    with kit.loop(count) as i:
        value = _term(kit, block, i)
        with kit.when(squared, 1):
            add(value * value)
        with kit.when(squared, 0):
            add(value)
    kit.store(logs.get() / share, target)
    kit.store(values.get() / share, target, kit.step)


@operation("block", "count", "extremes", "low", "high", "target")
def find_extremes(kit: Kit, block: Any, count: Any, extremes: Any, low: Any, high: Any, target: Any) -> None:
    """Means of the ``extremes`` smallest and of the ``extremes`` largest of ``count`` values.

    ``low`` and ``high`` are scratch memory that keeps the smallest and the largest so far in order.
    """
    with kit.loop(extremes) as j:
        kit.store(kit.constant(math.inf), kit.at(low, kit.times(j, kit.step)))
        kit.store(kit.constant(-math.inf), kit.at(high, kit.times(j, kit.step)))
    smaller, larger = kit.variable(), kit.variable()
    with kit.loop(count) as i:
        kit.put(smaller, _term(kit, block, i))
        kit.put(larger, _term(kit, block, i))
        with kit.loop(extremes) as j:
            at = kit.at(low, kit.times(j, kit.step))
            extreme, new = kit.load(at), kit.get(smaller)
            kit.store(new.where("ult", extreme, new, extreme), at)
            kit.put(smaller, new.where("ult", extreme, extreme, new))
            at = kit.at(high, kit.times(j, kit.step))
            extreme, new = kit.load(at), kit.get(larger)
            kit.store(new.where("ugt", extreme, new, extreme), at)
            kit.put(larger, new.where("ugt", extreme, extreme, new))
    share = kit.spread(kit.builder.sitofp(extremes, kit.element))
    for k, at in enumerate((low, high)):
        total = kit.variable()
        with kit.loop(extremes) as j:
            kit.put(total, kit.get(total) + _term(kit, at, j))
        kit.store(kit.get(total) / share, target, kit.step * k)


@inner
def describe(real, stored, block, count, bits, hz, squared, numbers, bands, scratch, results, step):
    """The wanted descriptors of the ``count`` magnitudes at ``block``, one vector a number, at ``results``; how many.

    Args:
        bits: Bits of :data:`CENTROID` and so on; results lie in the order of the bits, two for flatness (the mean of
            the logarithms and the mean) and two a band for contrast (valley and peak).
        hz: Address of the bins' frequencies.
        squared: ``(bandwidth of order 2 rather than 1, flatness of squares)``.
        numbers: ``(share of rolloff, amin of flatness)``.
        bands: ``(number, address of (first bin, end, extremes) each)``.
        scratch: Address of two vectors and room for the extremes.
    """
    total, centroid, low = scratch, scratch + step, scratch + 2 * step
    at = results
    find_centroid(real, real, block, count, hz, total, centroid)
    if bits & 1:
        find_centroid(real, real, block, count, hz, total, at)
        at += step
    if bits & 2:
        find_bandwidth(real, real, block, count, hz, total, centroid, squared[0], at)
        at += step
    if bits & 4:
        find_rolloff(real, real, block, count, hz, total, numbers[0], at)
        at += step
    if bits & 8:
        find_flatness(real, stored, block, count, squared[1], numbers[1], at)
        at += 2 * step
    if bits & 16:
        number, table = bands
        for b in range(number):
            first, end = integer(real, real, table, 3 * b), integer(real, real, table, 3 * b + 1)
            extremes = integer(real, real, table, 3 * b + 2)
            find_extremes(real, real, block + step * first, end - first, extremes, low, low + step * extremes, at)
            at += 2 * step
    return (at - results) // step
