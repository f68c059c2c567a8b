"""How far two results of one call are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import kinds


@dataclass(frozen=True)
class Difference:
    """Two results, compared."""

    dtype: np.dtype[Any]
    worst: float
    """Largest absolute difference of finite values."""
    largest: float
    """Largest finite magnitude of the reference."""
    structure: str = ""
    """What else differs: kind, shape, dtype, frames that are not finite."""


def differences(ours: Any, theirs: Any, exact: bool = True) -> list[Difference]:
    """Compare arrays of any library, or the parts of tuples and lists, each with its counterpart.

    Args:
        exact: Results are of one kind and one dtype, or that is a difference of theirs.
    """
    if ours is None and theirs is None:
        return []
    mine, other = f"is {kinds.describe(ours)}", f"not {kinds.describe(theirs)}"
    if ours is None or theirs is None:
        return [Difference(np.dtype(float), 0, 0, f"{mine}, {other}")]
    if isinstance(theirs, (tuple, list)):
        if type(ours) is not type(theirs) or len(ours) != len(theirs):
            return [Difference(np.dtype(float), 0, 0, f"{mine}, {other}")]
        return [part for a, b in zip(ours, theirs, strict=True) for part in differences(a, b, exact)]
    a, b = kinds.to_numpy(ours), kinds.to_numpy(theirs)
    if a.shape != b.shape or (exact and (type(ours) is not type(theirs) or a.dtype != b.dtype)):
        return [Difference(b.dtype, 0, 0, f"{mine}, {other}")]
    return [difference_of_values(a.astype(b.dtype, copy=False), b)]


def difference_of_values(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Difference:
    """Compare two arrays of one shape and dtype. NaN and infinity need only stand in the same frames (columns)."""
    finite_a, finite_b = np.isfinite(a), np.isfinite(b)
    both = finite_a & finite_b
    problem = ""
    if a.ndim > 1 and a.size and not both.all():
        frames = tuple(range(a.ndim - 2)) + (a.ndim - 2,)
        if not np.array_equal(finite_a.all(axis=frames[-1]), finite_b.all(axis=frames[-1])):
            problem = "has NaN or infinity in other frames"
    elif not np.array_equal(finite_a, finite_b):
        problem = "has NaN or infinity in other places"
    if b.dtype == bool:
        a, b = a.astype(np.int8), b.astype(np.int8)
    worst = np.abs(np.subtract(a, b, where=both, out=np.zeros_like(a))).max(initial=0) if both.any() else 0.0
    largest = np.abs(b[finite_b]).max(initial=0)
    return Difference(b.dtype, float(worst), float(largest), problem)
