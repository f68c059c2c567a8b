"""Operators on host arrays by MLX, which copies them in and out."""

from __future__ import annotations

import functools
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_spectro.design.operators import Operator
from mlx_spectro.ops.apply import apply

# beyond it, what is no operator's first argument is hardly the same in a later call
_LARGE = 1 << 22


def run(op: Operator, x: npt.NDArray[Any], *weights: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    """``op`` of a NumPy array, to ``out``: as :func:`mlx_spectro.kernels.cpu.run`."""
    constants = (_constant(w.tobytes(), w.shape, w.dtype.str) if w.nbytes < _LARGE else mx.array(w) for w in weights)
    np.copyto(out, np.array(apply(op, mx.array(x), *constants), copy=False))


@functools.lru_cache(maxsize=32)
def _constant(values: bytes, shape: tuple[int, ...], dtype: str) -> mx.array:
    """A window or a filterbank: always the same array, by which what is made of it is known again."""
    array = mx.array(np.frombuffer(values, dtype).reshape(shape))
    mx.eval(array)
    return array
