"""What was made of a tensor's values, for as long as the tensor lives and nobody changes it in place.

Looking at values of a tensor on a GPU would wait for the GPU at every call. A tensor is known by its identity, its
version and its memory instead.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor

from ..contract import settings
from ..contract.decline import Decline
from ..contract.reasons import ByDesign

_MOST = 256
# of changes in place, from which on more are to be expected
_MANY_CHANGES = 8


class _Known:
    """A tensor, and what was made of it."""

    __slots__ = ("changes", "made", "memory", "tensor", "version")

    def __init__(self, tensor: weakref.ref[Tensor], version: int, memory: int, changes: int) -> None:
        self.tensor, self.version, self.memory, self.changes = tensor, version, memory, changes
        self.made: dict[Hashable, Any] = {}


class Kept:
    """What was made of tensors, by whatever tells one such thing of a tensor from another.

    Args:
        settle: Called before anything is let go: a GPU may be reading it.
    """

    def __init__(self, settle: Callable[[], bool] = lambda: True) -> None:
        self._known: dict[int, _Known] = {}
        self._dropped: list[Any] = []
        self._settle = settle

    def find(self, tensor: Tensor, what: Hashable) -> Any:
        """What was made of a tensor, None where nothing was, or where it has changed since."""
        known = self._known.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            return None
        if known.version != tensor._version or known.memory != tensor.data_ptr():
            return None
        return known.made.get(what)

    def keep(self, tensor: Tensor, what: Hashable, made: Any) -> Any:
        """Keep something made of a tensor, and return it."""
        if self._dropped and self._settle():
            self._dropped.clear()
        key, known = id(tensor), self._known.get(id(tensor))
        state = tensor._version, tensor.data_ptr()
        if known is None or known.tensor() is not tensor or (known.version, known.memory) != state:
            self._drop(known)
            changes = known.changes + 1 if known is not None and known.tensor() is tensor else 0
            # no reference to the tensor, nor from it
            known = self._known[key] = _Known(weakref.ref(tensor, lambda _: self._forget(key, state)), *state, changes)
        if len(known.made) >= _MOST:
            self._drop(known)
            known.made = {}
        known.made[what] = made
        return made

    def check(self, name: str, tensor: Tensor) -> None:
        """Decline to make something of a tensor whose changes nobody could see, or that is changed all the time."""
        if tensor.is_inference():
            raise Decline(f"the {name} was made inside torch.inference_mode, which hides its changes: make it outside")
        known = self._known.get(id(tensor))
        if known is None or known.tensor() is not tensor or tensor.is_cpu or settings.route.get() != "auto":
            return
        if known.changes >= _MANY_CHANGES:
            raise Decline(
                ByDesign(
                    f"the {name} is written to between calls, each of which would wait for the GPU to see it: "
                    "DistributedDataParallel does so unless it is given broadcast_buffers=False"
                )
            )

    def _forget(self, key: int, state: tuple[int, int]) -> None:
        known = self._known.get(key)
        if known is not None and known.tensor() is None and (known.version, known.memory) == state:
            self._drop(self._known.pop(key, None))

    def _drop(self, known: _Known | None) -> None:
        if known is not None:
            self._dropped.append(known.made)
