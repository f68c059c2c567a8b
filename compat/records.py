"""What became of every call: counters by function, reason and call site."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

logger = logging.getLogger("mlx_spectro.compat")

_MOST = 4096
# what stands between a program and the functions that it calls: the shim, and the layers of a torch network
_SHIM = os.path.dirname(__file__) + os.sep
_LAYERS = os.sep + os.path.join("torch", "nn", "modules") + os.sep
_paused: ContextVar[bool] = ContextVar("mlx_spectro_records_paused", default=False)
_lock = threading.Lock()
_counts: dict[tuple[str, str, str, int], int] = {}
_dropped = 0


class FallbackError(RuntimeError):
    """The reference library had to serve a call, and ``on_fallback("raise")`` was in force."""


@dataclass(frozen=True)
class Record:
    """Calls of one function from one place that went the same way."""

    function: str
    reason: str
    """Why the reference served; empty where we did."""
    file: str
    line: int
    calls: int


def call_site() -> tuple[str, int]:
    """File and line of the nearest caller outside the shim and outside torch's modules."""
    frame = sys._getframe(1)
    while _is_between(frame.f_code.co_filename) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _is_between(path: str) -> bool:
    return path.startswith(_SHIM) or _LAYERS in path


def record(function: str, reason: str = "") -> None:
    """Count a call that we served, or that the reference served for ``reason``; log a fallback once a call site."""
    global _dropped
    if _paused.get():
        return
    key = (function, reason, *call_site())
    with _lock:
        known = _counts.get(key)
        if known is not None:
            _counts[key] = known + 1
            return
        if len(_counts) >= _MOST:
            _dropped += 1
            return
        _counts[key] = 1
    if reason:
        logger.info("%s at %s:%d was served by the reference: %s", function, key[2], key[3], reason)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside: the calls are ours, not the program's."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def report() -> list[Record]:
    """What became of the calls since the last :func:`reset`, fallbacks first, the most frequent first."""
    with _lock:
        records = [Record(*key, calls) for key, calls in _counts.items()]
        if _dropped:
            records.append(Record("(more call sites than are kept)", "not recorded", "", 0, _dropped))
    return sorted(records, key=lambda record: (not record.reason, -record.calls))


def reset() -> None:
    """Forget every record."""
    global _dropped
    with _lock:
        _counts.clear()
        _dropped = 0


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
