"""Complex transforms in place, of as many frames at once as a vector has lanes.

The passes are decimation in frequency forwards and in time backwards, so that neither needs its input or its output in
another order than memory's: the forward transform leaves frequency ``k`` at :attr:`Plan.places` ``[k]``, and the
backward one takes it from there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner
from .runtime.vector import Complex, Kit, integer, lanes, operation

RADICES = (8, 7, 5, 4, 3, 2)
FORWARD, BACKWARD = -1, 1


def dft(kit: Kit, a: list[Complex], sign: int) -> list[Complex]:
    """Transform of a few values with kernel ``exp(sign 2 pi i j k / n)``."""
    result = dict(_results(kit, a, sign))
    return [result[k] for k in range(len(a))]


def _results(kit: Kit, a: list[Complex], sign: int) -> Iterator[tuple[int, Complex]]:
    """The results of :func:`dft` and their places, in an order that takes few registers if each is stored at once."""
    n = len(a)
    if n == 1:
        yield 0, a[0]
    elif n in (2, 4, 8):
        odd, even = dft(kit, a[1::2], sign), dft(kit, a[::2], sign)
        for k in range(n // 2):
            yield from zip((k, k + n // 2), _sum_and_difference(kit, even[k], odd[k], sign, k * 8 // n), strict=True)
    else:
        # a prime: what is even and what is odd under j -> -j, apart
        half = range(1, n // 2 + 1)
        sums = [a[j].plus(a[n - j]) for j in half]
        differences = [a[j].minus(a[n - j]) for j in half]
        yield 0, functools.reduce(Complex.plus, sums, a[0])
        for k in half:
            angles = [2 * math.pi * j * k / n for j in half]
            cosines = [s.scaled(kit.constant(math.cos(t))) for s, t in zip(sums, angles, strict=True)]
            sines = [d.scaled(kit.constant(math.sin(t))) for d, t in zip(differences, angles, strict=True)]
            even_part, odd_part = functools.reduce(Complex.plus, cosines, a[0]), functools.reduce(Complex.plus, sines)
            yield k, even_part.plus_i(odd_part, sign)
            yield n - k, even_part.plus_i(odd_part, -sign)


def _sum_and_difference(kit: Kit, e: Complex, o: Complex, sign: int, eighths: int) -> tuple[Complex, Complex]:
    """``e + w o`` and ``e - w o``, where ``w`` is so many eighths of a turn."""
    # the multiples of a quarter turn cost nothing
    quarter, rest = divmod(eighths, 2)
    if rest:
        o = o.plus_i(o, sign).scaled(kit.constant(math.sqrt(0.5)))
    if quarter:
        return e.plus_i(o, sign), e.plus_i(o, -sign)
    return e.plus(o), e.minus(o)


def _twiddled(kit: Kit, value: Complex, row: Any, q: int) -> Complex:
    return value.times(kit.twiddle(row, 2 * kit.size * (q - 1))) if q else value


def _places_of(kit: Kit, address: Any, stride: Any, n: int) -> list[Any]:
    places = [address]
    while len(places) < n:
        places.append(kit.at(places[-1], stride))
    return places


def _butterflies(kit: Kit, sign: int, twiddled: bool, radix: Any, *arguments: Any) -> None:
    """Code of ``count`` transforms of ``radix`` values; see :func:`forward_butterflies`."""
    source, source_stride, target, target_stride, step, count, twiddles = arguments
    for n in RADICES:
        with kit.when(radix, n), kit.loop(count) as i:
            offset, row = kit.times(i, step), kit.at(twiddles, kit.times(i, 2 * kit.size * (n - 1)))
            # few values have registers enough
            for part, first in kit.parts() if n > 4 else [(kit, 0)]:
                at = kit.at(kit.at(source, offset), first)
                values = [part.load_complex(place) for place in _places_of(kit, at, source_stride, n)]
                if twiddled and sign == BACKWARD:
                    values = [_twiddled(part, value, row, q) for q, value in enumerate(values)]
                places = _places_of(kit, kit.at(kit.at(target, offset), first), target_stride, n)
                for q, value in _results(part, values, sign):
                    turned = _twiddled(part, value, row, q) if twiddled and sign == FORWARD else value
                    part.store_complex(turned, places[q])


_ARGUMENTS = ("radix", "source", "source_stride", "target", "target_stride", "step", "count", "twiddles")


@operation(*_ARGUMENTS)
def forward_butterflies(kit: Kit, *arguments: Any) -> None:
    """``count`` transforms of ``radix`` values, ``stride`` bytes apart, ``step`` bytes from one transform to the next.

    Result ``q`` of transform ``j`` is multiplied by the twiddle at ``[j, q - 1]``.
    """
    _butterflies(kit, FORWARD, True, *arguments)


@operation(*_ARGUMENTS)
def last_forward_butterflies(kit: Kit, *arguments: Any) -> None:
    """:func:`forward_butterflies` without twiddles."""
    _butterflies(kit, FORWARD, False, *arguments)


@operation(*_ARGUMENTS)
def backward_butterflies(kit: Kit, *arguments: Any) -> None:
    """Inverse of :func:`forward_butterflies`, but for the factor ``radix``; the twiddles are conjugates."""
    _butterflies(kit, BACKWARD, True, *arguments)


@operation(*_ARGUMENTS)
def first_backward_butterflies(kit: Kit, *arguments: Any) -> None:
    """:func:`backward_butterflies` without twiddles."""
    _butterflies(kit, BACKWARD, False, *arguments)


class Plan(NamedTuple):
    """How a real transform of ``n_fft`` points is done by a complex one of ``points``.

    An even ``n_fft`` takes half as many points, two samples in each; an odd one takes all, the imaginary parts 0.
    """

    n_fft: int
    points: int
    packed: bool
    passes: npt.NDArray[np.int64]
    """``[pass, 3]``: radix, butterflies a block, offset of the pass's twiddles in bytes."""
    places: npt.NDArray[np.int64]
    """Byte offset of frequency ``k`` in scratch memory."""
    forward: npt.NDArray[Any]
    """Twiddles of the forward passes, real and imaginary parts in turn."""
    backward: npt.NDArray[Any]
    split_forward: npt.NDArray[Any]
    """``exp(-2 pi i k / n_fft)``: what separates the transforms of even and odd samples."""
    split_backward: npt.NDArray[Any]

    @property
    def scratch(self) -> int:
        """Bytes of the values in scratch memory."""
        return self.points * 2 * lanes(self.forward.itemsize) * self.forward.itemsize


def factors(points: int) -> list[int] | None:
    """Radices whose product is ``points``, odd ones first; None where a prime above 7 is needed."""
    odd, rest = [], points
    for radix in (7, 5, 3):
        while rest % radix == 0:
            odd.append(radix)
            rest //= radix
    twos = rest.bit_length() - 1
    if rest != 1 << twos:
        return None
    eights, left = divmod(twos, 3)
    if left == 1 and eights:  # 4 * 4 is faster than 8 * 2
        return [*odd, *[8] * (eights - 1), 4, 4]
    return [*odd, *[8] * eights, *([1 << left] if left else [])]


@functools.lru_cache(maxsize=64)
def plan(n_fft: int, real: str) -> Plan | None:
    """The plan for ``n_fft`` in ``real`` arithmetic (``"float32"`` or ``"float64"``), None where there is none."""
    packed = n_fft % 2 == 0
    points = n_fft // 2 if packed else n_fft
    radices = factors(points)
    if radices is None:
        return None
    size = np.dtype(real).itemsize
    passes, tables, block, offset = [], [np.zeros(0, complex)], points, 0
    for radix in radices:
        count = block // radix
        j, q = np.arange(count)[:, None], np.arange(1, radix)
        passes.append((radix, count, offset))
        tables.append(np.exp(-2j * np.pi * j * q / block).ravel())
        offset += tables[-1].size * 2 * size
        block = count
    twiddles = np.concatenate(tables)
    split = np.exp(-2j * np.pi * np.arange(points + 2) / n_fft)

    def table(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values.view(np.float64).astype(real)

    return Plan(
        n_fft,
        points,
        packed,
        np.array(passes, np.int64).reshape(-1, 3),
        _places(radices, points) * (2 * lanes(size) * size),
        table(twiddles),
        table(twiddles.conj()),
        table(split),
        table(split.conj()),
    )


def _places(radices: list[int], points: int) -> npt.NDArray[np.int64]:
    """Where the forward passes leave each frequency: result ``q`` of a pass holds those ``q`` modulo its radix."""
    frequencies = np.arange(points).reshape(1, points)
    for radix in radices:
        blocks, size = frequencies.shape
        frequencies = frequencies.reshape(blocks, size // radix, radix).transpose(0, 2, 1).reshape(blocks * radix, -1)
    places = np.empty(points, np.int64)
    places[frequencies.ravel()] = np.arange(points)
    return places


@inner
def forward_passes(real, z, passes, first, last, element, twiddles):
    """Passes from ``first`` up to ``last`` over the block of values at ``z``.

    ``passes`` is the address of :attr:`Plan.passes`, ``element`` the bytes of a complex vector.
    """
    block = integer(real, real, passes, 3 * first) * integer(real, real, passes, 3 * first + 1)
    for p in range(first, last):
        radix = integer(real, real, passes, 3 * p)
        butterflies = integer(real, real, passes, 3 * p + 1)
        table = twiddles + integer(real, real, passes, 3 * p + 2)
        stride = butterflies * element
        if butterflies == 1:
            count = block // radix
            last_forward_butterflies(real, real, radix, z, stride, z, stride, radix * element, count, table)
        else:
            for base in range(z, z + block * element, radix * stride):
                forward_butterflies(real, real, radix, base, stride, base, stride, element, butterflies, table)


@inner
def backward_passes(real, z, passes, first, last, element, twiddles):
    """Inverses of :func:`forward_passes`, from the last to the first, without the factors."""
    block = integer(real, real, passes, 3 * first) * integer(real, real, passes, 3 * first + 1)
    for p in range(last - 1, first - 1, -1):
        radix = integer(real, real, passes, 3 * p)
        butterflies = integer(real, real, passes, 3 * p + 1)
        table = twiddles + integer(real, real, passes, 3 * p + 2)
        stride = butterflies * element
        if butterflies == 1:
            count = block // radix
            first_backward_butterflies(real, real, radix, z, stride, z, stride, radix * element, count, table)
        else:
            for base in range(z, z + block * element, radix * stride):
                backward_butterflies(real, real, radix, base, stride, base, stride, element, butterflies, table)
