"""Launch geometries found by timing: once for a device and a kind of work, on the arrays of the call that needs one."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import version

import mlx.core as mx

from .. import diagnostics, measured
from .launch import is_traced
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
_CALLS, _ROUNDS = 5, 3
# seconds of calls in a row that are enough
_ENOUGH = 2e-3

_compiling: ContextVar[bool] = ContextVar("mlx_spectro_autotune_compiling", default=False)


def enabled() -> bool:
    """Whether geometries are looked for: ``SPEC_MLX_AUTOTUNE`` is not 0."""
    return os.environ.get("SPEC_MLX_AUTOTUNE", "1") != "0"


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Inside, geometries are tried that need another kernel text."""
    token = _compiling.set(True)
    try:
        yield
    finally:
        _compiling.reset(token)


@functools.lru_cache(maxsize=512)
def key(kernel: str, n_fft: int, hop_length: int, frames: int) -> str:
    """The key of a geometry: device, MLX's version, kernel, sizes, and about how many frames, a power of two."""
    about = round(math.log2(max(frames, 1)))
    return f"{diagnostics.spec_mlx_device_key()}|mlx {version('mlx')}|{kernel}|{n_fft}|{hop_length}|2^{about}"


def geometry(
    kernel: str, n_fft: int, hop_length: int, frames: int, x: mx.array, make: Callable[[Geometry | None], Run]
) -> Geometry | None:
    """The geometry of a call, None for the default one.

    Args:
        kernel: ``"stft"``, ``"istft"`` or ``"filterbank"``.
        n_fft, hop_length: Samples.
        frames: Of all rows.
        x: The call's array; inside a transformation nothing is timed.
        make: Makes the call with a geometry.
    """
    if not enabled() or is_told(kernel):
        return None
    entry = key(kernel, n_fft, hop_length, frames)
    thoroughly, known = _compiling.get(), _valid(measured.get(entry))
    if known is not None and (known[1] or not thoroughly):
        diagnostics.count("autotune_hit")
        return known[0]
    if is_traced(x):
        return None if known is None else known[0]
    diagnostics.count("autotune_tuned")
    candidates = list(_CANDIDATES[kernel])
    if thoroughly:
        candidates += [Geometry(threads=threads) for threads in _THREADS]
        candidates += [geometry._replace(threads=threads) for geometry in candidates[:3] for threads in _THREADS]
    found = _fastest(candidates, make)
    measured.put(entry, [*found, int(thoroughly)])
    return found


def _valid(entry: object) -> tuple[Geometry, bool] | None:
    if not (isinstance(entry, list) and len(entry) == 4 and all(type(part) is int and part >= 0 for part in entry)):
        return None
    return Geometry(*entry[:3]), bool(entry[3])


def _fastest(candidates: list[Geometry], make: Callable[[Geometry | None], Run]) -> Geometry:
    default = Geometry()
    times = seconds({default: make(None), **{candidate: make(candidate) for candidate in candidates}})
    best = min(times, key=times.__getitem__)
    return best if times[best] < (1 - _GAIN) * times[default] else default


def seconds(runs: dict[Geometry, Run]) -> dict[Geometry, float]:
    """Seconds a call: the least of a few rounds, in which all take turns."""
    for run in runs.values():
        mx.eval(run())
    once = _time(next(iter(runs.values())), 1)
    calls = max(1, min(_CALLS, int(_ENOUGH / once)))
    rounds = [{geometry: _time(run, calls) for geometry, run in runs.items()} for _ in range(_ROUNDS)]
    return {geometry: min(times[geometry] for times in rounds) for geometry in runs}


def _time(run: Run, calls: int) -> float:
    start = time.perf_counter()
    mx.eval([run() for _ in range(calls)])
    return (time.perf_counter() - start) / calls


diagnostics.snapshot("autotune", lambda: {"path": str(measured.path()), "size": len(measured.known())})
