"""Operators by host kernels, in MLX's own memory. Inside ``mx.compile`` and ``mx.vmap`` definitions stand in."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import diagnostics
from ..design import operators
from ..design.operators import Operator
from ..kernels import cpu

# host kernels know one kind of them
_DEFINED = {operators.Elementwise}
# their sums lose digits in float32
_PRECISE = {operators.Describe, operators.DescribeMagnitudes}
# these are asked for with frames last
_FRAMES_LAST = {operators.Filterbank}
# below this many values, copying a result costs less than having MLX make room for it
_FEW = 1 << 20


_shape_of = attrgetter("shape")


def serves(op: Operator, x: mx.array, *weights: Any) -> bool:
    """Whether host kernels compute ``op`` for MLX arrays."""
    if type(op) in _DEFINED or not cpu.serves(op):
        return False
    if isinstance(op, (operators.Describe, operators.DescribeMagnitudes)):
        return op.spec.in_kernels
    return getattr(op, "onesided", True)


def has_no_value(x: mx.array) -> bool:
    """Whether ``x`` stands for a value inside ``mx.compile`` or ``mx.vmap``; inside a gradient it has one."""
    try:
        mx.eval(x)
    except ValueError:
        return True
    return False


def run(op: Operator, x: mx.array, *weights: Any) -> mx.array | None:
    """``op`` by host kernels; None inside a transformation, and where this call interrupts its thread in compiling."""
    if has_no_value(x) or cpu.busy():
        return None
    arrays, kind = list(map(_memory_of, (x, *weights))), type(op)
    diagnostics.used(f"host {op.name}")

    shape, turned = op.shape(*map(_shape_of, arrays)), kind in _FRAMES_LAST
    if turned:
        shape = *shape[:-2], shape[-1], shape[-2]
    y, memory = _room(shape, op.is_complex)
    cpu.run(op, *arrays, out=memory.swapaxes(-1, -2) if turned else memory, precise=kind in _PRECISE)
    y = mx.array(memory) if y is None else y
    return mx.swapaxes(y, -1, -2) if turned else y


def _memory_of(x: Any) -> npt.NDArray[Any]:
    """``x``'s own memory."""
    return x if isinstance(x, np.ndarray) else np.array(x, copy=False)


def _room(shape: tuple[int, ...], is_complex: bool) -> tuple[mx.array | None, npt.NDArray[Any]]:
    """Memory for a result, and the array that it belongs to; None where it is to be copied."""
    if math.prod(shape) < _FEW:
        return None, np.empty(shape, np.complex64 if is_complex else np.float32)
    y = mx.zeros(shape, mx.complex64 if is_complex else mx.float32)
    mx.eval(y)
    return y, _memory_of(y)
