"""What torch reads in the options of a call: NumPy's numbers, and tensors without axes, are numbers too.

An option in which it reads nothing, or not the same everywhere, declines the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contract.decline import Decline
from ..contract.reasons import unread

# torch's own integers
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# what can be asked for its truth
_TRUTHFUL = (bool, int, float, str, tuple, list, np.bool_, np.integer, np.floating, type(None))


def integer(name: str, value: Any) -> int:
    """The int that torch reads in ``value``: none in a bool, a float or a string, say."""
    number = value if type(value) is int else _integer(name, value)
    if not _SMALLEST <= number <= _LARGEST:
        raise Decline(f"{name} is beyond torch's integers")
    return number


def _integer(name: str, value: Any) -> int:
    if isinstance(value, (int, np.integer)) and type(value) is not bool:
        return int(value)
    if isinstance(value, torch.SymInt):
        return value  # type: ignore[return-value]  # which a compiler does not know yet
    if _is_scalar(value) and value.dtype in _INTEGERS:
        return int(value)
    raise Decline(unread(name, value))


def number(name: str, value: Any) -> float:
    """The int or float that torch's operations read in ``value``: none in a bool, which some of them take."""
    if type(value) is float:
        return value
    if isinstance(value, (float, np.floating)) and type(value) is not np.longdouble:
        return float(value)
    if isinstance(value, torch.SymFloat):
        return float(value)  # a compiler's unknown number becomes a known one
    if _is_scalar(value) and value.dtype in _FLOATS and not value.requires_grad:
        return float(value)
    return integer(name, value)


def exact(name: str, value: Any) -> float:
    """The number with which a library calculates in double precision, as with Python's own."""
    if isinstance(value, (Tensor, np.floating)) and type(value) is not np.float64:
        raise Decline(unread(name, value))
    return number(name, value)


def truth(name: str, value: Any) -> bool:
    """The truth of ``value``, which may have none."""
    if type(value) is bool:
        return value
    if isinstance(value, _TRUTHFUL) or _is_scalar(value):
        return bool(value)
    raise Decline(unread(name, value))


def _is_scalar(value: Any) -> bool:
    """Whether ``value`` is a tensor without axes on the host, and no subclass's."""
    return type(value) is Tensor and not value.dim() and value.is_cpu and value.layout is torch.strided
