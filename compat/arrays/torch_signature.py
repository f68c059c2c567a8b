"""What a plan for torch tensors depends on beside their shapes and values: options, kinds of tensors, surroundings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

from mlx_spectro import interrupts
from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ..contract import settings
from ..contract.decline import Decline
from ..contract.plans import OPTIONS, Signature
from . import kinds, torch_tensors
from .torch_tensors import PLAIN, has_names


def of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Signature | None:
    """A call's signature; None where its plan may depend on more."""
    if torch._C._is_any_autocast_enabled() or forward_ad._current_level >= 0 or cpu.busy():
        return None
    key = [torch.is_grad_enabled(), settings.route.get(), settings.device.get(), backend.host_arrays_state(), *kwargs]
    places: list[Any] = []
    tensors: list[torch.Tensor] = []
    try:
        torch_tensors.check_untraced()
        note((*args, *kwargs.values()), key, places, tensors)
    except Decline:
        return None
    except KeyError as error:
        if interrupts.by_handler(error):
            raise
        return None
    return tuple(key), tuple(places), tensors


# of our modules, what adds their options to a call's sizes, and says whether they are such as can be compared
sized_by: dict[type, Callable[[Any, list[Any]], bool]] = {}


def sizes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    """A call's options and sizes; None for what torch traces, and for what has others."""
    if torch._C._get_tracing_state() is not None:
        return None
    key: list[Any] = [*kwargs]
    try:
        for value in (*args, *kwargs.values()) if kwargs else args:
            kind = type(value)
            if kind in PLAIN:
                key += value.shape, value.is_cpu or _elsewhere(value)
            elif kind in OPTIONS:
                key.append(value)
            else:
                add = sized_by.get(kind)
                if add is None or not add(value, key):
                    return None
    except (KeyError, RuntimeError) as error:
        # of a module that has lost what it had, or of a nested tensor, which has no shape
        if interrupts.by_handler(error):
            raise
        return None
    return tuple(key)


def _elsewhere(x: torch.Tensor) -> Hashable:
    """What else says who is faster on a tensor that is no CPU's."""
    return x.device, x.dtype, torch_tensors.gradient_wanted(x), kinds.is_capturing()


def note(values: Sequence[Any], key: list[Any], places: list[Any], tensors: list[torch.Tensor]) -> None:
    """Add arguments to a signature.

    Raises:
        Decline: every call with them is planned.
        KeyError: so is every call of a module that has lost what it had.
    """
    for value in values:
        kind = type(value)
        if kind in OPTIONS:
            # -0.0 equals 0.0
            key += kind, repr(value) if kind is float and not value else value
        elif kind in PLAIN:
            # others have no strides, no shape, or names of their axes
            if value.layout is not torch.strided or value.is_nested or has_names(value):
                raise Decline(f"every call with a tensor of layout {value.layout}, or with names, is planned")
            shape = value.shape
            key += (
                kind, value.dtype, len(shape), value.requires_grad, value.is_neg(), value.is_conj(),
                value.is_cpu or value.device,
            )  # fmt: skip
            places += shape, value.stride()
            tensors.append(value)
        else:
            # one of our own modules notes what its forward reads
            noted_by = vars(kind).get("noted_by")
            if noted_by is None:
                raise Decline(f"every call with a {kind.__name__} is planned")
            key.append(kind)
            noted_by(value, key, places, tensors)
