"""The shape of a row of the parity table."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mlx_spectro.compat.arrays import kinds
from mlx_spectro.ops import backend

from . import signals

OURS = "mlx_spectro.compat."


@dataclass(frozen=True)
class Sample:
    """One call: arrays are NumPy arrays here, whatever library they are for."""

    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    untested: str = ""
    """Why the reference serves this call even where we are asked to."""
    batched: bool = False
    """The first array's first axis counts independent signals."""
    signal: str = ""
    """The named signal that it is made of, if any."""


@dataclass(frozen=True)
class Reject:
    """A call that the reference rejects, and how."""

    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    error: str
    """The exception's type; where the reference words it, the adapter words it alike."""


@dataclass(frozen=True)
class Timing:
    """A row of the benchmark."""

    sample: Callable[[int, int, int, int], Sample]
    """The call for a batch, a length in samples, ``n_fft`` and a hop."""


@dataclass(frozen=True)
class Program:
    """A few calls of a library, as programs make them."""

    function: Callable[..., Any]
    """Takes the library (the reference, or our stand-in) and then arguments of its own."""


@dataclass(frozen=True)
class Decision:
    """Results that choose (a bin, a count): equal, unless the margin to what a value is compared with is tiny."""

    threshold: str = ""
    """The parameter that is compared with; none where values are compared as they were given, which is exact."""
    default: float = 0.0

    def moved(self, sample: Sample, margin: float) -> Sample:
        """The call with a threshold that lies relatively so much higher."""
        value = sample.kwargs.get(self.threshold, self.default)
        return replace(sample, kwargs={**sample.kwargs, self.threshold: value * (1 + margin)})


@dataclass(frozen=True)
class HeavyTail:
    """Results whose errors are relative to magnitudes that may be anything down to 0, as a logarithm's are.

    A complex number of many independent parts is smaller than ``e`` with a probability that falls as ``e ** 2``, so an
    error is larger than ``1 / e`` with such a one: it has a mean and no variance, and of two computations that are
    equally good, the largest error of one is ``r`` times that of the other with probability ``1 / (1 + r ** 2)``.
    """

    ratio: float = 31.6
    """Of two largest errors; exceeded once in a thousand rows."""


class Made:
    """A class as a function: keyword arguments make an instance, positional ones are that instance's call."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.made: tuple[Any, ...] = ()

    def __call__(self, *args: Any, **options: Any) -> Any:
        # in double precision an instance is made in double precision
        wanted = (options, str(args[0].dtype), getattr(args[0], "device", None))
        if self.made[1:] != wanted:
            made: Any = self.kind(**options)
            # what a module keeps in single precision whatever the default
            double = wanted[1] in ("torch.float64", "torch.complex128")
            made = made.double() if double else made
            self.made = (made.to(args[0].device) if hasattr(made, "to") else made, *wanted)
        return self.made[0](*args)


@dataclass(frozen=True, eq=False)
class Row:
    """A function of ours and the reference function that it must equal.

    ``theirs`` is the dotted name of a function or a class (see :class:`Made`), a :class:`Program`, or a function with
    the reference's arrays in and out. ``ours`` stands under the same name in :mod:`mlx_spectro.compat`, unless it is
    given: a function of MLX arrays.
    """

    name: str
    theirs: str | Program | Callable[..., Any]
    samples: Callable[[], Iterable[Sample]]
    why: str
    """Where the difference from the reference comes from, and so what the limits mean."""
    against: str = "torch"
    """The reference library."""
    ours: str | Callable[..., Any] = ""
    rejects: tuple[Reject, ...] = ()
    gradient: bool = False
    judged: Decision | HeavyTail | None = None
    """How results are judged, where not by their RMS and their largest error."""
    timing: Timing | None = None
    host: bool = False
    """Whether host kernels alone compute it."""
    transform: bool = False
    """Whether it is an STFT or an inverse: host kernels may err no more than the reference."""

    @property
    def native(self) -> bool:
        """Whether ours takes MLX arrays."""
        return bool(self.ours)

    @property
    def their_arrays(self) -> str:
        """Kind of array that the reference takes."""
        return "numpy" if self.against in kinds.OF_NUMPY else "torch"

    @property
    def our_arrays(self) -> str:
        """Kind of array that ours takes."""
        return "mlx" if self.native else self.their_arrays

    @property
    def group(self) -> str:
        """Where it is found: a module of the reference library, its programs, or our own package."""
        if self.native:
            return "mlx_spectro, on MLX arrays"
        return self.theirs.rpartition(".")[0] if isinstance(self.theirs, str) else f"programs with {self.against}"

    def missing(self) -> str:
        """What it needs and is not installed: MLX, the reference library, or the one whose arrays it takes."""
        if self.native and not backend.has_mlx():
            return "an MLX back end"
        needed = (self.against, "torch") if self.their_arrays == "torch" else (self.against,)
        return next((library for library in needed if importlib.util.find_spec(library) is None), "")

    def unserved(self, implementation: str) -> str:
        """Why no call can be served by ``implementation``; empty where calls are."""
        if self.native or implementation == "host":
            return ""
        if self.host:
            return "host kernels alone compute it"
        return f"{self.against} computes in float64, MLX does not" if self.against in kinds.OF_NUMPY else ""

    def resolve(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """``(ours, theirs)``, imported."""
        if isinstance(self.theirs, Program):
            ours, theirs = (importlib.import_module(prefix + self.against) for prefix in (OURS, ""))
            return functools.partial(self.theirs.function, ours), functools.partial(self.theirs.function, theirs)
        return _called(self.ours or f"{OURS}{self.theirs}"), _called(self.theirs)


def find(name: str) -> Any:
    """What the dotted ``name`` stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _called(name: str | Callable[..., Any]) -> Callable[..., Any]:
    found: Any = find(name) if isinstance(name, str) else name
    return Made(found) if isinstance(found, type) else found


def pairwise(**options: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Few combinations of ``options`` in which every two values of two options meet."""
    names = list(options)
    values = [list(options[name]) for name in names]
    choices = [[(i, k) for k in range(len(column))] for i, column in enumerate(values)]
    unmet = {
        frozenset(pair) for one, other in itertools.combinations(choices, 2) for pair in itertools.product(one, other)
    }
    while unmet:
        row = dict(min(map(sorted, unmet)))
        for i in range(len(names)):
            if i not in row:
                row[i] = max(
                    range(len(values[i])), key=lambda k: sum(frozenset({(i, k), cell}) in unmet for cell in row.items())
                )
        unmet -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
        yield {name: values[i][row[i]] for i, name in enumerate(names)}


def is_librosa_1() -> bool:
    """Whether librosa is 1.0 or newer; it is not imported, so that rows can be listed without it."""
    try:
        return int(importlib.metadata.version("librosa").partition(".")[0]) >= 1
    except importlib.metadata.PackageNotFoundError:
        return False


def each_signal(build: Callable[[Any], Sample], names: Iterable[str] | None = None) -> Iterator[Sample]:
    """``build(signal)`` for every named signal that this machine can make, labelled with its name."""
    readable = importlib.util.find_spec("soundfile") is not None
    names = dict.fromkeys(signals.SIGNALS if names is None else names)
    if signals.OWN in signals.SIGNALS and signals.like_own() in names:
        names[signals.OWN] = None
    for name in names:
        if readable or name not in signals.RECORDINGS:
            sample = build(signals.SIGNALS[name]())
            batched = name == "stereo_batch" and bool(sample.args)
            label = f"{signals.title(name)} {sample.label}".strip()
            yield replace(sample, label=label, batched=batched, signal=name)
