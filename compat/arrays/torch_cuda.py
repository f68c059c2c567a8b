"""Our kernels on torch's CUDA tensors, compiled by NVRTC and launched by the driver."""

from __future__ import annotations

import copy
import ctypes
import functools
import itertools
import operator
import struct
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import Operator
from mlx_spectro.kernels.gpu import tune
from mlx_spectro.kernels.gpu.dialect import Kernel, Launch, cuda_program

from ..contract import records, settings
from ..contract.decline import Decline
from ..contract.reasons import FREED, ByDesign
from . import cuda_modules, kinds
from .cuda_modules import CudaError, LostDevice
from .torch_launch import LaunchCall, TorchLauncher, check_not_capturing

_WORD = ctypes.sizeof(ctypes.c_uint64)
# the GPU's clock ticks for which it is kept busy, until it finds all calls that are to be timed in its queue
_TICKS = 400_000
_IN_DOUBLE = torch.float64, torch.complex128
# how many times slower in double precision than in single a GPU may be for ours to be known as the faster: an H200 is
_SLOWNESS = 2

# memory on the present device, as programs of torch's compiler take it: in half the time of torch.empty_strided
_empty: Callable[[tuple[int, ...], tuple[int, ...], torch.dtype], Tensor] = getattr(
    torch._C._dynamo.guards,
    "_empty_strided_cuda",
    lambda shape, strides, dtype: torch.empty_strided(shape, strides, dtype=dtype, device="cuda"),
)
_address = operator.methodcaller("data_ptr")

current_device: Callable[[], int] = getattr(torch._C, "_cuda_getDevice", lambda: -1)
current_stream: Callable[[int], int] = getattr(torch._C, "_cuda_getCurrentRawStream", lambda _: 0)


def settle() -> bool:
    """Wait until no GPU reads what is let go next; False while that cannot be done."""
    if kinds.is_capturing():
        return False
    torch.cuda.synchronize()
    return True


class _Function:
    """A kernel loaded on a device, and how the arguments of a call lie in memory.

    First stand the addresses that differ from call to call, of inputs and outputs; then the tables' and the scalars;
    then where all of these lie, in the order of the kernel's parameters.
    """

    def __init__(self, handle: Any, kernel: Kernel, tables: list[Tensor], index: int) -> None:
        self.handle, self.index, self._tables = handle, index, tables
        inputs, outputs, scalars = len(kernel.inputs), len(kernel.outputs), len(kernel.scalars)
        changing = inputs + outputs
        constant = changing + len(tables)
        order = [*range(inputs), *range(changing, constant + 1), *range(inputs, changing)]
        self._addresses, self._offsets = [table.data_ptr() for table in tables], [_WORD * at for at in order]
        self._fill = struct.Struct(f"{len(tables)}Q{_WORD * scalars}s{len(order)}Q").pack_into
        self._begin, self._places = _WORD * changing, _WORD * (constant + scalars)
        self._memory = ctypes.c_uint64 * (constant + scalars + len(order))
        self.launch = cuda_modules.present().driver.cuLaunchKernel
        self.pack = struct.Struct(f"{changing}Q").pack_into

    def block(self, scalars: bytes) -> tuple[Any, int]:
        """Memory for a call's arguments, and the address of the addresses of each."""
        block = self._memory()
        begin = ctypes.addressof(block)
        self._fill(block, self._begin, *self._addresses, scalars, *[begin + offset for offset in self._offsets])
        return block, begin + self._places


class _LaunchCall(LaunchCall):
    def __init__(self, launch: Launch, function: _Function) -> None:
        super().__init__(launch)
        self._function, self._scalars = function, launch.kernel.pack(launch.scalars)
        self._geometry = function.handle, *launch.groups, launch.kernel.threads, 1, 1, 0
        # blocks that no call is using: the driver reads one while other threads run
        self._free: list[tuple[Any, int]] = []

    def swapped(self) -> _LaunchCall:
        twin = copy.copy(self)
        (shape, strides, dtype), *others = self._outputs
        turn = operator.itemgetter(*range(len(shape) - 2), -1, -2)
        twin._outputs = [(turn(shape), turn(strides), dtype), *others]
        return twin

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        inputs, function = [*map(_address, tensors)], self._function
        if 0 in inputs:
            raise Decline(FREED)
        outputs = [*itertools.starmap(_empty, self._outputs)]
        try:
            used = self._free.pop()
        except IndexError:
            used = function.block(self._scalars)
        block, arguments = used
        function.pack(block, 0, *inputs, *map(_address, outputs))
        (status,) = function.launch(*self._geometry, current_stream(function.index), arguments, 0)
        if status:
            self._again(arguments)
        self._free.append(used)
        diagnostics.used(self._name)
        return outputs

    def _again(self, arguments: int) -> None:
        """Launch in a thread that had no context, as one that has called nothing of CUDA's yet.

        Raises:
            CudaError: the driver refuses; declined where it refuses whatever is asked of the device.
        """
        index = self._function.index
        try:
            cuda_modules.enter(index)
            cuda_modules.checked(self._function.launch(*self._geometry, current_stream(index), arguments, 0))
        except CudaError as error:
            kind = Decline if isinstance(error, LostDevice) else CudaError
            raise kind(f"the GPU kernel {self._name} was not launched: {error}") from None


class CudaLauncher(TorchLauncher):
    """Runs operators on the tensors of one CUDA device, of single or of double precision."""

    def __init__(self, index: int, double: bool = False) -> None:
        super().__init__(torch.device("cuda", index), settle)
        self.double = double
        self.is_slow = double and cuda_modules.slowness_of_doubles(index) > _SLOWNESS
        self._index, self._capability = index, torch.cuda.get_device_capability(index)
        major, minor = self._capability
        self._key = f"cuda:{torch.cuda.get_device_name(index)}:sm_{major}{minor}|torch"

    def __call__(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        records.note_device(self.name)
        if self.is_current():
            return self._computed(op, x, *weights)
        with torch.cuda.device(self._index):
            return self._computed(op, x, *weights)

    def is_current(self) -> bool:
        return current_device() == self._index

    def check_ready(self, op: Operator, *shapes: tuple[int, ...]) -> None:
        with torch.cuda.device(self._index):
            super().check_ready(op, *shapes)

    def program(self, kernel: Kernel) -> str:
        return cuda_program(kernel)

    def load(self, program: str, kernel: Kernel) -> _Function | str:
        check_not_capturing(f"the kernel {kernel.name} is needed")
        cuda_modules.enter(self._index)
        try:
            handle = cuda_modules.load(program, kernel.name, self._capability)
        except CudaError as error:
            if "OUT_OF_MEMORY" in str(error):  # which may pass
                raise
            version = ".".join(map(str, cuda_modules.present().version))
            return f"a kernel cannot be used on cuda:{self._index} with NVRTC {version} and this driver: {error}"
        tables = [self.from_numpy(table) for table in kernel.constants]
        return _Function(handle, kernel, tables, self._index)

    def call(self, launch: Launch, kernel: _Function) -> _LaunchCall:
        return _LaunchCall(launch, kernel)

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
        return kinds.is_capturing()

    def device(self) -> str:
        return self._key


_launchers: dict[tuple[int, bool], CudaLauncher] = {}


def launcher(x: Tensor) -> CudaLauncher:
    """What computes on the device of ``x``; where there is nothing, the call is declined."""
    key = index, double = x.get_device(), x.dtype in _IN_DOUBLE
    entry = _launchers.get(key)
    if entry is None:
        reason = _why_none()
        if reason:
            raise Decline(reason)
        entry = _launchers.setdefault(key, CudaLauncher(index, double))
    if entry.is_slow and settings.route.get() == "auto":
        raise Decline(ByDesign("in double precision on this GPU, ours is not known to be faster; route('ours') tries"))
    return entry


@functools.cache
def _why_none() -> str:
    """Why there are no kernels for CUDA tensors; empty where there are."""
    if torch.version.cuda is None:
        return "the tensor lies on a GPU that is not NVIDIA's: kernels are compiled for those of NVIDIA"
    answer = cuda_modules.bindings()
    return answer if isinstance(answer, str) else ""
