"""A machine with a GPU, as far as can be.

Tensors in the CPU's memory call themselves CUDA's, and a driver runs what it is to launch by the kernels' Metal text,
from nothing but the arguments that it is given.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mlx_spectro.compat.arrays import cuda_modules, kinds, torch_cuda, torch_launch, torch_signature, torch_tensors
from mlx_spectro.kernels.gpu.dialect import Kernel, Launch, cuda_program

from ..kernels.kernel_host import host

STREAM, VERSION = 77, (13, 0)
_KINDS = {
    "float": (np.float32, torch.float32),
    "float2": (np.complex64, torch.complex64),
    "double": (np.float64, torch.float64),
    "double2": (np.complex128, torch.complex128),
}


class OnCuda(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    is_cuda, is_cpu = True, False

    def get_device(self) -> int:
        return 0

    def data_ptr(self) -> int:
        address = super().data_ptr()
        # without gaps, so that its extent is that of its memory
        if is_dense(self):
            extents[address] = self.numel(), self.dtype
        return address


def is_dense(x: torch.Tensor) -> bool:
    """Whether ``x`` lies without gaps, its last two axes in either order."""
    return x.is_contiguous() or (x.dim() > 1 and x.transpose(-1, -2).is_contiguous())


# values at the addresses that were asked for, and their type
extents: dict[int, tuple[int, torch.dtype]] = {}


def cuda(x: torch.Tensor) -> Any:
    """``x`` on the GPU."""
    return x.as_subclass(OnCuda)


class Status(int):
    """What functions of the driver return first."""

    @property
    def name(self) -> str:
        return f"CUDA_ERROR_{int(self)}"


class Machine:
    """The driver, the compiler, and what torch says of its device.

    Attributes:
        capturing: Whether a graph is being captured: nothing may wait then.
        compiled, launched: Names of kernels, in order.
        waited: How often the device was waited for.
        statuses: What the next launches return instead of running.
        entered: Devices whose context was made a thread's.
        current: The device that torch has chosen.
        meanwhile: Runs while the driver has the arguments and has not read them yet.
    """

    device, key = "cuda:0, our kernels", "cuda:a card:sm_90|torch"
    put = staticmethod(cuda)

    def __init__(self) -> None:
        self.capturing, self.current, self.waited = False, 0, 0
        self.compiled: list[str] = []
        self.launched: list[str] = []
        self.statuses: list[int] = []
        self.entered: list[int] = []
        self.meanwhile: Callable[[], Any] = lambda: None
        self.log = b""
        self.kernels: dict[str, Kernel] = {}
        self._programs: dict[bytes, str] = {}
        # times slower in double precision
        self.slowness = 2
        ratio = "CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO"
        self.driver = SimpleNamespace(
            CUdevice_attribute=SimpleNamespace(**{ratio: 87}),
            cuDeviceGetAttribute=lambda attribute, device: (Status(0), self.slowness if attribute == 87 else 0),
            cuDriverGetVersion=lambda: (Status(0), 13000),
            cuDeviceGet=lambda index: (Status(0), ("device", index)),
            cuDevicePrimaryCtxRetain=lambda device: (Status(0), ("context", device[1])),
            cuCtxSetCurrent=self._enter,
            cuModuleLoadData=self._load,
            cuModuleGetFunction=self._function,
            cuLaunchKernel=self._launch,
        )
        self.nvrtc = SimpleNamespace(
            nvrtcVersion=lambda: (Status(0), *VERSION),
            nvrtcGetSupportedArchs=lambda: (Status(0), [75, 80, 90]),
            nvrtcCreateProgram=self._create,
            nvrtcCompileProgram=self._compile,
            nvrtcDestroyProgram=lambda program: (Status(0),),
            nvrtcGetProgramLogSize=lambda _: (Status(0), len(self.log) + 1),
            nvrtcGetProgramLog=lambda _, room: (Status(0), self._fill(room, self.log + b"\0"))[:1],
            nvrtcGetCUBINSize=lambda program: (Status(0), len(self._code(program))),
            nvrtcGetCUBIN=lambda program, room: (Status(0), self._fill(room, self._code(program)))[:1],
        )

    def launcher(self) -> Any:
        """What computes on the device."""
        return torch_cuda._launchers[0, False]

    def program_of(self, kernel: Kernel) -> str:
        """The text of a kernel, by which it is known again."""
        text = cuda_program(kernel)
        self.kernels[text] = kernel
        return text

    def _enter(self, context: Any) -> tuple[Status]:
        kind, index = context
        assert kind == "context"
        self.entered.append(index)
        self.current = index  # which torch asks the driver for
        return (Status(0),)

    def _create(self, source: bytes, name: bytes, headers: int, texts: Any, names: Any) -> tuple[Status, Any]:
        assert name.endswith(b".cu")
        assert (headers, texts, names) == (0, [], [])
        return Status(0), SimpleNamespace(source=source, options=None)

    def _compile(self, program: Any, count: int, options: list[bytes]) -> tuple[Status]:
        assert count == len(options) == 2
        program.options = options
        self.compiled += re.findall(r"void (\w+)\(", program.source.decode().rpartition('extern "C"')[2])
        return (Status(6 if self.log else 0),)

    def _code(self, program: Any) -> bytes:
        code: bytes = hashlib.sha256(program.source).digest() + program.options[0]
        self._programs[code] = program.source.decode()
        return code

    @staticmethod
    def _fill(room: bytes, values: bytes) -> None:
        assert len(room) == len(values)
        ctypes.memmove(ctypes.c_char_p(room), values, len(values))

    def empty(self, shape: Any, strides: Any, dtype: Any) -> Any:
        """Memory on the present device."""
        assert self.current == 0
        assert {type(shape), type(strides)} == {tuple}
        made = cuda(torch.empty_strided(shape, strides, dtype=dtype))
        assert is_dense(made)
        return made

    def _load(self, code: bytes) -> tuple[Status, Any]:
        assert not self.capturing
        assert self.entered  # a context is current
        return Status(0), self._programs[code]

    def _function(self, module: str, name: bytes) -> tuple[Status, Any]:
        assert f'extern "C" __global__ void {name.decode()}(' in module
        return Status(0), module

    def _launch(self, program: str, *rest: Any) -> tuple[Status]:
        *grid, shared, stream, places, extra = rest
        assert (shared, stream, extra) == (0, STREAM, 0)
        if self.statuses:
            return (Status(self.statuses.pop(0)),)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        self._run(program, tuple(grid[:3]), tuple(grid[3:]), places)
        return (Status(0),)

    def _run(self, program: str, groups: Any, threads: tuple[int, ...], places: int) -> None:
        kernel = self.kernels[program]
        assert threads == (kernel.threads, 1, 1)
        assert all(groups)
        assert max(groups[1:]) <= 65535
        (signature,) = re.findall(rf"void {kernel.name}\((.*?)\) {{", program)
        parameters = signature.split(", ")
        names = [*kernel.inputs, *kernel.tables, "par", *kernel.outputs]
        assert [parameter.split()[-1] for parameter in parameters] == names
        at = (ctypes.c_uint64 * len(names)).from_address(places)
        arrays: dict[str, Any] = {}
        for name, parameter, place in zip(names, parameters, at, strict=True):
            if name == "par":
                words = (ctypes.c_int64 * len(kernel.scalars)).from_address(place)
                continue
            address = ctypes.c_uint64.from_address(place)
            kind, torch_kind = _KINDS[parameter.replace("const ", "").partition("*")[0]]
            count, dtype = extents[address.value]
            assert dtype == torch_kind
            memory: Any = (ctypes.c_char * (count * np.dtype(kind).itemsize)).from_address(address.value)
            arrays[name] = np.frombuffer(memory, kind)
        for name, table in zip(kernel.tables, kernel.constants, strict=True):
            assert arrays[name].dtype == table.dtype
            assert np.array_equal(arrays[name], table.ravel())
        width, real = (np.int64, np.float64) if kernel.double else (np.uint32, np.float32)
        scalars = {
            name: float(width(word).view(real)) if kind == "float" else word
            for (name, kind), word in zip(kernel.scalars.items(), words, strict=True)
        }
        shapes = tuple(arrays[name].shape for name in kernel.outputs)
        given = {name: arrays[name].copy() for name in kernel.inputs}
        outcome = host.compiled(kernel).run(Launch(kernel, scalars, groups, shapes), given)
        assert outcome.wrong == {}
        for name, values in outcome.outputs.items():
            ctypes.memmove(arrays[name].ctypes.data, values.ctypes.data, values.nbytes)
        self.launched.append(kernel.name)

    def wait(self, *_: Any) -> None:
        """What waits for the device."""
        assert not self.capturing
        self.waited += 1

    @contextlib.contextmanager
    def chosen(self, index: int) -> Iterator[None]:
        """What ``torch.cuda.device`` is."""
        before, self.current = self.current, index
        yield
        self.current = before


class _Event:
    """Events, each of which is half a millisecond after the one before."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def record(self) -> None:
        assert not self._machine.capturing

    def synchronize(self) -> None:
        self._machine.wait()

    def elapsed_time(self, _end: _Event) -> float:
        return 0.5


class _Torch:
    """torch, but for what it would do on the device."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self.version = machine, SimpleNamespace(cuda="13.0")
        self.cuda = SimpleNamespace(
            synchronize=machine.wait,
            get_device_capability=lambda index: (9, 0),
            get_device_name=lambda index: "a card",
            current_stream=lambda index: SimpleNamespace(synchronize=machine.wait),
            Event=lambda enable_timing: _Event(machine),
            device=machine.chosen,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def from_numpy(self, values: Any) -> Any:
        def to(device: Any) -> Any:
            self._machine.wait()
            assert device.type == "cuda"
            return cuda(torch.from_numpy(values.copy()))

        return SimpleNamespace(to=to)


@contextlib.contextmanager
def machine(patch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine with such a GPU."""
    made, plain = Machine(), (*torch_tensors.PLAIN, OnCuda)
    values, side_by_side, is_plain = torch_launch.values_of, torch_launch.side_by_side, torch_launch.is_plain

    def values_of(name: str, tensor: Any) -> Any:
        found = values(name, tensor)
        made.wait()
        return found

    for module in (torch_launch, torch_cuda):
        patch.setattr(module, "torch", _Torch(made))
    patch.setattr(kinds, "is_capturing", lambda: made.capturing)
    patch.setattr(torch_cuda, "cuda_program", made.program_of)
    patch.setattr(torch_cuda, "_empty", made.empty)
    patch.setattr(torch_cuda, "current_device", lambda: made.current)
    patch.setattr(torch_cuda, "current_stream", lambda index: STREAM)
    patch.setattr(torch_launch, "values_of", values_of)
    # what torch makes in a backward pass, and what is detached, has lost its class
    patch.setattr(torch_launch, "side_by_side", lambda x: cuda(side_by_side(x)))
    patch.setattr(torch_launch, "is_plain", lambda x: is_plain(x) and type(x) is OnCuda)
    patch.setattr(torch_cuda, "_launchers", {})
    patch.setattr(cuda_modules, "bindings", lambda: cuda_modules.Bindings(made.driver, made.nvrtc, VERSION))
    for module in (torch_tensors, torch_signature):
        patch.setattr(module, "PLAIN", plain)
    torch_cuda._why_none.cache_clear()
    yield made
    torch_cuda._why_none.cache_clear()
    extents.clear()
