"""Argument checks in one voice: the argument, the rule, the value."""

from __future__ import annotations

import operator
from typing import SupportsIndex, TypeVar, get_args

Option = TypeVar("Option")


def integer(name: str, value: SupportsIndex, *, at_least: int) -> int:
    """``value`` as an int; TypeError where it is none, ValueError below ``at_least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {number}")
    return number


def one_of(name: str, value: Option, allowed: object) -> Option:
    """``value``, if it is a member of ``allowed`` (a tuple or a Literal type)."""
    options = allowed if isinstance(allowed, tuple) else get_args(allowed)
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value
