"""Operators by host kernels, in MLX's own memory. Inside ``mx.compile`` and ``mx.vmap`` definitions stand in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import diagnostics
from ..design import operators
from ..design.operators import Operator
from ..kernels import cpu

_SERVED = {
    operators.Stft,
    operators.StftAdjoint,
    operators.Istft,
    operators.IstftAdjoint,
    operators.Spectrogram,
    operators.Filterbank,
    operators.Project,
    operators.ProjectPower,
    operators.Describe,
    operators.DescribeMagnitudes,
    operators.FrameStatistic,
}
# their sums lose digits in float32
_PRECISE = {operators.Describe, operators.DescribeMagnitudes}
# these are asked for with frames last
_FRAMES_LAST = {operators.Filterbank}
# below this many values, copying a result costs less than having MLX make room for it
_FEW = 1 << 20


def serves(op: Operator, x: mx.array, *weights: Any) -> bool:
    """Whether host kernels compute ``op`` for MLX arrays."""
    if isinstance(op, (operators.Describe, operators.DescribeMagnitudes)) and not op.spec.in_kernels:
        return False
    return type(op) in _SERVED and getattr(op, "onesided", True)


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
    arrays, kind = [_seen(array) for array in (x, *weights)], type(op)
    diagnostics.used(f"host {op.name}")

    def fill(out: npt.NDArray[Any]) -> None:
        cpu.run(op, *arrays, out=out.swapaxes(-1, -2) if kind in _FRAMES_LAST else out, precise=kind in _PRECISE)

    shape = op.shape(*(array.shape for array in arrays))
    if kind not in _FRAMES_LAST:
        return _filled(shape, op.is_complex, fill)
    return mx.swapaxes(_filled((*shape[:-2], shape[-1], shape[-2]), op.is_complex, fill), -1, -2)


def _seen(x: Any) -> npt.NDArray[Any]:
    """``x``'s own memory."""
    return x if isinstance(x, np.ndarray) else np.array(x, copy=False)


def _filled(shape: tuple[int, ...], is_complex: bool, fill: Callable[[npt.NDArray[Any]], None]) -> mx.array:
    """An array whose memory ``fill`` writes."""
    if math.prod(shape) < _FEW:
        values: npt.NDArray[Any] = np.empty(shape, np.complex64 if is_complex else np.float32)
        fill(values)
        return mx.array(values)
    y = mx.zeros(shape, mx.complex64 if is_complex else mx.float32)
    mx.eval(y)
    fill(_seen(y))
    return y
