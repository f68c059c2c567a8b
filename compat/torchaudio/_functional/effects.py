"""dcshift, dither, flanger and phaser of torchaudio.functional."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import filtering as theirs

from mlx_spectro.kernels import cpu

from ...arrays.torch_adapter import adapter
from ...arrays.torch_options import truth
from ...arrays.torch_tensors import gradient_wanted, to_host
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from ...contract.reasons import REJECTED, BySize, unread
from .emphasis import _MANY, number
from .filtering import check_signal, engine_for
from .resample import check_defaults


def check_on_host(waveform: Any) -> None:
    """Decline what is no signal that host kernels take."""
    check_signal(waveform)
    if engine_for(waveform) is not cpu:
        raise Decline("host kernels alone compute this, of CPU tensors")


def check_writable(waveform: Tensor) -> None:
    """Decline a waveform that torchaudio is not to change, or cannot."""
    if waveform.requires_grad:
        raise Decline("the waveform requires a gradient, and is changed in place")
    if not waveform.is_contiguous() or waveform.is_neg():
        raise Decline("the waveform is changed in place, and does not lie contiguously in memory")
    if waveform.is_inference() and not torch.is_inference_mode_enabled():
        raise Decline(REJECTED)
    if settings.numerics.get() == "verify":
        raise Decline("the waveform is changed in place: a second run would change it again")


def check_without_gradient(waveform: Tensor) -> None:
    if gradient_wanted(waveform):
        raise Decline("the waveform requires a gradient, which torchaudio's operations give")


def viewed(x: Tensor, *shape: int) -> Tensor:
    """``x.view(*shape)``, declined where torch refuses it, as it does for torchaudio."""
    try:
        return x.view(*shape)
    except RuntimeError:
        raise Decline(REJECTED) from None


@adapter("torchaudio.functional.dcshift", tolerances.same)
def dcshift(waveform: Tensor, shift: float, limiter_gain: float | None = None) -> Work:
    """torchaudio.functional.dcshift. Same arguments, same defaults.

    With a limiter the waveform itself is changed, as torchaudio does.
    """
    check_on_host(waveform)
    amount = number("shift", shift, waveform)
    if limiter_gain is None or amount == 0:
        raise Decline(BySize("without a limiter, torch's operations are as fast"))
    gain = number("limiter_gain", limiter_gain, waveform)
    check_writable(waveform)

    def work() -> Tensor:
        cpu.shift(to_host(waveform).reshape(-1), amount, 1.0 - (abs(amount) - gain), gain)
        if not waveform.is_inference():
            torch.autograd.graph.increment_version(waveform)
        return waveform

    return work


@adapter("torchaudio.functional.dither", tolerances.same)
def dither(waveform: Tensor, density_function: str = "TPDF", noise_shaping: bool = False) -> Work:
    """torchaudio.functional.dither. Same arguments, same defaults. The same random numbers."""
    check_on_host(waveform)
    check_without_gradient(waveform)
    check_defaults()
    if not waveform.is_contiguous():
        raise Decline("the waveform does not lie contiguously in memory: x.contiguous() is served")
    if settings.route.get() == "auto" and waveform.numel() < _MANY:
        raise Decline(BySize("torch's operations are as fast with so few samples; route('ours') has us compute them"))
    if not isinstance(density_function, str):
        raise Decline(unread("density_function", density_function))
    shaped, rows = truth("noise_shaping", noise_shaping), waveform.view(-1, waveform.shape[-1])
    channels, samples = rows.shape[0] - 1, rows.shape[1] - 1
    gaussian = density_function == "GPDF"
    if gaussian:
        if not (channels and samples):
            raise Decline(REJECTED)
        check_writable(waveform)
    if density_function == "RPDF" and settings.numerics.get() == "verify":
        raise Decline("a sample is drawn at random: a second run would draw another")

    def noise() -> Tensor:
        """One number for all samples, or one for each of a row."""
        bind()
        channel, sample = (int(torch.randint(limit, [1])) if limit else 0 for limit in (channels, samples))
        drawn = rows[channel, sample]
        if density_function == "RPDF":
            return drawn - 0.5
        if not gaussian:
            return torch.bartlett_window(samples + 1, dtype=waveform.dtype)
        for _ in range(6):
            other = int(torch.randint(channels, [1]))
            # which changes the waveform, as torchaudio's does
            drawn += rows[other, int(torch.randint(samples, [1]))]
        return drawn

    def work() -> Tensor:
        # what torchaudio scales before it draws
        given = to_host(rows.clone() if gaussian else rows)
        added = np.ascontiguousarray(noise().expand(rows.shape[1]).numpy())
        y = cpu.quantize(given, added, 2.0**15 - 2, 2.0**-15, to_host(rows) if shaped else None)
        return viewed(torch.from_numpy(y).clone(), *waveform.shape)

    return work


def _wave(sinusoidal: bool, kind: str, size: int, least: float, most: float, phase: float) -> Any:
    """A period of a sine or a triangle, by torchaudio's own table."""
    shape = "SINE" if sinusoidal else "TRIANGLE"
    return theirs._generate_wave_table(shape, kind, size, least, most, phase, torch.device("cpu")).numpy()


def _numbers(waveform: Tensor, **options: Any) -> list[float]:
    return [number(name, value, waveform) for name, value in options.items()]


def varied(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for sums of a few products, which come back in part.

    Each rounds its few terms by half a unit, as torchaudio's does; of 99 hundredths, a hundred of them add up.
    """
    return 100 * 8 * float(np.finfo(dtype).eps) * max(largest, 1.0)


@adapter("torchaudio.functional.flanger", varied)
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
) -> Work:
    """torchaudio.functional.flanger. Same arguments, same defaults."""
    check_on_host(waveform)
    check_without_gradient(waveform)
    check_defaults()
    rate, least, depth, regen, width, speed, phase = _numbers(
        waveform, sample_rate=sample_rate, delay=delay, depth=depth, regen=regen, width=width, speed=speed, phase=phase
    )
    if not (modulation in ("sinusoidal", "triangular") and interpolation in ("linear", "quadratic")):
        raise Decline(REJECTED)
    if waveform.dim() < 2 or not waveform.shape[-2] <= 4:
        raise Decline(REJECTED)
    signals = viewed(waveform, -1, *waveform.shape[-2:])
    if not (rate > 0 and speed > 0 and rate >= speed and min(least, depth, phase) >= 0):
        raise Decline("a rate, a speed or a delay is negative, or 0, or the speed is above the rate")
    mixed, back = width / 100, regen / 100
    if mixed == -1:
        raise Decline(REJECTED)
    size, period = int((least / 1000 + depth / 1000) * sample_rate + 0.5) + 2, int(sample_rate / speed)
    gains = back, 1.0 / (1 + mixed), mixed / (1 + mixed) * (1 - abs(back))

    def work() -> Tensor:
        first = math.floor(least / 1000 * sample_rate + 0.5)
        delays = _wave(modulation == "sinusoidal", "FLOAT", period, float(first), size - 2.0, 3 * math.pi / 2)
        # torch's own operations: a product of an integer tensor and a number has torch's default dtype
        begins = (torch.arange(signals.shape[1]) * period * (phase / 100) + 0.5).to(torch.int64) % period
        y = cpu.flange(to_host(signals), delays, begins.numpy(), size, gains, interpolation == "quadratic")
        return viewed(torch.empty_like(signals).copy_(torch.from_numpy(y)), *waveform.shape)

    return work


@adapter("torchaudio.functional.phaser", varied)
def phaser(
    waveform: Tensor,
    sample_rate: int,
    gain_in: float = 0.4,
    gain_out: float = 0.74,
    delay_ms: float = 3.0,
    decay: float = 0.4,
    mod_speed: float = 0.5,
    sinusoidal: bool = True,
) -> Work:
    """torchaudio.functional.phaser. Same arguments, same defaults."""
    check_on_host(waveform)
    check_without_gradient(waveform)
    rate, before, after, delay, decay, speed = _numbers(
        waveform,
        sample_rate=sample_rate,
        gain_in=gain_in,
        gain_out=gain_out,
        delay_ms=delay_ms,
        decay=decay,
        mod_speed=mod_speed,
    )
    rows = viewed(waveform, -1, waveform.shape[-1])
    if not min(rate, delay, speed) > 0:
        raise Decline("a rate, a delay or a speed is not above 0")
    size, period = int(delay * 0.001 * sample_rate + 0.5), int(sample_rate / speed + 0.5)
    if not min(size, period) > 0:
        raise Decline(REJECTED)
    smooth = truth("sinusoidal", sinusoidal)

    def work() -> Tensor:
        delays = _wave(smooth, "INT", period, 1.0, float(size), math.pi / 2)
        y = cpu.echo(to_host(rows), delays, size, (before, decay, after))
        return viewed(torch.from_numpy(y).clone(), *waveform.shape)

    return work
