"""The numbers that kernels make logarithms of, and what is 0 dB. No array library is needed here."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, NamedTuple

LOG_2, LOG10_2, LOG10_E = Decimal(2).ln(), Decimal(2).log10(), 1 / Decimal(10).ln()

# Coefficients, by powers of s**2, of the polynomial nearest to (log((1 + s) / (1 - s)) - 2 s) / s**3 for a quotient
# within a factor of sqrt(2) of 1. It is off by about a hundredth of a unit in the last place of the logarithm.
SINGLE = (0.6666676976719125, 0.39978194636898733, 0.29856862547652697)
DOUBLE = (
    0.66666666666667116333,
    0.39999999999538851066,
    0.28571428718371717166,
    0.22222200785468173353,
    0.18183458996060489844,
    0.15316554375225140994,
    0.14772431315273867334,
)


def halves(number: Decimal, digits: int) -> tuple[float, float]:
    """The leading binary ``digits`` of a number, and the rest."""
    fraction, exponent = math.frexp(number)
    high = math.ldexp(round(math.ldexp(fraction, digits)), exponent - digits)
    return high, float(number - Decimal(high))


class ReferenceLevel(NamedTuple):
    """The value whose level is 0 dB."""

    logarithm: float
    """To base 10."""
    low: float
    high: float
    """From ``low`` to ``high``, values are at 0 dB."""


def reference_level(reference: float, amin: float, numbers: Any) -> ReferenceLevel:
    """The level of ``max(reference, amin)`` among values of a type whose ``finfo`` is ``numbers``.

    Logarithms are rounded, and the reference may be known by a rounded logarithm only; so all values whose logarithms
    lie within two units in the last place of its own are at 0 dB: none that is smaller is above.
    """
    value = max(reference, amin)
    logarithm, largest = math.log10(value), float(numbers.max)
    if not value <= largest:
        return ReferenceLevel(logarithm, math.inf, math.inf)
    # a unit is at most eps times the logarithm
    width = 2 * abs(logarithm) * math.log(10) * float(numbers.eps)
    return ReferenceLevel(logarithm, value * (1 - width), min(value * (1 + width), largest))
