"""Scratch memory of a thread, addresses, and large pages."""

from __future__ import annotations

import ctypes
import functools
import mmap
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# a cache line, and the alignment of the widest vector
LINE = 64


class _Room(NamedTuple):
    """Memory, and where in it pieces of given sizes lie."""

    buffer: npt.NDArray[Any]
    pieces: dict[tuple[int, ...], tuple[Any, ...]]


class _Workspace(threading.local):
    # replaced as a whole: a signal handler may ask for pieces while its thread does
    _room = _Room(np.empty(0, np.uint8), {})

    def pieces(self, sizes: tuple[int, ...]) -> tuple[Any, ...]:
        """Addresses of pieces of the given sizes in bytes, each on a line of its own, and the memory they lie in.

        Whoever uses the addresses holds on to the memory. What is in it may be overwritten between any two calls of
        compiled code.
        """
        room = self._room
        addresses = room.pieces.get(sizes)
        if addresses is None:
            total = sum(size + 2 * LINE for size in sizes)
            if room.buffer.size < total:
                self._room = room = _Room(np.empty(total, np.uint8), {})
            addresses = room.pieces[sizes] = _addresses(room.buffer, sizes)
        return addresses


def _addresses(buffer: npt.NDArray[Any], sizes: tuple[int, ...]) -> tuple[Any, ...]:
    address = -(-address_of(buffer) // LINE) * LINE
    addresses: list[Any] = []
    for size in sizes:
        addresses.append(address)
        address += -(-size // LINE) * LINE + LINE
    return (*addresses, buffer)


def address_of(array: npt.NDArray[Any]) -> int:
    """Address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address


def address_to_write(array: npt.NDArray[Any]) -> int:
    """:func:`address_of` an array that compiled code writes to.

    Raises:
        ValueError: its memory is read-only, as NumPy would say.
    """
    address, read_only = array.__array_interface__["data"]
    if read_only:
        raise ValueError("assignment destination is read-only")
    return int(address)


def padded(size: int) -> int:
    """Bytes from one row of ``size`` bytes to the next, so that rows do not compete for the same lines of a cache."""
    return -(-size // LINE) * LINE + LINE


def side_by_side(rows: int, strides: tuple[int, ...], size: int) -> int:
    """How many of ``rows`` to take by turns: those whose values of ``size`` bytes lie in one line of memory, else 1.

    Args:
        strides: Bytes from one row, frame and bin to the next.
    """
    return max(1, min(rows, LINE // size)) if strides[0] == size and size not in strides[1:] else 1


workspace = _Workspace()


# as NumPy does for its own arrays from this size on
LARGE = 1 << 22
_LARGE_PAGE = 1 << 21


@functools.cache
def _madvise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    function = ctypes.CDLL(None).madvise
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function


def advise(address: int, size: int) -> None:
    """Ask for large pages, if ``size`` bytes are many: most of what writing to fresh memory costs is small ones."""
    madvise = _madvise() if size >= LARGE else None
    if madvise is not None:
        start = -(-address // _LARGE_PAGE) * _LARGE_PAGE
        end = (address + size) // _LARGE_PAGE * _LARGE_PAGE
        if end > start:
            # advice: where it is not taken, nothing is lost
            madvise(start, end - start, mmap.MADV_HUGEPAGE)


def advised(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``array``, a large one asked to lie in large pages."""
    if array.nbytes >= LARGE:
        advise(address_of(array), array.nbytes)
    return array
