"""Host arrays on a machine with a GPU: host kernels transform small ones, MLX's GPU those for which copying pays.

From how many samples on it pays is measured once, for transforms with large results and for those with small ones.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from mlx_spectro import diagnostics
from mlx_spectro.design.banks import mel_bank
from mlx_spectro.kernels import cpu, tuning_cache
from mlx_spectro.kernels.gpu import tune

from ..contract import records
from . import mlx_bridge

# samples that are timed; what is smaller than the first goes to host kernels without a look
_SMALL, _LARGE = 1 << 16, 1 << 21
_ROUNDS = 3
_RESULTS = {"filterbank": "small", "project": "small"}

_measuring = threading.Lock()


class _Engine:
    """The functions of :mod:`mlx_spectro.kernels.cpu`, by the GPU ``always`` or where it is faster."""

    def __init__(self, always: bool) -> None:
        self._always = always

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*arrays: Any, **options: Any) -> None:
            on_gpu = self._always or _pays(name, arrays[0].size)
            records.note_device("MLX's device" if on_gpu else "cpu, host kernels")
            getattr(mlx_bridge.host if on_gpu else cpu, name)(*arrays, **options)

        return call


def _pays(name: str, samples: int) -> bool:
    return samples >= _SMALL and 0 <= crossover(_RESULTS.get(name, "large")) <= samples


engine, gpu = _Engine(always=False), _Engine(always=True)


def key(results: str) -> str:
    """The key of a crossover: device, versions, CPU threads, and whether results are ``"small"`` or ``"large"``."""
    return _key(results, cpu.get_num_threads())


@functools.cache
def _key(results: str, threads: int) -> str:
    versions = f"mlx {version('mlx')}|numba {version('numba')}"
    return f"{diagnostics.spec_mlx_device_key()}|{versions}|{threads} threads|crossover|{results}"


def crossover(results: str) -> int:
    """Samples from which the GPU is faster, copies included; -1 where it never is, or nothing may be measured."""
    known = tuning_cache.get(key(results))
    if type(known) is int:
        return known
    if not tune.enabled():
        return -1
    # while one call measures, the others, of its own thread's signal handlers too, go to the host
    if not _measuring.acquire(blocking=False):
        return -1
    try:
        known = _crossing(*(seconds(results, size) for size in (_SMALL, _LARGE)))
        tuning_cache.put(key(results), known)
    finally:
        _measuring.release()
    return known


def _crossing(small: tuple[float, float], large: tuple[float, float]) -> int:
    """Where two straight lines cross, of seconds on the host and on the GPU."""
    if large[1] >= large[0]:
        return -1
    if small[1] <= small[0]:
        return 0
    lead, gain = small[1] - small[0], large[0] - large[1]
    return round(_SMALL + (_LARGE - _SMALL) * lead / (lead + gain))


def seconds(results: str, size: int) -> tuple[float, float]:
    """Seconds of a call by host kernels and by the GPU: the least of a few rounds, in which both take turns."""
    n_fft, hop = 1024, 256
    x = np.random.default_rng(0).standard_normal((1, size), np.float32)
    window = np.hanning(n_fft).astype(np.float32)
    options: dict[str, Any] = {"hop_length": hop, "left": 0, "right": 0, "pad_mode": "constant", "scale": 1.0}
    frames = 1 + (size - n_fft) // hop
    weights: tuple[Any, ...] = (window,)
    if results == "small":
        bank = mel_bank(np.linspace(0.0, 8000.0, n_fft // 2 + 1), 0.0, 8000.0, 80, None, "htk").astype(np.float32)
        name, weights, out = "filterbank", (window, bank), np.empty((1, frames, 80), np.float32)
        options |= {"power": 2.0, "ending": None}
    else:
        name, out = "stft", np.empty((1, frames, n_fft // 2 + 1), np.complex64)
        options |= {"onesided": True}
    runs = [getattr(module, name) for module in (cpu, mlx_bridge.host)]
    times: list[list[float]] = [[], []]
    for _ in range(1 + _ROUNDS):
        for run, spent in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run(x, *weights, out=out, **options)
            spent.append(time.perf_counter() - begin)
    return min(times[0][1:]), min(times[1][1:])
