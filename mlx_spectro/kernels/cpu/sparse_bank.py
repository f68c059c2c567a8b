"""Filterbanks as the kernels take them: of each filter, where it starts, how far it reaches, and its weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime.memory import address_of
from .weights import Recent


class SparseBank(NamedTuple):
    """Filters without the zeros before their first weight and after their last."""

    filters: int
    at: tuple[int, int, int]
    """What compiled code takes: the number of filters, and where their table and their weights lie."""
    weights: int
    """Their number over all filters."""
    keep: tuple[Any, Any]
    """The table, ``[filters, 3]``: first bin, number of bins, offset of the weights in bytes; and the weights."""


NO_BANK = (0, 0, 0)
_banks = Recent(32)


def sparse(bank: npt.NDArray[Any], real: str) -> SparseBank:
    """The dense ``bank [bins, filters]`` without its zeros, its weights in ``real`` arithmetic."""
    return sparse_of(bank.tobytes(), bank.dtype, len(bank), real)


def sparse_of(bank: bytes, kind: np.dtype[Any], bins: int, real: str) -> SparseBank:
    """:func:`sparse` of a bank of a ``kind``, in C order."""
    result: SparseBank = _banks.of(bank, (kind, bins, real), _sparse)
    return result


def _sparse(bank: bytes, kind: np.dtype[Any], bins: int, real: str) -> SparseBank:
    rows, weights, offset = [], [], 0
    for column in np.frombuffer(bank, kind).reshape(bins, -1).T:
        reached = np.flatnonzero(column)
        first, end = (reached[0], reached[-1] + 1) if reached.size else (0, 0)
        rows.append((first, end - first, offset * np.dtype(real).itemsize))
        weights.append(column[first:end])
        offset += end - first
    table, values = np.array(rows, np.int64).reshape(-1, 3), np.concatenate(weights).astype(real)
    return SparseBank(len(rows), (len(rows), address_of(table), address_of(values)), int(offset), (table, values))
