"""What is made of the values of windows and banks, for as long as the same values come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.quiet import quietly
from .runtime.memory import address_of


class Recent:
    """The last results for arrays' values and options, the latest first: few enough to compare with each.

    Values are compared, and not whose they are: a program may change them where nobody counts the changes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._results: tuple[tuple[Any, Any], ...] = ()

    def of(self, values: bytes, options: tuple[Any, ...], make: Callable[..., Any]) -> Any:
        """``make(values, *options)``."""
        key = (values, options)
        for other, result in self._results:
            if other == key:
                return result
        result = make(values, *options)
        self._results = ((key, result), *self._results[: self._most - 1])
        return result


windows_scaled = Recent(32)


def scaled(
    window: bytes, kind: np.dtype[Any], factor: float, real: np.dtype[Any]
) -> tuple[npt.NDArray[np.floating], int]:
    """A window of a ``kind`` times ``factor`` in ``real`` arithmetic, and where it lies."""
    # a value beyond its type's, or that is not finite, is no reason for a warning, least of all the first time alone
    with quietly():
        weights = (np.frombuffer(window, kind).astype(np.float64) * factor).astype(real)
    return weights, address_of(weights)
