"""Gradients, their gradients, and what is trained by them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
import torchaudio
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .cases import MEL
from .check import DEVICE, check, each, figures, near, noise, none, served


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


class _Net(torch.nn.Module):
    def __init__(self, audio: Any) -> None:
        super().__init__()
        self.mel = audio.transforms.MelSpectrogram(16000, **MEL)
        self.scale = audio.transforms.AmplitudeToDB()
        self.first, self.second = torch.nn.Conv1d(80, 16, 3, padding=1), torch.nn.Conv1d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale(self.mel(x)) / 40
        return self.second(torch.relu(self.first(y))).mean((-1, -2))  # type: ignore[no-any-return]


def _trained(
    audio: Any, way: str = "eager", nudge: float = 0.0, shape: tuple[int, int] = (8, 16000)
) -> tuple[list[float], float]:
    """Losses of 50 steps, and seconds a step."""
    torch.manual_seed(0)
    net: Any = _Net(audio).to(DEVICE)
    x, target = noise(*shape) * (1 + nudge), noise(shape[0], seed=1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    step: Any = net
    if way == "graphed":
        step = torch.cuda.make_graphed_callables(net, (x,))
    if way == "compiled":
        torch.compiler.reset()
        # torchaudio asks what no compiler follows
        step = torch.compile(net, fullgraph=audio is our_audio)
    losses = []
    begin = 0.0
    for number in range(50):
        if number == 5:
            torch.cuda.synchronize()
            begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(step(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    torch.cuda.synchronize()
    return [float(loss) for loss in losses], (time.perf_counter() - begin) / 45


@check
def training() -> str:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    (theirs, slow), (mine, quick) = _trained(torchaudio), _trained(our_audio)
    reasons = {(record.function, record.reason) for record in compat.report()}
    assert ("torchaudio.transforms.MelSpectrogram", "") in reasons, reasons
    graphed, fastest = _trained(our_audio, "graphed")
    assert theirs[-1] < theirs[0], (theirs[0], theirs[-1])
    nudged, _ = _trained(torchaudio, nudge=1e-6)

    def away(found: list[float]) -> float:
        return max(abs(a - b) for a, b in zip(found, theirs, strict=True)) / theirs[0]

    assert max(away(mine), away(graphed)) <= max(1e-3, 3 * away(nudged)), tuple(map(away, (mine, graphed, nudged)))
    return f"a step: torch {slow * 1e3:.2f} ms, ours {quick * 1e3:.2f} ms, in graphs {fastest * 1e3:.2f} ms"


@check
def training_on_long_audio_eager_and_compiled() -> str:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    shape, losses, seconds = (32, 160_000), dict[str, list[float]](), dict[str, float]()
    for way in ("eager", "compiled"):
        for name, library in (("torch", torchaudio), ("ours", our_audio)):
            losses[f"{name}, {way}"], seconds[f"{name}, {way}"] = _trained(library, way, shape=shape)
    nudged, _ = _trained(torchaudio, nudge=1e-6, shape=shape)
    theirs = losses["torch, eager"]

    def away(found: list[float]) -> float:
        return max(abs(a - b) for a, b in zip(found, theirs, strict=True)) / theirs[0]

    # what a millionth of the audio makes of the losses, and what compiling torch's own does
    limit = max(1e-6, 3 * away(nudged), 3 * away(losses["torch, compiled"]))
    differences = {name: away(found) for name, found in losses.items()}
    figures["training"] = {"shape": shape, "seconds a step": seconds, "differences": differences, "limit": limit}
    assert theirs[-1] < theirs[0], (theirs[0], theirs[-1])
    assert max(differences["ours, eager"], differences["ours, compiled"]) <= limit, (differences, limit)
    steps = ", ".join(f"{name} {1e3 * each:.2f} ms" for name, each in seconds.items())
    return f"a step: {steps}; losses differ by {differences}, of {limit:.1g}"
