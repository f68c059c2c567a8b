"""Our kernels on torch's CUDA tensors, compiled by NVRTC and launched by the driver."""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import Operator
from mlx_spectro.kernels.gpu import tune
from mlx_spectro.kernels.gpu.dialect import Kernel, Launch, cuda_program

from ..contract import records
from ..contract.decline import Decline
from . import cuda_modules
from .cuda_modules import CudaError
from .torch_launch import DTYPES, DeviceKernel, TorchLauncher, capturing, check_not_capturing

_WORD = ctypes.sizeof(ctypes.c_uint64)
# the GPU's clock ticks for which it is kept busy, until it finds all calls that are to be timed in its queue
_TICKS = 400_000

current_device: Callable[[], int] = getattr(torch._C, "_cuda_getDevice", lambda: -1)
current_stream: Callable[[int], int] = getattr(torch._C, "_cuda_getCurrentRawStream", lambda _: 0)


def settle() -> bool:
    """Wait until no GPU reads what is let go next; False while that cannot be done."""
    if capturing():
        return False
    torch.cuda.synchronize()
    return True


class _LaunchCall:
    """A launch made ready: of tensors that lie without gaps on its device it makes the outputs."""

    def __init__(self, launch: Launch, loaded: DeviceKernel, index: int) -> None:
        kernel, self._index, self._tables = launch.kernel, index, loaded.tables
        self._name, self._device = kernel.name, torch.device("cuda", index)
        kinds = kernel.outputs.values()
        self._outputs = [(shape, DTYPES[kind]) for shape, kind in zip(launch.shapes, kinds, strict=True)]
        self._geometry = loaded.function, *launch.groups, kernel.threads, 1, 1, 0
        self._scalars, self._inputs = kernel.pack(launch.scalars), len(kernel.inputs)
        self._launch = cuda_modules.present().driver.cuLaunchKernel
        # first in an argument block stand the addresses that differ from call to call
        self._pack = struct.Struct(f"{self._inputs + len(self._outputs)}Q").pack_into
        # blocks that no call is using: the driver reads one while other threads run
        self._free = [self._block()]

    def _block(self) -> tuple[Any, int]:
        """Memory for a call's arguments, and the address of the addresses of each.

        In it lie the inputs' and the outputs' addresses, the tables', the scalars, and where all of these lie.
        """
        outputs, tables = len(self._outputs), [table.data_ptr() for table in self._tables]
        changing = self._inputs + outputs
        constant = [*tables, *self._scalars.view(np.uint64).tolist()]
        scalars = changing + len(tables)
        order = [*range(self._inputs), *range(changing, scalars + 1), *range(self._inputs, changing)]
        block = (ctypes.c_uint64 * (changing + len(constant) + len(order)))()
        begin, places = ctypes.addressof(block), changing + len(constant)
        block[changing:] = [*constant, *(begin + _WORD * at for at in order)]
        return block, begin + _WORD * places

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        device = self._device
        outputs = [torch.empty(shape, dtype=dtype, device=device) for shape, dtype in self._outputs]
        try:
            used = self._free.pop()
        except IndexError:
            used = self._block()
        block, arguments = used
        self._pack(block, 0, *[x.data_ptr() for x in tensors], *[y.data_ptr() for y in outputs])
        (status,) = self._launch(*self._geometry, current_stream(self._index), arguments, 0)
        if status:
            self._again(arguments)
        self._free.append(used)
        diagnostics.used(self._name)
        return outputs

    def _again(self, arguments: int) -> None:
        """Launch in a thread that had no context, as one that has called nothing of CUDA's yet."""
        cuda_modules.enter(self._index)
        try:
            cuda_modules.checked(self._launch(*self._geometry, current_stream(self._index), arguments, 0))
        except CudaError as error:
            raise CudaError(f"the GPU kernel {self._name} was not launched: {error}") from None


class CudaLauncher(TorchLauncher):
    """Runs operators on the tensors of one CUDA device."""

    def __init__(self, index: int) -> None:
        super().__init__(torch.device("cuda", index), settle)
        self._index, self._capability = index, torch.cuda.get_device_capability(index)
        major, minor = self._capability
        self._key = f"cuda:{torch.cuda.get_device_name(index)}:sm_{major}{minor}|torch"

    def __call__(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        records.note_device(self.name)
        if current_device() != self._index:
            with torch.cuda.device(self._index):
                return self._computed(op, x, *weights)
        return self._computed(op, x, *weights)

    def program(self, kernel: Kernel) -> str:
        return cuda_program(kernel)

    def load(self, program: str, kernel: Kernel) -> DeviceKernel | str:
        check_not_capturing(f"the kernel {kernel.name} is needed")
        cuda_modules.enter(self._index)
        try:
            function = cuda_modules.load(program, kernel.name, self._capability)
        except CudaError as error:
            if "OUT_OF_MEMORY" in str(error):  # which may pass
                raise
            version = ".".join(map(str, cuda_modules.present().version))
            return f"a kernel cannot be used on cuda:{self._index} with NVRTC {version} and this driver: {error}"
        return DeviceKernel(function, [self.from_numpy(table) for table in kernel.tables.values()])

    def call(self, launch: Launch, kernel: DeviceKernel) -> _LaunchCall:
        return _LaunchCall(launch, kernel, self._index)

    def wait(self, arrays: list[Tensor]) -> None:
        torch.cuda.current_stream(self._index).synchronize()

    def time(self, run: tune.Run, calls: int) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        busy = getattr(torch.cuda, "_sleep", None)
        if busy is not None:
            busy(_TICKS)
        begin.record()
        for _ in range(calls):
            run()
        end.record()
        end.synchronize()
        milliseconds: float = begin.elapsed_time(end)
        return max(1e-7, milliseconds * 1e-3 / calls)

    def is_traced(self, array: Tensor) -> bool:
        return capturing()

    def device(self) -> str:
        return self._key


_launchers: dict[int, CudaLauncher] = {}


def launcher(x: Tensor) -> CudaLauncher:
    """What computes on the device of ``x``; where there is nothing, the call is declined."""
    index = x.get_device()
    entry = _launchers.get(index)
    if entry is None:
        reason = _why_none()
        if reason:
            raise Decline(reason)
        entry = _launchers.setdefault(index, CudaLauncher(index))
    return entry


@functools.cache
def _why_none() -> str:
    """Why there are no kernels for CUDA tensors; empty where there are."""
    if torch.version.cuda is None:
        return "the tensor lies on a GPU that is not NVIDIA's: kernels are compiled for those of NVIDIA"
    answer = cuda_modules.bindings()
    return answer if isinstance(answer, str) else ""
