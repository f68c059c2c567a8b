"""What torch reads in the options of a call: NumPy's numbers, and tensors without axes, are numbers too."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

# torch's own integers
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
# what can be asked for its truth
_TRUTHFUL = (bool, int, float, str, tuple, list, np.bool_, np.integer, np.floating, type(None))


def integer(value: Any) -> int | None:
    """The int that torch reads in ``value``; None where it reads none (in a bool, a float or a string, say)."""
    if type(value) is not int:
        value = _integer(value)
        if value is None:
            return None
    return value if _SMALLEST <= value <= _LARGEST else None


def _integer(value: Any) -> int | None:
    if isinstance(value, (int, np.integer)):
        return None if type(value) is bool else int(value)
    return int(value) if _is_scalar(value) and value.dtype in _INTEGERS else None


def number(value: Any) -> float | None:
    """The int or float that torch's operations read in ``value``; None where they read none.

    None for a bool too, which torch takes for a number here and not there.
    """
    if type(value) is float:
        return value
    if isinstance(value, (float, np.floating)) and type(value) is not np.longdouble:
        return float(value)
    if _is_scalar(value) and value.dtype in _FLOATS and not value.requires_grad:
        return float(value)
    return integer(value)


def truth(value: Any) -> bool | None:
    """The truth of ``value``; None where it may have none."""
    if type(value) is bool:
        return value
    return bool(value) if isinstance(value, _TRUTHFUL) or _is_scalar(value) else None


def _is_scalar(value: Any) -> bool:
    """Whether ``value`` is a tensor without axes on the host, and no subclass's."""
    return type(value) is Tensor and not value.dim() and value.is_cpu and value.layout is torch.strided
