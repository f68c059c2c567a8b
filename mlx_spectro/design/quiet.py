"""NumPy's warnings of overflows and invalid values, held back."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector, and so its callbacks, from interrupting.

    CPython before 3.12 frees what it still reads where a callback sets a context variable while it sets one.
    """
    collecting = sys.version_info < (3, 12) and gc.isenabled()
    if collecting:
        gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Warn of nothing: who transforms NaN hears nothing of it from the libraries in whose place we stand."""
    state = np.errstate(all="ignore")
    with _uncollected():
        state.__enter__()
    try:
        yield
    finally:
        with _uncollected():
            state.__exit__(None, None, None)
