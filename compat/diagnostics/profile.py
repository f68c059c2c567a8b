"""The time of every call, and what the reference would have taken for it, while a profile is made.

Both are compared warm: what loading and compiling cost a first call is accounted for apart. CUDA devices are waited
for, before a call and after it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ..arrays import kinds
from ..contract import records, settings
from ..contract.function import Function

# what serves a call and books it
Serve = Callable[[Function, tuple[Any, ...], dict[str, Any]], tuple[Any, records.Record | None]]

# whether calls are timed; read at every call
on = False


class Cost(NamedTuple):
    """Seconds of a call."""

    ours: float
    theirs: float


# what one value of input costs when warm, by kind of call; measured at the first call of that kind
_costs: dict[Hashable, Cost] = {}
_MOST_KINDS = 512
# a call shorter than this many seconds is measured three times
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
        from mlx_spectro.design.framing import Framing
        from mlx_spectro.design.operators import Stft

        cpu.run(Stft(Framing(64, 16)), np.ones((1, 64), np.float32), np.ones(64, np.float32))
    return time.perf_counter() - begin


def leave_out(seconds: float) -> None:
    """Do not count so much of the present time as the time of the call that this thread is in."""
    _local.inside += seconds


def timed(serve: Serve, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Serve a call and add its time to its record."""
    if records.is_paused():
        return serve(function, args, kwargs)[0]
    outside, _local.inside = _local.inside, 0.0
    kinds.settle()
    begin = time.perf_counter()
    record = None
    try:
        result, record = serve(function, args, kwargs)
        kinds.settle()
    finally:
        whole = time.perf_counter() - begin
        # a call that is not recorded is part of the one around it
        own, counted = whole - _local.inside, _local.inside if record is None else whole
        _local.inside = outside + counted
    if record is not None:
        if not record.device:
            record.device = _device(args, kwargs, ours=not record.reason)
        # under verify the reference has been timed already
        compared = not record.reason and settings.numerics.get() != "verify"
        reference, once = _compared(serve, function, args, kwargs, own) if compared else (0.0, 0.0)
        records.add(record, own, reference, once)
        _local.inside = outside + time.perf_counter() - begin
    return result


def _device(args: tuple[Any, ...], kwargs: dict[str, Any], ours: bool) -> str:
    tensor = next((x for x in (*args, *kwargs.values()) if kinds.is_tensor(x)), None)
    device = "cpu" if tensor is None else str(tensor.device)
    if not ours:
        return device
    if device != "cpu":
        return f"{device}, our kernels"
    return "cpu, host kernels" if backend.for_host_arrays() == "host" else "MLX's device"


def _compared(
    serve: Serve, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], own: float
) -> tuple[float, float]:
    """What the reference would take for a call of ours, and how much of our ``own`` seconds is spent only once."""
    key, size = _kind(function, args, kwargs)
    cost, once = _costs.get(key), 0.0
    if cost is None:
        if len(_costs) >= _MOST_KINDS:
            return 0.0, 0.0

        def ours(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            serve(function, args, kwargs)

        def theirs(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            with settings.numerics.here("strict"):
                function.theirs(*args, **kwargs)

        measured = Cost(*(_warm(run, function.library, args, kwargs) for run in (ours, theirs)))
        cost = _costs[key] = Cost(measured.ours / size, measured.theirs / size)
        once = max(0.0, own - measured.ours)
    return cost.theirs * size, once


def _kind(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, int]:
    """What calls of the same cost have in common, and the values of input of this one."""
    size = 0
    kind: list[Hashable] = [function.name, *kwargs]
    for value in (*args, *kwargs.values()):
        if isinstance(value, _SIMPLE):
            kind.append(value)
        elif isinstance(value, np.ndarray):
            size += value.size
            kind.append(value.dtype)
        elif kinds.is_tensor(value):
            size += value.numel()
            kind.append((value.dtype, value.requires_grad))
        else:
            # a module is as dear as its settings make it
            kind.append(type(value).__name__)
            kind.extend(part for part in getattr(value, "__dict__", {}).values() if isinstance(part, _SIMPLE))
    # larger inputs fit a cache less well: a cost holds for sizes between two powers of two
    kind.append(size.bit_length())
    return tuple(kind), max(size, 1)


def _warm(run: Callable[..., Any], library: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """Seconds of a call once everything that it needs is compiled and loaded; the program does not notice the call."""

    def seconds() -> float:
        own = kinds.with_own_out(kwargs)
        with records.paused(), kinds.undisturbed(library, gradients=True):
            kinds.settle()
            begin = time.perf_counter()
            run(args, own)
            kinds.settle()
            return time.perf_counter() - begin

    # the first may compile something
    first = seconds()
    return sorted(seconds() for _ in range(3))[1] if first < _SHORT else min(first, seconds())
