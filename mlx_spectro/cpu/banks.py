"""Filterbanks as the kernels take them: of each filter, where it starts, how far it reaches, and its weights."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .memory import address_of


class SparseBank(NamedTuple):
    """Filters without the zeros before their first weight and after their last."""

    filters: int
    table: npt.NDArray[np.int64]
    """``[filters, 3]``: first bin, number of bins, offset of the weights in bytes."""
    weights: npt.NDArray[Any]

    def at(self) -> tuple[int, int, int]:
        """What compiled code takes."""
        return self.filters, address_of(self.table), address_of(self.weights)


NO_BANK = (0, 0, 0)


def sparse(bank: npt.NDArray[Any], real: str) -> SparseBank:
    """The dense ``bank [bins, filters]`` without its zeros, its weights in ``real`` arithmetic."""
    return _sparse(bank.tobytes(), bank.dtype.str, bank.shape, real)


@functools.lru_cache(maxsize=32)
def _sparse(values: bytes, kind: str, shape: tuple[int, int], real: str) -> SparseBank:
    bank = np.frombuffer(values, kind).reshape(shape)
    table, weights, offset = [], [], 0
    for column in bank.T:
        reached = np.flatnonzero(column)
        first, end = (reached[0], reached[-1] + 1) if reached.size else (0, 0)
        table.append((first, end - first, offset * np.dtype(real).itemsize))
        weights.append(column[first:end])
        offset += end - first
    return SparseBank(shape[1], np.array(table, np.int64).reshape(-1, 3), np.concatenate(weights).astype(real))
