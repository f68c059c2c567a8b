"""Launch geometries found by timing: once for a device and a kind of work, on the arrays of the call that needs one."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from ... import _check, diagnostics
from .. import tuning_cache
from .plan import Geometry, TuningKey, is_given

Run = Callable[[], Any]

# Tried by a call that finds nothing known: these take no other text.
_STEPS = tuple(Geometry(steps=steps) for steps in (1, 2, 4))
_CANDIDATES = {
    "stft": _STEPS,
    "filterbank": _STEPS,
    "istft": tuple(Geometry(at_once=groups) for groups in (48, 96, 192, 384, 768)),
}
# Tried where compiling is in order.
_THREADS = (64, 256)
# what another geometry than the default has to save
_GAIN = 0.05
_CALLS, _ROUNDS = 5, 5
# seconds of calls in a row that are enough, and of all of them at most: for a call, and where compiling is in order
_ENOUGH = 2e-3
_LIMIT, _PREWARMING = 0.05, 2.0


class Bench(Protocol):
    """What runs launches, and can say when they are done."""

    def wait(self, arrays: list[Any]) -> None:
        """Return when these are computed."""

    def time(self, run: Run, calls: int) -> float:
        """Seconds a call, of so many in a row."""

    def is_traced(self, array: Any) -> bool:
        """Whether an array stands for a value inside a transformation, where nothing can be timed."""

    def device(self) -> str:
        """What a launch's time depends on besides the launch."""


class Choice(NamedTuple):
    """A geometry, None for the default one, and whether a later call of the kind would get the same."""

    geometry: Geometry | None
    settled: bool


DEFAULT = Choice(None, settled=True)

# what this process has decided, by device and kind of work
_choices: dict[tuple[str, TuningKey], Choice] = {}
_compiling: ContextVar[bool] = ContextVar("mlx_spectro_autotune_compiling", default=False)
# asked at every call: whether geometries are tried that need another kernel text
tries_all = _compiling.get


@functools.cache
def enabled() -> bool:
    """Whether geometries are looked for: ``SPEC_MLX_AUTOTUNE`` is not 0."""
    return _check.switch("SPEC_MLX_AUTOTUNE", default=True)


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Inside, geometries are tried that need another kernel text."""
    token = _compiling.set(True)
    try:
        yield
    finally:
        _compiling.reset(token)


def key(device: str, kind: TuningKey) -> str:
    """The key of a geometry in the file: device, and kind of work."""
    return f"{device}|{kind.kernel}|{kind.n_fft}|{kind.hop_length}|2^{kind.about}"


def geometry(kind: TuningKey, bench: Bench, arrays: Sequence[Any], make: Callable[[Geometry | None], Run]) -> Choice:
    """The geometry of a call.

    Args:
        kind: Of work.
        bench: Runs it.
        arrays: The call's own; where one of them is inside a transformation nothing is timed.
        make: Makes the call with a geometry.
    """
    device, thoroughly = bench.device(), tries_all()
    choice = _choices.get((device, kind))
    if choice is not None and not thoroughly:
        return choice
    if not enabled() or is_given(kind.kernel):
        return DEFAULT
    entry = _valid(tuning_cache.get(key(device, kind)))
    if entry is not None:
        diagnostics.count("autotune_hit")
    if entry is None or (thoroughly and not entry[1]):
        if any(map(bench.is_traced, arrays)):
            return Choice(None if entry is None else entry[0], settled=False)
        entry = _tuned(kind.kernel, thoroughly, make, bench), thoroughly
        tuning_cache.put(key(device, kind), [*entry[0][:3], int(thoroughly)])
    choice = _choices[device, kind] = Choice(entry[0], settled=True)
    return choice


def forget() -> None:
    """Drop what this process has decided."""
    _choices.clear()
    enabled.cache_clear()
    tuning_cache.forget()


def _tuned(kernel: str, thoroughly: bool, make: Callable[[Geometry | None], Run], bench: Bench) -> Geometry:
    diagnostics.count("autotune_tuned")
    candidates = list(_CANDIDATES[kernel])
    if thoroughly:
        more = [Geometry(), *candidates[:3]]
        candidates += [geometry._replace(threads=threads) for geometry in more for threads in _THREADS]
    default = Geometry()
    times = seconds(
        {default: make(None), **{candidate: make(candidate) for candidate in candidates}}, bench.wait, bench.time
    )
    best = min(times, key=times.__getitem__)
    return best if times[best] < (1 - _GAIN) * times[default] else default


def _valid(entry: object) -> tuple[Geometry, bool] | None:
    if not (isinstance(entry, list) and len(entry) == 4 and all(type(part) is int and part >= 0 for part in entry)):
        return None
    return Geometry(*entry[:3]), bool(entry[3])


def seconds(
    runs: dict[Geometry, Run], wait: Callable[[list[Any]], None], clock: Callable[[Run, int], float] | None = None
) -> dict[Geometry, float]:
    """Seconds a call: the least of a few rounds, in which all take turns.

    Of the first alone where the calls are so long that trying all of them would take too much time.

    Args:
        runs: A call by each geometry.
        wait: Returns when arrays are computed.
        clock: Seconds a call, of so many in a row; default: :func:`clocked`.
    """
    clock = clock or functools.partial(clocked, wait=wait)
    first, run = next(iter(runs.items()))
    wait([run()])
    once = clock(run, 1)
    calls = max(1, min(_CALLS, int(_ENOUGH / once)))
    # what runs the first time is not counted, and takes a call
    left = (_PREWARMING if tries_all() else _LIMIT) - once * len(runs)
    turns = min(_ROUNDS, int(left / (once * calls * len(runs))))
    if turns < 1:
        return {first: once}
    for run in runs.values():
        wait([run()])
    rounds = [{geometry: clock(run, calls) for geometry, run in runs.items()} for _ in range(turns)]
    return {geometry: min(times[geometry] for times in rounds) for geometry in runs}


def clocked(run: Run, calls: int, wait: Callable[[list[Any]], None]) -> float:
    """Seconds a call, of so many in a row, by the wall clock."""
    start = time.perf_counter()
    wait([run() for _ in range(calls)])
    return (time.perf_counter() - start) / calls


diagnostics.snapshot("autotune", lambda: {"path": str(tuning_cache.path()), "size": len(tuning_cache.entries())})
