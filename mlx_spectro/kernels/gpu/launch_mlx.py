"""Kernels on MLX arrays: all that knows MLX here."""

from __future__ import annotations

import functools
import threading
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ... import diagnostics
from .dialect import Kernel, Launch, Target, text
from .launcher import Launcher

# an input below this many elements lies in another address space: max_constant_array_size in
# https://github.com/ml-explore/mlx/blob/main/mlx/backend/common/metal_kernel.cpp
SMALLEST_INPUT = 8
_DTYPES = {"float": mx.float32, "complex": mx.complex64}


def available() -> bool:
    """Whether the default device is a GPU that kernels run on."""
    return mx.default_device().type == mx.DeviceType.gpu and (mx.metal.is_available() or mx.cuda.is_available())


class _Running(threading.local):
    times = 0


_running = _Running()


@functools.partial(mx.compile, shapeless=True)
def _probe(x: mx.array) -> mx.array:
    _running.times += 1
    return x


def is_traced(x: mx.array) -> bool:
    """Whether ``x`` stands for a value inside a transformation.

    MLX does not say so; but of what it has compiled, it runs the Python again for such an array, and for no other.
    """
    outside = _running.times
    _probe(x)
    before = _running.times
    _probe(x)
    traced = _running.times > before
    # the call that this one may interrupt is counting too
    _running.times = outside
    return traced


def target() -> Target:
    """The language of the GPU's kernels."""
    return "metal" if mx.metal.is_available() else "cuda"


@functools.cache
def _tables(kernel: Kernel) -> list[mx.array]:
    tables = [_enough(mx.array(table)) for table in kernel.constants]
    mx.eval(tables)
    return tables


@functools.cache
def _function(kernel: Kernel) -> Any:
    """The kernel as MLX calls it, compiled.

    Raises:
        RuntimeError: it does not compile; names the kernel and says what the compiler says.
    """
    header, source = text(kernel, target())
    make = mx.fast.metal_kernel if target() == "metal" else mx.fast.cuda_kernel
    function = make(
        name=kernel.name,
        input_names=[*kernel.inputs, *kernel.tables, "par"],
        output_names=list(kernel.outputs),
        header=header,
        source=source,
    )
    # no rows, nothing to do: this compiles, and what the compiler says comes here instead of at some later evaluation
    nothing = Launch(kernel, dict.fromkeys(kernel.scalars, 0), (1, 1, 1), ((SMALLEST_INPUT,),) * len(kernel.outputs))
    inputs = [mx.zeros(SMALLEST_INPUT, _DTYPES[kind]) for kind in kernel.inputs.values()]
    try:
        mx.eval(Call(nothing, function)(inputs))
    except RuntimeError as error:
        raise RuntimeError(f"GPU kernel {kernel.name} does not compile for {target()}: {error}") from error
    diagnostics.used(kernel.name, -1)  # that was to compile it
    return function


def _enough(x: mx.array) -> mx.array:
    """``x`` or, where it is so small that MLX would put it into constant memory, a longer flat copy."""
    return x if x.size >= SMALLEST_INPUT else mx.concatenate([x.reshape(-1), mx.zeros(SMALLEST_INPUT, x.dtype)])


class Call:
    """A launch made ready: calling it with the kernel's input arrays returns its outputs."""

    def __init__(self, launch: Launch, function: Any = None) -> None:
        kernel = launch.kernel
        scalars = _enough(mx.array(np.frombuffer(kernel.pack(launch.scalars), np.int64)))
        mx.eval(scalars)
        self._name, self._function = kernel.name, function or _function(kernel)
        self._constant = [*_tables(kernel), scalars]
        x, y, z = launch.groups
        self._geometry: dict[str, Any] = {
            "grid": (x * kernel.threads, y, z),
            "threadgroup": (kernel.threads, 1, 1),
            "output_shapes": list(launch.shapes),
            "output_dtypes": [_DTYPES[kind] for kind in kernel.outputs.values()],
        }

    def __call__(self, arrays: list[mx.array]) -> list[mx.array]:
        diagnostics.used(self._name)
        inputs = [x if x.size >= SMALLEST_INPUT else _enough(x) for x in arrays]
        outputs: list[mx.array] = self._function(inputs=inputs + self._constant, **self._geometry)
        return outputs


@functools.cache
def _device(_name: str) -> str:
    """What the default device's times depend on. Asking for versions takes longer than a launch."""
    return f"{diagnostics.spec_mlx_device_key()}|mlx {version('mlx')}"


class MlxLauncher(Launcher[mx.array]):
    """Operators on MLX arrays, without rules for derivatives."""

    def prepare(self, launch: Launch) -> Call:
        return Call(launch)

    def from_numpy(self, values: npt.NDArray[Any]) -> mx.array:
        array = mx.array(values)
        mx.eval(array)
        return array

    def to_numpy(self, array: mx.array) -> npt.NDArray[Any]:
        return np.array(array)

    def wait(self, arrays: list[mx.array]) -> None:
        mx.eval(arrays)

    def is_traced(self, array: Any) -> bool:
        return isinstance(array, mx.array) and is_traced(array)

    def device(self) -> str:
        return _device(str(mx.default_device()))
