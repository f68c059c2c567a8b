"""amplitude_to_DB and DB_to_amplitude of torchaudio.functional."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design.epilogues import Decibels, Power
from mlx_spectro.design.operators import Elementwise

from ...arrays import torch_ops, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_pays, check_tensor
from ...arrays.torch_options import number
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from ...contract.reasons import BySize

# up to so many values, waking torch's threads takes longer than the work itself
_SHARED = 400_000
# values, below which a call costs both of us the same
_FEW = 1 << 16


def epilogue(multiplier: Any, amin: Any, db_multiplier: Any, dtype: torch.dtype) -> Decibels:
    """torchaudio's decibels of values of ``dtype``."""
    factor, least = number("multiplier", multiplier), number("amin", amin)
    level = number("db_multiplier", db_multiplier)
    numbers = torch.finfo(dtype)
    if factor == 0:
        raise Decline("multiplier is 0")
    if not (math.isfinite(factor) and numbers.tiny <= least < math.inf and -300 < level < math.log10(numbers.max)):
        raise Decline("multiplier, amin or db_multiplier is too large or too small")
    ref_value = 10.0**level
    if ref_value < least:
        raise Decline("the reference (10 ** db_multiplier) is below amin, where torchaudio does not clamp it")
    return Decibels(factor, least, ref_value)


def range_of(top_db: Any) -> float | None:
    """How far below their maximum decibels are clipped, if they are."""
    return None if top_db is None else number("top_db", top_db)


def clipped(x_db: Tensor, top_db: float | None) -> Tensor:
    """``x_db``, perhaps overwritten, with nothing more than ``top_db`` below the maximum of its last three axes."""
    if top_db is None:
        return x_db
    axes = (-3, -2, -1)[-x_db.dim() :]
    traced = torch_tensors.transformed()
    if traced or x_db.requires_grad or not x_db.is_cpu or x_db.numel() > _SHARED:
        floor = x_db.amax(dim=axes, keepdim=True) - top_db
        return torch.maximum(x_db, floor, out=None if traced or x_db.requires_grad else x_db)
    values = torch_tensors.to_host(x_db)
    np.maximum(values, values.max(axis=axes, keepdims=True) - top_db, out=values)
    return x_db


def _check_values(x: Any) -> None:
    """Decline what torch's own operations have to make of single values of ``x``."""
    check_tensor(x)
    if torch_tensors.transformed():
        torch_tensors.check_untraced()
    if torch_tensors.gradient_wanted(x):
        raise Decline("the input requires a gradient, which torch's own operations compute")
    if not x.is_floating_point():
        raise Decline("the values are complex")
    if x.dim() < 2:
        raise Decline("the input has fewer than two axes")


def _check_some(x: Tensor) -> None:
    if not x.numel():
        raise Decline("the input has no values")


@adapter("torchaudio.functional.amplitude_to_DB", tolerances.elementwise)
def amplitude_to_DB(
    x: Tensor, multiplier: float, amin: float, db_multiplier: float, top_db: float | None = None
) -> Work:
    """torchaudio.functional.amplitude_to_DB. Same arguments, same defaults.

    Ours where no gradient is asked for: torch's own operations compute that.
    """
    _check_values(x)
    decibels, below = epilogue(multiplier, amin, db_multiplier, x.dtype), range_of(top_db)
    engine, op = torch_tensors.engine_for(x), Elementwise(decibels)

    def work(x: Tensor) -> Tensor:
        _check_some(x)
        check_pays(x, x.numel(), _FEW, "values")
        flipped = not x.is_contiguous()
        values = x.transpose(-1, -2) if flipped else x
        if not values.is_contiguous():
            raise Decline("the values do not lie side by side in memory: x.contiguous() is served")
        x_db = clipped(torch_ops.run(engine, op, values), below)
        # in place: a program may detach the result in place, and not a view
        return x_db.transpose_(-1, -2) if flipped else x_db

    def ready(x_db: Tensor, x: Tensor) -> Any:
        flipped = not x.is_contiguous()
        values = x.transpose(-1, -2) if flipped else x
        call = torch_ops.ready(x_db, engine, op, values, swapped=flipped, turned=flipped)
        return call and (lambda x: clipped(call(x), below))

    return Planned(work, (x,), ready)


@adapter("torchaudio.functional.DB_to_amplitude", tolerances.elementwise)
def DB_to_amplitude(x: Tensor, ref: float, power: float) -> Work:
    """torchaudio.functional.DB_to_amplitude. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: torch's own operations are faster.
    """
    _check_values(x)
    _check_some(x)
    if settings.route.get() == "auto":
        raise Decline(BySize("torch's own operations are faster; route('ours') has us serve it"))
    op = Elementwise(Power(number("ref", ref), number("power", power)))
    engine = torch_tensors.mlx_for(x)
    return lambda: torch_ops.run(engine, op, x)
