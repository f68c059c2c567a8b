"""Kernels that are compiled in a thread of their own, while calls that can do without them do."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from . import loading

logger = logging.getLogger("mlx_spectro")

# seconds that a fork waits for what is being compiled; a child of an earlier one could never compile
_PATIENCE = 30.0


class Compiling(Exception):
    """A kernel that a call needs is being compiled in another thread, and the call can do without."""


class _Here(threading.local):
    """What holds in a thread."""

    can_do_without: bool | None = None
    """What holds of the call that this thread helps; None in a thread that helps none."""


here = _Here()
# whether the call that runs here can do without kernels of ours; who serves calls otherwise says so
can_do_without: Callable[[], bool] = bool


def without() -> bool:
    """Whether the call that this thread works for can do without kernels of ours."""
    return can_do_without() if here.can_do_without is None else here.can_do_without


class _Compiler:
    """The thread, what it has to compile, and what it could not."""

    def __init__(self) -> None:
        # in the order in which they were asked for
        self._wanted: dict[tuple[Any, Any], None] = {}
        self._failed: set[tuple[Any, Any]] = set()
        self._thread: threading.Thread | None = None
        # held while something is compiled, and whether a fork holds it
        self.turn, self.held = threading.Lock(), False

    def begin(self, kernel: Any, signature: Any) -> bool:
        """Have ``kernel`` compiled soon; False where its caller has to, and is to hear of errors."""
        wanted = kernel, signature
        if wanted in self._failed:
            return False
        self._wanted[wanted] = None
        if self._thread is None or not self._thread.is_alive():
            # no daemon: LLVM does not survive a process that ends around it
            self._thread = threading.Thread(target=self._compile, name="mlx_spectro compiles", daemon=False)
            try:
                self._thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending
                self._thread = None
                return False
        return True

    def _compile(self) -> None:
        # one that is asked for after the last look is begun by the next call that needs it
        while self._wanted and threading.main_thread().is_alive():
            wanted = kernel, signature = next(iter(self._wanted))
            with self.turn, loading.under_way():
                try:
                    kernel.compile(signature)
                except Exception as error:  # noqa: BLE001 - the next call of it raises the same
                    logger.debug("could not compile %s in another thread: %r", kernel, error)
                    self._failed.add(wanted)
            self._wanted.pop(wanted, None)


_compiler = _Compiler()


def begin(kernel: Any, signature: Any) -> bool:
    """Have ``kernel`` compiled for arguments of ``signature`` in another thread; False where the caller has to."""
    return _compiler.begin(kernel, signature)


def _before_fork() -> None:
    # not for ever: this thread may hold what the other waits for, as in a signal handler that interrupts compiling
    _compiler.held = _compiler.turn.acquire(timeout=_PATIENCE)


def _after_fork() -> None:
    if _compiler.held:
        _compiler.turn.release()


def _in_child() -> None:
    global _compiler
    _compiler = _Compiler()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
