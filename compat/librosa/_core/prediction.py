"""lpc of librosa."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import Array, audio_energy, check_engine, check_size

_MOST = 1024
# products of samples from which on ours is faster
_LEAST = 20_000
# in sums of samples, of double precision, what is left of them is to be seen to more digits than librosa computes with
_LARGEST_GROWTH = 1e11
_TINY = float(np.finfo(np.float32).tiny)


def _coefficients(y: Array, order: int, axis: int) -> tuple[Array, float]:
    """Coefficients ``[order + 1, ...]``, and by how much sums are larger than what is left of them."""
    first = y.swapaxes(axis, 0)
    rows = first.reshape(len(first), -1).T
    order = int(order)
    values, growth = cpu.burg(rows, order, _TINY)
    return values.T.reshape(order + 1, *first.shape[1:]), float(growth.max())


def _error(arguments: dict[str, Any]) -> float:
    """Samples, whose sums librosa rounds at each, and what is left of those at each order relatively as often."""
    y, order, axis = (arguments[name] for name in ("y", "order", "axis"))
    return int(y.shape[axis]) + math.sqrt(min(_LARGEST_GROWTH, _coefficients(y, order, axis)[1]))


@adapter("librosa.lpc", tolerances.sums, also="librosa.core", order=_error)
def lpc(y: Array, *, order: int, axis: int = -1) -> Work:
    """librosa.lpc. Same arguments, same defaults.

    By sums over samples in double precision, from which the sums over errors follow: of float32 audio that is not
    predicted almost without an error.
    """
    check_engine()
    check_whole("order", order, 1, _MOST)
    check_whole("axis", axis, -32, 32)
    audio_energy(y)
    if y.dtype != np.float32:
        raise Decline("the audio is float64, in which librosa's errors are more precise than sums of samples")
    if not -y.ndim <= axis < y.ndim or y.shape[axis] < order + 2:
        raise Decline("the audio has no such axis, or too few samples for the order")
    check_size(y.size * order, _LEAST)

    def work() -> Array:
        values, growth = _coefficients(y, order, axis)
        if not 0 <= growth < _LARGEST_GROWTH:
            raise Decline("the audio is predicted almost without an error, or is constant")
        return np.swapaxes(values.astype(np.float32, order="C"), 0, axis)

    return work
