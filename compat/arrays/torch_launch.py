"""Our kernels on torch's own GPU tensors, on torch's present stream: what CUDA and MPS have in common.

Nothing here waits for the GPU but a first call: it compiles, looks at weights and tries geometries. While a CUDA graph
is captured none of that can be done, and what would need it is declined.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlx_spectro.design.operators import IstftAdjoint, Linear, Operator
from mlx_spectro.kernels.gpu import programs, tune
from mlx_spectro.kernels.gpu.dialect import Kernel, Launch
from mlx_spectro.kernels.gpu.launcher import Call, Launcher, Operation, Ready, TableEntry, result_of
from mlx_spectro.kernels.gpu.programs import Table

from ..contract import records
from ..contract.decline import Decline
from . import kinds
from .torch_kept import Kept

# in single and in double precision
_DTYPES = {"float": (torch.float32, torch.float64), "complex": (torch.complex64, torch.complex128)}

_MOST_KINDS = 512
_shape_of = attrgetter("shape")


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of an array without gaps, the last axis first, as torch has them."""
    strides = [1]
    for size in shape[:0:-1]:
        strides.append(strides[-1] * max(1, size))
    return tuple(strides[::-1][: len(shape)])


def check_not_capturing(what: str) -> None:
    """Decline, inside a capture, what has to wait for the GPU when it happens first."""
    if kinds.is_capturing():
        raise Decline(f"a CUDA graph is being captured, and {what} for the first time: call once before the capture")


class LaunchCall:
    """A launch made ready: of tensors that lie without gaps on its device it makes the outputs."""

    def __init__(self, launch: Launch) -> None:
        self._name = launch.kernel.name
        outputs, double = zip(launch.shapes, launch.kernel.outputs.values(), strict=True), launch.kernel.double
        self._outputs = [(tuple(shape), strides_of(shape), _DTYPES[kind][double]) for shape, kind in outputs]

    def swapped(self) -> Call[Tensor]:
        """The same, that has the last two axes of the first output swapped."""

        def call(tensors: list[Tensor]) -> list[Tensor]:
            first, *others = self(tensors)
            return [first.transpose_(-1, -2), *others]

        return call

    @abstractmethod
    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        """The outputs, of the kernel's inputs."""


class _Known(NamedTuple):
    """An operator for arguments of certain shapes: its launches, for tables of so many pieces."""

    launches: Ready
    tables: tuple[Table, ...]
    pieces: tuple[int, ...]

    def swapped(self) -> _Known:
        """The same, that has the last two axes of the result swapped."""
        *first, last = self.launches
        call: Any = last.call
        return self._replace(launches=[*first, last._replace(call=call.swapped())])


class TorchLauncher(Launcher[Tensor]):
    """Runs operators on the tensors of one device and one precision.

    Args:
        torch_device: The device.
        settle: Called before tables are let go: the GPU may be reading them.
    """

    def __init__(self, torch_device: torch.device, settle: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self.torch_device, self.name = torch_device, f"{torch_device}, our kernels"
        # by their programs: a kernel may be made again
        self._kernels: dict[str, Any] = {}
        # of those that are alive, so that no text is written for a new shape
        self._alive: WeakKeyDictionary[Kernel, Any] = WeakKeyDictionary()
        self._made = Kept(settle)
        self._known: dict[Hashable, _Known] = {}

    @abstractmethod
    def program(self, kernel: Kernel) -> str:
        """The complete text of a kernel."""

    @abstractmethod
    def load(self, program: str, kernel: Kernel) -> Any:
        """A kernel compiled and loaded, as :meth:`call` takes it, or why it cannot be."""

    @abstractmethod
    def call(self, launch: Launch, kernel: Any) -> LaunchCall:
        """A launch of a kernel made ready."""

    def __call__(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        """The operator of a tensor and its weights, contiguous and without a gradient; declined where none serves."""
        records.note_device(self.name)
        return self._computed(op, x, *weights)

    def _computed(self, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
        known = self._known_of(op, x, *weights)
        if known is not None:
            y = self._at_once(known, [x, *weights])
            if y is not None:
                return y
        if not getattr(op, "onesided", True):
            return self._both_sides(op, x, *weights)
        # of weights, kernels read windows as they are, and tables that are made of others
        given = [side_by_side(w) if w.dim() == 1 else w for w in weights]
        y = self.run(op, side_by_side(x), *given)
        if y is None:
            self.check(op, x.shape, *(w.shape for w in weights))
        return y  # type: ignore[return-value]  # what no kernel serves has a reason

    def check(self, op: Operator, *shapes: tuple[int, ...]) -> None:
        """Decline an operator of arguments of such shapes that no kernel serves."""
        if why := programs.why_not(op, shapes, self.double):
            raise Decline(f"no kernel serves the call on {self.torch_device.type.upper()}: {why}")

    def check_ready(self, op: Operator, *shapes: tuple[int, ...]) -> None:
        """:meth:`check`, and decline one without tables whose kernels cannot be loaded now."""
        self.check(op, *shapes)
        program = programs.program(op, shapes, (), None, self.double)
        assert program is not None  # it is checked
        self._ready(program)

    def ready(self, op: Operator, x: Tensor, *weights: Tensor, swapped: bool = False) -> Callable[..., Tensor]:
        """What computes ``op`` of tensors that lie like these, on the same device.

        Args:
            swapped: The last two axes of the result are swapped.
        """

        def run(x: Tensor, *weights: Tensor) -> Tensor:
            y = self(op, x, *weights)
            return y.transpose_(-1, -2) if swapped else y

        found = self._known_of(op, x, *weights)
        if found is None:
            return run
        how = found.swapped() if swapped else found

        def run_known(x: Tensor, *weights: Tensor) -> Tensor:
            y = self._at_once(how, [x, *weights]) if self.is_current() else None
            if y is None:
                return run(x, *weights)
            records.note_device(self.name)
            return y

        return run_known

    def is_current(self) -> bool:
        """Whether what is launched now is launched on this device."""
        return True

    def _known_of(self, op: Operator, x: Tensor, *weights: Tensor) -> _Known | None:
        """How the operator of these is computed, if that is known and their memory can be read as it is."""
        known = self._known.get((op, x.shape, *map(_shape_of, weights)))
        if known is None or not is_plain(x):
            return None
        for w in weights:
            if w.dim() == 1 and not is_plain(w):
                return None
        return known

    def _at_once(self, known: _Known, values: list[Any]) -> Tensor | None:
        """What :meth:`run` does, where all that it takes is known; else None."""
        launches, tables, pieces = known
        for table, expected in zip(tables, pieces, strict=True):
            entry = self.table(table, values[table.weight])
            if entry.pieces != expected:
                return None
            values.append(entry.table)
        return None if tune.tries_all() else result_of(launches, values)

    def _choose(self, operation: Operation, values: list[Any], pieces: tuple[int, ...]) -> Ready:
        ready = super()._choose(operation, values, pieces)
        if operation.ready.get(pieces) is ready:
            if len(self._known) >= _MOST_KINDS:
                self._known.clear()
            self._known[(operation.op, *operation.shapes)] = _Known(ready, operation.recipe.tables, pieces)
        elif tune.tries_all():
            self._known.clear()
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

    def prepare(self, launch: Launch) -> LaunchCall:
        kernel = self._alive.get(launch.kernel)
        if kernel is None:
            program = self.program(launch.kernel)
            kernel = self._kernels.get(program)
            if kernel is None:
                kernel = self._kernels[program] = self.load(program, launch.kernel)
            self._alive[launch.kernel] = kernel
        if isinstance(kernel, str):
            raise Decline(kernel)
        return self.call(launch, kernel)

    def table(self, table: Table, weight: Any) -> TableEntry:
        entry = self._made.find(weight, table)
        if entry is None:
            self._made.check("filterbank", weight)
            if self.torch_device.type == "cuda":
                check_not_capturing("a table is made")
            packed = table.pack(self.to_numpy(weight), *table.options)
            entry = self._made.keep(weight, table, TableEntry(self.from_numpy(packed.values), packed.pieces))
        return entry  # type: ignore[no-any-return]

    def from_numpy(self, values: npt.NDArray[Any]) -> Tensor:
        # it has arrived when this returns, for whatever stream reads it
        return torch.from_numpy(np.array(values, order="C")).to(self.torch_device)

    def to_numpy(self, array: Tensor) -> npt.NDArray[Any]:
        return values_of("a filterbank", array)


def is_plain(x: Tensor) -> bool:
    """Whether ``x`` lies without gaps, as numbers of its own."""
    return x.is_contiguous() and not (x.is_conj() or x.is_neg())


def side_by_side(x: Tensor) -> Tensor:
    """``x``, or a plain copy."""
    return x if is_plain(x) else x.resolve_conj().resolve_neg().contiguous()


def values_of(name: str, tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's values, for which the GPU is waited for; declined where it cannot be."""
    if tensor.is_cuda:
        check_not_capturing(f"{name} is seen")
    return tensor.numpy(force=True)


_of_weights = Kept()
# what was made of a weight's values, by what tells it from other such; None where nothing was, or it has changed since
known = _of_weights.find


def of_weight(name: str, weight: Tensor, what: Any, make: Callable[[npt.NDArray[Any]], Any]) -> Any:
    """What ``make`` makes of a weight's values, and what there is to tell it by."""
    value = _of_weights.find(weight, what)
    if value is None:
        _of_weights.check(name, weight)
        value = _of_weights.keep(weight, what, make(values_of(f"a {name}", weight)))
    return value
