"""What a plan for torch tensors may depend on beside their shapes and values: options, kinds of tensors, surroundings."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import forward_ad

from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ..contract import settings
from ..contract.decline import Decline
from ..contract.plans import Signature
from . import torch_tensors

_OPTIONS = frozenset((int, float, bool, str, type(None)))
_PLAIN = frozenset(torch_tensors.PLAIN)


def of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Signature | None:
    """A call's signature; None where its plan may depend on more."""
    if torch_tensors.traced() or torch._C._is_any_autocast_enabled() or forward_ad._current_level >= 0 or cpu.busy():
        return None
    key: list[Any] = [
        torch.is_grad_enabled(),
        settings.route.get(),
        settings.device.get(),
        backend.for_host_arrays(),
        backend.gpu_takes_host_arrays(),
    ]
    note = Note(key)
    try:
        note.all(args)
        if kwargs:
            key.append(tuple(kwargs))
            note.all(tuple(kwargs.values()))
    except (Decline, KeyError):
        return None
    return Signature(tuple(key), tuple(note.places), note.tensors)


class Note:
    """Arguments, as they are noted."""

    __slots__ = ("key", "places", "tensors")

    def __init__(self, key: list[Any]) -> None:
        self.key, self.places, self.tensors = key, [], []
        self.places: list[Any]
        self.tensors: list[torch.Tensor]

    def all(self, values: tuple[Any, ...]) -> None:
        """Note arguments; decline where every call with them is planned."""
        key = self.key
        kinds = tuple(map(type, values))
        if _OPTIONS.issuperset(kinds):
            key += kinds, values
            return
        for value in values:
            kind = type(value)
            if kind in _OPTIONS:
                key += kind, value
            elif kind in _PLAIN:
                key += (
                    kind, value.dtype, value.dim(), value.requires_grad, value.layout, value.is_neg(), value.is_conj(),
                    value.is_cpu or value.device,
                )  # fmt: skip
                self.places += value.shape, value.stride()
                self.tensors.append(value)
            else:
                # one of our own modules notes what its forward reads
                noted_by = vars(kind).get("noted_by")
                if noted_by is None:
                    raise Decline(f"every call with a {kind.__name__} is planned")
                key.append(kind)
                noted_by(value, self)
