"""Which values of an option of NumPy's libraries we take; what we leave to them declines the call, and names it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..contract.decline import Decline
from ..contract.reasons import unread

_WHOLE = frozenset((int, np.int64, np.int32))
# NumPy's own scalars of these types mean what Python's mean, except that they may decide a result's dtype
_NUMBERS = _WHOLE | {float, np.float64}
_PLAIN = frozenset((int, float))
_FLAGS = frozenset((bool, np.bool_, int, type(None)))
# beyond it, NumPy's narrower integers overflow in sums of them
_MOST = 2**31 - 1
# beyond it, nothing is a frequency, an exponent or a decibel
_LARGE = 1e15


def check_whole(name: str, value: Any, least: int = 1, most: int = _MOST) -> None:
    """Take whole numbers from ``least`` to ``most``."""
    if type(value) not in _WHOLE:
        raise Decline(unread(name, value))
    if not least <= value <= most:
        raise Decline(f"{name} is not between {least:g} and {most:g}")


def check_number(name: str, value: Any, least: float = -_LARGE, most: float = _LARGE) -> None:
    """Take numbers from ``least`` to ``most``."""
    if type(value) not in _NUMBERS:
        raise Decline(unread(name, value))
    if not least <= value <= most:
        raise Decline(f"{name} is not between {least:g} and {most:g}")


def check_plain(name: str, value: Any, least: float = -_LARGE, most: float = _LARGE) -> None:
    """Take numbers of Python's own: a scalar of NumPy's changes the dtype of arrays that it is combined with."""
    if type(value) not in _PLAIN:
        raise Decline(unread(name, value))
    if not least <= value <= most:
        raise Decline(f"{name} is not between {least:g} and {most:g}")


def check_flag(name: str, value: Any) -> None:
    """Take what counts by its truth."""
    if type(value) not in _FLAGS:
        raise Decline(unread(name, value))


def check_choice(name: str, value: Any, *choices: str | None) -> None:
    """Take ``choices``."""
    if value is not None and type(value) is not str:
        raise Decline(unread(name, value))
    if value not in choices:
        raise Decline(f"{name} is not one of {choices}")


def is_dtype(value: Any, *dtypes: Any) -> bool:
    """Whether ``value`` names one of ``dtypes``."""
    if isinstance(value, (type, np.dtype, str)):
        try:
            return np.dtype(value) in dtypes
        except TypeError:
            return False
    return False


_LEAST_EXPONENT = 1e-15


def check_exponent(power: Any) -> None:
    """Decline an exponent of masks that is no plain number above 0, or infinite."""
    if not (type(power) is float and power == math.inf):
        check_plain("power", power, _LEAST_EXPONENT)
