"""Operators by GPU kernels on the arrays of one library, whichever it is."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ...design.operators import Operator
from . import tune
from .dialect import Launch
from .plan import Geometry
from .programs import Program, Recipe, Shapes, Table, program, recipe

Array = TypeVar("Array")
Call = Callable[[list[Array]], Sequence[Array]]

_shape = attrgetter("shape")
# weights whose tables are kept
_MOST_TABLES = 256


class ReadyLaunch(NamedTuple):
    """A launch made ready."""

    call: Call[Any]
    inputs: tuple[int, ...]
    """Which values it takes."""
    last: tuple[int, ...]
    """Which values no later launch takes, whose memory is free for others'."""


Ready = list[ReadyLaunch]


def result_of(ready: Ready, values: list[Any]) -> Any:
    """The result of an operator's launches, of the values before them, which are let go as soon as they can be."""
    *others, (call, inputs, _) = ready
    value = values.__getitem__
    for earlier, taken, last in others:
        values += earlier([*map(value, taken)])
        for i in last:
            values[i] = None
    return call([*map(value, inputs)])[0]


class Operation(NamedTuple):
    """An operator for arguments of certain shapes, and its launches made ready, by the pieces of its tables."""

    op: Operator
    shapes: Shapes
    recipe: Recipe
    ready: dict[tuple[int, ...], Ready]


class TableEntry(NamedTuple):
    """A weight's table on the GPU."""

    table: Any
    pieces: int
    weight: Any = None
    """Alive where its identity is what the table is known by, so that no other has it."""


class Launcher(ABC, Generic[Array]):
    """Runs programs on one device. What that takes in an array library is abstract here.

    Attributes:
        double: In double precision.
    """

    double = False

    def __init__(self) -> None:
        self._operation = functools.lru_cache(maxsize=512)(self._operation_of)
        self._ready = functools.lru_cache(maxsize=512)(self._ready_of)
        self._tables: dict[Hashable, TableEntry] = {}

    @abstractmethod
    def prepare(self, launch: Launch) -> Call[Array]:
        """A function that runs a launch: of the kernel's input arrays, in order, it makes the outputs."""

    @abstractmethod
    def from_numpy(self, values: npt.NDArray[Any]) -> Array:
        """An array on the GPU."""

    @abstractmethod
    def to_numpy(self, array: Array) -> npt.NDArray[Any]:
        """An array's values."""

    @abstractmethod
    def wait(self, arrays: list[Array]) -> None:
        """Return when these are computed."""

    @abstractmethod
    def is_traced(self, array: Array) -> bool:
        """Whether an array stands for a value inside a transformation, where nothing can be timed."""

    @abstractmethod
    def device(self) -> str:
        """What a launch's time depends on besides the launch: the device, and the library's version."""

    def time(self, run: tune.Run, calls: int) -> float:
        """Seconds a call, of so many in a row."""
        return tune.clocked(run, calls, self.wait)

    def serves(self, op: Operator, *arrays: Any) -> bool:
        """Whether kernels compute the operator of an array and its weights; else :func:`.programs.why_not` says why."""
        return self._operation(op, tuple(map(_shape, arrays))) is not None

    def run(self, op: Operator, *arrays: Any) -> Array | None:
        """The operator of an array and its weights, some of which may be NumPy's; None where no kernel serves."""
        operation = self._operation(op, tuple(map(_shape, arrays)))
        if operation is None:
            return None
        values = list(arrays)
        pieces: tuple[int, ...] = ()
        for table in operation.recipe.tables:
            entry = self.table(table, arrays[table.weight])
            values.append(entry.table)
            pieces += (entry.pieces,)
        ready = operation.ready.get(pieces)
        if ready is None or tune.tries_all():
            ready = self._choose(operation, values, pieces)
        result: Array = result_of(ready, values)
        return result

    def _operation_of(self, op: Operator, shapes: Shapes) -> Operation | None:
        answer = recipe(op, shapes, self.double)
        return Operation(op, shapes, answer, {}) if isinstance(answer, Recipe) else None

    def table(self, table: Table, weight: Any) -> TableEntry:
        """What kernels take in the place of a weight, made once.

        Looking at a weight's values would wait for the GPU at every call. It is known by its identity instead.
        """
        is_numpy = isinstance(weight, np.ndarray)
        key = table, weight.tobytes() if is_numpy else id(weight)
        entry = self._tables.get(key)
        if entry is None:
            packed = table.pack(weight if is_numpy else self.to_numpy(weight), *table.options)
            entry = self._tables[key] = TableEntry(self.from_numpy(packed.values), packed.pieces, weight)
            # a copy: other threads add to it meanwhile
            for oldest in list(self._tables)[:-_MOST_TABLES]:
                self._tables.pop(oldest, None)
        return entry

    def _ready_of(self, program: Program) -> Ready:
        calls = {launch: self.prepare(launch) for launch, _ in program.steps}
        last = {i: at for at, step in enumerate(program.steps) for i in step.inputs}
        return [
            ReadyLaunch(calls[launch], inputs, tuple(i for i in set(inputs) if last[i] == at))
            for at, (launch, inputs) in enumerate(program.steps)
        ]

    def _choose(self, operation: Operation, values: list[Any], pieces: tuple[int, ...]) -> Ready:
        """The operation's launches, of the fastest geometry where one is known or may be looked for."""
        op, shapes, tuning, prewarming = operation.op, operation.shapes, operation.recipe.tuning, tune.tries_all()

        def of(geometry: Geometry | None) -> Ready:
            answer = program(op, shapes, pieces, geometry, self.double)
            assert answer is not None  # there is a recipe
            return self._ready(answer)

        def first(geometry: Geometry | None) -> tune.Run:
            call, inputs, _ = of(geometry)[0]
            arrays = [values[i] for i in inputs]
            return lambda: call(arrays)[0]

        choice = tune.DEFAULT if tuning is None else tune.geometry(tuning, self, values[: len(shapes)], first)
        ready = of(choice.geometry)
        if prewarming:
            self._operation.cache_clear()  # calls of other shapes, too, are to take what it finds
        elif choice.settled:
            operation.ready[pieces] = ready
        return ready
