"""Exceptions that are not ours: a function of the program's may raise one in the midst of our code."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterable
from typing import Any

# each returns functions of a program's, beside signal handlers, that a library may call while our code runs
hooks: list[Callable[[], Iterable[Any]]] = []


def by_handler(error: BaseException) -> bool:
    """Whether a signal handler that is in force raised ``error``, a time limit say, or a hook of the program's."""
    handlers: list[Any] = [signal.getsignal(number) for number in signal.valid_signals()]
    for more in hooks:
        handlers += more()
    # functions and methods, what stands in a partial, and objects that can be called
    forms = [(h, getattr(h, "func", None), vars(type(h)).get("__call__")) for h in handlers]
    codes = {getattr(form, "__code__", None) for several in forms for form in several}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))
