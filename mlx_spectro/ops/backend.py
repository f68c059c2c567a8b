"""Which implementation computes an operation: plain MLX ops, host kernels or GPU kernels. Chosen by asking."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import _check, distribution
from ..kernels import cpu

if TYPE_CHECKING:
    import mlx.core as mx

MISSING = (
    f"MLX has no back end here. On Linux, install one: {distribution.install('cpu')}, or [cuda] for an NVIDIA GPU. "
    "With [host], mlx_spectro.compat works without MLX, on NumPy arrays and torch CPU tensors; with torch and "
    "cuda-bindings, on torch CUDA tensors"
)

Implementation = Literal["plain", "host", "gpu"]

_forced: ContextVar[Implementation | None] = ContextVar("mlx_spectro_implementation", default=None)


@functools.cache
def has_mlx() -> bool:
    """Whether MLX is installed with a back end. On Linux the back end is a wheel of its own."""
    # without it, importing MLX fails with a name of a library: https://github.com/ml-explore/mlx/issues/2390
    spec = importlib.util.find_spec("mlx")
    if spec is None or spec.submodule_search_locations is None:
        return False
    return sys.platform != "linux" or any(
        (Path(folder) / "lib" / "libmlx.so").exists() for folder in spec.submodule_search_locations
    )


def has_torch_with_cuda() -> bool:
    """Whether torch is installed, and with it what kernels are launched by on its CUDA tensors."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "cuda"))


@contextlib.contextmanager
def implementation(name: Implementation) -> Iterator[None]:
    """Inside, ``name`` computes everything that it can, and plain ops the rest."""
    token = _forced.set(_check.one_of("implementation", name, Implementation))
    try:
        yield
    finally:
        _forced.reset(token)


def implementations() -> tuple[Implementation, ...]:
    """Those present for MLX's default device, plain first."""
    global _last
    device = _core().default_device()
    # asked at every call: comparing devices takes a tenth of a microsecond
    if _last[0] is None or device != _last[0]:
        _last = device, _present(device)
    return _last[1]


_last: tuple[Any, tuple[Implementation, ...]] = (None, ())


@functools.cache
def _core() -> Any:
    import mlx.core as mx

    return mx


def _present(device: mx.Device) -> tuple[Implementation, ...]:
    from ..kernels.gpu import launch_mlx

    if device.type == _core().DeviceType.cpu:
        return ("plain", "host") if cpu.available() else ("plain",)
    return ("plain", "gpu") if launch_mlx.available() else ("plain",)


def preferred() -> Implementation:
    """The fastest implementation present for MLX arrays, or the one that :func:`implementation` asks for."""
    present = implementations()
    forced = _forced.get()
    if forced is None:
        return present[-1]
    return forced if forced in present else "plain"


def for_host_arrays() -> Implementation:
    """The implementation that serves NumPy arrays and torch CPU tensors."""
    forced = _forced.get()
    if forced is not None and has_mlx():
        return forced
    return "host" if cpu.available() else "plain"


def gpu_takes_host_arrays() -> bool:
    """Whether MLX's kernels on a GPU can transform host arrays. MLX is imported only where there is such a device."""
    if _forced.get() is not None or not (_has_gpu() and has_mlx() and mlx_survived()):
        return False
    return preferred() == "gpu"


def host_arrays_state() -> Any:
    """What :func:`for_host_arrays` and :func:`gpu_takes_host_arrays` depend on."""
    return _forced.get(), _forked, _has_gpu() and has_mlx() and not _forked and implementations()


@functools.cache
def _has_gpu() -> bool:
    return sys.platform == "darwin" or Path("/dev/nvidiactl").exists()


def compiled(function: Callable[[mx.array], mx.array]) -> Callable[[mx.array], mx.array]:
    """``function`` compiled by MLX, or itself where kernels serve it.

    ``mx.compile`` would keep host kernels out, and calls of GPU kernels are recorded.
    """
    import mlx.core as mx

    traced = mx.compile(function)

    def call(x: mx.array) -> mx.array:
        return traced(x) if preferred() == "plain" and isinstance(x, mx.array) else function(x)

    return call


_forked = False


def _note_fork() -> None:
    global _forked
    _forked = "mlx.core" in sys.modules


os.register_at_fork(after_in_child=_note_fork)


def mlx_survived() -> bool:
    """False in a forked child of a process that had imported MLX: its first evaluation would hang."""
    return not _forked


def require_mlx() -> None:
    """Raise RuntimeError in a forked child of a process that had imported MLX."""
    if _forked:
        raise RuntimeError(
            "MLX does not survive fork; start the process with multiprocessing.get_context('spawn'), "
            "or DataLoader(..., multiprocessing_context='spawn')"
        )
