"""The path that MPS tensors take, with CPU tensors that say that they lie there and MLX's CPU device as the GPU."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mlx.core")

from mlx_spectro import compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat.arrays import torch_ops, torch_tensors
from mlx_spectro.compat.diagnostics import compare
from mlx_spectro.ops import backend

from ..kernels.test_cpu import bound

WINDOW = torch.hann_window(64)


@pytest.fixture
def waits(ours: None, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Every tensor says it lies on MPS; one entry for each time that torch's queue was waited for."""
    found: list[None] = []

    def never(_tensor: Any) -> Any:
        raise AssertionError("an MPS tensor was copied to the host")

    asked = SimpleNamespace(has_mlx=backend.has_mlx, mlx_survived=backend.mlx_survived, preferred=lambda: "gpu")
    monkeypatch.setattr(torch.Tensor, "is_mps", property(lambda _tensor: True))
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda _tensor: False))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: found.append(None))
    monkeypatch.setattr(torch_tensors, "backend", asked)
    monkeypatch.setattr(torch_ops, "to_host", never)
    return found


def noise(*shape: int) -> Any:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def stft(x: Any, module: Any = shim) -> Any:
    return module.stft(x, 64, 16, window=WINDOW, return_complex=True)


def istft(z: Any, module: Any = shim) -> Any:
    return module.istft(z, 64, 16, window=WINDOW)


def gradient(function: Callable[..., Any], x: Any, *module: Any) -> Any:
    x = x.detach().clone().requires_grad_()
    function(x, *module).abs().sum().backward()
    return x.grad


SPECTRUM = torch.stft(noise(2, 1000), 64, 16, window=WINDOW, return_complex=True)
CALLS = {
    "stft": (stft, noise(2, 1000)),
    "stft of a view": (stft, noise(1000, 2).t()),
    "stft of every second sample": (stft, noise(2, 2000)[:, ::2]),
    "stft of one signal, repeated": (stft, noise(1000).expand(3, 1000)),
    "stft of a lazy negative": (stft, torch.view_as_complex(noise(2, 1000, 2)).conj().imag),
    "istft": (istft, SPECTRUM),
    "istft of a lazy conjugate": (istft, SPECTRUM.conj()),
    "stft's gradient": (lambda x, *module: gradient(stft, x, *module), noise(2, 1000)),
    "istft's gradient": (lambda x, *module: gradient(istft, x, *module), SPECTRUM),
}


@pytest.mark.parametrize("name", CALLS)
def test_mlx_reads_the_tensor_and_computes_what_torch_does(name: str, waits: list[None]) -> None:
    call, x = CALLS[name]
    found, expected = call(x), call(x, torch)
    assert {record.reason for record in compat.report()} == {""}
    assert waits
    assert found.dtype == expected.dtype
    assert found.stride() == expected.stride()
    difference = compare.difference_of_values(found.numpy(force=True), expected.numpy(force=True))
    assert not difference.structure
    # both round, and a gradient is of a transform's result
    assert (found - expected).abs().max() <= 2 * bound(np.float32, 64, 2) * expected.abs().max()


def test_a_mel_spectrogram_in_decibels_is_torchaudio_s(waits: list[None]) -> None:
    transforms = pytest.importorskip("torchaudio").transforms
    from mlx_spectro.compat import torchaudio as shim_audio

    x, found = noise(2, 4000), []
    for module in (shim_audio.transforms, transforms):
        mel = module.MelSpectrogram(16000, 256, n_mels=20)
        found.append(module.AmplitudeToDB(top_db=20)(mel(x)))
    assert {record.reason for record in compat.report()} == {""}
    assert waits
    # an error relative to the largest power is a hundred times as large relative to one 20 dB below
    assert (found[0] - found[1]).abs().max() <= 10 * np.log10(1 + 100 * 2 * bound(np.float32, 256, 2))


def test_double_precision_is_torch_s(waits: list[None]) -> None:
    x = noise(1000).double()
    found = shim.stft(x, 64, 16, window=WINDOW.double(), return_complex=True)
    assert torch.equal(found, torch.stft(x, 64, 16, window=WINDOW.double(), return_complex=True))
    assert {record.reason for record in compat.report()} == {"on MPS, MLX computes in float32, not in float64"}
    assert not waits
