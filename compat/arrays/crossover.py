"""Host arrays on a machine with a GPU: host kernels transform small ones, MLX's GPU those for which copying pays.

What the GPU has no kernel for stays with the host's.

From how many samples on it pays is measured once, for transforms with large results and for those with small ones.
"""

from __future__ import annotations

import functools
import threading
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro import diagnostics
from mlx_spectro.design.banks import mel_bank
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Filterbank, Operator, Project, Stft
from mlx_spectro.kernels import cpu, tuning_cache
from mlx_spectro.kernels import gpu as kernels
from mlx_spectro.kernels.gpu import tune

from ..contract import records
from . import mlx_bridge

# samples that are timed; what is smaller than the first goes to host kernels without a look
_SMALL, _LARGE = 1 << 16, 1 << 21
_ROUNDS = 3

Array = npt.NDArray[Any]

_measuring = threading.Lock()


class _Engine:
    """What :mod:`mlx_spectro.kernels.cpu` is, by the GPU ``always`` or where it is faster."""

    def __init__(self, always: bool) -> None:
        self._always = always

    def run(self, op: Operator, x: Array, *weights: Array, out: Array) -> None:
        """Compute an operator."""
        on_gpu = self._always or _pays(op, x, *weights)
        records.note_device("MLX's device" if on_gpu else "cpu, host kernels")
        (mlx_bridge if on_gpu else cpu).run(op, x, *weights, out=out)


def _pays(op: Operator, x: Array, *weights: Array) -> bool:
    results = "small" if isinstance(op, (Filterbank, Project)) else "large"
    if x.size < _SMALL or kernels.why_not(op, (x.shape, *(weight.shape for weight in weights))):
        return False
    return 0 <= crossover(results) <= x.size


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
    samples = tuning_cache.get(key(results))
    if type(samples) is int:
        return samples
    if not tune.enabled():
        return -1
    # while one call measures, the others, of its own thread's signal handlers too, go to the host
    if not _measuring.acquire(blocking=False):
        return -1
    try:
        samples = _crossing(*(seconds(results, size) for size in (_SMALL, _LARGE)))
        tuning_cache.put(key(results), samples)
    finally:
        _measuring.release()
    return samples


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
    framing, weights = Framing(n_fft, hop), [window]
    op: Operator = Stft(framing)
    if results == "small":
        op = Filterbank(framing, power=2.0)
        weights += [mel_bank(np.linspace(0.0, 8000.0, n_fft // 2 + 1), 0.0, 8000.0, 80, None, "htk").astype(np.float32)]
    out = np.empty(op.shape(x.shape, *(w.shape for w in weights)), np.complex64 if op.is_complex else np.float32)
    times: list[list[float]] = [[], []]
    for _ in range(1 + _ROUNDS):
        for module, spent in zip((cpu, mlx_bridge), times, strict=True):
            begin = time.perf_counter()
            module.run(op, x, *weights, out=out)
            spent.append(time.perf_counter() - begin)
    return min(times[0][1:]), min(times[1][1:])
