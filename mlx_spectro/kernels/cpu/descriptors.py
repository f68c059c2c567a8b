"""Descriptors of NumPy arrays by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.descriptors import DescriptorSpec
from ...design.operators import Describe, DescribeMagnitudes
from ...design.quiet import quietly
from .measurement import BITS, measure, measure_given, numbers_of
from .plan import NAMES

Array = npt.NDArray[Any]


def describe(op: Describe, x: Array, window: Array, hz: Array, *, out: Array | None, precise: bool) -> Array:
    """Descriptors ``[..., rows, N]`` of the magnitudes of ``x``'s frames."""
    spec = op.spec
    numbers = np.empty((*x.shape[:-1], numbers_of(spec), op.framing.frames(x.shape[-1])), NAMES[x.dtype])
    measure(x, window, op.framing, 1.0, 1.0, precise, numbers.swapaxes(-1, -2), spec=spec, hz=hz)
    return _rows(numbers, spec, out)


def describe_magnitudes(op: DescribeMagnitudes, s: Array, hz: Array, *, out: Array | None, precise: bool) -> Array:
    """Descriptors ``[..., rows, N]`` of magnitudes ``s [..., N, F]`` of any strides."""
    numbers = np.empty((*s.shape[:-2], numbers_of(op.spec), s.shape[-2]), s.dtype)
    measure_given(s, precise, numbers.swapaxes(-1, -2), spec=op.spec, hz=hz)
    return _rows(numbers, op.spec, out)


@quietly()
def _rows(numbers: Array, spec: DescriptorSpec, out: Array | None) -> Array:
    """What kernels put out ``[..., numbers, N]``, in the order of :data:`BITS`, in that of ``spec``."""
    parts, i = {}, 0
    for name in sorted(spec.names, key=BITS.__getitem__):
        count = {"contrast": 2 * len(spec.bands), "flatness": 2}.get(name, 1)
        part, i = numbers[..., i : i + count, :], i + count
        if name == "contrast":
            part = np.concatenate([part[..., 0::2, :], part[..., 1::2, :]], axis=-2)
        elif name == "flatness":
            part = np.exp(part[..., :1, :]) / part[..., 1:, :]
        parts[name] = part
    if out is None:
        return parts[spec.names[0]] if len(parts) == 1 else np.concatenate([parts[n] for n in spec.names], axis=-2)
    return np.concatenate([parts[name] for name in spec.names], axis=-2, out=out)


RUN = {Describe: describe, DescribeMagnitudes: describe_magnitudes}
