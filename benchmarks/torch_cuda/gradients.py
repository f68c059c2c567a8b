"""Gradients, and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torchaudio
from torch import Tensor

from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .cases import MEL
from .check import DEVICE, check, each, near, noise, none, served


def _losses(library: Any, audio: Any, dtype: torch.dtype) -> dict[str, Callable[[Tensor], Tensor]]:
    window = torch.hann_window(400, device=DEVICE).to(dtype)
    options = {"n_fft": 400, "hop_length": 100, "window": window}
    mel = audio.transforms.MelSpectrogram(16000, **MEL).to(DEVICE, dtype)
    magnitude = audio.transforms.Spectrogram(400, power=1.0).to(DEVICE, dtype)
    mfcc = audio.transforms.MFCC(16000, 40, log_mels=True, melkwargs=MEL).to(DEVICE, dtype)

    def stft(x: Tensor, **more: Any) -> Tensor:
        return library.stft(x, **options, return_complex=True, **more)  # type: ignore[no-any-return]

    return {
        **{
            f"power, {mode}": lambda x, mode=mode: stft(x, pad_mode=mode).abs().square().sum()  # type: ignore[misc]
            for mode in ("reflect", "constant", "replicate", "circular")
        },
        "two-sided": lambda x: stft(x, onesided=False).abs().pow(3).sum(),
        "round trip": lambda x: library.istft(stft(x), **options, length=x.shape[-1]).pow(3).sum(),
        "masked": lambda x: library.istft(stft(x) * stft(x).abs(), **options).pow(2).sum(),
        "mel": lambda x: mel(x).square().mean(),
        "magnitudes": lambda x: magnitude(x).pow(1.5).sum(),
        "MFCC": lambda x: mfcc(x).square().mean(),
    }


@check
def gradients_and_their_gradients() -> str:
    x = noise(2, 5001)
    kinds = {"ours": (ours, our_audio, x), "theirs": (torch, torchaudio, x), "truth": (torch, torchaudio, x.double())}
    ratios, problems = {}, list[str]()
    for name in _losses(torch, torchaudio, torch.float32):
        found: dict[str, list[Tensor]] = {}
        for kind, (library, audio, signal) in kinds.items():
            loss = _losses(library, audio, signal.dtype)[name]
            at = signal.clone().requires_grad_()
            (first,) = torch.autograd.grad(loss(at), at, create_graph=True)
            found[kind] = [first.detach()]
            along = noise(2, 5001, seed=1).to(signal.dtype)
            found[kind] += torch.autograd.grad((first * along).sum(), at, retain_graph=True)
            if kind == "ours":
                served()
        for order, (mine, theirs, truth) in enumerate(zip(*map(found.__getitem__, kinds), strict=True)):
            with each(problems):
                what = f"{'second' if order else 'first'} gradient of {name}"
                ratios[what] = round(near(mine, theirs, truth, what), 2)
    none(problems)
    return f"times torch's errors: {ratios}"


@check
def checkpoints_and_retained_graphs() -> None:
    from torch.utils.checkpoint import checkpoint

    mel = our_audio.transforms.MelSpectrogram(16000, **MEL).to(DEVICE)
    x = noise(2, 5001).requires_grad_()
    loss = mel(x).square().sum()
    (plain,) = torch.autograd.grad(loss, x, retain_graph=True)
    (again,) = torch.autograd.grad(loss, x)
    (kept,) = torch.autograd.grad(checkpoint(lambda x: mel(x).square().sum(), x, use_reentrant=False), x)
    assert torch.equal(plain, again)
    assert torch.equal(plain, kept)
    served()


@check
def what_is_changed_before_the_backward_pass_is_an_error() -> None:
    window, bank = torch.hann_window(400, device=DEVICE), our_audio.transforms.MelSpectrogram(16000, **MEL).to(DEVICE)
    x = noise(2, 5001).requires_grad_()
    for loss, tensor in (
        (ours.stft(x, 400, window=window, return_complex=True).abs().sum(), window),
        (bank(x).sum(), bank.mel_scale.fb),
    ):
        tensor.mul_(2)
        try:
            loss.backward()
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error), error
        else:
            raise AssertionError("no error")
