"""The recursive filters of torchaudio.functional: lfilter, filtfilt, and those that design their coefficients."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import filtering as theirs

from mlx_spectro.design.operators import ClampedFilter, RecursiveFilter
from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ...arrays import torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_other, check_tensor
from ...arrays.torch_options import truth
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED
from .differentiable import Way, computed, filtered

_lfilter = theirs.lfilter
_DESIGNS = (
    "allpass_biquad",
    "band_biquad",
    "bandpass_biquad",
    "bandreject_biquad",
    "bass_biquad",
    "biquad",
    "deemph_biquad",
    "equalizer_biquad",
    "highpass_biquad",
    "lowpass_biquad",
    "riaa_biquad",
    "treble_biquad",
)


def designs(lfilter: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """torchaudio's functions that design coefficients, which then call ``lfilter`` in the place of torchaudio's."""
    room = {**vars(theirs), "lfilter": lfilter}
    for name in _DESIGNS:
        own: Any = getattr(theirs, name)
        room[name] = FunctionType(own.__code__, room, name, own.__defaults__)
    return {name: room[name] for name in _DESIGNS}


def bound(dtype: np.dtype[Any], roundings: int, largest: float) -> float:
    """Bound for a filter's results, of which each is rounded so many times, all told, as its largest is once."""
    return float(np.finfo(dtype).eps) * roundings * largest


def errors(x: Tensor, a: Tensor, b: Tensor, batching: bool = True) -> tuple[Tensor, float, float]:
    """A filter's result, the sum of all its roundings, and how much it amplifies any.

    A sample is rounded with every term, to a part of the sum of the terms' magnitudes; from there on that is an input.
    """
    x, a, b = (each.detach().double() for each in (x, a, b))
    impulse = torch.zeros((*a.shape[:-1], x.shape[-1]), dtype=torch.float64)
    impulse[..., 0] = 1
    unit = torch.zeros_like(b)
    unit[..., 0] = a[..., 0]

    def gain(b: Tensor) -> float:
        return float(_lfilter(impulse, a, b, clamp=False).abs().sum(-1).max())

    y = _lfilter(x, a, b, False, batching)
    parts = [(c / a[..., :1]).abs().sum(-1).max() * z.abs().max() for c, z in ((a, y), (b, x))]
    return y, (2 * a.shape[-1] - 1) * gain(unit) * float(sum(parts)), gain(b)


def _relative(error: float, y: Tensor, clamp: Any) -> int:
    """An error in units of the last place of a result."""
    largest = min(float(y.abs().max()), 1.0 if clamp else math.inf)
    ratio = error / largest if largest else 0.0
    return math.ceil(ratio) if math.isfinite(ratio) else 1 << 62


def roundings(waveform: Tensor, a_coeffs: Tensor, b_coeffs: Tensor, clamp: Any = True, batching: Any = True) -> int:
    y, error, _ = errors(waveform, a_coeffs, b_coeffs, batching)
    return _relative(error, y, clamp)


def _roundings_twice(waveform: Tensor, a_coeffs: Tensor, b_coeffs: Tensor, clamp: Any = True) -> int:
    once, error, gain = errors(waveform, a_coeffs, b_coeffs)
    y, more, _ = errors(once.flip(-1), a_coeffs, b_coeffs)
    return _relative(error * gain + more, y, clamp)


def engine_for(x: Tensor) -> Any:
    """What filters ``x``; where nothing does, the call is declined."""
    engine = torch_tensors.engine_for(x)
    return cpu if x.is_cpu and backend.for_host_arrays() == "host" else engine


def check_signal(x: Any) -> None:
    """Decline what is no signal that we filter."""
    check_tensor(x)
    if not (x.is_floating_point() and x.dim() and x.numel()):
        raise Decline("there are no real samples")


def _check_weights(name: str, coefficients: Any, like: Tensor) -> None:
    check_other(name, coefficients)
    if coefficients.dtype != like.dtype or coefficients.device != like.device:
        raise Decline(f"{name} and the waveform differ in dtype or device")
    if not (coefficients.dim() and coefficients.numel()):
        raise Decline(f"{name} holds no coefficients of filters")


def _plan(waveform: Tensor, a: Any, b: Any, clamp: Any, batching: Any, twice: bool) -> Work:
    """Filter forward, or forward and then backward."""
    check_signal(waveform)
    engine = engine_for(waveform)
    _check_weights("a_coeffs", a, waveform)
    _check_weights("b_coeffs", b, waveform)
    if a.shape != b.shape or a.dim() > 2:
        raise Decline(REJECTED)
    limited, several = truth("clamp", clamp), a.dim() > 1
    spread = several and not truth("batching", batching)
    if several and not spread and (waveform.dim() < 2 or waveform.shape[-2] != len(a)):
        raise Decline(REJECTED)
    if any(map(torch_tensors.gradient_wanted, (waveform, a, b))):
        x = torch.stack([waveform] * len(a), -2) if spread else waveform
        return lambda: _differentiable(engine, x, a, b, limited, twice)

    def work() -> Tensor:
        x = waveform
        if spread:
            x = x.unsqueeze(-2).expand(*x.shape[:-1], len(a), x.shape[-1])
        last = RecursiveFilter(backward=twice)
        if twice:
            x = computed(engine, RecursiveFilter(), x, a, b)
        if limited:
            return computed(engine, ClampedFilter(last), x, a, b)
        return computed(engine, last, x, a, b, in_room=not twice)

    return work


def _differentiable(engine: Any, x: Tensor, a: Tensor, b: Tensor, limited: bool, twice: bool) -> Tensor:
    shape = x.shape
    if a.dim() < 2:
        a, b = a.unsqueeze(0), b.unsqueeze(0)
    a, b, x = a / a[:, :1], b / a[:, :1], x.reshape(-1, len(a), shape[-1])
    y = filtered(x, a, b, Way(engine, roomy=not twice))
    if twice:
        y = filtered(y, a, b, Way(engine, backward=True))
    # torchaudio's filtfilt returns no view
    y = (torch.ops.aten._unsafe_view if twice else torch.reshape)(y, shape)
    return y.clamp(-1.0, 1.0) if limited else y


@adapter("torchaudio.functional.lfilter", bound, order=lambda arguments: roundings(**arguments))
def lfilter(waveform: Tensor, a_coeffs: Tensor, b_coeffs: Tensor, clamp: bool = True, batching: bool = True) -> Work:
    """torchaudio.functional.lfilter. Same arguments, same defaults."""
    return _plan(waveform, a_coeffs, b_coeffs, clamp, batching, twice=False)


@adapter("torchaudio.functional.filtfilt", bound, order=lambda arguments: _roundings_twice(**arguments))
def filtfilt(waveform: Tensor, a_coeffs: Tensor, b_coeffs: Tensor, clamp: bool = True) -> Work:
    """torchaudio.functional.filtfilt. Same arguments, same defaults."""
    return _plan(waveform, a_coeffs, b_coeffs, clamp, True, twice=True)


_planned, _judged, _told = map(designs, (lfilter.plan, roundings, lambda _, a, b: (a, b)))


def _designed(name: str) -> Callable[[Any], Any]:
    return adapter(f"torchaudio.functional.{name}", bound, order=lambda arguments: _judged[name](**arguments))


def _design(name: str, waveform: Tensor, *options: Any) -> Work:
    """Our filter by torchaudio's own coefficients."""
    check_signal(waveform)
    if not all(type(option) in (int, float, bool) for option in options):
        work: Work = _planned[name](waveform, *options)
        return work
    engine_for(waveform)
    plan: Work = lfilter.plan(waveform, *coefficients(name, waveform.dtype, waveform.device, *options))
    return plan


@functools.lru_cache(maxsize=256, typed=True)
def coefficients(name: str, dtype: torch.dtype, device: torch.device, *options: float) -> tuple[Tensor, Tensor]:
    """Feedback and feedforward by torchaudio's design ``name``, computed where the filter's signals lie."""

    def designed() -> tuple[Tensor, Tensor]:
        a, b = _told[name](torch.empty(0, dtype=dtype, device=device), *options)
        return a, b

    a, b = settled(device, designed)
    return a, b


def settled(device: torch.device, make: Callable[[], tuple[Tensor, ...]]) -> Any:
    """Tensors on a device that are to be kept for other calls, and other streams."""
    with torch.inference_mode(False), torch.no_grad():
        if device.type != "cuda":
            return make()
        from ...arrays import torch_launch

        torch_launch.check_not_capturing("a filter is designed")
        made = make()
        torch.cuda.current_stream(device).synchronize()
        return made


@_designed("biquad")
def biquad(waveform: Tensor, b0: float, b1: float, b2: float, a0: float, a1: float, a2: float) -> Work:
    """torchaudio.functional.biquad. Same arguments, same defaults."""
    return _design("biquad", waveform, b0, b1, b2, a0, a1, a2)


@_designed("allpass_biquad")
def allpass_biquad(waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707) -> Work:
    """torchaudio.functional.allpass_biquad. Same arguments, same defaults."""
    return _design("allpass_biquad", waveform, sample_rate, central_freq, Q)


@_designed("band_biquad")
def band_biquad(waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707, noise: bool = False) -> Work:
    """torchaudio.functional.band_biquad. Same arguments, same defaults."""
    return _design("band_biquad", waveform, sample_rate, central_freq, Q, noise)


@_designed("bandpass_biquad")
def bandpass_biquad(
    waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707, const_skirt_gain: bool = False
) -> Work:
    """torchaudio.functional.bandpass_biquad. Same arguments, same defaults."""
    return _design("bandpass_biquad", waveform, sample_rate, central_freq, Q, const_skirt_gain)


@_designed("bandreject_biquad")
def bandreject_biquad(waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707) -> Work:
    """torchaudio.functional.bandreject_biquad. Same arguments, same defaults."""
    return _design("bandreject_biquad", waveform, sample_rate, central_freq, Q)


@_designed("bass_biquad")
def bass_biquad(waveform: Tensor, sample_rate: int, gain: float, central_freq: float = 100, Q: float = 0.707) -> Work:
    """torchaudio.functional.bass_biquad. Same arguments, same defaults."""
    return _design("bass_biquad", waveform, sample_rate, gain, central_freq, Q)


@_designed("treble_biquad")
def treble_biquad(
    waveform: Tensor, sample_rate: int, gain: float, central_freq: float = 3000, Q: float = 0.707
) -> Work:
    """torchaudio.functional.treble_biquad. Same arguments, same defaults."""
    return _design("treble_biquad", waveform, sample_rate, gain, central_freq, Q)


@_designed("equalizer_biquad")
def equalizer_biquad(waveform: Tensor, sample_rate: int, center_freq: float, gain: float, Q: float = 0.707) -> Work:
    """torchaudio.functional.equalizer_biquad. Same arguments, same defaults."""
    return _design("equalizer_biquad", waveform, sample_rate, center_freq, gain, Q)


@_designed("highpass_biquad")
def highpass_biquad(waveform: Tensor, sample_rate: int, cutoff_freq: float, Q: float = 0.707) -> Work:
    """torchaudio.functional.highpass_biquad. Same arguments, same defaults."""
    return _design("highpass_biquad", waveform, sample_rate, cutoff_freq, Q)


@_designed("lowpass_biquad")
def lowpass_biquad(waveform: Tensor, sample_rate: int, cutoff_freq: float, Q: float = 0.707) -> Work:
    """torchaudio.functional.lowpass_biquad. Same arguments, same defaults."""
    return _design("lowpass_biquad", waveform, sample_rate, cutoff_freq, Q)


@_designed("deemph_biquad")
def deemph_biquad(waveform: Tensor, sample_rate: int) -> Work:
    """torchaudio.functional.deemph_biquad. Same arguments, same defaults."""
    return _design("deemph_biquad", waveform, sample_rate)


@_designed("riaa_biquad")
def riaa_biquad(waveform: Tensor, sample_rate: int) -> Work:
    """torchaudio.functional.riaa_biquad. Same arguments, same defaults."""
    return _design("riaa_biquad", waveform, sample_rate)
