"""What is trained by way of a transform, beside what torchaudio's trains: losses, and seconds a step."""

from __future__ import annotations

import functools
import time
from typing import Any

import torch
import torchaudio
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as our_audio

from .cases import MEL
from .check import DEVICE, check, figures, noise


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


def _apart(theirs: list[float], losses: list[float]) -> float:
    """The largest difference of two runs' losses, of the first loss."""
    return max(abs(a - b) for a, b in zip(losses, theirs, strict=True)) / theirs[0]


@check
def training() -> str:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    (theirs, slow), (mine, quick) = _trained(torchaudio), _trained(our_audio)
    reasons = {(record.function, record.reason) for record in compat.report()}
    assert ("torchaudio.transforms.MelSpectrogram", "") in reasons, reasons
    graphed, fastest = _trained(our_audio, "graphed")
    assert theirs[-1] < theirs[0], (theirs[0], theirs[-1])
    nudged, _ = _trained(torchaudio, nudge=1e-6)
    away = functools.partial(_apart, theirs)

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
    away = functools.partial(_apart, theirs)

    # what a millionth of the audio makes of the losses, and what compiling torch's own does
    limit = max(1e-6, 3 * away(nudged), 3 * away(losses["torch, compiled"]))
    differences = {name: away(found) for name, found in losses.items()}
    figures["training"] = {"shape": shape, "seconds a step": seconds, "differences": differences, "limit": limit}
    assert theirs[-1] < theirs[0], (theirs[0], theirs[-1])
    assert max(differences["ours, eager"], differences["ours, compiled"]) <= limit, (differences, limit)
    steps = ", ".join(f"{name} {1e3 * each:.2f} ms" for name, each in seconds.items())
    return f"a step: {steps}; losses differ by {differences}, of {limit:.1g}"
