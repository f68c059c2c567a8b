"""Launch geometries found by timing: once for a device and a kind of work, on the arrays of the call that needs one."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import version

import mlx.core as mx

from ... import _check, diagnostics
from .. import tuning_cache
from .launch_mlx import is_traced
from .plan import Geometry, is_told

Run = Callable[[], mx.array]

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

# what this process has decided, by kernel, sizes and about how many frames
_decided: dict[tuple[str, int, int, int], Geometry] = {}
_compiling: ContextVar[bool] = ContextVar("mlx_spectro_autotune_compiling", default=False)


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


def key(kernel: str, n_fft: int, hop_length: int, about: int) -> str:
    """The key of a geometry: device, MLX's version, kernel, sizes, and about ``2^about`` frames."""
    device = f"{diagnostics.spec_mlx_device_key()}|mlx {version('mlx')}"
    return f"{device}|{kernel}|{n_fft}|{hop_length}|2^{about}"


def geometry(
    kernel: str,
    n_fft: int,
    hop_length: int,
    frames: int,
    arrays: tuple[mx.array, ...],
    make: Callable[[Geometry | None], Run],
) -> Geometry | None:
    """The geometry of a call, None for the default one.

    Args:
        kernel: ``"stft"``, ``"istft"`` or ``"filterbank"``.
        n_fft, hop_length: Samples.
        frames: Of all rows.
        arrays: The call's own; where one of them is inside a transformation nothing is timed.
        make: Makes the call with a geometry.
    """
    kind, thoroughly = (kernel, n_fft, hop_length, frames.bit_length()), _compiling.get()
    decided = _decided.get(kind)
    if decided is not None and not thoroughly:
        return decided
    if not enabled() or is_told(kernel):
        return None
    known = _valid(tuning_cache.get(key(*kind)))
    if known is not None:
        diagnostics.count("autotune_hit")
    if known is None or (thoroughly and not known[1]):
        if any(map(is_traced, arrays)):
            return None if known is None else known[0]
        known = _tuned(kernel, thoroughly, make), thoroughly
        tuning_cache.put(key(*kind), [*known[0], int(thoroughly)])
    _decided[kind] = known[0]
    return known[0]


def forget() -> None:
    """Drop what this process has decided."""
    _decided.clear()
    enabled.cache_clear()
    tuning_cache.forget()


def _tuned(kernel: str, thoroughly: bool, make: Callable[[Geometry | None], Run]) -> Geometry:
    diagnostics.count("autotune_tuned")
    candidates = list(_CANDIDATES[kernel])
    if thoroughly:
        more = [Geometry(), *candidates[:3]]
        candidates += [geometry._replace(threads=threads) for geometry in more for threads in _THREADS]
    default = Geometry()
    times = seconds({default: make(None), **{candidate: make(candidate) for candidate in candidates}})
    best = min(times, key=times.__getitem__)
    return best if times[best] < (1 - _GAIN) * times[default] else default


def _valid(entry: object) -> tuple[Geometry, bool] | None:
    if not (isinstance(entry, list) and len(entry) == 4 and all(type(part) is int and part >= 0 for part in entry)):
        return None
    return Geometry(*entry[:3]), bool(entry[3])


def seconds(runs: dict[Geometry, Run]) -> dict[Geometry, float]:
    """Seconds a call: the least of a few rounds, in which all take turns.

    Of the first alone where the calls are so long that trying all of them would take too much time.
    """
    first, run = next(iter(runs.items()))
    mx.eval(run())
    once = _time(run, 1)
    calls = max(1, min(_CALLS, int(_ENOUGH / once)))
    # what runs the first time is not counted, and takes a call
    left = (_PREWARMING if _compiling.get() else _LIMIT) - once * len(runs)
    turns = min(_ROUNDS, int(left / (once * calls * len(runs))))
    if turns < 1:
        return {first: once}
    for run in runs.values():
        mx.eval(run())
    rounds = [{geometry: _time(run, calls) for geometry, run in runs.items()} for _ in range(turns)]
    return {geometry: min(times[geometry] for times in rounds) for geometry in runs}


def _time(run: Run, calls: int) -> float:
    start = time.perf_counter()
    mx.eval([run() for _ in range(calls)])
    return (time.perf_counter() - start) / calls


diagnostics.snapshot("autotune", lambda: {"path": str(tuning_cache.path()), "size": len(tuning_cache.known())})
