"""Filters over given values of NumPy arrays of any strides, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ...design.operators import Project, ProjectPower
from .measurement import Projection, finishing, measure_given, types_of
from .plan import NAMES
from .runtime.layout import Layout

Array = npt.NDArray[Any]


def project(op: Project, s: Array, bank: Array, *, out: Array | None, precise: bool) -> Array:
    """``s [..., N, F]`` times the bank or its transpose."""
    return measure_given(s, precise, out, bank.T if op.transposed else bank)


def project_power(op: ProjectPower, s: Array, bank: Array, *, out: Array | None, precise: bool) -> Array:
    """``s [..., N, F]``, or its squares, times the bank, and what follows."""
    return measure_given(s, precise, out, bank, op.epilogue, squared=op.power == 2)


def prepare(op: Project, s: Layout, bank: Layout) -> Any:
    """The products of values that lie alike with a bank, in C order."""
    stack = s.folded(2)
    if stack is None or op.transposed:
        return None
    layout, (_, frames, bins) = types_of(NAMES[s.kind]), stack.shape
    frame_bytes = bank.shape[1] * s.kind.itemsize
    project = Projection(layout, stack.shape, stack.strides, (frames * frame_bytes, s.kind.itemsize, frame_bytes))
    finish = finishing(layout, bins, bank.kind)
    return lambda address, weights, out, held: project(address, finish(*weights), out, held)


RUN = {Project: project, ProjectPower: project_power}
PREPARE = {Project: prepare}
