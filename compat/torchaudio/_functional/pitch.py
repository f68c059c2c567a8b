"""detect_pitch_frequency of torchaudio.functional."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mlx_spectro.kernels import cpu

from ...arrays.torch_adapter import adapter
from ...arrays.torch_options import integer
from ...arrays.torch_tensors import to_host
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED
from .effects import check_on_host
from .emphasis import number


# rounding may move a choice among lags to any other
@adapter(
    "torchaudio.functional.detect_pitch_frequency",
    tolerances.decision,
    order=lambda arguments: float(arguments["sample_rate"]),
)
def detect_pitch_frequency(
    waveform: Tensor,
    sample_rate: int,
    frame_time: float = 10 ** (-2),
    win_length: int = 30,
    freq_low: int = 85,
    freq_high: int = 3400,
) -> Work:
    """torchaudio.functional.detect_pitch_frequency. Same arguments, same defaults.

    Correlations are summed up in double precision.
    """
    check_on_host(waveform)
    rate, seconds, low, high = (
        number(name, value, waveform)
        for name, value in (
            ("sample_rate", sample_rate),
            ("frame_time", frame_time),
            ("freq_low", freq_low),
            ("freq_high", freq_high),
        )
    )
    window = integer("win_length", win_length)
    if not min(rate, seconds, low, high) > 0:
        raise Decline("a rate, a time or a frequency is not above 0")
    size, lags, first = (math.ceil(each) for each in (sample_rate * frame_time, sample_rate / low, sample_rate / high))
    frames = -(-waveform.shape[-1] // size)
    if window < 3 or frames + (window - 1) // 2 < window or first >= lags // 2:
        raise Decline(REJECTED)

    def work() -> Tensor:
        best = cpu.best_lags(to_host(waveform.reshape(-1, waveform.shape[-1])), size, lags, first)
        if not best.all():
            raise Decline("there are samples that are not finite, or whose squares hardly are")
        periods = torch.from_numpy(cpu.lower_medians(best, window))
        # which cannot be 0: what torchaudio adds is less than a rounding
        pitch = sample_rate / periods.to(torch.float)
        return pitch.reshape(*waveform.shape[:-1], pitch.shape[-1])

    return work
