"""Which implementation computes an operation: plain MLX ops, host kernels or GPU kernels. Chosen by asking."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Literal

import mlx.core as mx

from . import _check, cpu, kernels

Implementation = Literal["plain", "host", "gpu"]

_forced: ContextVar[Implementation | None] = ContextVar("mlx_spectro_implementation", default=None)


@contextlib.contextmanager
def implementation(name: Implementation) -> Iterator[None]:
    """Inside, every operation that ``name`` can compute on the default device is computed by it, the rest by plain ops."""
    token = _forced.set(_check.one_of("implementation", name, Implementation))
    try:
        yield
    finally:
        _forced.reset(token)


def implementations() -> tuple[Implementation, ...]:
    """Those present for the default device, plain first."""
    if mx.default_device().type == mx.DeviceType.cpu:
        return ("plain", "host") if cpu.available() else ("plain",)
    return ("plain", "gpu") if kernels.available() else ("plain",)


def preferred() -> Implementation:
    """The fastest implementation present, or the one asked for by :func:`implementation` where present."""
    present = implementations()
    forced = _forced.get()
    if forced is None:
        return present[-1]
    return forced if forced in present else "plain"
