"""Accuracy in double precision, against transforms by definition in the host's longer numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchaudio
from torch import Tensor

from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .check import DEVICE, check, compared, each, near, noise, none, served

Array = npt.NDArray[Any]

_EPS = torch.finfo(torch.float64).eps
_SIZES = ((64, 16), (70, 16), (400, 160), (512, 128), (1024, 256), (2048, 512), (4096, 1024))
_FRAMES = 5


def _turns(n_fft: int) -> Array:
    """``exp(-2 pi i k n / n_fft)``, ``[n_fft, n_fft // 2 + 1]``."""
    steps = np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) % n_fft
    angle = -8 * np.arctan(np.longdouble(1)) * np.arange(n_fft, dtype=np.longdouble) / n_fft
    return (np.cos(angle) + 1j * np.sin(angle))[steps]  # type: ignore[no-any-return]


def _inverse(z: Array, window: Array, hop: int, turns: Array) -> Array:
    """The inverse of spectra ``[frames, bins]`` by definition, as far as whole frames cover it."""
    n_fft = len(window)
    weights = np.full(z.shape[1], np.longdouble(2))
    weights[0] = 1
    if n_fft % 2 == 0:
        weights[-1] = 1
    frames = (np.conj(turns) * weights @ z.T).real.T / n_fft * window
    total, envelope = (np.zeros(n_fft + hop * (len(z) - 1), np.longdouble) for _ in range(2))
    for at, frame in enumerate(frames):
        total[at * hop : at * hop + n_fft] += frame
        envelope[at * hop : at * hop + n_fft] += window**2
    return total[n_fft // 2 : -(n_fft // 2)] / envelope[n_fft // 2 : -(n_fft // 2)]


def _errors(y: Tensor, truth: Array) -> tuple[float, float]:
    away = np.abs(y.cpu().numpy() - truth) / np.abs(truth).max()
    return float(np.sqrt(np.mean(away**2))), float(away.max())


@check
def double_spectra_and_inverses() -> str:
    if np.finfo(np.longdouble).eps >= _EPS:
        return "no longer numbers on this host"
    ratios, problems = {}, list[str]()
    for n_fft, hop in _SIZES:
        window = torch.hann_window(n_fft, dtype=torch.float64, device=DEVICE)
        x = noise(n_fft + hop * (_FRAMES - 1)).double() + 1e-9 * noise(n_fft + hop * (_FRAMES - 1), seed=1).double()
        turns, taps = _turns(n_fft), window.cpu().numpy().astype(np.longdouble)
        frames = np.stack([x.cpu().numpy()[at * hop : at * hop + n_fft] for at in range(_FRAMES)])
        spectrum = (frames * taps @ turns).T
        z = [m.stft(x, n_fft, hop, window=window, center=False, return_complex=True) for m in (ours, torch)]
        served()
        inverse = _inverse(z[1].cpu().numpy().T.astype(np.clongdouble), taps, hop, turns)
        y = [m.istft(z[1], n_fft, hop, window=window, length=len(inverse)) for m in (ours, torch)]
        served()
        for what, (mine, theirs), truth in (("stft", z, spectrum), ("istft", y, inverse)):
            pairs = list(zip(_errors(mine, truth), _errors(theirs, truth), strict=True))
            with each(problems):
                ratios[f"{what} {n_fft}"] = round(compared(pairs, _EPS, f"{what} {n_fft}"), 2)
    none(problems)
    return f"times torch's errors: {ratios}"


_TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "magnitudes": lambda m: m.Spectrogram(400, power=1.0),
    "powers": lambda m: m.Spectrogram(400),
    "spectra": lambda m: m.Spectrogram(400, power=None, normalized="window", pad=5),
    "mel": lambda m: m.MelSpectrogram(16000, n_fft=400, hop_length=160, n_mels=80),
    "mel of magnitudes": lambda m: m.MelSpectrogram(16000, n_fft=400, power=1.0, n_mels=80, normalized=True),
    "centroid": lambda m: m.SpectralCentroid(16000),
}


@check
def double_transforms_and_gradients() -> str:
    """Of these torchaudio has no longer numbers: on the CPU, it is another computation of double precision."""
    ratios, problems = {}, list[str]()
    for name, make in _TRANSFORMS.items():
        x = noise(2, 3, 8001).double()
        found = []
        for library, device in ((our_audio, DEVICE), (torchaudio, DEVICE), (torchaudio, torch.device("cpu"))):
            at = x.to(device).requires_grad_()
            y = make(library.transforms).double().to(device)(at)
            (gradient,) = torch.autograd.grad(y.abs().pow(1.5).sum(), at)
            found.append((y.detach(), gradient))
            if library is our_audio:
                served()
        for what, mine, theirs, truth in zip((name, f"{name}, gradient"), *found, strict=True):
            with each(problems):
                ratios[what] = round(near(mine, theirs, truth.to(DEVICE), what), 2)
    none(problems)
    return f"times torchaudio's differences from its CPU's: {ratios}"
