"""What follows the last product of an operator, value by value: a kernel stores nothing before it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Epilogue:
    """A function of each value."""


@dataclass(frozen=True)
class Root(Epilogue):
    """Square roots."""


@dataclass(frozen=True)
class Log(Epilogue):
    """``log(max(x, amin))``, or ``log(x + amin)`` if ``added``."""

    amin: float
    added: bool = False


@dataclass(frozen=True)
class Decibels(Epilogue):
    """``multiplier * log10(max(x, amin) / max(reference, amin))``; what equals the reference is exactly 0."""

    multiplier: float
    amin: float
    reference: float = 1.0


@dataclass(frozen=True)
class Power(Epilogue):
    """``reference * (10 ** (x / 10)) ** power``: a power or an amplitude, of decibels."""

    reference: float
    power: float
