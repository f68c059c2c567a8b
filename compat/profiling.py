"""The time of every call, and what the reference would have taken for it, while a profile is made."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlx_spectro import backend, cpu

from . import arrays, modes, records

if TYPE_CHECKING:
    from .dispatch import Function

# whether calls are timed; read at every call
on = False

# seconds that the reference takes for one value of input, by kind of call; measured at the first call of that kind
_costs: dict[Hashable, float] = {}
_MOST_KINDS = 512
# a first measurement shorter than this many seconds is taken again, three times, without what is done once
_SHORT = 0.2
_SIMPLE = (int, float, str, bool, type(None))


class _Local(threading.local):
    """Seconds of the call that this thread is in which are not its own."""

    inside = 0.0


_local = _Local()


@contextlib.contextmanager
def profile() -> Iterator[None]:
    """Time every call inside, in all threads."""
    global on
    before, on = on, True
    try:
        yield
    finally:
        on = before


def start() -> None:
    """Time every call from now on."""
    global on
    on = True


def load_kernels() -> float:
    """Load compiled host kernels, or the first call that needs them would look dear; seconds that it took."""
    begin = time.perf_counter()
    if backend.for_host_arrays() == "host":
        cpu.stft(np.ones((1, 64), np.float32), np.ones(64, np.float32), hop_length=16)
    return time.perf_counter() - begin


def leave_out(seconds: float) -> None:
    """Do not count so much of the present time as the time of the call that this thread is in."""
    _local.inside += seconds


def timed(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Serve a call and add its time to its record."""
    if records.is_paused():
        return function.serve(args, kwargs)[0]
    outside, _local.inside = _local.inside, 0.0
    begin = time.perf_counter()
    try:
        result, kept = function.serve(args, kwargs)
    finally:
        whole = time.perf_counter() - begin
        own, _local.inside = whole - _local.inside, outside + whole
    if kept is not None:
        if not kept.device:
            kept.device = _device(args, kwargs, ours=not kept.reason)
        # under verify the reference has been timed already
        reference = (
            0.0 if kept.reason or modes.numerics.get() == "verify" else _reference_seconds(function, args, kwargs)
        )
        records.add(kept, own, reference)
        _local.inside = outside + time.perf_counter() - begin
    return result


def _device(args: tuple[Any, ...], kwargs: dict[str, Any], ours: bool) -> str:
    tensor = next((x for x in (*args, *kwargs.values()) if arrays.is_tensor(x)), None)
    device = "cpu" if tensor is None else str(tensor.device)
    if not ours:
        return device
    if device != "cpu":
        return f"{device}, MLX"
    return "cpu, host kernels" if backend.for_host_arrays() == "host" else "MLX's device"


def _reference_seconds(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """What the reference would take, from its recorded cost for this kind of call."""
    size = 0
    kind: list[Hashable] = [function.name, *kwargs]
    for value in (*args, *kwargs.values()):
        if isinstance(value, _SIMPLE):
            kind.append(value)
        elif isinstance(value, np.ndarray):
            size += value.size
            kind.append(value.dtype)
        elif arrays.is_tensor(value):
            size += value.numel()
            kind.append(value.dtype)
        else:
            # a module is as dear as its settings make it
            kind.append(type(value).__name__)
            kind.extend(part for part in getattr(value, "__dict__", {}).values() if isinstance(part, _SIMPLE))
    # larger inputs fit a cache less well: a cost holds for sizes between two powers of two
    kind.append(size.bit_length())
    key = tuple(kind)
    cost = _costs.get(key)
    if cost is None:
        if len(_costs) >= _MOST_KINDS:
            return 0.0
        _, seconds = function.reference(args, kwargs)
        if seconds < _SHORT:
            seconds = statistics.median(function.reference(args, kwargs)[1] for _ in range(3))
        cost = _costs[key] = seconds / max(size, 1)
    return cost * max(size, 1)
