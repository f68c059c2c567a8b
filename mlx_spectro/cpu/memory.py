"""Scratch memory of a thread, addresses, and large pages."""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

# a cache line, and the alignment of the widest vector
LINE = 64


class _Workspace(threading.local):
    def __init__(self) -> None:
        self.buffer = np.empty(0, np.uint8)
        self.found: dict[tuple[int, ...], list[int]] = {}

    def addresses(self, sizes: tuple[int, ...]) -> list[int]:
        """Addresses of pieces of the given sizes in bytes, each on a line of its own; valid until the next call."""
        known = self.found.get(sizes)
        if known is None:
            known = self.found[sizes] = self._placed(sizes)
        return known

    def _placed(self, sizes: tuple[int, ...]) -> list[int]:
        total = sum(size + 2 * LINE for size in sizes)
        if self.buffer.size < total:
            self.buffer = np.empty(total, np.uint8)
            self.found.clear()
        address = -(-address_of(self.buffer) // LINE) * LINE
        found = []
        for size in sizes:
            found.append(address)
            address += -(-size // LINE) * LINE + LINE
        return found


def address_of(array: npt.NDArray[Any]) -> int:
    """Address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address


def padded(size: int) -> int:
    """Bytes from one row of ``size`` bytes to the next, so that rows do not compete for the same lines of a cache."""
    return -(-size // LINE) * LINE + LINE


workspace = _Workspace()


# as NumPy does for its own arrays from this size on
_LARGE = 1 << 22
_LARGE_PAGE = 1 << 21


@functools.cache
def _madvise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function


def advised(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``array``, a large one asked to lie in large pages: most of what writing to fresh memory costs is small ones."""
    advise = _madvise() if array.nbytes >= _LARGE else None
    if advise is not None:
        start = -(-address_of(array) // _LARGE_PAGE) * _LARGE_PAGE
        end = (address_of(array) + array.nbytes) // _LARGE_PAGE * _LARGE_PAGE
        if end > start:
            # advice: where it is not taken, nothing is lost
            advise(start, end - start, mmap.MADV_HUGEPAGE)
    return array
