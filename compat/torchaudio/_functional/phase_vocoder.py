"""phase_vocoder and pitch_shift of torchaudio.functional."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import torchaudio
from torch import Tensor

from mlx_spectro.design.operators import PhaseVocoder

from ...arrays import torch_ops, torch_results, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import analysis, check_tensor, synthesis
from ...arrays.torch_options import exact, integer, number
from ...contract import settings, tolerances
from ...contract.adapter import adapters
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import unread

_resample = torchaudio.functional.resample
_SLOWEST = 1e-3


class Steps(NamedTuple):
    """What a :class:`PhaseVocoder` takes beside a spectrum."""

    frames: Tensor
    fractions: Tensor

    def run(self, engine: Any, z: Tensor) -> Tensor:
        """The spectrum ``[..., F, M]``, contiguous as torchaudio's, of ``z [..., F, N]``."""
        if callable(engine):
            # of numbers, infinite ones too, nothing spoils more than in torchaudio
            return self.by_frames(engine, z.transpose(-1, -2)).transpose(-1, -2).contiguous()
        out = torch_results.empty((*z.shape[:-1], self.fractions.numel()), z.dtype)
        memory = torch_tensors.to_host(out).swapaxes(-1, -2)
        weights = map(torch_tensors.to_host, self)
        engine.run(PhaseVocoder(), torch_tensors.to_host(z).swapaxes(-1, -2), *weights, out=memory)
        # what is not finite spoils its bin up to the last frame, in torchaudio some frames alone
        if not np.isfinite(memory[..., -1, :]).all():
            raise Decline("the spectrum holds values that are not finite")
        return out

    def by_frames(self, engine: Any, z: Tensor) -> Tensor:
        """The spectrum ``[..., M, F]`` of ``z [..., N, F]``."""
        if callable(engine):
            return torch_ops.run(engine, PhaseVocoder(), z, *self)
        return self.run(engine, z.transpose(-1, -2)).transpose(-1, -2)


@functools.lru_cache(maxsize=32)
@torch.inference_mode(False)
def steps_at(rate: float, count: int, dtype: torch.dtype) -> Steps:
    """Where torchaudio looks for a stretched spectrum's frames among ``count``: rounded as it rounds."""
    times = torch.arange(0, count, rate, dtype=dtype, device="cpu")
    start, end = times.long(), (times + 1).long()
    return Steps(torch.stack([start, end] * 2), times % 1.0)


def order(arguments: dict[str, Any]) -> int:
    """Samples that a spectrum spans, times how many frames it has: what :func:`tolerances.phases` depends on."""
    z: Tensor = arguments["complex_specgrams"]
    given = arguments.get("rate") or arguments.get("overriding_rate") or getattr(arguments.get("self"), "fixed_rate", 1)
    advance = arguments.get("phase_advance", getattr(arguments.get("self"), "phase_advance", None))
    frames = z.shape[-1] / max(min(float(given or 1), 1.0), _SLOWEST)
    radians = float(advance.abs().max()) if isinstance(advance, Tensor) and advance.numel() else 0.0
    return math.ceil(frames * z.shape[-1] * (2 * math.pi + radians))


def order_of_shift(arguments: dict[str, Any]) -> int:
    """Samples of audio, times how many frames it has when it is stretched."""
    module = arguments.get("self")
    options = vars(module) if module is not None else arguments
    samples, n_fft = int(arguments["waveform"].shape[-1]), int(options.get("n_fft", 512))
    hop = int(options.get("hop_length") or n_fft // 4)
    longer: float = 2.0 ** (abs(float(options["n_steps"])) / float(options.get("bins_per_octave", 12)))
    return math.ceil(4 * samples * longer * (1 + samples * longer // hop))


def _rate_of(value: Any) -> float:
    rate = number("rate", value)
    if not _SLOWEST <= rate < math.inf:
        raise Decline("rate is not above 0, or is very small")
    return rate


@adapter("torchaudio.functional.phase_vocoder", tolerances.phases, order=order)
def phase_vocoder(complex_specgrams: Tensor, rate: float, phase_advance: Tensor) -> Work:
    """torchaudio.functional.phase_vocoder. Same arguments, same defaults.

    Without angles, by products of directions, so that phases are not rounded as their sums are; ``phase_advance`` is
    gone modulo a turn. Gradients are torch's own operations'.
    """
    x = complex_specgrams
    check_tensor(x)
    speed = number("rate", rate)
    if speed == 1:
        return lambda: x
    _check_spectrum(x)
    _check_advance(phase_advance, x)
    steps = steps_at(_rate_of(speed), x.shape[-1], torch_tensors.counterpart(x))
    engine = torch_tensors.engine_for(x)
    return lambda: steps.run(engine, x)


def _check_spectrum(x: Tensor) -> None:
    if not (x.is_complex() and x.dim() > 1 and x.numel()):
        raise Decline("the spectrum is not complex, empty, or has fewer than two axes")
    if torch_tensors.gradient_wanted(x):
        raise Decline("the spectrum requires a gradient, which torch's own operations compute")


def _check_advance(advance: Any, x: Tensor) -> None:
    if not isinstance(advance, Tensor):
        raise Decline(unread("phase_advance", advance))
    torch_tensors.check_kind(advance)
    if torch_tensors.gradient_wanted(advance):
        raise Decline("phase_advance requires a gradient, which torch computes")
    real = torch_tensors.counterpart(x)
    if advance.dtype not in (real, torch.float32) or advance.device != x.device:
        raise Decline("phase_advance is of another precision than the spectrum, or lies elsewhere")
    if advance.shape != (x.shape[-2], 1):
        raise Decline(f"phase_advance is {list(advance.shape)}, which is not one phase a bin")
    # beyond it, torchaudio's phases have no digit left behind the point
    if not _largest(advance) < 0.1 / torch.finfo(torch.float32).eps:
        raise Decline("phase_advance is not finite, or very large")


def _largest(advance: Tensor) -> float:
    if advance.is_cpu:
        return float(advance.abs().max())
    from ...arrays import torch_launch

    largest: float = torch_launch.of_weight(
        "phase_advance", advance, "largest", lambda values: float(abs(values).max())
    )
    return largest


class Shift(NamedTuple):
    """Audio that is stretched, to be resampled to its length."""

    rate: float
    work: Work
    """Stretches it: ``[rows, T']``."""

    def resampled(self, by: Callable[[Tensor], Tensor], shape: torch.Size) -> Tensor:
        """The audio of a shape, resampled ``by`` a function, cut or followed by zeros."""
        y, length = by(self.work()), shape[-1]
        y = y[..., :length] if y.shape[-1] > length else torch.nn.functional.pad(y, (0, length - y.shape[-1]))
        return y.view(shape)


def shift(
    waveform: Any, n_steps: Any, bins_per_octave: Any, n_fft: Any, win_length: Any, hop_length: Any, window: Any
) -> Shift:
    """The stretching of ``waveform [..., T]`` to another pitch."""
    check_tensor(waveform)
    if torch_tensors.gradient_wanted(waveform):
        raise Decline("the audio requires a gradient, which torch's own operations compute")
    if not (waveform.is_floating_point() and waveform.dim() and waveform.numel()):
        raise Decline("the audio is not real, or empty")
    if torch.promote_types(torch.get_default_dtype(), waveform.dtype) != waveform.dtype:
        raise Decline("torch's default dtype is wider than the audio, and so are torchaudio's phases")
    distance, octave = number("n_steps", n_steps), exact("bins_per_octave", bins_per_octave)
    if not (octave and abs(distance / octave) < 9):
        raise Decline("n_steps are nine octaves or more, or there are none in one")
    rate, size = 2.0 ** (-distance / octave), integer("n_fft", n_fft)
    hop = size // 4 if hop_length is None else hop_length
    length = size if win_length is None else win_length
    if window is None:
        window = torch.hann_window(integer("win_length", length), device=waveform.device)
    torch_tensors.engine_for(waveform)  # which is to compute all steps
    x = waveform.reshape(-1, waveform.shape[-1])
    forward = analysis(x, size, hop, length, window, True, "reflect", True).of(x, window)
    bins, spectra = forward.bins, torch_tensors.counterpart(x)
    if bins == size:
        raise Decline("n_fft is 2, whose spectra torch takes for two-sided ones")
    steps = None if rate == 1 else steps_at(rate, forward.framing.frames(x.shape[-1]), x.dtype)
    frames = forward.framing.frames(x.shape[-1]) if steps is None else steps.fractions.numel()
    like = torch.empty((), dtype=spectra, device=waveform.device).expand(1, bins, frames)
    planned = synthesis(like, size, hop, length, window, True, None, round(x.shape[-1] / rate))
    back, samples = planned.of(like, window)

    def work() -> Tensor:
        # what one transform makes 0, another makes -0, which is half a turn; to look for it would wait for a GPU
        z = None if callable(forward.engine) else torch_ops.run(forward.engine, forward.stft, x, forward.window)
        if steps is not None:
            if z is None or torch.count_nonzero(z) < z.numel():
                z = _spectrum(x, forward)
            z = steps.by_frames(forward.engine, z)
        elif z is None:
            z = torch_ops.run(forward.engine, forward.stft, x, forward.window)
        return torch_ops.run(forward.engine, back.istft(samples), z, back.window)

    return Shift(rate, work)


def _spectrum(x: Tensor, spectral: torch_ops.Spectral) -> Tensor:
    """torch's own spectrum ``[rows, N, F]``."""
    framing = spectral.framing
    with settings.numerics.here("strict"):
        z = torch.stft(x, framing.n_fft, framing.hop_length, window=spectral.window, return_complex=True)
    return z.transpose(-1, -2)


@adapter("torchaudio.functional.pitch_shift", tolerances.phases, order=order_of_shift)
def pitch_shift(
    waveform: Tensor,
    sample_rate: int,
    n_steps: int,
    bins_per_octave: int = 12,
    n_fft: int = 512,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: Tensor | None = None,
) -> Work:
    """torchaudio.functional.pitch_shift. Same arguments, same defaults.

    Stretched by us, and resampled as :func:`torchaudio.functional.resample` is.
    """
    stretched = shift(waveform, n_steps, bins_per_octave, n_fft, win_length, hop_length, window)
    if type(sample_rate) is not int or sample_rate < 1 or int(sample_rate / stretched.rate) < 1:
        raise Decline("sample_rate is not a whole number above 0, or very small")
    ours = adapters.get("torchaudio.functional.resample")
    resample = _resample if ours is None else ours.ours
    rates = int(sample_rate / stretched.rate), sample_rate
    return lambda: stretched.resampled(lambda y: resample(y, *rates), waveform.shape)
