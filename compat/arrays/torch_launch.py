"""Our kernels on torch's own CUDA tensors, on torch's present stream.

Nothing here waits for the GPU but a first call: it compiles, looks at weights and tries geometries. While a CUDA graph
is captured none of that can be done, and what would need it is declined.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import struct
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import IstftAdjoint, Linear, Operator
from mlx_spectro.kernels.gpu import programs, tune
from mlx_spectro.kernels.gpu.dialect import Kernel, Launch, cuda_program
from mlx_spectro.kernels.gpu.launcher import Call, Launcher, Operation, Ready, TableEntry
from mlx_spectro.kernels.gpu.programs import Table

from ..contract import records
from ..contract.decline import Decline
from . import cuda_modules
from .cuda_modules import CudaError
from .torch_kept import Kept, check_can_be_known

_DTYPES = {"float": torch.float32, "complex": torch.complex64}
_WORD = ctypes.sizeof(ctypes.c_uint64)
# the GPU's clock ticks for which it is kept busy, until it finds all calls that are to be timed in its queue
_TICKS = 400_000

_MOST_KINDS = 512
_shape_of = attrgetter("shape")

current_device: Callable[[], int] = getattr(torch._C, "_cuda_getDevice", lambda: -1)
current_stream: Callable[[int], int] = getattr(torch._C, "_cuda_getCurrentRawStream", lambda _: 0)


def capturing() -> bool:
    """Whether this thread's stream is recording a graph, so that nothing may wait for the GPU."""
    return torch.cuda.is_current_stream_capturing()


def check_not_capturing(what: str) -> None:
    """Decline, inside a capture, what has to wait for the GPU when it happens first."""
    if capturing():
        raise Decline(f"a CUDA graph is being captured, and {what} for the first time: call once before the capture")


def settle() -> bool:
    """Wait until no GPU reads what is let go next; False while that cannot be done."""
    if capturing():
        return False
    torch.cuda.synchronize()
    return True


class _Loaded(NamedTuple):
    """A kernel on a device."""

    function: Any
    tables: list[Tensor]


class _LaunchCall:
    """A launch made ready: of tensors that lie without gaps on its device it makes the outputs."""

    def __init__(self, launch: Launch, loaded: _Loaded, index: int) -> None:
        kernel, self._index, self._tables = launch.kernel, index, loaded.tables
        self._name, self._device = kernel.name, torch.device("cuda", index)
        kinds = kernel.outputs.values()
        self._outputs = [(shape, _DTYPES[kind]) for shape, kind in zip(launch.shapes, kinds, strict=True)]
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


class _Single(NamedTuple):
    """An operator for arguments of certain shapes that takes one launch."""

    call: Call[Tensor]
    inputs: tuple[int, ...]
    tables: tuple[Table, ...]
    pieces: tuple[int, ...]


class CudaLauncher(Launcher[Tensor]):
    """Runs operators on the float32 and complex64 tensors of one device."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self._index, self.name = index, f"cuda:{index}, our kernels"
        # by their programs: a kernel may be made again
        self._loaded: dict[str, _Loaded | str] = {}
        self._made = Kept(settle)
        self._single: dict[Hashable, _Single] = {}
        self._capability = torch.cuda.get_device_capability(index)
        major, minor = self._capability
        self._key = f"cuda:{torch.cuda.get_device_name(index)}:sm_{major}{minor}|torch"

    def __call__(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        """The operator of a tensor and its weights, contiguous and without a gradient; declined where none serves."""
        records.note_device(self.name)
        if current_device() != self._index:
            with torch.cuda.device(self._index):
                return self._computed(op, x, *weights)
        return self._computed(op, x, *weights)

    def _computed(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        single = self._single.get((op, *map(_shape_of, (x, *weights))))
        if single is not None and _is_plain(x) and (not weights or weights[0].dim() > 1 or _is_plain(weights[0])):
            y = self._at_once(single, [x, *weights])
            if y is not None:
                return y
        if not getattr(op, "onesided", True):
            return self._both_sides(op, x, *weights)
        # of weights, kernels read windows as they are, and tables that are made of others
        given = [_side_by_side(w) if w.dim() == 1 else w for w in weights]
        y = self.run(op, _side_by_side(x), *given)
        if y is None:
            why = programs.why_not(op, (x.shape, *(w.shape for w in weights)))
            raise Decline(f"no kernel serves the call on CUDA: {why}")
        return y

    def _at_once(self, single: _Single, values: list[Tensor]) -> Tensor | None:
        """What :meth:`run` does, where all that it takes is known; else None."""
        call, inputs, tables, pieces = single
        for table, expected in zip(tables, pieces, strict=True):
            entry = self.table(table, values[table.weight])
            if entry.pieces != expected:
                return None
            values.append(entry.table)
        return None if tune.tries_all() else call([values[i] for i in inputs])[0]

    def _choose(self, operation: Operation, values: list[Any], pieces: tuple[int, ...]) -> Ready:
        ready = super()._choose(operation, values, pieces)
        if len(ready) == 1 and operation.ready.get(pieces) is ready:
            if len(self._single) >= _MOST_KINDS:
                self._single.clear()
            key = operation.op, *operation.shapes
            self._single[key] = _Single(*ready[0], operation.recipe.tables, pieces)
        elif tune.tries_all():
            self._single.clear()
        return ready

    def _both_sides(self, op: Any, x: Tensor, *weights: Tensor) -> Tensor:
        """A two-sided spectrum, or what is made of one, by way of its first half."""
        first, n_fft = dataclasses.replace(op, onesided=True), op.framing.n_fft
        half = n_fft // 2 + 1
        mirrored = slice(1, n_fft - half + 1)
        if isinstance(op, Linear) and not op.is_complex:
            below = x[..., :half]
            if op.stem == "stft":  # where the other half counts
                below = below.clone()
                below[..., mirrored] += x[..., half:].flip(-1).conj()
            return self._computed(first, below, *weights)
        y = self._computed(first, x, *weights)
        if isinstance(op, IstftAdjoint):
            return torch.nn.functional.pad(y, (0, n_fft - half))
        return torch.cat((y, y[..., mirrored].flip(-1).conj()), -1)

    def prepare(self, launch: Launch) -> _LaunchCall:
        program = cuda_program(launch.kernel)
        loaded = self._loaded.get(program)
        if loaded is None:
            check_not_capturing(f"the kernel {launch.kernel.name} is needed")
            loaded = self._loaded[program] = self._load(program, launch.kernel)
        if isinstance(loaded, str):
            raise Decline(loaded)
        return _LaunchCall(launch, loaded, self._index)

    def _load(self, program: str, kernel: Kernel) -> _Loaded | str:
        cuda_modules.enter(self._index)
        try:
            function = cuda_modules.load(program, kernel.name, self._capability)
        except CudaError as error:
            if "OUT_OF_MEMORY" in str(error):  # which may pass
                raise
            version = ".".join(map(str, cuda_modules.present().version))
            return f"a kernel cannot be used on cuda:{self._index} with NVRTC {version} and this driver: {error}"
        return _Loaded(function, [self.from_numpy(table) for table in kernel.tables.values()])

    def table(self, table: Table, weight: Any) -> TableEntry:
        entry = self._made.find(weight, table)
        if entry is None:
            check_can_be_known("filterbank", weight)
            packed = table.pack(self.to_numpy(weight), *table.options)
            entry = self._made.keep(weight, table, TableEntry(self.from_numpy(packed.values), packed.pieces))
        return entry  # type: ignore[no-any-return]

    def from_numpy(self, values: npt.NDArray[Any]) -> Tensor:
        # it has arrived when this returns, for whatever stream reads it
        return torch.from_numpy(np.array(values, order="C")).to(torch.device("cuda", self._index))

    def to_numpy(self, array: Tensor) -> npt.NDArray[Any]:
        return values_of("a filterbank", array)

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


def _is_plain(x: Tensor) -> bool:
    """Whether ``x`` lies without gaps, as numbers of its own."""
    return x.is_contiguous() and not (x.is_conj() or x.is_neg())


def _side_by_side(x: Tensor) -> Tensor:
    """``x``, or a plain copy."""
    return x if _is_plain(x) else x.resolve_conj().resolve_neg().contiguous()


def values_of(name: str, tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's values, for which the GPU is waited for; declined where it cannot be."""
    check_not_capturing(f"{name} is seen")
    return tensor.numpy(force=True)


_of_windows = Kept()


def of_window(window: Tensor, what: Any, make: Callable[[npt.NDArray[Any]], Any]) -> Any:
    """What ``make`` makes of a window's values, and what there is to tell it by."""
    found = _of_windows.find(window, what)
    if found is None:
        check_can_be_known("window", window)
        found = _of_windows.keep(window, what, make(values_of("a window", window)))
    return found


_launchers: dict[int, CudaLauncher] = {}


def launcher(x: Tensor) -> CudaLauncher:
    """What computes on the device of ``x``; where there is nothing, the call is declined."""
    index = x.get_device()
    found = _launchers.get(index)
    if found is None:
        reason = _why_none()
        if reason:
            raise Decline(reason)
        found = _launchers.setdefault(index, CudaLauncher(index))
    return found


@functools.cache
def _why_none() -> str:
    """Why there are no kernels for CUDA tensors; empty where there are."""
    if torch.version.cuda is None:
        return "the tensor lies on a GPU that is not NVIDIA's: kernels are compiled for those of NVIDIA"
    found = cuda_modules.bindings()
    return found if isinstance(found, str) else ""
