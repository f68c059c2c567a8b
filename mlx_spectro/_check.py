"""Argument checks in one voice: the argument, the rule, the value."""

from __future__ import annotations

import functools
import math
import numbers
import operator
import os
from collections.abc import Callable
from typing import Any, SupportsIndex, TypeVar, get_args

from . import _warn

Option = TypeVar("Option")
Made = TypeVar("Made", bound=Callable[..., Any])


def shown(value: object) -> str:
    """``value`` in a message: of an array, the shape."""
    shape = getattr(value, "shape", None)
    return f"<array {list(shape)}>" if isinstance(shape, tuple) else repr(value)


def integer(name: str, value: SupportsIndex, *, at_least: int) -> int:
    """``value`` as an int; TypeError where it is none, ValueError below ``at_least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}") from None
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {number}")
    return number


def number(
    name: str,
    value: Any,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    finite: bool = True,
) -> float:
    """``value`` as a float; TypeError where it is no real number, ValueError where it is out of its range, or NaN.

    A float, because a scalar of NumPy's makes NumPy arrays of what it meets.
    """
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    real = float(value)
    if above < real < below and real >= at_least:
        return real
    if not finite and real == math.inf:
        return real
    if above > -math.inf and below < math.inf:
        rule = f"lie between {above} and {below}"
    elif above > -math.inf:
        rule = f"be above {above}"
    else:
        rule = f"be at least {at_least}" if at_least > -math.inf else "be a number"
        rule += f" and below {below}" if below < math.inf else ""
    raise ValueError(f"{name} must {rule}{' and finite' if math.isinf(real) else ''}, got {value}")


def number_or_none(name: str, value: Any, **limits: float) -> float | None:
    """:func:`number` of a value that may be None, or be infinite."""
    return None if value is None else number(name, value, finite=False, **limits)


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool; TypeError where it is neither one nor 0 or 1."""
    if value is True or value is False:
        truth: bool = value
        return truth
    # NumPy's own bool has that name too, and is no integer
    if type(value).__name__ == "bool" or (isinstance(value, numbers.Integral) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {shown(value)}")


def one_of(name: str, value: Option, allowed: object) -> Option:
    """``value``, if it is a member of ``allowed`` (a tuple or a Literal type) of strings and None."""
    options = allowed if isinstance(allowed, tuple) else get_args(allowed)
    if not (value is None or isinstance(value, str)) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {shown(value)}")
    return value


def remembered(maxsize: int) -> Callable[[Made], Made]:
    """``functools.lru_cache``, by types as well; arguments that cannot be hashed are the function's own to refuse."""

    def decorate(function: Made) -> Made:
        cached = functools.lru_cache(maxsize=maxsize, typed=True)(function)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            try:
                return cached(*args, **options)
            except TypeError:
                pass
            return function(*args, **options)

        return call  # type: ignore[return-value]

    return decorate


_SWITCHES = {
    **dict.fromkeys(("1", "true", "on", "yes"), True),
    **dict.fromkeys(("0", "false", "off", "no"), False),
}


def switch(variable: str, *, default: bool) -> bool:
    """Whether an environment variable is on; a value without a meaning is warned of, once, and counts as none."""
    value = os.environ.get(variable)
    return _meant(variable, value, default) if value else default


@functools.lru_cache(maxsize=64)
def _meant(variable: str, value: str, default: bool) -> bool:
    meant = _SWITCHES.get(value.strip().lower())
    if meant is None:
        _warn.at_caller(f"{variable} must be 0 or 1, got {value!r}; it is taken for {int(default)}")
        return default
    return meant
