"""compute_deltas of torchaudio.functional."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torchaudio
from torch import Tensor

from mlx_spectro.design.operators import Deltas

from ...arrays import torch_autograd, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor
from ...arrays.torch_options import integer
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from ...contract.reasons import REJECTED, unread

_compute_deltas = torchaudio.functional.compute_deltas
# of torch's operations, two pads keep what they extend
_KEPT = {"replicate": True, "reflect": True, "constant": False, "circular": False}
_LONGEST = 1 << 16


def bound(dtype: np.dtype[Any], win_length: int, largest: float) -> float:
    """Bound for sums of ``win_length`` differences, each rounded, that do not cancel."""
    return 4 * float(np.finfo(dtype).eps) * win_length * largest


def order(arguments: dict[str, Any]) -> int:
    """Places that a slope is of."""
    return int(arguments["self"].win_length if "self" in arguments else arguments["win_length"])


@torch_autograd.defines(Deltas)
def _by_torch(op: Deltas, x: Tensor) -> Tensor:
    result: Tensor = _compute_deltas(x, 2 * op.reach + 1, op.pad_mode)
    return result


@adapter("torchaudio.functional.compute_deltas", bound, order=order, traceable=True)
def compute_deltas(specgram: Tensor, win_length: int = 5, mode: str = "replicate") -> Work:
    """torchaudio.functional.compute_deltas. Same arguments, same defaults."""
    check_tensor(specgram)
    if not (specgram.is_floating_point() and specgram.dim()):
        raise Decline("there are no real values")
    # with narrower ones torchaudio calculates, and overflows
    if type(win_length) not in (int, np.int64) and getattr(win_length, "dtype", None) != torch.int64:
        raise Decline(unread("win_length", win_length))
    places = integer("win_length", win_length)
    if type(mode) is not str:
        raise Decline(unread("mode", mode))
    if places < 3 or mode not in _KEPT:
        raise Decline(REJECTED)
    if places > _LONGEST:
        raise Decline(f"win_length is above {_LONGEST}")
    op, engine = Deltas((places - 1) // 2, mode), torch_tensors.engine_for(specgram)

    def work(specgram: Tensor) -> Tensor:
        shape = specgram.shape
        if not specgram.numel():
            raise Decline("there are no real values")
        if op.framing.refusal(shape[-1]):
            raise Decline(REJECTED)
        if not torch_tensors.gradient_wanted(specgram):
            return torch_autograd.linear(engine, op, specgram)
        # torchaudio does so, and thereby tells which tensors torch keeps for the backward pass
        rows = specgram.reshape(1, -1, shape[-1])
        return torch_autograd.linear(engine, op, rows, kept=_KEPT[mode]).reshape(shape)

    return Planned(work, (specgram,))
