"""Calls whose arrays are of another kind than their library's own: rewritten for it, and given back as they came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .kinds import is_mlx, is_plain, is_tensor, to_numpy, to_torch

if TYPE_CHECKING:
    from ..dispatch import Function


def call(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Any] | None:
    """The call rewritten for ``function``'s library, if its first array is of another kind; else None."""
    given = (*args, *kwargs.values())
    of_numpy = function.library == "librosa"
    for x in given:
        if is_tensor(x):
            # librosa makes of a tensor what NumPy does
            return None if not of_numpy else _of_mlx(function, args, kwargs)
        if isinstance(x, np.ndarray) and x.ndim:  # one without axes is an option, as a number is
            return None if of_numpy or not is_plain(x) else lambda: _of_numpy(function, args, kwargs)
        if is_mlx(x):
            return _of_mlx(function, args, kwargs)
    return None


def _of_numpy(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    def convert(x: Any) -> Any:
        return to_torch(x) if is_mlx(x) or is_plain(x) else x

    result = function(*map(convert, args), **{key: convert(value) for key, value in kwargs.items()})
    return each(result, lambda y: to_numpy(y) if is_tensor(y) else y)


def _of_mlx(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Any] | None:
    if not any(map(is_mlx, (*args, *kwargs.values()))):
        return None
    from . import mlx_calls

    return lambda: mlx_calls.call(function, args, kwargs)


def each(x: Any, convert: Callable[[Any], Any]) -> Any:
    """``convert`` of ``x``, or of each part of a tuple or list."""
    return type(x)(each(part, convert) for part in x) if isinstance(x, (tuple, list)) else convert(x)
