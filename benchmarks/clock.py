"""Timing: contenders in turn, in one process, medians; and memory at its peak."""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# on a CPU, a single measurement lasts at least this long, in seconds; on a GPU it is so many calls, after as many that
# are not timed: a loop's first calls find a device's memory pool as another contender left it
_SLICE = 5e-3
_GPU_CALLS = 50
_ROUNDS = 9
# and a call that takes longer than this, in seconds, or one on a GPU, fewer times
_SLOW, _FEWER = 0.1, 5


class Contender(NamedTuple):
    """One way of doing the work of a row."""

    work: Callable[[], object]
    """One call. On a GPU it returns once the work is submitted."""
    wait: Callable[[], object] | None = None
    """Returns once all submitted work is done; None for a contender that works on the CPU."""
    setting: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    """What is in force during a measurement."""
    times: int = 1
    """Calls that are made in one."""

    def seconds(self, calls: int) -> float:
        """Seconds a call, over ``calls`` of them."""
        with self.setting():
            if self.wait:
                self._run(calls)
            start = time.perf_counter()
            self._run(calls)
            return (time.perf_counter() - start) / (calls * self.times)

    def _run(self, calls: int) -> None:
        for _ in range(calls):
            self.work()
        if self.wait:
            self.wait()


def medians(contenders: dict[str, Contender], rounds: int = _ROUNDS) -> dict[str, float]:
    """Median seconds of a call of each contender, measured in turn so that drift of the machine hits all alike."""
    calls, slow = {}, False
    for name, contender in contenders.items():
        contender.seconds(2)
        once = contender.seconds(1)
        alone = max(1, int(_SLICE / max(once * contender.times, 1e-7)))
        calls[name] = _GPU_CALLS // contender.times if contender.wait else alone
        slow |= once > _SLOW or contender.wait is not None
    times: dict[str, list[float]] = {name: [] for name in contenders}
    rounds = min(rounds, _FEWER) if slow else rounds
    for _ in range(rounds):
        for name, contender in contenders.items():
            times[name].append(contender.seconds(calls[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def peak_memory(contender: Contender) -> int | None:
    """Bytes by which a call's peak exceeds the process's memory before it, its result included; None where unknown."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        return None

    def field(name: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    with contender.setting():
        contender.work()
        gc.collect()
        before = field("VmRSS")
        clear.write_text("5")  # sets the peak to the present value
        contender.work()
        return max(0, field("VmHWM") - before)
