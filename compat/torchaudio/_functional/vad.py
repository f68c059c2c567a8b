"""vad of torchaudio.functional: blocks are measured together, a few more each time, until one is speech."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.kernels import cpu

from ...arrays.torch_adapter import adapter
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED
from .effects import check_on_host, check_without_gradient
from .emphasis import number
from .resample import check_defaults

if TYPE_CHECKING:
    from mlx_spectro.kernels.cpu.voice import Noise

# blocks that are measured first, and then twice as many each time
_FIRST = 16


class Detector(NamedTuple):
    """What a call looks for; times are counted in samples or blocks."""

    size: int
    """Samples of a block."""
    period: int
    """Samples from one to the next."""
    n_fft: int
    bins: slice
    """Of the spectrum that count."""
    quefrencies: slice
    """Of the cepstrum that count."""
    noise: Noise
    smoothing: float
    booting: int
    """Blocks that are noise, in which a mean is taken of all so far."""
    averaging: float
    level: float
    """Of an average measure, from which on there is speech."""
    search: int
    """Blocks in which quieter speech is looked for, before that."""
    gap: int
    """Blocks between it and the rest."""
    before: int
    """Samples that are kept before it."""

    def measures(self, rows: Tensor) -> Iterator[list[float]]:
        """How much of a voice there is in each block of each channel, block by block."""
        blocks = max(0, -(-(rows.shape[1] - self.size) // self.period))
        start, end, _ = self.bins.indices(self.n_fft)
        window, lifter = _hann(self.size), _hann(end - start)
        state = np.zeros((len(rows), end - start), np.float32), np.zeros((len(rows), end - start), np.float32)
        count = self.quefrencies.stop - self.quefrencies.start
        done, some = 0, _FIRST
        while done < blocks:
            some = min(some, blocks - done)
            indices = np.arange(done, done + some)
            kept = np.where(indices < self.booting, indices / (1.0 + indices), self.smoothing)
            frames = torch.zeros(len(rows), some, self.n_fft)
            frames[..., : self.size] = rows.unfold(-1, self.size, self.period)[:, done : done + some] * window
            magnitudes = torch.fft.rfft(frames)[..., self.bins].abs().contiguous().numpy()
            spectra = torch.zeros(len(rows), some, self.n_fft // 2)
            clean = cpu.clean(magnitudes, kept, self.booting - done, self.noise, lifter.numpy(), state)
            spectra[..., self.bins] = torch.from_numpy(clean)
            powers = torch.fft.rfft(spectra)[..., self.quefrencies].abs().pow(2).sum(-1)
            for each in powers.T.tolist():
                if not all(map(math.isfinite, each)):
                    raise Decline("there are samples that are not finite, or whose powers are not")
                yield [max(0.0, 21 + math.log(power / count)) if power > 0 else 0.0 for power in each]
            done, some = done + some, 2 * some

    def begin(self, rows: Tensor) -> int | None:
        """The first sample of the speech in ``rows [channels, T]``; None where there is none."""
        past = np.zeros((len(rows), self.search), np.float32)
        means = np.zeros(len(rows), np.float32)
        for n, measures in enumerate(self.measures(rows)):
            place, speech, blocks = n % self.search, False, 0
            for i, measure in enumerate(measures):
                past[i, place] = measure
                means[i] = means[i] * np.float32(self.averaging) + np.float32(measure * (1.0 - self.averaging))
                speech = speech or bool(means[i] >= np.float32(self.level))
                if speech:
                    blocks = max(blocks, self._quieter(np.roll(past[i, ::-1], place + 1).tolist()))
            if speech:
                at, searched = self.size + n * self.period, self.search * self.period
                return max(at - (self.before + searched + self.size) + (self.search - blocks) * self.period, 0)
        return None

    def _quieter(self, measures: list[float]) -> int:
        """How many blocks before the last one belong to its speech; ``measures`` begin with that."""
        trigger = silence = self.search
        level = float(np.float32(self.level))
        for j, measure in enumerate(measures):
            if measure >= level and j <= trigger + self.gap:
                silence = trigger = j
            elif measure == 0 and trigger >= silence:
                silence = j
        return min(self.search - 1, silence)


def _hann(size: int) -> Tensor:
    return torch.full((size,), 2.0 / math.sqrt(float(size))).mul_(torch.hann_window(size, dtype=torch.float))


@adapter("torchaudio.functional.vad", tolerances.same)
def vad(
    waveform: Tensor,
    sample_rate: int,
    trigger_level: float = 7.0,
    trigger_time: float = 0.25,
    search_time: float = 1.0,
    allowed_gap: float = 0.25,
    pre_trigger_time: float = 0.0,
    boot_time: float = 0.35,
    noise_up_time: float = 0.1,
    noise_down_time: float = 0.01,
    noise_reduction_amount: float = 1.35,
    measure_freq: float = 20.0,
    measure_duration: float | None = None,
    measure_smooth_time: float = 0.4,
    hp_filter_freq: float = 50.0,
    lp_filter_freq: float = 6000.0,
    hp_lifter_freq: float = 150.0,
    lp_lifter_freq: float = 2000.0,
) -> Work:
    """torchaudio.functional.vad. Same arguments, same defaults."""
    options = locals()
    check_on_host(waveform)
    check_without_gradient(waveform)
    check_defaults()
    if torch.get_default_dtype() is not torch.float32:
        raise Decline("torch's default dtype is not single precision")
    if waveform.dim() > 2:
        raise Decline("torchaudio warns of more than two axes")
    given: dict[str, Any] = {
        name: None if value is None and name == "measure_duration" else number(name, value, waveform)
        for name, value in options.items()
        if name != "waveform"
    }
    try:
        detector = _detector(**given)
    except (ArithmeticError, ValueError):
        raise Decline(REJECTED) from None

    def work() -> Tensor:
        rows = waveform.view(-1, waveform.shape[-1])
        first = detector.begin(rows)
        if first is not None:
            part = rows[:, first:]
        elif rows.shape[1] >= detector.before:
            part = rows[..., : detector.before]
        else:
            raise Decline("there is no speech, and less than what is kept before it")
        return part.view(*waveform.shape[:-1], part.shape[-1])

    return work


def _detector(
    sample_rate: float,
    trigger_level: float,
    trigger_time: float,
    search_time: float,
    allowed_gap: float,
    pre_trigger_time: float,
    boot_time: float,
    noise_up_time: float,
    noise_down_time: float,
    noise_reduction_amount: float,
    measure_freq: float,
    measure_duration: float | None,
    measure_smooth_time: float,
    hp_filter_freq: float,
    lp_filter_freq: float,
    hp_lifter_freq: float,
    lp_lifter_freq: float,
) -> Detector:
    """What :func:`vad` looks for. torchaudio rounds as SoX does (src/vad.c), half of a number up."""
    duration = 2.0 / measure_freq if measure_duration is None else measure_duration
    size, period = int(sample_rate * duration + 0.5), int(sample_rate / measure_freq + 0.5)
    search, before = math.ceil(search_time * measure_freq), int(pre_trigger_time * sample_rate + 0.5)
    if not (min(size, period, search) > 0 and before >= 0):
        raise Decline("a block, what lies between two, or what is searched is empty")
    n_fft = max(16, 1 << (size - 1).bit_length())
    start = max(int(hp_filter_freq / sample_rate * n_fft + 0.5), 1)
    end = min(int(lp_filter_freq / sample_rate * n_fft + 0.5), n_fft // 2)
    low = math.ceil(sample_rate * 0.5 / lp_lifter_freq)
    high = min(math.floor(sample_rate * 0.5 / hp_lifter_freq), n_fft // 4)
    if not 0 <= low < high:
        raise Decline(REJECTED)
    if start >= end:
        raise Decline("no frequency counts")
    rising, falling, smoothing, averaging = (
        math.exp(-1.0 / (time * measure_freq))
        for time in (noise_up_time, noise_down_time, measure_smooth_time, trigger_time)
    )
    last = int(boot_time * measure_freq - 0.5)
    return Detector(
        size=size,
        period=period,
        n_fft=n_fft,
        bins=slice(start, end),
        quefrencies=slice(low, high),
        noise=cpu.Noise(noise_reduction_amount, rising, falling),
        smoothing=smoothing,
        # a negative count is never reached
        booting=last + 1 if last >= 0 else 1 << 62,
        averaging=averaging,
        level=trigger_level,
        search=search,
        gap=int(allowed_gap * measure_freq + 0.5),
        before=before,
    )
