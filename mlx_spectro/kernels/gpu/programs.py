"""What a GPU does for an operator: launches one after another, as data that a launcher of any array library can run.

The files of kernels say which operators they serve, by :func:`gpu`; an operator's stem names the file.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ...design.operators import Operator, Shape
from .dialect import Launch
from .plan import IN_DOUBLE, Geometry, TuningKey

Shapes = tuple[Shape, ...]
Maker = TypeVar("Maker", bound=Callable[..., "Recipe"])


class NoKernel(Exception):
    """No kernel serves an operator for such shapes: says why."""


class PackedWeight(NamedTuple):
    """A weight as kernels take it."""

    values: npt.NDArray[np.floating]
    pieces: int = 0
    """Of a filterbank's table: launches depend on it."""


def as_floats(values: npt.NDArray[Any]) -> PackedWeight:
    """A weight whose numbers kernels take as they are."""
    return PackedWeight(np.ascontiguousarray(values, np.float32))


class Table(NamedTuple):
    """What kernels take in a weight's place: made of its values, once for every weight."""

    weight: int
    """Which argument it is made of; the operator's array is number 0."""
    pack: Callable[..., PackedWeight]
    """Takes the weight's values and ``options``."""
    options: tuple[Any, ...] = ()


class Step(NamedTuple):
    """A launch, and which values it takes.

    Values are numbered: the operator's array and its weights, its tables, then the outputs of one launch after another.
    """

    launch: Launch
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """How an operator's program is made, for arguments of certain shapes.

    Attributes:
        steps: The launches; takes the pieces of each table, and the geometry of the first launch or None.
        tables: What is made of weights.
        tuning: What the first launch's geometry is known by; None where it has but one.
    """

    steps: Callable[[tuple[int, ...], Geometry | None], list[Step]]
    tables: tuple[Table, ...] = ()
    tuning: TuningKey | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """Launches that compute an operator, the result being the first output of the last one.

    Arrays lie without gaps, the last axis first; leading axes need not be made one.
    """

    steps: tuple[Step, ...]
    tables: tuple[Table, ...] = ()
    tuning: TuningKey | None = None


_makers: dict[type[Operator], Callable[..., Recipe]] = {}
_in_double: set[type[Operator]] = set()


def gpu(kind: type[Operator], *, double: bool = False) -> Callable[[Maker], Maker]:
    """The decorated function makes programs for operators of a kind: it takes one, and the shapes of its arguments.

    It raises :class:`NoKernel` where no kernel serves. ``double``: its kernels serve in double precision, too.
    """

    def register(maker: Maker) -> Maker:
        _makers[kind] = maker
        if double:
            _in_double.add(kind)
        return maker

    return register


@functools.lru_cache(maxsize=1024)
def recipe(op: Operator, shapes: Shapes, double: bool = False) -> Recipe | str:
    """How the program is made of an operator for arguments of these shapes, or why no kernel serves."""
    if not (math.prod(shapes[0]) and math.prod(op.shape(*shapes))):
        return "there is nothing to compute"
    try:
        answer = _maker_of(op)(op, shapes)
        return _doubled(op, answer) if double else answer
    except NoKernel as reason:
        return str(reason)


def _doubled(op: Operator, single: Recipe) -> Recipe:
    """A recipe in double precision."""
    if type(op) not in _in_double:
        raise NoKernel(f"{type(op).__name__} is computed in single precision")

    def steps(pieces: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        parts = single.steps(pieces, geometry or IN_DOUBLE)
        return [Step(replace(launch, kernel=launch.kernel.in_double), inputs) for launch, inputs in parts]

    steps((0,) * len(single.tables), None)  # what does not fit says so
    return Recipe(steps, single.tables)


def _maker_of(op: Operator) -> Callable[..., Recipe]:
    if type(op) not in _makers:
        module = f"{__package__}.{op.stem}"
        if importlib.util.find_spec(module):
            importlib.import_module(module)
    if type(op) not in _makers:
        raise NoKernel(f"no GPU kernel computes {type(op).__name__}")
    return _makers[type(op)]


def why_not(op: Operator, shapes: Shapes, double: bool = False) -> str | None:
    """Why no kernel computes the operator of arguments of these shapes; None where one does."""
    answer = recipe(op, shapes, double)
    return answer if isinstance(answer, str) else None


@functools.lru_cache(maxsize=1024)
def program(
    op: Operator,
    shapes: Shapes,
    pieces: tuple[int, ...] = (),
    geometry: Geometry | None = None,
    double: bool = False,
) -> Program | None:
    """The program of an operator; None where :func:`why_not` has a reason.

    Args:
        op: The operator.
        shapes: Of its array and its weights.
        pieces: Of each table.
        geometry: Of the first launch; default: what ``SPEC_MLX_TGX`` says.
        double: In double precision.
    """
    answer = recipe(op, shapes, double)
    if isinstance(answer, str):
        return None
    *steps, (launch, inputs) = answer.steps(pieces, geometry)
    result = Launch(launch.kernel, launch.scalars, launch.groups, (op.shape(*shapes), *launch.shapes[1:]))
    return Program((*steps, Step(result, inputs)), answer.tables, answer.tuning)


def rows_of(shape: Shape, axes: int) -> int:
    """How many times the last ``axes`` axes lie there."""
    return math.prod(shape[:-axes])
