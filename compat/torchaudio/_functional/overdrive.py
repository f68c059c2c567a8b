"""overdrive of torchaudio.functional: a cubic that saturates, and what is left of it without its mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design.operators import RecursiveFilter

from ...arrays import torch_tensors
from ...arrays.torch_adapter import adapter
from ...contract.decline import Decline
from ...contract.function import Work
from .differentiable import computed
from .effects import viewed
from .emphasis import coefficients, number
from .filtering import check_signal, engine_for

# of the outputs before, in the filter that takes away the mean
_FEEDBACK = 0.995


def bound(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for differences of values up to 1, each rounded with its few terms, that the feedback adds up."""
    return 8 * float(np.finfo(dtype).eps) / (1 - _FEEDBACK)


@adapter("torchaudio.functional.overdrive", bound)
def overdrive(waveform: Tensor, gain: float = 20, colour: float = 20) -> Work:
    """torchaudio.functional.overdrive. Same arguments, same defaults."""
    check_signal(waveform)
    if torch_tensors.gradient_wanted(waveform):
        raise Decline("the waveform requires a gradient, which torchaudio's loop does not give")
    engine = engine_for(waveform)
    amplification = math.exp(number("gain", gain, waveform) * math.log(10) / 20.0)
    a, b = coefficients(waveform.dtype, waveform.device, (1.0, -_FEEDBACK), (1.0, -1.0))
    offset, rows = number("colour", colour, waveform) / 200, viewed(waveform, -1, waveform.shape[-1])

    def work() -> Tensor:
        # at 1 the cubic is what it is beyond: 2 / 3
        driven = (rows * amplification).add_(offset).clamp_(-1, 1)
        saturated = (driven * driven).mul_(driven).mul_(-1 / 3).add_(driven)
        y = computed(engine, RecursiveFilter(), saturated, a, b)
        y = y.mul_(0.75).add_(rows, alpha=0.5).clamp_(-1, 1)
        # torchaudio's result lies in memory like the waveform
        return (y if rows.is_contiguous() else torch.empty_like(rows).copy_(y)).view(waveform.shape)

    return work
