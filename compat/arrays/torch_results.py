"""Memory of large results on the CPU: an earlier result's of the same size, once nothing refers to that any more.

A system clears fresh memory page by page, as it is written to, which can take longer than to compute the result.
"""

from __future__ import annotations

import collections
import functools
import math
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mlx_spectro.kernels.cpu.runtime.memory import LARGE, advise

_CPU = torch.device("cpu")
# bytes of a result from which on its memory is used again: allocators keep less for themselves
LEAST = 1 << 20
# bytes and blocks that are held at most
MOST, _MOST_BLOCKS = 1 << 27, 16


class _Block:
    """A storage of torch's own allocator's."""

    __slots__ = "_address", "_implementation", "_storage", "size"

    def __init__(self, result: Tensor) -> None:
        self._storage = result.untyped_storage()
        self._address, self.size = self._storage.data_ptr(), self._storage.nbytes()
        self._implementation = self._storage._cdata

    def references(self) -> tuple[int, int, int]:
        """How many tensors and others of torch's, Python objects and weak references refer to it."""
        # no variable here or in a caller is another reference
        return (
            torch._C._storage_Use_Count(self._implementation),
            sys.getrefcount(self._storage),
            weakref.getweakrefcount(self._storage),
        )

    def unchanged(self) -> bool:
        """Whether a program has not resized it, shared it with other processes, or fixed it for NumPy."""
        place = self._storage.data_ptr(), self._storage.nbytes()
        return place == (self._address, self.size) and self._storage.resizable()

    def tensor(self, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype) -> Tensor:
        return torch.empty(0, dtype=dtype, device=_CPU).set_(self._storage, 0, shape, strides)


# references to a block's storage, its own and the count's, where there are no others
_ALONE = 1, 2, 0


@functools.cache
def _told() -> bool:
    """Whether counts of references tell here that nothing else refers to a block."""
    if not hasattr(torch._C, "_storage_Use_Count") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    result: Any = torch.empty(2, device=_CPU)
    block = _Block(result)
    others = [block.references()]
    result = result[1:]
    others.append(block.references())
    result = result.untyped_storage()
    others.append(block.references())
    result = weakref.ref(result)
    others.append(block.references())
    del result
    return block.references() == _ALONE and _ALONE not in others


_blocks: list[_Block] = []
# sizes asked for last: what comes once is not held
_sizes: collections.deque[int] = collections.deque(maxlen=16)
# never waited for: a signal handler or a finalizer may ask for memory while its thread does
_lock = threading.Lock()


def empty(shape: Sequence[int], dtype: torch.dtype, strides: Sequence[int] | None = None) -> Tensor:
    """Memory for a result on the CPU, in C order unless ``strides`` are given."""
    if math.prod(shape) * dtype.itemsize < LEAST:
        return _fresh(shape, dtype, strides)
    return large(shape, dtype, strides)


def large(shape: Sequence[int], dtype: torch.dtype, strides: Sequence[int] | None = None) -> Tensor:
    """:func:`empty` of at least ``LEAST`` bytes."""
    size = math.prod(shape) * dtype.itemsize
    if size > MOST or not _told() or not _lock.acquire(blocking=False):
        return _fresh(shape, dtype, strides)
    try:
        for block in _blocks:
            if block.size == size and block.references() == _ALONE:
                if block.unchanged():
                    return block.tensor(shape, strides or _in_order(shape), dtype)
                _blocks.remove(block)
                break
        result = _fresh(shape, dtype, strides)
        if size in _sizes:
            _blocks.append(_Block(result))
            while len(_blocks) > _MOST_BLOCKS or sum(block.size for block in _blocks) > MOST:
                del _blocks[0]
        else:
            _sizes.append(size)
        return result
    finally:
        _lock.release()


def _fresh(shape: Sequence[int], dtype: torch.dtype, strides: Sequence[int] | None) -> Tensor:
    if strides is None:
        result = torch.empty(shape, dtype=dtype, device=_CPU)
    else:
        result = torch.empty_strided(shape, strides, dtype=dtype, device=_CPU)
    if result.nbytes >= LARGE:
        advise(result.data_ptr(), result.nbytes)
    return result


def _in_order(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
