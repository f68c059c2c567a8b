"""Three-way measurement: ours, the reference, and the truth, which is the reference in float64."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mlx_spectro import compat
from mlx_spectro.compat.arrays import kinds
from mlx_spectro.compat.diagnostics import compare
from mlx_spectro.ops import backend

from . import signals
from .case import Decision, HeavyTail, Row, Sample
from .pictures import Picture, picture

# two units in the last place of float32
FLOOR = 2.4e-7
SLACK = 1.5
# of transforms: a value is rounded some ten times on its way, and the RMS of eleven roundings is a twentieth larger
AS_ACCURATE = 1.05
TINY = 1.2e-38
MARGIN = 1e-6
EXCEPTIONS = 1e-3

# torch's devices but the CPU, whose tensors are kinds of arrays too
TORCH_DEVICES = ("cuda", "mps")

Arrays = list[npt.NDArray[Any]]


def to_library(kind: str, x: Any) -> Any:
    """``x`` with its NumPy arrays as arrays of ``kind``; a view stays a view where the library has such.

    ``"cuda"`` and ``"mps"`` are torch's, on its device.
    """
    if isinstance(x, dict):
        return {key: to_library(kind, value) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return type(x)(to_library(kind, value) for value in x)
    if not isinstance(x, np.ndarray) or kind == "numpy":
        return x
    if kind == "torch":
        import torch

        return torch.from_numpy(x)
    if kind in TORCH_DEVICES:
        return _moved(to_library("torch", x), kind)
    import mlx.core as mx

    return mx.array(x)


def _moved(x: Any, device: str) -> Any:
    """A tensor on a device of torch's, in memory as it is here where that has no gaps."""
    return x.to(device)


def in_double(x: Any) -> Any:
    """``x`` with its float32 and complex64 arrays in double precision."""
    if isinstance(x, dict):
        return {key: in_double(value) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return type(x)(in_double(value) for value in x)
    if isinstance(x, np.ndarray) and x.dtype in (np.float32, np.complex64):
        return x.astype(np.result_type(x.dtype, np.float64))
    return x


@contextlib.contextmanager
def double_precision(kind: str) -> Iterator[None]:
    """Have the library of ``kind`` make what is made of no array (windows, filters) in double precision."""
    if kind in ("numpy", "mlx"):
        yield
        return
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def flat(result: Any) -> Arrays:
    """The arrays of a result, as NumPy arrays."""
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in flat(part)]
    return [np.asarray(kinds.to_numpy(result))]


@dataclass
class Tally:
    """Errors against the truth of all samples of a row, each scaled by its sample's largest value."""

    squares: float = 0.0
    total: float = 0.0
    count: int = 0
    worst: float = 0.0

    def add(self, error: npt.NDArray[Any]) -> None:
        self.squares += float(np.sum(error**2))
        self.total += float(np.sum(error))
        self.count += error.size
        self.worst = max(self.worst, float(error.max(initial=0)))

    @property
    def rms(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


@functools.cache
def of_the_fft() -> float:
    """How many times the error of the CPU's FFT, on noise, MLX's own has on its default device, if that is a GPU.

    Plain ops have their precision from MLX: what its FFT errs, they cannot mend.
    """
    import mlx.core as mx
    import scipy.fft

    if mx.default_device().type == mx.DeviceType.cpu:
        return 1.0
    x = np.random.default_rng(0).standard_normal((64, 1024)).astype(np.float32)
    truth = scipy.fft.rfft(x.astype(np.float64))
    errors = [np.linalg.norm(np.array(z) - truth) for z in (mx.fft.rfft(mx.array(x)), scipy.fft.rfft(x))]
    return max(1.0, float(errors[0] / errors[1]))


@dataclass
class Outcome:
    """How a row fared with one implementation."""

    row: Row
    implementation: str
    quantity: str = "evaluate"
    samples: int = 0
    untested: list[str] = field(default_factory=list)
    handed_over: set[str] = field(default_factory=set)
    """On a device of torch's, why its own operations served samples."""
    ours: Tally = field(default_factory=Tally)
    theirs: Tally = field(default_factory=Tally)
    problems: list[str] = field(default_factory=list)
    unavailable: str = ""
    decisions: int = 0
    exceptions: int = 0
    pictures: list[Picture] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The row's name and what of it was measured."""
        return self.row.name if self.quantity == "evaluate" else f"{self.row.name} {self.quantity}"

    @property
    def slack(self) -> float:
        """How many times the reference's error ours may be."""
        return SLACK * (of_the_fft() if self.implementation == "plain" else 1.0)

    @property
    def heavy(self) -> bool:
        """Whether errors have a mean and no variance."""
        return isinstance(self.row.judged, HeavyTail)

    def typical(self, tally: Tally) -> float:
        """The RMS of errors, or their mean where that is all they have."""
        return tally.mean if self.heavy else tally.rms

    @property
    def typical_limit(self) -> float:
        if self.row.transform and self.implementation == "host":
            return AS_ACCURATE * self.typical(self.theirs)
        return max(self.slack * self.typical(self.theirs), FLOOR)

    @property
    def worst_limit(self) -> float:
        ratio = self.row.judged.ratio if isinstance(self.row.judged, HeavyTail) else 1.0
        return max(self.slack * ratio * self.theirs.worst, FLOOR)

    @property
    def green(self) -> bool:
        return not self.verdict()

    @property
    def compared(self) -> int:
        """Samples whose results were compared."""
        return self.samples - len(self.untested)

    def verdict(self) -> str:
        """What is wrong, empty where nothing is."""
        if self.problems:
            return self.problems[0]
        if self.exceptions > EXCEPTIONS * self.decisions:
            return f"{self.exceptions} of {self.decisions} decisions differ"
        if self.ours.worst > self.worst_limit:
            return f"worst error {self.ours.worst:.2e} above {self.worst_limit:.2e}"
        if self.typical(self.ours) > self.typical_limit:
            what = "mean" if self.heavy else "RMS"
            return f"{what} error {self.typical(self.ours):.2e} above {self.typical_limit:.2e}"
        return ""


def evaluate(function: Callable[..., Any], kind: str, sample: Sample) -> Any:
    """The result of ``function`` for a sample, in arrays of ``kind``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*to_library(kind, sample.args), **to_library(kind, sample.kwargs))


def gradient(function: Callable[..., Any], kind: str, sample: Sample) -> Any:
    """The gradient, with respect to its first array, of a random linear form of ``function``'s result."""
    x, *rest = to_library(kind, sample.args)
    kwargs = to_library(kind, sample.kwargs)
    if kind == "mlx":
        import mlx.core as mx

        y = function(x, *rest, **kwargs)
        return mx.vjp(lambda x: function(x, *rest, **kwargs), [x], [mx.array(_cotangent(y.shape, flat(y)[0]))])[1][0]
    import torch

    x = x.detach().clone().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = function(x, *rest, **kwargs)
    y.backward(torch.from_numpy(_cotangent(y.shape, flat(y)[0])).to(y.device))
    return x.grad


def _cotangent(shape: tuple[int, ...], like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    rng = np.random.default_rng(7)
    if not np.iscomplexobj(like):
        return rng.standard_normal(shape).astype(np.float32).astype(like.dtype)
    pair = rng.standard_normal((2, *shape)).astype(np.float32)
    both: npt.NDArray[Any] = (pair[0] + 1j * pair[1]).astype(like.dtype)
    return both


def run(
    row: Row,
    implementation: backend.Implementation | Literal["cuda", "mps"],
    quantity: Callable[..., Any] = evaluate,
    pictures: bool = False,
) -> Outcome:
    """Measure every sample of ``row`` with one implementation: its values, or another ``quantity`` of them.

    With ``pictures``, the results for real recordings are kept, for a report to show. On torch's devices, kernels say
    themselves which calls are torch's; of a Mac's, which have no float64, the truth is the CPU's.
    """
    outcome = Outcome(row, implementation, quantity.__name__)
    missing = row.missing()
    device = implementation if implementation in TORCH_DEVICES else ""
    if missing or implementation not in TORCH_DEVICES:
        outcome.unavailable = f"{missing} is not installed" if missing else row.unserved(implementation)
    if outcome.unavailable:
        return outcome
    ours, _ = row.resolve()
    our_kind, their_kind = device or row.our_arrays, device or row.their_arrays
    true_kind = row.their_arrays if device == "mps" else their_kind
    expected = _expected if device else _kept
    for sample, reference, truth, firm in expected(row, quantity, their_kind, true_kind):
        outcome.samples += 1
        if isinstance(reference, RuntimeError):
            if not device:
                raise reference
            outcome.untested.append(sample.label)
            outcome.handed_over.add(f"{row.against} itself computes none there: {reference}")
            with contextlib.suppress(RuntimeError), compat.route("ours"):
                quantity(ours, our_kind, sample)
                outcome.problems.append(f"{sample.label}: served, where {row.against} raises an error")
            continue
        compat.reset()
        try:
            with _by(implementation), compat.route("ours"), compat.numerics("fast"):
                result = flat(quantity(ours, our_kind, sample))
        except RuntimeError as error:  # of MLX itself, perhaps: the other samples are to be heard all the same
            outcome.problems.append(f"{sample.label}: {error}")
            continue
        fallbacks = {record.reason for record in compat.report() if record.reason}
        if fallbacks and not row.native:
            outcome.untested.append(sample.label)
            outcome.handed_over |= fallbacks if device else set()
            if not (sample.untested or device):
                outcome.problems.append(f"{sample.label}: undeclared fallback ({', '.join(sorted(fallbacks))})")
            continue
        if sample.untested and not (row.native or device):
            outcome.problems.append(f"{sample.label}: declared untested, but served")
        # a spectrum's gradient on a device of torch's lies by frames
        ordered = not (row.native or (device and quantity is gradient))
        problems = _judge(row, outcome, result, reference, truth, firm, ordered)
        outcome.problems += [f"{sample.label}: {problem}" for problem in problems]
        if pictures and sample.signal in signals.RECORDINGS:
            own = sample.signal == signals.OWN
            outcome.pictures.append(picture(sample.label, own, flat(result)[0], flat(reference)[0]))
    return outcome


class Expected(NamedTuple):
    """What a sample is compared with."""

    sample: Sample
    reference: Any
    """The reference's result; the RuntimeError that it raises."""
    truth: Any = None
    firm: list[Any] | None = None
    """For each part of the truth, which of its decisions stand though their threshold is moved by the margin."""


def _expected(row: Row, quantity: Callable[..., Any], kind: str, true_kind: str) -> Iterator[Expected]:
    _, theirs = row.resolve()
    for sample in row.samples():
        try:
            reference = quantity(theirs, kind, sample)
        except RuntimeError as error:
            yield Expected(sample, error)
            continue
        double = Sample(sample.label, in_double(sample.args), in_double(sample.kwargs))
        with double_precision(row.their_arrays):
            truth = quantity(theirs, true_kind, double)
            firm: list[Any] = [True] * len(flat(truth))
            if isinstance(row.judged, Decision) and row.judged.threshold:
                moved = (row.judged.moved(double, sign * MARGIN) for sign in (-1, 1))
                low, high = (flat(quantity(theirs, true_kind, one)) for one in moved)
                firm = [a == b for a, b in zip(low, high, strict=True)]
        yield Expected(sample, reference, truth, firm)


@functools.lru_cache(maxsize=1)
def _kept(*arguments: Any) -> list[Expected]:
    """The same, for one implementation after another."""
    return list(_expected(*arguments))


def _by(implementation: Any) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if implementation in TORCH_DEVICES else backend.implementation(implementation)


def _judge(row: Row, outcome: Outcome, ours: Any, theirs: Any, truth: Any, firm: Any, ordered: bool) -> Iterator[str]:
    """Add one sample's errors to ``outcome`` and yield what differs in kind; in memory order if ``ordered``."""
    parts = (flat(ours), flat(theirs), flat(truth))
    if len({len(part) for part in parts}) != 1:
        yield f"{len(parts[0])} results, not {len(parts[1])}"
        return
    for a, b, t, stands in zip(*parts, firm, strict=True):
        if a.shape != b.shape or (a.dtype != b.dtype and not row.native):
            yield f"is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
            continue
        if ordered and long_strides(a) != long_strides(b):
            yield f"strides {a.strides}, not {b.strides}"
        if isinstance(row.judged, Decision):
            yield from _decide(outcome, a, b, t, stands)
            continue
        problem = compare.difference_of_values(a, b.astype(a.dtype)).structure
        if problem:
            yield problem
        errors = _errors(a, b, t)
        outcome.ours.add(errors[0])
        outcome.theirs.add(errors[1])


def long_strides(x: npt.NDArray[Any]) -> list[int]:
    """Strides of the axes that are longer than one."""
    return [stride for stride, count in zip(x.strides, x.shape, strict=True) if count > 1]


def _errors(a: npt.NDArray[Any], b: npt.NDArray[Any], t: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(t)
    wide = np.complex128 if np.iscomplexobj(t) else np.float64
    truth = t[finite].astype(wide)
    scale = np.abs(truth).max(initial=0) or 1.0
    tiny = TINY * 2 * max(t.shape[-2:], default=1)

    def error(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        x = x[finite].astype(wide)
        difference = np.abs(x - truth)
        return np.where((np.abs(x) < tiny) & (np.abs(truth) < tiny), 0.0, difference) / scale

    return error(a), error(b)


def _decide(
    outcome: Outcome, a: npt.NDArray[Any], b: npt.NDArray[Any], t: npt.NDArray[Any], stands: Any
) -> Iterator[str]:
    """Count one sample's decisions, and those that differ within the margin; yield a word on those beyond it."""
    a, b, t = (x.astype(np.float32) for x in (a, b, t))
    other = (a != b) & (a != t)
    beyond = int(np.count_nonzero(other & stands))
    outcome.decisions += a.size
    outcome.exceptions += int(np.count_nonzero(other)) - beyond
    if beyond:
        yield f"{beyond} of {a.size} decisions differ, and their margin is above {MARGIN}"
