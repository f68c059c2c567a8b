"""Filters over given values of NumPy arrays of any strides, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ...design.operators import Project, ProjectPower
from .measurement import measure_given

Array = npt.NDArray[Any]


def project(op: Project, s: Array, bank: Array, *, out: Array | None, precise: bool) -> Array:
    """``s [..., N, F]`` times the bank or its transpose."""
    return measure_given(s, precise, out, bank.T if op.transposed else bank)


def project_power(op: ProjectPower, s: Array, bank: Array, *, out: Array | None, precise: bool) -> Array:
    """``s [..., N, F]``, or its squares, times the bank, and what follows."""
    return measure_given(s, precise, out, bank, op.epilogue, squared=op.power == 2)


RUN = {Project: project, ProjectPower: project_power}
