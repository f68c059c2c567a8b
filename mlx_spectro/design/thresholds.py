"""Numbers from which on a function that ascends gives each of its codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# Neighbours on either side that are looked at. A code of log(1 + u) descends at most where a logarithm that errs by a
# unit in its last place does: within 2 eps log(1 + u) (1 + 1 / u) of a threshold, relatively, which is 45 units of a
# number for 2^16 codes, of which u is below 2^16.
_PROBED = 64


def thresholds(code: Callable[[Array], Array], kind: npt.DTypeLike) -> tuple[Array, int]:
    """The least numbers from -1 to 1 of which ``code`` gives each code but the first, and the first.

    Args:
        code: Takes numbers of the dtype ``kind``, float32 or float64, and gives whole ones that ascend.

    Raises:
        ValueError: codes of neighbouring numbers do not ascend.
    """
    whole = np.dtype(f"i{np.dtype(kind).itemsize}")

    def there(places: Array) -> Array:
        return code(_ordered(np.clip(places, *ends)).view(kind))

    ends = _ordered(np.array([-1, 1], kind).view(whole))
    first, last = there(ends)
    wanted = np.arange(first + 1, last + 1)
    below, reached = (np.full(wanted.size, end, whole) for end in ends)
    while (reached - below > 1).any():
        middle = below // 2 + reached // 2 + (below & reached & 1)
        ahead = there(middle) >= wanted
        below, reached = np.where(ahead, below, middle), np.where(ahead, middle, reached)
    for step in range(_PROBED):
        if not ((there(below - step) < wanted).all() and (there(reached + step) >= wanted).all()):
            raise ValueError("codes of neighbouring numbers do not ascend")
    return np.ascontiguousarray(_ordered(reached).view(kind)), int(first)


def _ordered(bits: Array) -> Array:
    """The bits of floating-point numbers as integers that are in order as they are, and the other way round."""
    return np.where(bits >= 0, bits, np.iinfo(bits.dtype).min - bits)
