"""Our kernels on torch's MPS tensors, compiled and encoded by torch itself, on its own stream."""

from __future__ import annotations

import functools
import platform
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import Operator
from mlx_spectro.kernels.gpu.dialect import Kernel, Launch, metal_program

from ..contract.decline import Decline
from .torch_launch import LaunchCall, TorchLauncher

# the oldest torch whose own tests cover what becomes of complex MPS tensors here: added, turned around, joined
_WITH_COMPLEX = "2.11"
# a grid's threads along an axis have numbers of 32 bits
_MOST_THREADS = (1 << 32) - 1


class _Function(NamedTuple):
    """A kernel loaded, and its tables."""

    call: Any
    tables: list[Tensor]


class _LaunchCall(LaunchCall):
    def __init__(self, launch: Launch, function: _Function, device: torch.device) -> None:
        super().__init__(launch)
        kernel, self._function, self._device = launch.kernel, function.call, device
        self._constant = [*function.tables, *kernel.each(launch.scalars)]
        x, y, z = launch.groups
        self._threads, self._group = (x * kernel.threads, y, z), (kernel.threads, 1, 1)
        if self._threads[0] > _MOST_THREADS:
            raise Decline("a signal has more frames than an MPS device numbers threads")

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        make, device = torch.empty_strided, self._device  # which takes two thirds of the time of torch.empty
        outputs = [make(shape, strides, dtype=dtype, device=device) for shape, strides, dtype in self._outputs]
        self._function(*tensors, *self._constant, *outputs, threads=self._threads, group_size=self._group)
        diagnostics.used(self._name)
        return outputs


class MpsLauncher(TorchLauncher):
    """Runs operators on MPS tensors.

    Memory that is let go is used anew by what torch's one stream holds later, so that nothing is waited for.
    """

    def __init__(self) -> None:
        super().__init__(torch.device("mps", 0))
        name: Any = getattr(torch.backends.mps, "get_name", platform.machine)
        self._key = f"mps:{name()}|torch"
        self._has_complex = torch.__version__ >= _WITH_COMPLEX
        # by their programs: torch does not say that a function outlives its library
        self._libraries: dict[str, Any] = {}

    def __call__(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        if not self._has_complex and (op.is_complex or x.is_complex()):
            raise Decline(f"complex MPS tensors are served with torch 2.11 or newer, and this is {torch.__version__}")
        return super().__call__(op, x, *weights)

    def program(self, kernel: Kernel) -> str:
        return metal_program(kernel)

    def load(self, program: str, kernel: Kernel) -> _Function | str:
        try:
            library = self._libraries[program] = torch.mps.compile_shader(program)
            function = getattr(library, kernel.name)
        except (RuntimeError, SyntaxError) as error:
            return f"the GPU kernel {kernel.name} does not compile for MPS: {error}"
        most: int = getattr(function, "max_threads_per_threadgroup", kernel.threads)
        if most < kernel.threads:
            return f"the GPU kernel {kernel.name} takes threadgroups of {kernel.threads} threads, too many for this GPU"
        return _Function(function, [self.from_numpy(table) for table in kernel.constants])

    def call(self, launch: Launch, kernel: _Function) -> _LaunchCall:
        return _LaunchCall(launch, kernel, self.torch_device)

    def wait(self, arrays: list[Tensor]) -> None:
        torch.mps.synchronize()

    def is_traced(self, array: Tensor) -> bool:
        return False

    def device(self) -> str:
        return self._key


@functools.cache
def _launcher() -> MpsLauncher | str:
    if not hasattr(torch.mps, "compile_shader"):
        return f"kernels on MPS are compiled by torch 2.7 or newer, and this is {torch.__version__}: upgrade torch"
    return MpsLauncher()


def launcher() -> MpsLauncher:
    """What computes on MPS tensors; where there is nothing, the call is declined."""
    answer = _launcher()
    if isinstance(answer, str):
        raise Decline(answer)
    return answer
