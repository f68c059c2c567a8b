"""Whether a thread is importing numba or compiling, which a signal handler that interrupts it cannot do as well."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

# the threads that are at it, and those of them that only load what was compiled before
_threads: list[int] = []
_loading: list[int] = []
# numba's lock, once it is imported, and whether this thread holds it, who ever had it compile
_lock: Any = None
_holds_lock: Callable[[], bool] = bool


def busy() -> bool:
    """Whether this thread is importing numba or compiling, so that host kernels cannot serve what interrupts it.

    For ever in a child that was forked while another thread was at it.
    """
    return _holds_lock() or (bool(_threads) and threading.get_ident() in _threads)


def idle() -> bool:
    """Whether no thread is importing numba for us or compiling, but for those that only load what is kept."""
    if set(_threads).difference(_loading) or _holds_lock():
        return False
    if _loading or _lock is None:  # the lock is theirs, and soon is not
        return True
    free = _lock.acquire(blocking=False)
    if free:
        _lock.release()
    return bool(free)


@contextlib.contextmanager
def under_way(only_loads: bool = False) -> Iterator[None]:
    """Inside, this thread is :func:`busy`; other threads that need what it ``only_loads`` wait for it."""
    thread = threading.get_ident()
    places = (_loading, _threads) if only_loads else (_threads,)
    try:
        for place in places:
            place.append(thread)
        yield
    finally:
        for place in reversed(places):
            place.remove(thread)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Inside, no cycles are looked for: numba's import makes so many objects that CPython would look, time and again,
    through all that the program has.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def watch(lock: Any) -> None:
    """Take a thread that holds ``lock``, an ``RLock``, for :func:`busy`."""
    global _lock, _holds_lock
    _lock, _holds_lock = lock, lock._is_owned


def _after_fork() -> None:
    """Whatever a thread held that is not in the child is held for ever."""
    global _holds_lock
    _loading.clear()
    if not (busy() or idle()):
        _holds_lock = _always


def _always() -> bool:
    return True


os.register_at_fork(after_in_child=_after_fork)
