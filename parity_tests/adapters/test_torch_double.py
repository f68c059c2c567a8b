"""torch's CUDA tensors of double precision by our kernels, on a machine that stands in for one with a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
pytest.importorskip("mlx.core")

from mlx_spectro import compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat import torchaudio as audio_shim
from mlx_spectro.compat.arrays import torch_cuda
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.torch import _spectral

from ..kernels.kernel_host import host
from . import test_torch_gpu
from .cuda_machine import Machine, cuda
from .test_torch_gpu import LOSSES, MEL, OPTIONS, SIZES, istft, moved, noise, reason, served, stft

pytestmark = [
    pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU"),
    pytest.mark.usefixtures("gpu"),
]

WINDOW = torch.hann_window(64, dtype=torch.float64)
EPS = torch.finfo(torch.float64).eps


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


_ALIKE = ("magnitudes", "powers", "spectra", "mel", "mel of magnitudes", "MFCC of logarithms", "centroid")
TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    **{name: test_torch_gpu.TRANSFORMS[name] for name in _ALIKE},
    "another power": lambda m: m.Spectrogram(**SIZES, power=1.5),
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
    mine, theirs = results
    # a logarithm, and a quotient of sums, make of a rounding of small values a larger one
    alike(mine, theirs, 1 << 14 if name in ("MFCC of logarithms", "centroid") else 256)
    served(gpu)
    assert gpu.launched


def test_given_spectra_are_inverted(gpu: Machine) -> None:
    z = stft(doubles(6, 301), torch, WINDOW).view(2, 3, 33, -1)
    ours, theirs = (
        m.transforms.InverseSpectrogram(**SIZES, normalized="window").double() for m in (audio_shim, torchaudio)
    )
    alike(moved(gpu, ours)(cuda(z)), theirs(z))
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
    "given powers": (
        lambda x: audio_shim.transforms.MelScale(8, 8000, n_stft=33).double()(x[..., :33].mT),
        "on CUDA, our kernels compute in float32, not in float64",
    ),
    "odd frames": (
        lambda x: shim.stft(x, 63, window=cuda(WINDOW[:63].clone()), return_complex=True),
        "in double precision on CUDA, torch's transforms of odd lengths err less",
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


def test_under_auto_double_precision_is_ours_where_the_gpu_is_made_for_it(
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
        return list(gpu.launched)

    with compat.route("auto"):
        assert kernels(torch.float64) == [f"{kernel}_double" for kernel in kernels(torch.float32)]
        gpu.slowness = 64
        monkeypatch.setattr(torch_cuda, "_launchers", {})
        for name in ("torch.stft", "torch.istft", *(f"torchaudio.transforms.{name}" for name in MODULES)):
            adapters[name].function.forget()
        assert kernels(torch.float64) == []
        assert {"in double precision on this GPU" in record.reason for record in compat.report()} == {True}
        assert len(kernels(torch.float32)) == 6
