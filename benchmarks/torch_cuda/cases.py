"""Transforms and calls that several checks make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .check import DEVICE

MEL = {"n_fft": 400, "hop_length": 160, "n_mels": 80}


def _clipped(module: Any) -> Any:
    """A cepstrum of decibels so few below their peak that many are clipped."""
    module.amplitude_to_DB.top_db = 20.0
    return module


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "magnitudes": lambda m: m.Spectrogram(400, power=1.0),
    "powers": lambda m: m.Spectrogram(400),
    "powers of both sides": lambda m: m.Spectrogram(400, onesided=False),
    "spectra": lambda m: m.Spectrogram(400, power=None, normalized="window", pad=5),
    "another power": lambda m: m.Spectrogram(400, power=1.5),
    "mel": lambda m: m.MelSpectrogram(16000, **MEL),
    "mel of 2048": lambda m: m.MelSpectrogram(44100, n_fft=2048, n_mels=128),
    "mel of magnitudes": lambda m: m.MelSpectrogram(16000, **MEL, power=1.0, normalized=True),
    "MFCC": lambda m: m.MFCC(16000, 40, melkwargs=MEL),
    "MFCC of clipped decibels": lambda m: _clipped(m.MFCC(16000, 40, melkwargs=MEL)),
    "MFCC of logarithms": lambda m: m.MFCC(16000, 40, log_mels=True, melkwargs=MEL),
    "LFCC": lambda m: m.LFCC(16000),
    "centroid": lambda m: m.SpectralCentroid(16000),
}


def calls() -> dict[str, Callable[[Tensor], Tensor]]:
    """Calls by name, gradients among them."""
    window = torch.hann_window(512, device=DEVICE)
    modules = {
        "mel": our_audio.transforms.MelSpectrogram(16000, n_fft=512, n_mels=80),
        "MFCC": our_audio.transforms.MFCC(16000, melkwargs={"n_fft": 512, "n_mels": 80}),
        "centroid": our_audio.transforms.SpectralCentroid(16000, n_fft=512),
        "magnitudes": our_audio.transforms.Spectrogram(512, power=1.0, normalized=True),
        "another rate": our_audio.transforms.Resample(441, 160),
    }
    stretch = our_audio.transforms.TimeStretch(128, 257, 0.8).to(DEVICE)

    def stretched(x: Tensor) -> Tensor:
        return stretch(ours.stft(x, 512, 128, window=window, return_complex=True))  # type: ignore[no-any-return]

    def highpass(x: Tensor) -> Tensor:
        return our_audio.functional.highpass_biquad(x, 16000, 80.0)  # type: ignore[no-any-return]

    def round_trip(x: Tensor) -> Tensor:
        z = ours.stft(x, 512, 128, window=window, return_complex=True)
        return ours.istft(z, 512, 128, window=window)  # type: ignore[no-any-return]

    def gradient(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def call(x: Tensor) -> Tensor:
            at = x.detach().requires_grad_()
            return torch.autograd.grad(function(at).sum(), at)[0]

        return call

    calls = {"round trip": round_trip, **{name: module.to(DEVICE) for name, module in modules.items()}}
    calls |= {"stretched": stretched, "highpass": highpass}
    differentiable = ("round trip", "mel", "magnitudes", "another rate", "highpass")
    return {**calls, **{f"{name}, gradient": gradient(calls[name]) for name in differentiable}}
