"""CUDA graphs, and calls that wait for nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .cases import calls
from .check import DEVICE, check, noise, served


@check
def nothing_waits_for_the_device() -> None:
    x = noise(2, 9001)
    for name, call in calls().items():
        call(x)
        torch.cuda.set_sync_debug_mode("error")
        try:
            call(x)
        except RuntimeError as error:
            raise AssertionError(f"{name} waits: {error}") from error
        finally:
            torch.cuda.set_sync_debug_mode("default")
    served()


def _captured(call: Callable[[], Any]) -> tuple[torch.cuda.CUDAGraph, Any]:
    """A graph of a call that is ours, and the result that it writes to."""
    compat.reset()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = call()
    served()
    return graph, y


@check
def graphs() -> None:
    for name, call in calls().items():
        x = noise(2, 9001)
        call(x)
        graph, y = _captured(partial(call, x))
        x.copy_(noise(2, 9001, seed=3))
        graph.replay()
        assert torch.equal(y, call(x)), name


@check
def phases_in_a_graph() -> None:
    window = torch.hann_window(512, device=DEVICE)
    levels = torch.stft(noise(2, 9001), 512, 128, window=window, return_complex=True).abs()
    find = our_audio.transforms.GriffinLim(512, 4, hop_length=128, power=1.0, rand_init=False).to(DEVICE)
    expected = find(levels)
    graph, y = _captured(lambda: find(levels))
    graph.replay()
    assert torch.equal(y, expected)
    levels[0, 3, 5] = -1.0
    graph.replay()
    assert y.isnan().all()


@check
def sliding_means_in_a_graph() -> None:
    features, level = noise(2, 300, 40), our_audio.transforms.SlidingWindowCmn(60, 20)
    expected = level(features)
    graph, y = _captured(lambda: level(features))
    graph.replay()
    assert torch.equal(y, expected)
    features[0, 3, 5] = 1e38
    graph.replay()
    assert y.isnan().all()


@check
def masks_in_a_graph() -> None:
    x, mask = noise(4, 80, 300), our_audio.transforms.SpecAugment(2, 50, 2, 10, zero_masking=True)
    mask(x)
    graph, y = _captured(lambda: mask(x))
    results = []
    for _ in range(2):
        graph.replay()
        results.append(y.clone())
    for result in results:
        assert torch.equal(result, x.masked_fill(result == 0, 0.0))
    assert not torch.equal(*results)  # spans are drawn anew


@check
def a_graph_of_another_shape() -> None:
    x, window = noise(5, 12345), torch.hann_window(512, device=DEVICE)
    ours.stft(noise(2, 9001), 512, 128, window=window, return_complex=True)
    graph, z = _captured(lambda: ours.stft(x, 512, 128, window=window, return_complex=True))
    graph.replay()
    assert torch.equal(z, ours.stft(x, 512, 128, window=window, return_complex=True))


@check
def a_prewarmed_call_is_captured() -> None:
    mel, x = (
        our_audio.transforms.MelSpectrogram(16000, n_fft=480, n_mels=80).to(DEVICE),
        noise(2, 9001).requires_grad_(),
    )
    compat.prewarm(mel, x)

    def call() -> tuple[torch.Tensor, torch.Tensor]:
        y = mel(x)
        return y, torch.autograd.grad(y.square().sum(), x)[0]

    graph, (y, gradient) = _captured(call)
    graph.replay()
    assert torch.equal(y, mel(x))
    assert torch.equal(gradient, torch.autograd.grad(mel(x).square().sum(), x)[0])


@check
def a_kernel_that_a_graph_meets_first_is_torch_s() -> str:
    x, window = noise(2, 9001), torch.hann_window(320, device=DEVICE)
    with compat.numerics("strict"):
        expected = ours.stft(x, 320, 80, window=window, return_complex=True)
    compat.reset()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        z = ours.stft(x, 320, 80, window=window, return_complex=True)
    graph.replay()
    (record,) = compat.report()
    assert "call once before the capture" in record.reason, record
    assert torch.equal(z, expected)
    return record.reason
