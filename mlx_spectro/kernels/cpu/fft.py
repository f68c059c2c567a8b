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
from .runtime.memory import address_of
from .runtime.vector import Complex, Kit, Vec, integer, lanes, operation

RADICES = (8, 7, 5, 4, 3, 2)
_ODD = (7, 5, 3)
FORWARD, BACKWARD = -1, 1


class Product(NamedTuple):
    """A complex value and a factor, which a sum takes without a rounding of their product."""

    value: Complex
    factor: Vec

    def turned(self, sign: int) -> Product:
        """``sign * i`` times it."""
        return Product(self.value.turned(sign), self.factor)


def _plus(sum_: Complex, term: Complex | Product) -> Complex:
    if isinstance(term, Complex):
        return sum_.plus(term)
    return Complex(*(part.times_plus(term.factor, rest) for part, rest in zip(term.value, sum_, strict=True)))


def _minus(sum_: Complex, term: Complex | Product) -> Complex:
    return sum_.minus(term) if isinstance(term, Complex) else _plus(sum_, Product(term.value, -term.factor))


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
            # multiples of a quarter turn cost nothing
            quarter, rest = divmod(k * 8 // n, 2)
            o: Complex | Product = odd[k]
            if rest:
                o = Product(odd[k].plus_i(odd[k], sign), kit.factor(math.sqrt(0.5)))
            if quarter:
                o = o.turned(sign)
            yield k, _plus(even[k], o)
            yield k + n // 2, _minus(even[k], o)
    else:
        # a prime: what is even and what is odd under j -> -j, apart
        half = range(1, n // 2 + 1)
        sums = [a[j].plus(a[n - j]) for j in half]
        differences = [a[j].minus(a[n - j]) for j in half]
        yield 0, functools.reduce(Complex.plus, sums, a[0])
        for k in half:
            angles = [2 * math.pi * j * k / n for j in half]
            cosines = [Product(s, kit.constant(math.cos(t))) for s, t in zip(sums, angles, strict=True)]
            # the others' sines are divided by the first, as the arithmetic type has it, which is a factor of all
            unit = kit.rounded(math.sin(angles[0]))
            sines = [Product(d, kit.constant(math.sin(t) / unit)) for d, t in zip(differences, angles, strict=True)]
            even_part = functools.reduce(_plus, cosines, a[0])
            odd_part = Product(functools.reduce(_plus, sines[1:], differences[0]), kit.factor(unit)).turned(sign)
            yield k, _plus(even_part, odd_part)
            yield n - k, _minus(even_part, odd_part)


def _twiddled(kit: Kit, value: Complex, row: Any, q: int) -> Complex:
    return value.times(kit.twiddle(row, 2 * kit.size * (q - 1))) if q else value


def _places_of(kit: Kit, address: Any, stride: Any, n: int) -> list[Any]:
    places = [address]
    while len(places) < n:
        places.append(kit.at(places[-1], stride))
    return places


def _parts(kit: Kit, n: int) -> list[tuple[Kit, int]]:
    # few values have registers enough
    return kit.parts() if n > 4 else [(kit, 0)]


def _butterflies(kit: Kit, sign: int, twiddled: bool, radix: Any, *arguments: Any) -> None:
    """Code of ``count`` transforms of ``radix`` values; see :func:`forward_butterflies`."""
    source, source_stride, target, target_stride, step, count, twiddles = arguments
    for n in RADICES:
        with kit.when(radix, n), kit.loop(count) as i:
            offset, row = kit.times(i, step), kit.at(twiddles, kit.times(i, 2 * kit.size * (n - 1)))
            for part, first in _parts(kit, n):
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


def _coprime_butterflies(
    kit: Kit, sign: int, radix: Any, z: Any, stride: Any, step: Any, count: Any, ring: Any
) -> None:
    """Code of ``count`` transforms without twiddles; see :func:`coprime_forward_butterflies`."""
    for n in _ODD:
        with kit.when(radix, n), kit.loop(count) as i:
            row = kit.at(ring, kit.times(i, 8 * n))
            offsets = [kit.integer(kit.at(row, 8 * q)) for q in range(n)]
            for part, first in _parts(kit, n):
                natural = _places_of(kit, kit.at(kit.at(z, kit.times(i, step)), first), stride, n)
                around = [kit.at(kit.at(z, offset), first) for offset in offsets]
                sources, targets = (around, natural) if sign == FORWARD else (natural, around)
                for q, value in _results(part, [part.load_complex(place) for place in sources], sign):
                    part.store_complex(value, targets[q])


@operation("radix", "z", "stride", "step", "count", "ring")
def coprime_forward_butterflies(kit: Kit, *arguments: Any) -> None:
    """:func:`forward_butterflies` of an odd radix without twiddles; ``ring`` says where values are, ``[j, radix]``."""
    _coprime_butterflies(kit, FORWARD, *arguments)


@operation("radix", "z", "stride", "step", "count", "ring")
def coprime_backward_butterflies(kit: Kit, *arguments: Any) -> None:
    """Inverse of :func:`coprime_forward_butterflies`, but for the factor ``radix``."""
    _coprime_butterflies(kit, BACKWARD, *arguments)


class Plan(NamedTuple):
    """How a real transform of ``n_fft`` points is done by a complex one of ``points``.

    An even ``n_fft`` takes half as many points, two samples in each; an odd one takes all, the imaginary parts 0.
    """

    n_fft: int
    points: int
    packed: bool
    passes: npt.NDArray[np.int64]
    """``[pass, 4]``: radix, butterflies a block, offset of the pass's twiddles in bytes, address of its ring.

    The ring is 0 where there are twiddles. Where radix and butterflies have no common factor there need be none, if
    each butterfly counts its values from another one on: see I. J. Good, "The interaction algorithm and practical
    Fourier analysis", Journal of the Royal Statistical Society B, 1958.
    """
    rings: list[npt.NDArray[np.int64]]
    """``[butterfly, radix]``: byte offsets in a block."""
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
    for radix in _ODD:
        while rest % radix == 0:
            odd.append(radix)
            rest //= radix
    twos = rest.bit_length() - 1
    if rest != 1 << twos:
        return None
    eights, left = divmod(twos, 3)
    if left == 1 and eights:  # 4 * 4 is faster than 8 * 2
        return [*odd, 4, 4, *[8] * (eights - 1)]
    return [*odd, *([1 << left] if left else []), *[8] * eights]


@functools.lru_cache(maxsize=64)
def plan(n_fft: int, real: str) -> Plan | None:
    """The plan for ``n_fft`` in ``real`` arithmetic (``"float32"`` or ``"float64"``), None where there is none."""
    packed = n_fft % 2 == 0
    points = n_fft // 2 if packed else n_fft
    radices = factors(points)
    if radices is None:
        return None
    size = np.dtype(real).itemsize
    element = 2 * lanes(size) * size
    passes: list[tuple[int, int, int, int]] = []
    rings, tables, block, offset = [], [np.zeros(0, complex)], points, 0
    frequencies = np.arange(points).reshape(1, points)
    while radices:
        radix, is_coprime = _next(radices, block, first=not passes)
        radices.remove(radix)
        count = block // radix
        j, q = np.arange(count)[:, None], np.arange(radix)
        if is_coprime:
            turn = pow(count, -1, radix)
            rings.append(element * (j + count * ((q - j * turn) % radix)))
            passes.append((radix, count, offset, address_of(rings[-1])))
            results = (count * turn * q + radix * j) % block
        else:
            passes.append((radix, count, offset, 0))
            tables.append(np.exp(-2j * np.pi * j * q[1:] / block).ravel())
            offset += tables[-1].size * 2 * size
            results = q + radix * j
        # a pass leaves in its result q the frequencies that are q modulo its radix
        frequencies = frequencies[:, results.T].reshape(-1, count)
        block = count
    places = np.empty(points, np.int64)
    places[frequencies.ravel()] = element * np.arange(points)
    twiddles = np.concatenate(tables)
    split = np.exp(-2j * np.pi * np.arange(points + 2) / n_fft)

    def table(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values.view(np.float64).astype(real)

    return Plan(
        n_fft,
        points,
        packed,
        np.array(passes, np.int64),
        rings,
        places,
        table(twiddles),
        table(twiddles.conj()),
        table(split),
        table(split.conj()),
    )


def _next(radices: list[int], block: int, first: bool) -> tuple[int, bool]:
    """The radix of the next pass over a block, and whether it does without twiddles, as the first one never does."""
    coprime = [radix for radix in radices if math.gcd(radix, block // radix) == 1]
    if first:
        return next((radix for radix in radices if radix not in coprime), radices[0]), False
    odd = [radix for radix in coprime if radix % 2 and radix < block]
    return (odd or radices)[0], bool(odd)


@inner
def forward_passes(real, z, passes, first, last, element, twiddles):
    """Passes from ``first`` up to ``last`` over the block of values at ``z``.

    ``passes`` is the address of :attr:`Plan.passes`, ``element`` the bytes of a complex vector.
    """
    block = integer(real, real, passes, 4 * first) * integer(real, real, passes, 4 * first + 1)
    for p in range(first, last):
        radix = integer(real, real, passes, 4 * p)
        butterflies = integer(real, real, passes, 4 * p + 1)
        table, ring = twiddles + integer(real, real, passes, 4 * p + 2), integer(real, real, passes, 4 * p + 3)
        stride = butterflies * element
        if butterflies == 1:
            count = block // radix
            last_forward_butterflies(real, real, radix, z, stride, z, stride, radix * element, count, table)
        elif ring:
            for base in range(z, z + block * element, radix * stride):
                coprime_forward_butterflies(real, real, radix, base, stride, element, butterflies, ring)
        else:
            for base in range(z, z + block * element, radix * stride):
                forward_butterflies(real, real, radix, base, stride, base, stride, element, butterflies, table)


@inner
def backward_passes(real, z, passes, first, last, element, twiddles):
    """Inverses of :func:`forward_passes`, from the last to the first, without the factors."""
    block = integer(real, real, passes, 4 * first) * integer(real, real, passes, 4 * first + 1)
    for p in range(last - 1, first - 1, -1):
        radix = integer(real, real, passes, 4 * p)
        butterflies = integer(real, real, passes, 4 * p + 1)
        table, ring = twiddles + integer(real, real, passes, 4 * p + 2), integer(real, real, passes, 4 * p + 3)
        stride = butterflies * element
        if butterflies == 1:
            count = block // radix
            first_backward_butterflies(real, real, radix, z, stride, z, stride, radix * element, count, table)
        elif ring:
            for base in range(z, z + block * element, radix * stride):
                coprime_backward_butterflies(real, real, radix, base, stride, element, butterflies, ring)
        else:
            for base in range(z, z + block * element, radix * stride):
                backward_butterflies(real, real, radix, base, stride, base, stride, element, butterflies, table)
