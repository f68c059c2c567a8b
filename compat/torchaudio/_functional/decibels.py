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
from ...arrays.torch_adapter import serves
from ...arrays.torch_arguments import tensor_reason
from ...arrays.torch_options import number
from ...contract import settings, tolerances
from ...contract.reasons import ByDesign, unread
from ...dispatch import Plan

# up to so many values, waking torch's threads takes longer than the work itself
_SHARED = 400_000


def epilogue(multiplier: Any, amin: Any, db_multiplier: Any, dtype: torch.dtype) -> Decibels | str:
    """torchaudio's decibels of values of ``dtype``, or why we cannot serve them."""
    factor, least, level = number(multiplier), number(amin), number(db_multiplier)
    if factor is None or least is None or level is None:
        return "multiplier, amin or db_multiplier is not a number that is served"
    numbers = torch.finfo(dtype)
    if not (math.isfinite(factor) and numbers.tiny <= least < math.inf and -300 < level < math.log10(numbers.max)):
        return "multiplier, amin or db_multiplier is too large or too small"
    ref_value = 10.0**level
    if ref_value < least:
        return "the reference (10 ** db_multiplier) is below amin, where torchaudio does not clamp it"
    return Decibels(factor, least, ref_value)


def range_of(top_db: Any) -> float | str | None:
    """How far below their maximum decibels are clipped, if they are; or why we cannot do so."""
    found = number(top_db)
    return unread("top_db", top_db) if found is None and top_db is not None else found


def clipped(x_db: Tensor, top_db: float | None) -> Tensor:
    """``x_db``, perhaps overwritten, with nothing more than ``top_db`` below the maximum of its last three axes."""
    if top_db is None:
        return x_db
    axes = (-3, -2, -1)[-x_db.dim() :]
    if x_db.requires_grad or x_db.is_mps or x_db.numel() > _SHARED:
        floor = x_db.amax(dim=axes, keepdim=True) - top_db
        return torch.maximum(x_db, floor, out=None if x_db.requires_grad else x_db)
    values = torch_tensors.to_host(x_db)
    np.maximum(values, values.max(axis=axes, keepdims=True) - top_db, out=values)
    return x_db


def _reason(x: Any) -> str:
    """Why torch's own operations have to serve single values of ``x``; empty where we can."""
    reason = tensor_reason(x)
    if reason or torch_tensors.gradient_wanted(x):
        return reason or "the input requires a gradient, which torch's own operations compute"
    if not x.is_floating_point():
        return "the values are complex"
    return "" if x.dim() > 1 and x.numel() else "the input has no values, or fewer than two axes"


@serves("torchaudio.functional.amplitude_to_DB", tolerances.elementwise)
def amplitude_to_DB(
    x: Tensor, multiplier: float, amin: float, db_multiplier: float, top_db: float | None = None
) -> Plan:
    reason = _reason(x)
    if reason:
        return reason
    wanted, below = epilogue(multiplier, amin, db_multiplier, x.dtype), range_of(top_db)
    if isinstance(wanted, str):
        return wanted
    if isinstance(below, str):
        return below
    serving = torch_tensors.engine_for(x)
    if isinstance(serving, str):
        return serving
    flipped = not x.is_contiguous()
    values = x.transpose(-1, -2) if flipped else x
    if not values.is_contiguous():
        return "the values do not lie side by side in memory: x.contiguous() is served"

    def work() -> Tensor:
        x_db = torch_ops.run(serving, Elementwise(wanted), values)
        return clipped(x_db.transpose(-1, -2) if flipped else x_db, below)

    return work


@serves("torchaudio.functional.DB_to_amplitude", tolerances.elementwise)
def DB_to_amplitude(x: Tensor, ref: float, power: float) -> Plan:
    reason = _reason(x)
    if reason or settings.route.get() == "auto":
        return reason or ByDesign("torch's own operations are faster; route('ours') has us serve it")
    factor, exponent = number(ref), number(power)
    if factor is None or exponent is None:
        return "ref or power is not a number"
    serving = torch_tensors.mlx_for(x)
    if isinstance(serving, str):
        return serving
    return lambda: torch_ops.run(serving, Elementwise(Power(factor, exponent)), x)
