"""Roots, magnitudes and logarithms of vectors, right to about half a unit in the last place."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from llvmlite import ir

from mlx_spectro.design.logarithms import DOUBLE, LOG10_2, LOG10_E, LOG_2, SINGLE, halves

from .vector import Complex, Vec, of_llvm


class _Format(NamedTuple):
    """A floating-point type: its bits, and what logarithms in it are made of."""

    width: int
    digits: int
    """Bits of the fraction."""
    root_half: int
    """The bits of sqrt(1/2)."""
    range: int
    """A norm of up to a million numbers that lies from ``2**-range`` to ``2**range`` needs no scaling."""
    series: tuple[float, ...]
    """Of logarithms."""


_SINGLE = _Format(32, 23, 0x3F3504F3, 40, SINGLE)
_DOUBLE = _Format(64, 52, 0x3FE6A09E667F3BCD, 400, DOUBLE)


def sqrt(x: Vec) -> Vec:
    """Square root."""
    return of_llvm("llvm.sqrt", x)


def absolute(x: Vec) -> Vec:
    """Absolute value."""
    return of_llvm("llvm.fabs", x)


def smaller(x: Vec, y: Vec) -> Vec:
    """The smaller of two numbers, neither of which is NaN.

    Of a comparison whose result takes the place of one of the two, LLVM makes a masked store, which is slow. On ARM,
    this is one instruction, and what minds NaN is two or three.
    """
    return of_llvm("llvm.minnum", x, y, flags=("nnan",))


def larger(x: Vec, y: Vec) -> Vec:
    """The larger of two numbers, neither of which is NaN. See :func:`smaller`."""
    return of_llvm("llvm.maxnum", x, y, flags=("nnan",))


def small_cis(x: Vec) -> Complex:
    """Cosine and sine, in double precision, of angles within an eighth of a turn of 0: Taylor's series."""
    kit, square = x.kit, x * x

    def series(first: int) -> Vec:
        total = kit.constant(0.0)
        for n in range(first + 16, first - 1, -2):
            total = total * square + kit.constant((-1) ** (n // 2) / math.factorial(n))
        return total

    return Complex(series(0), x * series(1))


def with_sign(x: Vec, other: Vec) -> Vec:
    """``x`` with the sign of ``other``, which 0 has too."""
    return of_llvm("llvm.copysign", x, other)


class _Bits:
    """The bits of vectors as integers of their width."""

    def __init__(self, x: Vec) -> None:
        self.kit, self.format = x.kit, _SINGLE if x.kit.size == 4 else _DOUBLE
        self.vector = ir.VectorType(ir.IntType(self.format.width), x.kit.lanes)

    def of(self, x: Vec) -> Any:
        return self.kit.builder.bitcast(x.value, self.vector)

    def number(self, bits: Any) -> Vec:
        return Vec(self.kit, self.kit.builder.bitcast(bits, self.kit.vector))

    def spread(self, integer: int) -> Any:
        return ir.Constant(self.vector, [integer] * self.kit.lanes)

    def power_of_two(self, exponent: int) -> int:
        """The bits of ``2**exponent``."""
        return (exponent + (1 << (self.format.width - self.format.digits - 2)) - 1) << self.format.digits


def norms(energies: Callable[[], list[Vec]], scaled: Callable[[], list[Vec]]) -> list[Vec]:
    """Roots of ``energies()``; if in any lane squares may have been too small or too large, ``scaled()`` instead."""
    squares = energies()
    kit, bits = squares[0].kit, _Bits(squares[0])
    if kit.stored_size < kit.size:
        return list(map(sqrt, squares))  # what came from a smaller type has squares
    builder, flag = kit.builder, ir.IntType(1)
    least, most = (bits.power_of_two(sign * 2 * bits.format.range) for sign in (-1, 1))
    above = [builder.sub(bits.of(energy), bits.spread(least)) for energy in squares]
    strays = [builder.icmp_unsigned(">", distance, bits.spread(most - least)) for distance in above]
    kind = ir.FunctionType(flag, [ir.VectorType(flag, kit.lanes)])
    any_lane = builder.module.declare_intrinsic(f"llvm.vector.reduce.or.v{kit.lanes}i1", (), kind)
    results = [kit.variable() for _ in squares]
    for result, energy in zip(results, squares, strict=True):
        kit.put(result, sqrt(energy))
    with builder.if_then(builder.call(any_lane, [functools.reduce(builder.or_, strays)]), likely=False):
        for result, value in zip(results, scaled(), strict=True):
            kit.put(result, value)
    return [kit.get(result) for result in results]


def magnitudes(values: Sequence[Complex]) -> list[Vec]:
    """Absolute values of complex numbers."""

    def scaled() -> list[Vec]:
        roots = []
        for z in values:
            a, b = absolute(z.re), absolute(z.im)
            up, down = scaling(a.where("ogt", b, a, b))
            roots.append(sqrt(z.scaled(up).energy) * down)
        return roots

    return norms(lambda: [z.energy for z in values], scaled)


def scaling(largest: Vec) -> tuple[Vec, Vec]:
    """Powers of two, one over the other: times the first, ``largest`` lies from 2 to 4, or below if it is tiny."""
    kit, bits = largest.kit, _Bits(largest)
    builder, (width, digits, *_) = kit.builder, bits.format
    exponent = bits.spread(((1 << (width - digits - 1)) - 1) << digits)
    # the second least power of two is the least whose half is a normal number
    least = bits.number(bits.spread(2 << digits))
    power = builder.and_(bits.of(largest.at_least(least)), exponent)
    return bits.number(builder.sub(exponent, power)), bits.number(builder.sub(power, bits.spread(1 << digits)))


class _Parts(NamedTuple):
    """A positive number as ``2**exponent * (1 + f)``, and ``log(1 + f)`` as ``f - half_square + rest``."""

    exponent: Vec
    f: Vec
    half_square: Vec
    rest: Vec


def _parts(x: Vec) -> _Parts:
    """With ``s = f / (2 + f)``, ``log(1 + f)`` is ``2 s + 2/3 s**3 + ...``, where ``f`` counts most, and is exact."""
    kit, bits = x.kit, _Bits(x)
    builder, (_, digits, root_half, _, series) = kit.builder, bits.format
    offset = bits.spread(digits)
    # counted from sqrt(1/2), so that 1 + f lies within a factor of sqrt(2) of 1
    exponent = builder.ashr(builder.sub(bits.of(x), bits.spread(root_half)), offset)
    f = bits.number(builder.sub(bits.of(x), builder.shl(exponent, offset))) - kit.constant(1.0)
    s = f / (f + kit.constant(2.0))
    square, half_square = s * s, f * (f * kit.constant(0.5))
    if kit.stored_size < kit.size:
        series = series[:5]
    total = kit.constant(series[-1])
    for term in series[-2::-1]:
        total = total * square + kit.constant(term)
    rest = s * (half_square + total * square)
    return _Parts(Vec(kit, builder.sitofp(exponent, kit.vector)), f, half_square, rest)


def log(x: Vec) -> Vec:
    """Natural logarithm of positive normal numbers; infinity and NaN stay."""
    e, f, half_square, rest = _parts(x)
    high, low = _halves(x, LOG_2)
    return _or_itself(x, e * high - ((half_square - (rest + e * low)) - f))


def log_plus_one(x: Vec) -> Vec:
    """``log(1 + x)`` of finite numbers that are not negative, however small.

    What ``1 + x`` has lost is in the quotient: D. Goldberg, "What every computer scientist should know about
    floating-point arithmetic", ACM Computing Surveys, 1991, theorem 4.
    """
    one = x.kit.constant(1.0)
    whole = one + x
    left = whole - one
    return left.where("ogt", x.kit.constant(0.0), log(whole) * (x / left), x)


def exp(x: Vec) -> Vec:
    """Exponential in double precision, of numbers from -700 to 700; of smaller ones it is next to 0."""
    scale, rest = _exponential(x)
    return scale * rest + scale


def exp_minus_one(x: Vec) -> Vec:
    """``exp(x) - 1``, as :func:`exp`, however small ``x`` is."""
    scale, rest = _exponential(x)
    return scale * rest + (scale - x.kit.constant(1.0))


def _exponential(x: Vec) -> tuple[Vec, Vec]:
    """``exp(x)`` as ``2**k`` and ``exp(r) - 1`` with ``r`` within half of ``log(2)`` of 0: Taylor's series."""
    kit, bits = x.kit, _Bits(x)
    builder, (width, digits, *_) = kit.builder, bits.format
    least = kit.constant(-700.0)
    x = x.where("ogt", least, x, least)
    k = of_llvm("llvm.rint", x * kit.constant(1 / math.log(2)))
    high, low = _halves(x, LOG_2)
    r = (x - k * high) - k * low
    series = kit.constant(1 / math.factorial(13))
    for n in range(12, 0, -1):
        series = series * r + kit.constant(1 / math.factorial(n))
    one = bits.spread((1 << (width - digits - 2)) - 1)
    exponent = builder.add(builder.fptosi(k.value, bits.vector), one)
    return bits.number(builder.shl(exponent, bits.spread(digits))), series * r


def log10(x: Vec) -> Vec:
    """Decimal logarithm of positive normal numbers; infinity and NaN stay.

    What is to be stored in a smaller type is right to more digits than that has.
    """
    kit, bits = x.kit, _Bits(x)
    e, f, half_square, rest = _parts(x)
    if kit.stored_size < kit.size:
        two, euler = (kit.constant(float(number)) for number in (LOG10_2, LOG10_E))
        return _or_itself(x, e * two + ((f - half_square) + rest) * euler)
    (two_high, two_low), (e_high, e_low) = _halves(x, LOG10_2), _halves(x, LOG10_E)
    # the leading half of the digits of log(1 + f); products of halves are exact
    half = (bits.format.digits + 2) // 2
    f_high = bits.number(kit.builder.and_(bits.of(f - half_square), bits.spread(-(1 << half))))
    f_low = ((f - f_high) - half_square) + rest
    one, other = e * two_high, f_high * e_high
    total = one + other
    # what the sum lost, and all that is small
    lost = ((one - total) + other) + (e * two_low + ((f_low + f_high) * e_low + f_low * e_high))
    return _or_itself(x, total + lost)


def _halves(x: Vec, number: Decimal) -> tuple[Vec, Vec]:
    """``number`` in every lane as the leading half of its digits, more than an exponent has, and the rest."""
    high, low = halves(number, _Bits(x).format.digits // 2 + 1)
    return x.kit.constant(high), x.kit.constant(low)


def _or_itself(x: Vec, logarithm: Vec) -> Vec:
    return x.where("olt", x.kit.constant(math.inf), logarithm, x)
