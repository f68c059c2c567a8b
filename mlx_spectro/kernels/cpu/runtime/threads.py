"""Threads that share the work of one call. Any number of callers may use them at once."""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from .... import _check
from . import background
from .loading import busy


class _Job:
    """Parts of one call, taken one after another by whoever is free.

    No step waits for a lock: a signal handler or a finalizer may call us between any two of them, or raise.
    """

    def __init__(self, work: Callable[[int], None], parts: int, held: Any) -> None:
        self._work: Any = work
        self._held = held
        self._can_do_without = background.without()
        self._parts = parts
        self._next = itertools.count()
        self._error: BaseException | None = None
        # an entry of each helper that came, and of each that left
        self._came: list[None] = []
        self._left: list[None] = []
        self._leaving: queue.SimpleQueue[None] = queue.SimpleQueue()

    def _take(self) -> None:
        """Work until no part is left to take; after an error there is nothing to do in them."""
        for part in self._next:
            if part >= self._parts:
                return
            try:
                if self._error is None:
                    self._work(part)
            except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
                self._error = error

    def help(self) -> None:
        """Take part."""
        self._came.append(None)
        background.here.can_do_without = self._can_do_without
        self._take()
        self._left.append(None)
        self._leaving.put(None)

    def finish(self) -> None:
        """Take part, and return when nobody works on it any more; raise what a part, or a signal handler, raised."""
        finished = False
        while not finished:
            try:
                # afterwards whoever comes finds nothing to do
                self._take()
                while len(self._left) < len(self._came):
                    self._leaving.get()
                finished = True
            except BaseException as error:  # noqa: BLE001 - raised once nobody reads or writes the caller's memory
                self._error = error
        # a thread that is busy elsewhere still has this job before it
        self._work = self._held = None
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # which knows this frame, and with it the job


class Pool:
    """Worker threads, started when they are first needed. The caller takes its share."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._workers: list[threading.Thread] = []

    def run(self, work: Callable[[int], None], parts: int, threads: int, held: Any = None) -> None:
        """Call ``work`` with each of ``range(parts)``, on up to ``threads`` threads.

        Args:
            held: What has to live while a thread works.
        """
        helpers = min(threads, parts) - 1
        if helpers < 1:
            for part in range(parts):
                work(part)
            return
        if len(self._workers) < helpers:
            self._start(helpers)
        job = _Job(work, parts, held)
        try:
            for _ in range(helpers):
                self._jobs.put(job)
        finally:
            job.finish()

    def _start(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            # a daemon, so that a process can end while a thread waits
            worker = threading.Thread(target=self._serve, name="mlx_spectro", daemon=True)
            # counted first: what a signal handler calls meanwhile is not to start it again
            self._workers.append(worker)
            try:
                worker.start()
            except RuntimeError:
                # no more threads, or the interpreter is ending; the caller can do everything itself
                self._workers.remove(worker)
                return

    def _serve(self) -> None:
        while True:
            self._jobs.get().help()


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
        TypeError: no integer.
        ValueError: a number below 1.
    """
    global _threads
    _threads = None if threads is None else _check.integer("threads", threads, at_least=1)


# below this many samples in frames, sharing costs more than it saves
_ALONE = 400_000


def share(work: Callable[[int, int], None], count: int, step: int, size: int, held: Any) -> None:
    """Call ``work(first, last)`` for parts of ``range(count)``, each but the last a multiple of ``step`` long.

    Args:
        size: Samples that one of ``count`` stands for.
        held: The arrays whose addresses ``work`` uses. Should the caller be interrupted, they outlive its threads.
    """
    # what a helper had to compile would wait for what this thread compiles
    threads = get_num_threads() if count * size >= _ALONE and not busy() else 1
    if threads == 1:
        work(0, count)
        return
    # smaller parts even out what a core loses to other programs
    parts = threads if count * size < 16 * _ALONE else 4 * threads
    length = -(-count // parts // step) * step or step
    parts = -(-count // length)
    _pool.run(lambda part: work(part * length, min(count, (part + 1) * length)), parts, threads, held)
