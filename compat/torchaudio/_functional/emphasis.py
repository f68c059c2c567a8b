"""preemphasis, deemphasis and loudness of torchaudio.functional: filters of few coefficients, and a little."""

from __future__ import annotations

import functools
import math
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import functional as theirs

from mlx_spectro.design.operators import RecursiveFilter

from ...arrays import torch_options, torch_tensors
from ...arrays.torch_adapter import adapter
from ...contract import settings
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import BySize, unread
from . import filtering
from .filtering import bound, check_signal, engine_for

# from so many samples on, what torch allocates costs more than what we plan
_MANY = 1 << 19


def number(name: str, value: Any, like: Tensor) -> float:
    """An option that is a number, and is finite in the waveform's precision."""
    if type(value) not in (int, float):
        raise Decline(unread(name, value))
    exact = torch_options.number(name, value)
    if not abs(exact) <= torch.finfo(like.dtype).max:
        raise Decline(f"{name} is not finite in the waveform's precision")
    return float(exact)


@functools.lru_cache(maxsize=64)
def coefficients(dtype: torch.dtype, device: torch.device, *lists: tuple[float, ...]) -> Any:
    """Tensors of these numbers."""
    return filtering.settled(device, lambda: tuple(torch.tensor(each, dtype=dtype, device=device) for each in lists))


def roundings(waveform: Tensor, coeff: Any = 0.97) -> int:
    """What :func:`bound` takes for a call of :func:`preemphasis`."""
    a, b = coefficients(waveform.dtype, waveform.device, (1.0, 0.0), (1.0, -coeff))
    return filtering.roundings(waveform, a, b, clamp=False)


def back_roundings(waveform: Tensor, coeff: Any = 0.97) -> int:
    """What :func:`bound` takes for a call of :func:`deemphasis`."""
    a, b = coefficients(waveform.dtype, waveform.device, (1.0, -coeff), (1.0, 0.0))
    return filtering.roundings(waveform, a, b)


@adapter("torchaudio.functional.preemphasis", bound, order=lambda arguments: roundings(**arguments))
def preemphasis(waveform: Tensor, coeff: float = 0.97) -> Work:
    """torchaudio.functional.preemphasis. Same arguments, same defaults.

    Ours where no gradient is asked for: torch's own operations compute that.
    """
    check_signal(waveform)
    engine, factor = engine_for(waveform), number("coeff", coeff, waveform)
    if callable(engine):
        raise Decline(BySize("torch's operations are as fast on a GPU"))
    if torch_tensors.gradient_wanted(waveform):
        raise Decline("the waveform requires a gradient, which torch computes")
    if settings.route.get() == "auto" and waveform.numel() < _MANY:
        raise Decline(BySize("torch's operations are as fast with so few samples; route('ours') has us compute them"))

    def work() -> Tensor:
        y, x = torch.empty_like(waveform), torch_tensors.to_host(waveform)
        weights = (np.array(c, x.dtype) for c in ([1.0], [1.0, -factor]))
        engine.run(RecursiveFilter(), x, *weights, out=torch_tensors.to_host(y))
        return y

    return work


@adapter("torchaudio.functional.deemphasis", bound, order=lambda arguments: back_roundings(**arguments))
def deemphasis(waveform: Tensor, coeff: float = 0.97) -> Work:
    """torchaudio.functional.deemphasis. Same arguments, same defaults."""
    check_signal(waveform)
    factor = number("coeff", coeff, waveform)
    a, b = coefficients(waveform.dtype, waveform.device, (1.0, -factor), (1.0, 0.0))
    plan: Work = filtering.lfilter.plan(waveform, a, b)
    return plan


# torchaudio's own, but for its two filters
_measured = FunctionType(
    theirs.loudness.__code__,
    {
        **vars(theirs),
        "treble_biquad": filtering.treble_biquad,
        "highpass_biquad": filtering.highpass_biquad,
    },
)


def decibels(dtype: np.dtype[Any], roundings: int, largest: float) -> float:
    """Bound for the level of a signal of which each sample errs by so many roundings of its root mean square."""
    return 20 / math.log(10) * float(np.finfo(dtype).eps) * roundings


def weighted_roundings(waveform: Tensor, sample_rate: int) -> int:
    """How the K-weighting of loudness errs, and what is squared and summed of it."""
    treble = filtering.coefficients(
        "treble_biquad", waveform.dtype, waveform.device, sample_rate, 4.0, 1500.0, 1 / math.sqrt(2)
    )
    highpass = filtering.coefficients("highpass_biquad", waveform.dtype, waveform.device, sample_rate, 38.0, 0.5)
    once, error, _ = filtering.errors(waveform, *treble)
    y, more, gain = filtering.errors(once, *highpass)
    mean = float(y.square().mean().sqrt())
    return math.ceil((error * gain + more) / mean) + waveform.shape[-1] if mean else 1


@adapter("torchaudio.functional.loudness", decibels, order=lambda arguments: weighted_roundings(**arguments))
def loudness(waveform: Tensor, sample_rate: int) -> Work:
    """torchaudio.functional.loudness. Same arguments, same defaults."""
    check_signal(waveform)
    engine_for(waveform)
    if type(sample_rate) not in (int, float):
        raise Decline(unread("sample_rate", sample_rate))
    return lambda: _measured(waveform, sample_rate)
