"""torch's CUDA tensors of double precision by our kernels, on a machine that stands in for one with a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
pytest.importorskip("mlx.core")

from mlx_spectro import caches, compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat import torchaudio as audio_shim
from mlx_spectro.compat.arrays import torch_arguments
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.torch import _spectral
from mlx_spectro.kernels.gpu import tune

from ..kernels.kernel_host import host
from .cuda_machine import Machine, cuda, machine
from .test_torch_gpu import LOSSES, MEL, OPTIONS, SIZES, istft, moved, noise, reason, served, stft

pytestmark = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")

WINDOW = torch.hann_window(64, dtype=torch.float64)
EPS = torch.finfo(torch.float64).eps


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    monkeypatch.setattr(tune, "enabled", lambda: False)
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    with machine(monkeypatch) as made, compat.route("ours"):
        yield made


def doubles(*shape: int, seed: int = 0) -> Any:
    """Noise whose digits no float32 holds."""
    return noise(*shape, seed=seed).double() + 1e-9 * noise(*shape, seed=seed + 1).double()


def alike(ours: Any, theirs: Any, roundings: float = 64) -> None:
    """Equal but for roundings of double precision, and so in memory.

    Each of a transform's few passes rounds once or twice, ours and torch's, and so do sums of a few dozen values.
    """
    ours = ours.as_subclass(torch.Tensor)
    assert (ours.shape, ours.stride(), ours.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
    assert (ours - theirs).abs().max() <= roundings * EPS * theirs.abs().max()


@pytest.mark.parametrize("lead", [(), (3,)], ids=str)
@pytest.mark.parametrize("name", OPTIONS)
def test_spectra_and_inverses_are_torch_s(name: str, lead: tuple[int, ...], gpu: Machine) -> None:
    x = doubles(*lead, 301)
    z = stft(x, torch, WINDOW, **OPTIONS[name])
    alike(stft(cuda(x), window=WINDOW, **OPTIONS[name]), z)
    if name == "not centred":
        return
    options = {option: value for option, value in OPTIONS[name].items() if option != "pad_mode"}
    for spectrum in (z, z.contiguous(), z.conj()):
        mine = istft(cuda(spectrum), window=WINDOW, length=250, **options)
        alike(mine, istft(spectrum, torch, WINDOW, length=250, **options))
    served(gpu)
    assert all(kernel.endswith("_double") for kernel in gpu.launched)


@pytest.mark.parametrize("name", LOSSES)
def test_backward_and_double_backward_are_torch_s(name: str, gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stft, "__defaults__", (shim, WINDOW))
    monkeypatch.setattr(istft, "__defaults__", (shim, WINDOW))
    results = []
    for module in (shim, torch):
        x = doubles(2, 300)
        x = (cuda(x) if module is shim else x).requires_grad_()
        (first,) = torch.autograd.grad(LOSSES[name](x, module), x, create_graph=True)
        (second,) = torch.autograd.grad((first * doubles(2, 300, seed=2)).sum(), x)
        results.append((first.detach(), second))
    for mine, theirs in zip(*results, strict=True):
        alike(mine, theirs, 256)
    served(gpu)
    assert sum("adjoint" in kernel for kernel in gpu.launched) > 0
    assert all(kernel.endswith("_double") for kernel in gpu.launched)


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "magnitudes": lambda m: m.Spectrogram(**SIZES, power=1.0),
    "powers": lambda m: m.Spectrogram(**SIZES),
    "spectra": lambda m: m.Spectrogram(**SIZES, power=None, normalized="window", pad=5),
    "another power": lambda m: m.Spectrogram(**SIZES, power=1.5),
    "mel": lambda m: m.MelSpectrogram(8000, **MEL),
    "mel of magnitudes": lambda m: m.MelSpectrogram(8000, **MEL, power=1.0, normalized=True),
    "MFCC of logarithms": lambda m: m.MFCC(8000, 5, log_mels=True, melkwargs=MEL),
    "centroid": lambda m: m.SpectralCentroid(8000, **SIZES),
}


@pytest.mark.parametrize("gradient", [False, True], ids=["values", "gradient"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_torchaudio_s_transforms_are_torchaudio_s(name: str, gradient: bool, gpu: Machine) -> None:
    results = []
    for module in (audio_shim, torchaudio):
        x = doubles(2, 3, 301)
        x = (cuda(x) if module is audio_shim else x).requires_grad_(gradient)
        transform = TRANSFORMS[name](module.transforms).double()
        y = (moved(gpu, transform) if module is audio_shim else transform)(x)
        results.append(torch.autograd.grad(y.abs().square().sum(), x)[0] if gradient else y)
    # a logarithm makes of a rounding of small values a larger one
    mine, theirs = results
    alike(mine, theirs, 1 << 14)
    served(gpu)
    assert gpu.launched


def test_given_values_are_filtered_and_inverted(gpu: Machine) -> None:
    z = stft(doubles(6, 301), torch, WINDOW)
    given: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "MelScale": (lambda m: m.MelScale(8, 8000, n_stft=33), z.abs()),
        "InverseSpectrogram": (lambda m: m.InverseSpectrogram(**SIZES, normalized="window"), z.view(2, 3, 33, -1)),
    }
    for make, x in given.values():
        alike(moved(gpu, make(audio_shim.transforms).double())(cuda(x)), make(torchaudio.transforms).double()(x))
    served(gpu)


def test_values_beyond_a_float_s_range_keep_their_magnitudes(gpu: Machine) -> None:
    ours, theirs = (m.transforms.Spectrogram(**SIZES, power=1.0).double() for m in (audio_shim, torchaudio))
    moved(gpu, ours)
    for factor in (1e-300, 1e-160, 1e-40, 1e40, 1e160, 1e300):
        x = doubles(301) * factor
        alike(ours(cuda(x)), theirs(x))
    served(gpu)


REFUSALS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "decibels": (
        lambda x: audio_shim.transforms.AmplitudeToDB()(x.abs()),
        "on CUDA, our kernels compute in float32, not in float64",
    ),
    "decibels of mel": (
        lambda x: audio_shim.transforms.MFCC(8000, 5, melkwargs=MEL).double()(x),
        "no kernel serves the call on CUDA: Cepstrum is computed in single precision",
    ),
    "pitch": (
        lambda x: audio_shim.functional.pitch_shift(x, 8000, 3, n_fft=64, window=cuda(WINDOW)),
        "on CUDA, our kernels compute in float32, not in float64",
    ),
    "long frames": (
        lambda x: shim.stft(x, 8192, window=cuda(WINDOW.repeat(128)), return_complex=True),
        "no kernel serves the call on CUDA: in double precision, n_fft=8192 is too large for threadgroup memory",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_served_in_double_goes_to_torch_with_the_reason(name: str) -> None:
    call, expected = REFUSALS[name]
    call(cuda(doubles(2, 9000)))
    assert reason() == expected


MODULES: dict[str, Callable[[Any], Any]] = {
    "MelSpectrogram": lambda m: m.MelSpectrogram(8000, **MEL),
    "Spectrogram": lambda m: m.Spectrogram(**SIZES),
}


def test_where_it_is_not_known_to_pay_double_precision_is_torch_s_and_single_is_not(
    gpu: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_spectral, "_shapes", _spectral._Shapes())
    x = doubles(2, 301)

    def kernels(dtype: Any) -> list[str]:
        compat.reset()
        gpu.launched.clear()
        window = cuda(WINDOW.to(dtype))
        for _ in range(2):
            z = shim.stft(cuda(x.to(dtype)), 64, 16, window=window, return_complex=True)
            shim.istft(z, 64, 16, window=window)
        for make in MODULES.values():
            moved(gpu, make(audio_shim.transforms).to(dtype))(cuda(x.to(dtype)))
        return gpu.launched

    with compat.route("auto"):
        assert kernels(torch.float64) == []
        assert {"torch is taken to be as fast" in record.reason for record in compat.report()} == {True}
        assert len(kernels(torch.float32)) == 6
        few = dict.fromkeys(torch_arguments.DOUBLES_THAT_PAY, x.numel())
        monkeypatch.setattr(torch_arguments, "DOUBLES_THAT_PAY", few)
        for name in ("torch.stft", "torch.istft", *(f"torchaudio.transforms.{name}" for name in MODULES)):
            adapters[name].function.forget()
        assert len(kernels(torch.float64)) == 6
        served(gpu)
