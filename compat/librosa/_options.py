"""Which values of an option we take; what we leave to librosa, a reason names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract.reasons import unread

_WHOLE = frozenset((int, np.int64, np.int32))
# NumPy's own scalars of these types mean what Python's mean, except that they may decide a result's dtype
_NUMBERS = _WHOLE | {float, np.float64}
_PLAIN = frozenset((int, float))
_FLAGS = frozenset((bool, np.bool_, int, type(None)))
# beyond it, NumPy's narrower integers overflow in librosa's sums of them
_MOST = 2**31 - 1
# beyond it, nothing is a frequency, an exponent or a decibel
_LARGE = 1e15


def whole(name: str, value: Any, least: int = 1, most: int = _MOST) -> str:
    """Why ``value`` is not a whole number from ``least`` to ``most`` that we take; empty where it is."""
    if type(value) not in _WHOLE:
        return unread(name, value)
    return "" if least <= value <= most else f"{name} is not between {least:g} and {most:g}"


def number(name: str, value: Any, least: float = -_LARGE, most: float = _LARGE) -> str:
    """Why ``value`` is not a number from ``least`` to ``most`` that we take; empty where it is."""
    if type(value) not in _NUMBERS:
        return unread(name, value)
    return "" if least <= value <= most else f"{name} is not between {least:g} and {most:g}"


def plain(name: str, value: Any, least: float = -_LARGE, most: float = _LARGE) -> str:
    """:func:`number` of an option that librosa combines with its arrays, whose dtype a scalar of NumPy's changes."""
    if type(value) not in _PLAIN:
        return unread(name, value)
    return "" if least <= value <= most else f"{name} is not between {least:g} and {most:g}"


def flag(name: str, value: Any) -> str:
    """Why we do not take ``value`` by its truth; empty where we do."""
    return "" if type(value) in _FLAGS else unread(name, value)


def choice(name: str, value: Any, *choices: str | None) -> str:
    """Why ``value`` is none of ``choices``; empty where it is one."""
    if value is not None and type(value) is not str:
        return unread(name, value)
    return "" if value in choices else f"{name} is not one of {choices}"


def is_dtype(value: Any, *dtypes: Any) -> bool:
    """Whether ``value`` names one of ``dtypes``."""
    if isinstance(value, (type, np.dtype, str)):
        try:
            return np.dtype(value) in dtypes
        except TypeError:
            return False
    return False
