"""Effects on audio, after SoX (https://sox.sourceforge.net/sox.html)."""

import math

import torch
from torch import Tensor

from ._recursive import lfilter


def _dB2Linear(x: float) -> float:
    return math.exp(x * math.log(10) / 20.0)


def gain(waveform: Tensor, gain_db: float = 1.0) -> Tensor:
    """Audio amplified by ``gain_db``."""
    if gain_db == 0:
        return waveform
    return waveform * 10 ** (gain_db / 20)


def contrast(waveform: Tensor, enhancement_amount: float = 75.0) -> Tensor:
    """Audio that sounds louder: each sample by a curve of sines.

    Raises:
        ValueError: ``enhancement_amount`` is not in [0, 100].
    """
    if not 0 <= enhancement_amount <= 100:
        raise ValueError(f"enhancement_amount must be between 0 and 100, got {enhancement_amount}")
    angle = waveform * (math.pi / 2)
    return torch.sin(angle + enhancement_amount / 750.0 * torch.sin(angle * 4))


def dcshift(waveform: Tensor, shift: float, limiter_gain: float | None = None) -> Tensor:
    """Audio shifted by ``shift``, in [-1, 1].

    Args:
        limiter_gain: Samples near the limit are pressed together by so much, and ``waveform`` itself is changed.
    """
    if limiter_gain is None or shift == 0:
        return (waveform + shift).clamp(min=-1, max=1)
    threshold = 1.0 - (abs(shift) - limiter_gain)
    if shift > 0:
        beyond = waveform > threshold
        pressed = (waveform[beyond] - threshold) * limiter_gain / (1 - threshold)
        limited = (pressed + threshold + shift).clamp(max=threshold)
    else:
        beyond = waveform < -threshold
        pressed = (waveform[beyond] + threshold) * limiter_gain / (1 - threshold)
        limited = (pressed - threshold + shift).clamp(min=-threshold)
    waveform[beyond] = limited
    waveform[~beyond] = (waveform[~beyond] + shift).clamp(min=-1, max=1)
    return waveform


def _place(limit: int) -> int:
    """A whole number from 0 and below ``limit``, drawn by torch's generator if there is any."""
    return int(torch.randint(limit, [1]).item()) if limit > 0 else 0


def _quantised(waveform: Tensor, density_function: str = "TPDF") -> Tensor:
    """Signals in steps of 16 bits, after a small number was added."""
    signals = waveform.reshape(-1, waveform.shape[-1])
    channels, samples = signals.shape[0] - 1, signals.shape[1] - 1
    channel = _place(channels)
    sample = _place(samples)
    scaled = signals * (2**15 - 2)
    if density_function == "RPDF":
        scaled = scaled + (signals[channel, sample] - 0.5)
    elif density_function == "GPDF":
        # as torchaudio adds it up: in the waveform's own memory
        total = signals[channel, sample]
        for _ in range(6):
            other = int(torch.randint(channels, [1]).item())
            total += signals[other, int(torch.randint(samples, [1]).item())]
        scaled = scaled + total
    else:
        triangle = torch.bartlett_window(samples + 1, dtype=scaled.dtype, device=scaled.device)
        scaled = scaled + triangle.repeat(channels + 1, 1)
    return (torch.round(scaled) / 2**15).reshape(waveform.shape)


def dither(waveform: Tensor, density_function: str = "TPDF", noise_shaping: bool = False) -> Tensor:
    """Audio ``[..., T]`` rounded to 16 bits, after noise was added.

    Args:
        density_function: Of the noise, ``"TPDF"`` (triangular), ``"RPDF"`` (rectangular) or ``"GPDF"`` (Gaussian); for
            the last two, samples of the audio are drawn by torch's generator.
        noise_shaping: Add the error of each sample to the next.
    """
    y = _quantised(waveform, density_function)
    if not noise_shaping:
        return y
    error = y - waveform
    return y + torch.nn.functional.pad(error[..., :-1], (1, 0))


def _generate_wave_table(
    wave_type: str, data_type: str, table_size: int, min: float, max: float, phase: float, device: torch.device
) -> Tensor:
    """A period of a sine or a triangle between two values, from a phase in radians on."""
    offset = int(phase / math.pi / 2 * table_size + 0.5)
    turn = ((torch.arange(table_size, device=device) + offset) % table_size).to(torch.float64) / table_size
    if wave_type == "SINE":
        wave = (torch.sin(turn * 2 * math.pi) + 1) / 2
    elif wave_type == "TRIANGLE":
        falling = torch.where(turn < 0.75, 1.5 - 2 * turn, 2 * turn - 1.5)
        wave = torch.where(turn < 0.25, 2 * turn + 0.5, falling)
    else:
        wave = torch.zeros_like(turn)
    wave = wave * (max - min) + min
    if data_type == "INT":
        return (wave + torch.where(wave < 0, -0.5, 0.5)).to(torch.int32)
    return wave.to(torch.float32) if data_type == "FLOAT" else wave


def flanger(
    waveform: Tensor,
    sample_rate: int,
    delay: float = 0.0,
    depth: float = 2.0,
    regen: float = 0.0,
    width: float = 71.0,
    speed: float = 0.5,
    phase: float = 25.0,
    modulation: str = "sinusoidal",
    interpolation: str = "linear",
) -> Tensor:
    """Audio ``[..., channels, T]``, 4 channels at most, with itself delayed by a little that changes.

    Args:
        delay, depth: The least delay and what is added to it at most, in milliseconds.
        regen: How much of the delayed signal comes back, in percent.
        width: How much of it is mixed with the signal, in percent.
        speed: Of the changes, in Hz.
        phase: By how much of their period channels differ, in percent.
        modulation: Their shape, ``"sinusoidal"`` or ``"triangular"``.
        interpolation: Between samples, ``"linear"`` or ``"quadratic"``.

    Raises:
        ValueError: an unknown ``modulation`` or ``interpolation``, or too many channels.
    """
    if modulation not in ("sinusoidal", "triangular"):
        raise ValueError(f"modulation must be 'sinusoidal' or 'triangular', got '{modulation}'")
    if interpolation not in ("linear", "quadratic"):
        raise ValueError(f"interpolation must be 'linear' or 'quadratic', got '{interpolation}'")
    channels = waveform.shape[-2]
    if channels > 4:
        raise ValueError(f"at most 4 channels can be flanged, got {channels}")
    device, dtype = waveform.device, waveform.dtype
    x = waveform.view(-1, channels, waveform.shape[-1])
    back, mixed = regen / 100, width / 100
    dry, wet = 1.0 / (1 + mixed), mixed / (1 + mixed) * (1 - abs(back))
    size = int((delay / 1000 + depth / 1000) * sample_rate + 0.5) + 2
    period = int(sample_rate / speed)
    least = math.floor(delay / 1000 * sample_rate + 0.5)
    wave = "SINE" if modulation == "sinusoidal" else "TRIANGLE"
    delays = _generate_wave_table(wave, "FLOAT", period, float(least), float(size - 2), 3 * math.pi / 2, device)
    each = torch.arange(0, channels, device=device)
    begin = (each * period * (phase / 100) + 0.5).to(torch.int64)
    past = torch.zeros(x.shape[0], channels, size, dtype=dtype, device=device)
    delayed = torch.zeros(x.shape[0], channels, dtype=dtype, device=device)
    y = torch.zeros_like(x)
    for t in range(x.shape[-1]):
        now = (size - 1 - t) % size
        past[:, :, now] = x[:, :, t] + delayed * back
        time = delays[(t % period + begin) % period]
        share, whole = torch.frac(time), now + torch.floor(time).to(torch.int64)
        here = past[:, each, whole % size]
        before = past[:, each, (whole + 1) % size] - here
        if interpolation == "linear":
            delayed = here + before * share
        else:
            earlier = past[:, each, (whole + 2) % size] - here
            delayed = here + ((earlier * 0.5 - before) * share + (before * 2 - earlier * 0.5)) * share
        y[:, :, t] = x[:, :, t] * dry + delayed * wet
    return y.clamp(min=-1, max=1).view(waveform.shape)


def overdrive(waveform: Tensor, gain: float = 20, colour: float = 20) -> Tensor:
    """Audio ``[..., T]`` distorted by a cubic that saturates, less its mean.

    Args:
        gain: Before the distortion, in dB.
        colour: How much of even harmonics, from 0 to 100.
    """
    x = waveform.view(-1, waveform.shape[-1])
    driven = x * _dB2Linear(gain) + colour / 200
    cubic = driven - driven**3 * (1.0 / 3)
    saturated = torch.where(driven.abs() > 1, torch.sign(driven) * (2.0 / 3.0), cubic)
    a = torch.tensor([1.0, -0.995], dtype=x.dtype, device=x.device)
    b = torch.tensor([1.0, -1.0], dtype=x.dtype, device=x.device)
    varying = lfilter(saturated, a, b, clamp=False)
    return (x * 0.5 + varying * 0.75).clamp(min=-1, max=1).view(waveform.shape)


def phaser(
    waveform: Tensor,
    sample_rate: int,
    gain_in: float = 0.4,
    gain_out: float = 0.74,
    delay_ms: float = 3.0,
    decay: float = 0.4,
    mod_speed: float = 0.5,
    sinusoidal: bool = True,
) -> Tensor:
    """Audio ``[..., T]`` with echoes of itself, and of these, after a little that changes.

    Args:
        gain_in, gain_out: Before and after.
        delay_ms: The longest delay in milliseconds.
        decay: Of an echo.
        mod_speed: Of the changes, in Hz.
        sinusoidal: Their shape, otherwise triangular.
    """
    x = waveform.view(-1, waveform.shape[-1])
    size, period = int(delay_ms * 0.001 * sample_rate + 0.5), int(sample_rate / mod_speed + 0.5)
    wave = "SINE" if sinusoidal else "TRIANGLE"
    table = _generate_wave_table(wave, "INT", period, 1.0, float(size), math.pi / 2, waveform.device)
    delays: list[int] = table.tolist()
    past = list(torch.zeros(size, x.shape[0], dtype=x.dtype, device=x.device).unbind(0))
    samples: list[Tensor] = []
    for t, now in enumerate((x * gain_in).unbind(1)):
        y = now + past[(t + delays[t % period]) % size]
        past[(t + 1) % size] = y * decay
        samples.append(y)
    return (torch.stack(samples, 1) * gain_out).clamp(min=-1, max=1).view(waveform.shape)
