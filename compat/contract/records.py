"""What became of every call: counters by function, reason and call site."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any

import mlx_spectro

from . import settings

logger = logging.getLogger("mlx_spectro.compat")

_MOST = 4096
# what stands between a program and the functions that it calls: the shim, the layers of a torch network, and methods
_SHIM = os.path.dirname(os.path.dirname(__file__)) + os.sep
_OURS = (_SHIM, os.path.dirname(mlx_spectro.__file__) + os.sep)
_LAYERS = tuple(os.sep + os.path.join("torch", *path) for path in (("nn", "modules", ""), ("_tensor.py",)))
_paused: ContextVar[bool] = ContextVar("mlx_spectro_records_paused", default=False)


class _Local(threading.local):
    """Where a thread's call went."""

    device = ""


here = _Local()
# a signal handler or a finalizer may call us while its thread holds it
_lock = threading.RLock()


class FallbackError(RuntimeError):
    """The reference library had to serve a call, and ``on_fallback("raise")`` was in force."""


class FaultError(RuntimeError):
    """We took a call for one that the reference rejects, and it does not; ``on_fault("raise")`` was in force."""


@dataclass(slots=True)
class Record:
    """Calls of one function from one place that went the same way. Times are in seconds."""

    function: str
    reason: str
    """Why the reference served; empty where we did."""
    file: str
    line: int
    calls: int = 0
    device: str = ""
    """Where the calls were computed, by a profile's account of the first; on a machine with a GPU, the last one's."""
    seconds: float = 0.0
    """Spent in the calls, without other recorded calls inside them."""
    longest: float = 0.0
    """Spent in the longest call, often the first, which may have compiled something."""
    reference: float = 0.0
    """What the reference took for the same calls under ``verify``, or what a profile estimates it would have taken."""
    error: float = 0.0
    """Under ``verify``: the difference from the reference that came nearest its limit, or went farthest beyond it.

    Relative to the largest value.
    """
    limit: float = 0.0
    """The limit of that difference."""
    breaches: int = 0
    problem: str = ""
    """What the first breach was."""
    reproduction: str = ""
    """File that ``mlx-spectro replay`` runs that breach again from, or why there is none."""
    once: float = 0.0
    """In a profile: what first calls of a kind took beyond what such calls take when warm, by loading and compiling."""


class _Store:
    """The records of a process, or of a part of its run."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str, str, int], Record] = {}
        # records by function, reason, and the instruction that called: which line that is in takes time to find out
        self.instructions: dict[tuple[str, str, int, int], tuple[CodeType, Record]] = {}
        self.dropped = 0

    def clear(self) -> None:
        self.table.clear()
        self.instructions.clear()
        self.dropped = 0


_store = _Store()
# told of every record that changes: how a child process's records reach the program that started it
_mirror: Any = None


def call_site(depth: int = 1) -> tuple[str, int]:
    """File and line of the nearest caller, ``depth`` up or more, that is outside the shim and torch's modules."""
    frame = _caller(sys._getframe(depth))
    return frame.f_code.co_filename, frame.f_lineno


def _caller(frame: FrameType) -> FrameType:
    path = frame.f_code.co_filename
    while path in _between or _is_between(path):
        outer = frame.f_back
        if outer is None:
            break
        frame, path = outer, outer.f_code.co_filename
    return frame


# files that a program's call may come through
_between: set[str] = set()


@functools.lru_cache(_MOST)
def _is_between(path: str) -> bool:
    between = path.startswith(_SHIM) or any(layer in path for layer in _LAYERS)
    if between:
        _between.add(path)
    return between


def note_device(device: str) -> None:
    """Note that this thread's call goes to a device, where there was a choice."""
    here.device = device


def record(function: str, reason: str = "", level: int = logging.INFO, depth: int = 1) -> Record | None:
    """Count a call that we served, or that the reference served for ``reason``; log a fallback once a call site.

    Args:
        depth: How many callers up there are at least that are the shim's: to look at each takes time.

    Returns:
        The call's record, or None where nothing is recorded.
    """
    if _paused.get():
        return None
    frame = _caller(sys._getframe(depth))
    code = frame.f_code
    instruction = (function, reason, id(code), frame.f_lasti)
    is_new = False
    with _lock:
        seen = _store.instructions.get(instruction)
        if seen is not None and seen[0] is code:
            entry = seen[1]
        else:
            key = (function, str(reason), code.co_filename, frame.f_lineno)
            is_new = key not in _store.table
            if is_new and len(_store.table) >= _MOST:
                _store.dropped += 1
                return None
            entry = _store.table.setdefault(key, Record(*key))
            if len(_store.instructions) >= _MOST:
                _store.instructions.clear()
            _store.instructions[instruction] = code, entry
        entry.calls += 1
        if _mirror is not None:
            _mirror.write(entry)
    if reason and is_new:
        logger.log(level, "%s at %s:%d was served by the reference: %s", function, entry.file, entry.line, entry.reason)
    return entry


def fault(function: str, problem: str | Exception) -> Record | None:
    """Count a call that the reference served because of a fault of ours, and say so; raise it if that is asked for.

    Args:
        problem: What we raised, or the reason that proved untrue.
    """
    if settings.on_fault.get() == "raise":
        if not isinstance(problem, Exception):
            raise FaultError(f"{function}: it is not true that {problem}")
        try:
            raise problem
        finally:
            del problem  # which knows this frame
    if isinstance(problem, Exception):
        ours = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename.startswith(_OURS)]
        where = f" ({os.path.basename(ours[-1].filename)}:{ours[-1].lineno})" if ours else ""
        problem = f"{type(problem).__name__}: {problem}{where}"
    return record(function, f"a fault of mlx_spectro's own: {problem}", logging.WARNING)


def add(record: Record, seconds: float, reference: float = 0.0, once: float = 0.0) -> None:
    """Add a call's time, the reference's for the same call, and the part of ours that is spent once, to its record."""
    with _lock:
        record.longest = max(record.longest, seconds)
        record.seconds += seconds
        record.reference += reference
        record.once += once
        if _mirror is not None:
            _mirror.write(record)


def judge(record: Record, error: float, limit: float, breach: bool) -> None:
    """Add what verification found of a call to its record."""
    with _lock:
        if error * record.limit >= record.error * limit:
            record.error, record.limit = error, limit
        record.breaches += breach
        if _mirror is not None:
            _mirror.write(record)


def explain(record: Record, problem: str, reproduction: str) -> None:
    """Add what a record's first breach was, and the file that runs it again."""
    with _lock:
        record.problem, record.reproduction = problem, reproduction
        if _mirror is not None:
            _mirror.write(record)


def is_paused() -> bool:
    """Whether nothing is recorded here."""
    return _paused.get()


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside: the calls are ours, not the program's."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Inside, :func:`report` knows of nothing from before, and afterwards of both."""
    global _store
    with _lock:
        before, _store = _store, _Store()
    try:
        yield
    finally:
        with _lock:
            inside, _store = _store, before
            before.dropped += inside.dropped
            merge(before.table, list(inside.table.values()))


def merge(table: dict[tuple[str, str, str, int], Record], more: list[Record]) -> None:
    """Add records of the same or other calls to ``table``."""
    for record in more:
        key = (record.function, record.reason, record.file, record.line)
        entry = table.get(key)
        if entry is None:
            table[key] = replace(record)
            continue
        entry.calls += record.calls
        entry.seconds += record.seconds
        entry.longest = max(entry.longest, record.longest)
        entry.reference += record.reference
        entry.once += record.once
        entry.breaches += record.breaches
        entry.device = entry.device or record.device
        entry.problem = entry.problem or record.problem
        entry.reproduction = entry.reproduction or record.reproduction
        if record.error * entry.limit >= entry.error * record.limit:
            entry.error, entry.limit = record.error, record.limit


def report() -> list[Record]:
    """What became of the calls since the last :func:`reset`, fallbacks first, the most frequent first."""
    with _lock:
        records = [replace(record) for record in list(_store.table.values())]
        if _store.dropped:
            records.append(Record("(more call sites than are kept)", "not recorded", "", 0, _store.dropped))
    return sorted(records, key=lambda record: (not record.reason, -record.calls))


def reset() -> None:
    """Forget every record."""
    with _lock:
        _store.clear()


def mirror_to(mirror: Any) -> None:
    """Have ``mirror.write(record)`` called after every change of a record; None ends that."""
    global _mirror
    _mirror = mirror


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
