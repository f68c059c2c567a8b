"""Threads that share the work of one call. Any number of callers may use them at once."""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable


class _Job:
    """Parts of one call, taken one after another by whoever is free."""

    def __init__(self, work: Callable[[int], None], parts: int) -> None:
        self._work = work
        self._parts = parts
        self._next = itertools.count()
        self._left = parts
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self.done = threading.Event()

    def take(self) -> None:
        """Work until no part is left to take."""
        for part in iter(self._next.__next__, None):
            if part >= self._parts:
                return
            try:
                self._work(part)
            except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
                self._error = error
            with self._lock:
                self._left -= 1
                last = not self._left
            if last:
                self.done.set()

    def wait(self) -> None:
        """Return when every part is done; raise what one of them raised."""
        self.done.wait()
        if self._error is not None:
            raise self._error


class Pool:
    """Worker threads, started when they are first needed. The caller takes its share."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._started = 0
        self._lock = threading.Lock()

    def run(self, work: Callable[[int], None], parts: int, threads: int) -> None:
        """Call ``work`` with each of ``range(parts)``, on up to ``threads`` threads."""
        helpers = min(threads, parts) - 1
        if helpers < 1:
            for part in range(parts):
                work(part)
            return
        if self._started < helpers:
            self._start(helpers)
        job = _Job(work, parts)
        for _ in range(helpers):
            self._jobs.put(job)
        job.take()
        job.wait()

    def _start(self, wanted: int) -> None:
        with self._lock:
            while self._started < wanted:
                # a daemon, so that a process can end while a thread waits
                threading.Thread(target=self._serve, name="mlx_spectro", daemon=True).start()
                self._started += 1

    def _serve(self) -> None:
        while True:
            self._jobs.get().take()


_pool = Pool()
_threads: int | None = None
_others: Callable[[], int] | None = None


def _renew() -> None:
    """A forked child has none of its parent's threads, and its locks as they happened to be."""
    global _pool
    _pool = Pool()


os.register_at_fork(after_in_child=_renew)


def get_num_threads() -> int:
    """Threads a call may use.

    What :func:`set_num_threads` set, else as many as torch uses where its adapters are in use, else
    ``OMP_NUM_THREADS``, else the cores we may use.
    """
    if _threads is not None:
        return _threads
    if _others is not None:
        return _others()
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if told.isdigit() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def follow(others: Callable[[], int]) -> None:
    """Use as many threads as another library, whose ``others()`` says how many, where no number is set."""
    global _others
    _others = others


def set_num_threads(threads: int | None) -> None:
    """Let each call use up to so many threads; None takes back an earlier setting.

    Raises:
        ValueError: a number below 1.
    """
    global _threads
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    _threads = threads


# below this many samples in frames, sharing costs more than it saves
_ALONE = 400_000


def share(work: Callable[[int, int], None], count: int, step: int, size: int) -> None:
    """Call ``work(first, last)`` for parts of ``range(count)``, each but the last a multiple of ``step`` long.

    Args:
        size: Samples that one of ``count`` stands for.
    """
    threads = get_num_threads() if count * size >= _ALONE else 1
    if threads == 1:
        work(0, count)
        return
    # smaller parts even out what a core loses to other programs
    parts = threads if count * size < 16 * _ALONE else 4 * threads
    length = -(-count // parts // step) * step or step
    parts = -(-count // length)
    _pool.run(lambda part: work(part * length, min(count, (part + 1) * length)), parts, threads)
