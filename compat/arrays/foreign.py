"""Calls whose arrays are of another kind than their library's own: rewritten for it, and given back as they came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..contract.function import Door, Function
from .kinds import OF_NUMPY, each_part, is_mlx, is_plain, is_tensor, to_numpy, to_torch

# a call that is still to go through the door, with other arrays
Rewritten = Callable[[Door], Any]


def rewritten(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rewritten | None:
    """The call rewritten for ``function``'s library, if its first array is of another kind; else None."""
    arguments = (*args, *kwargs.values())
    of_numpy = function.library in OF_NUMPY
    for x in arguments:
        if is_tensor(x):
            # such a library makes of a tensor what NumPy does
            return None if not of_numpy else _of_mlx(function, args, kwargs)
        if isinstance(x, np.ndarray) and x.ndim:  # one without axes is an option, as a number is
            return None if of_numpy or not is_plain(x) else lambda door: _of_numpy(door, function, args, kwargs)
        if is_mlx(x):
            return _of_mlx(function, args, kwargs)
    return None


def _of_numpy(door: Door, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    def convert(x: Any) -> Any:
        return to_torch(x) if is_mlx(x) or is_plain(x) else x

    result = door(function, tuple(map(convert, args)), {key: convert(value) for key, value in kwargs.items()})
    return each_part(result, lambda y: to_numpy(y) if is_tensor(y) else y)


def _of_mlx(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rewritten | None:
    if not any(map(is_mlx, (*args, *kwargs.values()))):
        return None
    from . import mlx_calls

    return lambda door: mlx_calls.call(door, function, args, kwargs)
