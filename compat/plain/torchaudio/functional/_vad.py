"""Voice activity: the beginning of speech, found by the power of its cepstrum, after SoX's effect vad."""

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor


class _Analysis(NamedTuple):
    """What a block of samples is measured with."""

    window: Tensor
    bins: slice
    """Of the spectrum that count."""
    lifter: Tensor
    """Their window."""
    quefrencies: slice
    """Of the cepstrum that count."""
    reduction: float
    smoothing: float
    up: float
    down: float
    """By how much an estimate of noise stays as it was, where the power is above it, and where it is below."""


class _State(NamedTuple):
    """What is known of a channel: smoothed magnitudes, and powers of noise."""

    spectrum: Tensor
    noise: Tensor


def _measure(samples: Tensor, how: _Analysis, state: _State, n_fft: int, booting: int) -> float:
    """How much of a voice there is in a block, 0 at least; ``booting`` counts the first blocks, and then is -1."""
    bins = how.bins
    block = torch.zeros(n_fft, device=samples.device)
    block[: len(how.window)] = samples * how.window
    magnitude = torch.fft.rfft(block)[bins].abs()
    kept = booting / (1.0 + booting) if booting >= 0 else how.smoothing
    state.spectrum[bins] = state.spectrum[bins] * kept + magnitude * (1 - kept)
    power = state.spectrum[bins] ** 2
    noise = state.noise[bins]
    held = torch.where(power > noise, how.up, how.down) if booting < 0 else torch.zeros_like(power)
    state.noise[bins] = noise * held + power * (1 - held)
    clean = torch.sqrt(torch.clamp(power - how.reduction * state.noise[bins], min=0.0))
    spectrum = torch.zeros(n_fft // 2, device=samples.device)
    spectrum[bins] = clean * how.lifter
    voiced = float(torch.fft.rfft(spectrum)[how.quefrencies].abs().pow(2).sum())
    count = how.quefrencies.stop - how.quefrencies.start
    return max(0.0, 21 + math.log(voiced / count)) if voiced > 0 else 0.0


def _hann(size: int, device: torch.device) -> Tensor:
    return 2.0 / math.sqrt(float(size)) * torch.hann_window(size, device=device, dtype=torch.float)


def _flushed(measures: list[float], last: int, level: float, gap: int) -> int:
    """How many blocks before the present one, the ``last`` measured, belong to the speech that has begun."""
    n = len(measures)
    trigger = zero = n
    for j in range(n):
        measure = measures[(last - j) % n]
        if measure >= level and j <= trigger + gap:
            zero = trigger = j
        elif measure == 0 and trigger >= zero:
            zero = j
    return min(n - 1, zero)


@torch.jit.unused
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
) -> Tensor:
    """Audio ``[channels, T]`` or ``[T]`` from the beginning of speech on. Times in seconds, frequencies in Hz.

    Args:
        trigger_level: Of what is measured, from which on it is speech.
        trigger_time: Over which measures are averaged.
        search_time: Before the trigger, in which quieter speech is looked for.
        allowed_gap: Between that and the trigger.
        pre_trigger_time: Of audio kept before.
        boot_time: In which the noise is estimated first.
        noise_up_time, noise_down_time: Constants of the estimate, where it rises and falls.
        noise_reduction_amount: How much of the noise's power is taken away.
        measure_freq: Measures a second.
        measure_duration: Of a block. Default: twice the time between measures.
        measure_smooth_time: Constant by which spectra are smoothed.
        hp_filter_freq, lp_filter_freq: Frequencies that count.
        hp_lifter_freq, lp_lifter_freq: Pitches that count.

    Raises:
        ValueError: no quefrency is between the lifters.
    """
    if waveform.ndim > 2:
        warnings.warn(
            f"waveform should be [T] or [channels, T]: {waveform.ndim} dimensions are taken for channels", stacklevel=2
        )
    device = waveform.device
    duration = 2.0 / measure_freq if measure_duration is None else measure_duration
    size, period = int(sample_rate * duration + 0.5), int(sample_rate / measure_freq + 0.5)
    n_fft = max(16, 1 << max(0, size - 1).bit_length())
    count = math.ceil(search_time * measure_freq)
    gap = int(allowed_gap * measure_freq + 0.5)
    before = int(pre_trigger_time * sample_rate + 0.5)
    start = max(int(hp_filter_freq / sample_rate * n_fft + 0.5), 1)
    end = min(int(lp_filter_freq / sample_rate * n_fft + 0.5), n_fft // 2)
    low = math.ceil(sample_rate * 0.5 / lp_lifter_freq)
    high = min(math.floor(sample_rate * 0.5 / hp_lifter_freq), n_fft // 4)
    if high <= low:
        raise ValueError(f"no quefrency is between the lifters: {low} to {high}")
    up, down, smoothing, averaging = (
        math.exp(-1.0 / (time * measure_freq))
        for time in (noise_up_time, noise_down_time, measure_smooth_time, trigger_time)
    )
    how = _Analysis(
        _hann(size, device),
        slice(start, end),
        _hann(end - start, device),
        slice(low, high),
        noise_reduction_amount,
        smoothing,
        up,
        down,
    )
    signals = waveform.view(-1, waveform.shape[-1])
    states = [_State(torch.zeros(n_fft, device=device), torch.zeros(n_fft, device=device)) for _ in signals]
    measures = [[0.0] * count for _ in signals]
    means = [0.0] * len(signals)
    booting, booted = 0, int(boot_time * measure_freq - 0.5)
    place, at, triggered, flushed, skipped = 0, 0, False, 0, 0
    for at in range(size, signals.shape[1], period):
        for i, samples in enumerate(signals):
            measure = _measure(samples[at - size : at], how, states[i], n_fft, booting)
            measures[i][place] = measure
            means[i] = means[i] * averaging + measure * (1.0 - averaging)
            triggered = triggered or means[i] >= trigger_level
            if triggered:
                flushed = max(flushed, _flushed(measures[i], place, trigger_level, gap))
        place = (place + 1) % count
        if booting >= 0:
            booting = -1 if booting == booted else booting + 1
        if triggered:
            skipped = (count - flushed) * period
            break
    if not triggered and waveform.shape[-1] >= before:
        return signals[..., :before].view(waveform.shape[:-1] + (before,))
    speech = signals[:, max(at - (before + count * period + size) + skipped, 0) :]
    return speech.view(waveform.shape[:-1] + speech.shape[-1:])
