"""torch's tensors on a GPU by our kernels, on machines that stand in for one with CUDA and for a Mac."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
pytest.importorskip("mlx.core")

from mlx_spectro import caches, compat
from mlx_spectro.compat import torch as shim
from mlx_spectro.compat import torchaudio as audio_shim
from mlx_spectro.compat.arrays.torch_tensors import present_engine
from mlx_spectro.kernels import tuning_cache
from mlx_spectro.kernels.gpu import tune

from ..kernels.kernel_host import host
from . import cuda_machine, mps_machine

pytestmark = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")

Machine = cuda_machine.Machine | mps_machine.Machine
MACHINES: dict[str, Callable[[pytest.MonkeyPatch], contextlib.AbstractContextManager[Machine]]] = {
    "cuda": cuda_machine.machine,
    "mps": mps_machine.machine,
}
WINDOW = torch.hann_window(64)


@pytest.fixture(autouse=True, params=MACHINES)
def gpu(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, untuned: None
) -> Iterator[Machine]:
    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    with MACHINES[request.param](monkeypatch) as made, compat.route("ours"):
        yield made


def noise(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def moved(gpu: Machine, module: Any) -> Any:
    """A module with its buffers on the GPU."""
    for part in module.modules():
        for name, buffer in list(part.named_buffers(recurse=False)):
            setattr(part, name, gpu.put(buffer))
    return module


def served(gpu: Machine) -> None:
    """All calls were ours, on the device."""
    found = {(record.reason, record.device) for record in compat.report()}
    assert found == {("", gpu.device)}


def reason() -> str:
    (record,) = compat.report()
    return record.reason


def alike(ours: Any, theirs: Any) -> None:
    """Equal but for a few roundings, and so in memory."""
    ours = ours.as_subclass(torch.Tensor)
    assert (ours.shape, ours.stride(), ours.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def stft(x: Any, module: Any = shim, window: Any = WINDOW, **options: Any) -> Any:
    return module.stft(x, 64, 16, window=window.as_subclass(type(x)), return_complex=True, **options)


def istft(z: Any, module: Any = shim, window: Any = WINDOW, **options: Any) -> Any:
    return module.istft(z, 64, 16, window=window.as_subclass(type(z)), **options)


OPTIONS: dict[str, dict[str, Any]] = {
    **{mode: {"pad_mode": mode} for mode in ("reflect", "constant", "replicate", "circular")},
    "not centred": {"center": False},
    "normalized": {"normalized": True},
    "two-sided": {"onesided": False},
}


@pytest.mark.parametrize("lead", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("name", OPTIONS)
def test_spectra_are_torch_s(name: str, lead: tuple[int, ...], gpu: Machine) -> None:
    x = noise(*lead, 301)
    alike(stft(gpu.put(x), **OPTIONS[name]), stft(x, torch, **OPTIONS[name]))
    served(gpu)


@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("length", [None, 250])
def test_inverses_are_torch_s(length: int | None, onesided: bool, gpu: Machine) -> None:
    z = stft(noise(3, 301), torch, onesided=onesided)
    for spectrum in (z, z.contiguous(), z.conj()):
        options = {"length": length, "onesided": onesided}
        alike(istft(gpu.put(spectrum), **options), istft(spectrum, torch, **options))
    served(gpu)


def test_an_odd_frame_has_both_sides_too(gpu: Machine) -> None:
    x, window = noise(2, 300), torch.hann_window(63)
    for module, signal in ((shim, gpu.put(x)), (torch, x)):
        given = gpu.put(window) if module is shim else window
        z = module.stft(signal, 63, 16, window=given, onesided=False, return_complex=True)
        y = module.istft(z, 63, 16, window=given, onesided=False, length=300)
        if module is shim:
            ours = z, y
    alike(ours[0], z)
    alike(ours[1], y)
    served(gpu)


def test_views_are_taken_as_they_are_and_short_windows_are_centred(gpu: Machine) -> None:
    x = noise(3, 903)[1:, ::3]
    alike(stft(gpu.put(x)), stft(x, torch))
    window = torch.hann_window(40)
    z = torch.stft(x, 64, 10, 40, window, return_complex=True)
    alike(shim.stft(gpu.put(x), 64, 10, 40, gpu.put(window), return_complex=True), z)
    alike(shim.istft(gpu.put(z), 64, 10, 40, gpu.put(window)), torch.istft(z, 64, 10, 40, window))
    negative = noise(300).to(torch.complex64).conj().imag + 1
    alike(stft(gpu.put(negative)), stft(negative, torch))
    served(gpu)


def test_tensors_whose_values_share_memory_are_served_or_say_why_not(gpu: Machine) -> None:
    expanded, overlapping = noise(300).expand(3, 300), noise(700).unfold(0, 300, 100)
    for x in (expanded, overlapping):
        mine, theirs = stft(gpu.put(x)).as_subclass(torch.Tensor), stft(x, torch)
        assert (mine.shape, mine.stride()) == (theirs.shape, theirs.stride())
        assert (mine - theirs).abs().max() <= 1e-5 * theirs.abs().max()
    alike(istft(gpu.put(theirs[:1].expand(3, -1, -1))), istft(theirs[:1].expand(3, -1, -1), torch))
    served(gpu)
    compat.reset()
    frames = noise(700).unfold(0, 300, 10)
    ours = stft(gpu.put(frames), center=False).as_subclass(torch.Tensor)
    assert torch.equal(ours, stft(frames, torch, center=False))
    assert "the signals overlap in memory" in reason()


@pytest.mark.parametrize("what", ["a window", "a bank", "audio that is kept"])
def test_what_a_gradient_reads_and_was_changed_is_an_error(what: str, gpu: Machine) -> None:
    x, window = gpu.put(noise(2, 301)).requires_grad_(), gpu.put(WINDOW.clone())
    mel = moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL))
    audio = x * 1
    loss, changed = {
        "a window": lambda: (stft(x, window=window).abs().sum(), window),
        "a bank": lambda: (mel(x).sum(), mel.mel_scale.fb),
        "audio that is kept": lambda: (mel(audio).sum(), audio),
    }[what]()
    with torch.no_grad():
        changed.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    served(gpu)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "magnitude": lambda x, m: stft(x, m).abs().square().sum(),
    "two-sided": lambda x, m: stft(x, m, onesided=False).abs().pow(3).sum(),
    "round trip": lambda x, m: istft(stft(x, m), m, length=x.shape[-1]).pow(3).sum(),
    "two-sided round trip": lambda x, m: (
        istft(stft(x, m, onesided=False), m, onesided=False, length=x.shape[-1]).pow(3).sum()
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_backward_and_double_backward_are_torch_s(name: str, gpu: Machine) -> None:
    results = []
    for module in (shim, torch):
        x = noise(2, 300)
        x = (gpu.put(x) if module is shim else x).requires_grad_()
        (first,) = torch.autograd.grad(LOSSES[name](x, module), x, create_graph=True)
        (second,) = torch.autograd.grad((first * noise(2, 300, seed=1)).sum(), x)
        results.append((first.detach(), second))
    for mine, theirs in zip(*results, strict=True):
        assert (mine.shape, mine.stride(), mine.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
        assert (mine - theirs).abs().max() <= 2e-5 * theirs.abs().max()
    served(gpu)
    assert sum("adjoint" in kernel for kernel in gpu.launched) > 0


SIZES = {"n_fft": 64, "hop_length": 16}
MEL = {**SIZES, "n_mels": 8}
TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "magnitudes": lambda m: m.Spectrogram(**SIZES, power=1.0),
    "powers": lambda m: m.Spectrogram(**SIZES),
    "powers of both sides": lambda m: m.Spectrogram(**SIZES, onesided=False),
    "spectra": lambda m: m.Spectrogram(**SIZES, power=None, normalized="window", pad=5),
    "another power": lambda m: m.Spectrogram(**SIZES, power=0.5),
    "mel": lambda m: m.MelSpectrogram(8000, **MEL),
    "mel of another power": lambda m: m.MelSpectrogram(8000, **MEL, power=1.5),
    "mel of magnitudes": lambda m: m.MelSpectrogram(8000, **MEL, power=1.0, normalized=True),
    "MFCC": lambda m: m.MFCC(8000, 5, melkwargs=MEL),
    "MFCC of logarithms": lambda m: m.MFCC(8000, 5, log_mels=True, melkwargs=MEL),
    "LFCC": lambda m: m.LFCC(8000, 8, n_lfcc=5, speckwargs=SIZES),
    "centroid": lambda m: m.SpectralCentroid(8000, **SIZES),
}


@pytest.mark.parametrize("gradient", [False, True], ids=["values", "gradient"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_torchaudio_s_transforms_are_torchaudio_s(name: str, gradient: bool, gpu: Machine) -> None:
    results = []
    for module in (audio_shim, torchaudio):
        x = noise(2, 3, 301)
        x = (gpu.put(x) if module is audio_shim else x).requires_grad_(gradient)
        transform = TRANSFORMS[name](module.transforms)
        y = (moved(gpu, transform) if module is audio_shim else transform)(x)
        if gradient:
            y.abs().square().sum().backward()
            results.append(x.grad.as_subclass(torch.Tensor))
        else:
            results.append(y.as_subclass(torch.Tensor))
    mine, theirs = results
    assert (mine.shape, mine.stride(), mine.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
    # a logarithm makes of a rounding of small values a larger one
    assert (mine - theirs).abs().max() <= 1e-4 * theirs.abs().max()
    served(gpu)


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)], ids=str)
def test_cepstra_of_clipped_decibels_take_two_launches(lead: tuple[int, ...], gpu: Machine) -> None:
    ours, theirs = (m.transforms.MFCC(8000, 5, melkwargs=MEL) for m in (audio_shim, torchaudio))
    ours.amplitude_to_DB.top_db = theirs.amplitude_to_DB.top_db = 9.0
    moved(gpu, ours)
    for seed in range(3):
        x = noise(*lead, 301, seed=seed)
        if lead:  # one alone has the peak
            x *= torch.logspace(-1, 0, lead[-1])[:, None]
        launched = len(gpu.launched)
        mine, expected = ours(gpu.put(x)).as_subclass(torch.Tensor), theirs(x)
        assert gpu.launched[launched:] == ["stft_64_filtered_power_peaked", "projection_4"]
        assert (mine.shape, mine.stride()) == (expected.shape, expected.stride())
        # a logarithm makes of a rounding of small values a larger one
        assert (mine - expected).abs().max() <= 1e-4 * expected.abs().max()
    x.view(-1, 301)[0, 40] = torch.nan
    assert torch.equal(ours(gpu.put(x)).isnan().as_subclass(torch.Tensor), theirs(x).isnan())
    served(gpu)


@pytest.mark.parametrize("mode", ["replicate", "constant", "reflect", "circular"])
def test_slopes_are_torchaudio_s_at_every_call(mode: str, gpu: Machine) -> None:
    theirs = pytest.importorskip("torchaudio").functional
    from mlx_spectro.compat import torchaudio as shim_audio

    x = noise(2, 3, 50)
    for _ in range(3):
        alike(shim_audio.functional.compute_deltas(gpu.put(x), 5, mode), theirs.compute_deltas(x, 5, mode))
    grads = []
    for module, tensor in ((shim_audio.functional, gpu.put(x)), (theirs, x.clone())):
        tensor.requires_grad_()
        grads.append(torch.autograd.grad(module.compute_deltas(tensor, 5, mode).square().sum(), tensor)[0])
    alike(*grads)
    served(gpu)


RESAMPLERS: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "transform": lambda m: m.transforms.Resample(441, 160),
    "Kaiser's window": lambda m: m.transforms.Resample(2, 3, "sinc_interp_kaiser", 4, 0.9),
    "function": lambda m: lambda x: m.functional.resample(x, 3000, 2000),
    "rates without a common divisor": lambda m: lambda x: m.functional.resample(x, 251, 250),
    "speed": lambda m: lambda x: m.functional.speed(x, 1000, 1.1)[0],
}


@pytest.mark.parametrize("name", RESAMPLERS)
def test_resampled_audio_and_its_gradient_are_torchaudio_s_at_every_call(name: str, gpu: Machine) -> None:
    for attempt in range(3):
        results = []
        for module in (audio_shim, torchaudio):
            x = noise(2, 3, 1301, seed=attempt)
            x = (gpu.put(x) if module is audio_shim else x).requires_grad_()
            resampler: Any = RESAMPLERS[name](module)
            if module is audio_shim and isinstance(resampler, torch.nn.Module):
                resampler = moved(gpu, resampler)
            y = resampler(x)
            (gradient,) = torch.autograd.grad(y.pow(3).sum(), x)
            results.append((y.detach(), gradient))
        for mine, theirs in zip(*results, strict=True):
            alike(mine, theirs)
    served(gpu)


def test_a_resampler_s_kernel_is_seen_once_and_again_when_it_changes(gpu: Machine) -> None:
    ours, theirs, x = moved(gpu, audio_shim.transforms.Resample(3, 2)), torchaudio.transforms.Resample(3, 2), noise(500)
    alike(ours(gpu.put(x)), theirs(x))
    waited = gpu.waited
    y = ours(gpu.put(x))
    assert gpu.waited == waited
    alike(y, theirs(x))
    ours.kernel.mul_(2)
    alike(ours(gpu.put(x)), 2 * theirs(x))
    served(gpu)
    compat.reset()
    ours.kernel.fill_(1)
    ours(gpu.put(x))
    assert "no resampling filter's" in reason()


BIQUAD = [1.0, -1.6, 0.8], [0.2, 0.3, 0.2]
SEVERAL = [[1.0, -0.9], [2.0, 0.5], [1.0, 0.3]], [[0.5, 0.2], [1.0, -1.0], [0.3, 0.0]]
RECURSIVE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "lfilter": lambda m, x, put: m.functional.lfilter(x, *map(put, BIQUAD)),
    "lfilter without clamping": lambda m, x, put: m.functional.lfilter(x, *map(put, BIQUAD), clamp=False),
    "a filter a channel": lambda m, x, put: m.functional.lfilter(x, *map(put, SEVERAL)),
    "several filters for each": lambda m, x, put: m.functional.lfilter(x, *map(put, SEVERAL), batching=False),
    "filtfilt": lambda m, x, put: m.functional.filtfilt(x, *map(put, BIQUAD)),
    "filtfilt without clamping": lambda m, x, put: m.functional.filtfilt(x, *map(put, BIQUAD), clamp=False),
    "highpass": lambda m, x, put: m.functional.highpass_biquad(x, 8000, 300.0),
    "equalizer": lambda m, x, put: m.functional.equalizer_biquad(x, 8000, 300, 3.0),
    "deemphasis": lambda m, x, put: m.transforms.Deemphasis()(x),
}


@pytest.mark.parametrize("length", [301, 5000])
@pytest.mark.parametrize("name", RECURSIVE)
def test_recursive_filters_and_their_gradients_are_torchaudio_s(name: str, length: int, gpu: Machine) -> None:
    results = []
    for module in (audio_shim, torchaudio):
        x = 0.1 * noise(2, 3, length)

        def put(numbers: Any) -> Any:
            values = torch.tensor(numbers)
            return gpu.put(values) if module is audio_shim else values  # noqa: B023 - called in this turn

        x = (gpu.put(x) if module is audio_shim else x).requires_grad_()
        y = RECURSIVE[name](module, x, put)
        (gradient,) = torch.autograd.grad(y.pow(2).sum(), x)
        results.append((RECURSIVE[name](module, x.detach(), put), y.detach(), gradient))
    for mine, theirs in zip(*results, strict=True):
        alike(mine, theirs)
    served(gpu)


def test_coefficients_have_gradients_on_a_gpu_too(gpu: Machine) -> None:
    results = []
    for module in (audio_shim, torchaudio):
        x, a, b = 0.1 * noise(2, 500), *map(torch.tensor, BIQUAD)
        if module is audio_shim:
            x, a, b = map(gpu.put, (x, a, b))
        given = [each.requires_grad_() for each in (x, a, b)]
        results.append(torch.autograd.grad(module.functional.lfilter(*given).pow(2).sum(), given))
    for mine, theirs in zip(*results, strict=True):
        alike(mine, theirs)
    served(gpu)


SPEECH: dict[str, Callable[[Any, Any], Any]] = {
    "fbank": lambda m, x: m.fbank(x, num_mel_bins=20),
    "fbank of magnitudes, whole frames": lambda m, x: m.fbank(x, use_power=False, snip_edges=False),
    "fbank without its mean": lambda m, x: m.fbank(x, channel=1, subtract_mean=True, use_log_fbank=False),
    "MFCC": lambda m, x: m.mfcc(x),
    "fbank and energies": lambda m, x: m.fbank(x, use_energy=True, energy_floor=0.0),
    "fbank and energies as HTK's": lambda m, x: m.fbank(x, use_energy=True, htk_compat=True, raw_energy=False),
    "MFCC and energies": lambda m, x: m.mfcc(x, use_energy=True),
    "spectrogram": lambda m, x: m.spectrogram(x),
    "spectrogram, whole frames": lambda m, x: m.spectrogram(x, snip_edges=False, raw_energy=False),
}


@pytest.mark.parametrize("name", SPEECH)
def test_features_of_speech_are_torchaudio_s_at_every_call(name: str, gpu: Machine) -> None:
    theirs = importlib.import_module("torchaudio.compliance.kaldi")
    ours = importlib.import_module("mlx_spectro.compat.torchaudio.compliance.kaldi")
    for seed in range(3):
        x = 100 * noise(2, 3001, seed=seed)
        mine, expected = SPEECH[name](ours, gpu.put(x)).as_subclass(torch.Tensor), SPEECH[name](theirs, x)
        assert (mine.shape, mine.stride(), mine.dtype) == (expected.shape, expected.stride(), expected.dtype)
        # a logarithm makes of a rounding of small values a larger one
        assert (mine - expected).abs().max() <= 1e-4 * expected.abs().max()
    served(gpu)
    assert any(name.startswith("kaldi_frames") for name in gpu.launched)


@pytest.mark.parametrize("length", [None, 805])
@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_phases_are_torchaudio_s(power: float, momentum: float, length: int | None, gpu: Machine) -> None:
    levels = stft(noise(2, 3, 801).reshape(6, -1), torch).abs().pow(power).reshape(2, 3, 33, -1)
    for seed in range(3):
        results = []
        for module in (audio_shim, torchaudio):
            torch.manual_seed(seed)
            # few iterations: each makes a rounding larger
            found = moved(
                gpu, module.transforms.GriffinLim(64, 2, hop_length=16, power=power, momentum=momentum, length=length)
            )
            results.append(found(gpu.put(levels) if module is audio_shim else levels).as_subclass(torch.Tensor))
        mine, theirs = results
        assert (mine.shape, mine.stride(), mine.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
        assert (mine - theirs).abs().max() <= 1e-3 * theirs.abs().max()
    served(gpu)
    assert gpu.launched.count("griffinlim_spectra") == 6


@pytest.mark.parametrize("mode", ["full", "valid", "same"])
@pytest.mark.parametrize("taps", [1, 16, 255])
def test_convolutions_and_their_gradients_are_torchaudio_s(taps: int, mode: str, gpu: Machine) -> None:
    for swapped, filters, length in itertools.product((False, True), ((2, 3), (1, 3), (1, 1)), (1301, 1024, 2500)):
        results = []
        for module in (audio_shim, torchaudio):
            x, y = noise(2, 3, length), noise(*filters, taps, seed=1)
            x, y = (gpu.put(x), gpu.put(y)) if module is audio_shim else (x, y)
            given = [each.requires_grad_() for each in ((y, x) if swapped else (x, y))]
            z = module.transforms.Convolve(mode)(*given)
            results.append((z.detach(), *torch.autograd.grad(z.pow(2).sum(), given)))
        for mine, theirs in zip(*results, strict=True):
            alike(mine, theirs)
    served(gpu)
    assert set(gpu.launched) == {"convolution"}


@pytest.mark.parametrize("mode", ["full", "valid"])
def test_gradients_of_convolutions_gradients_are_torchaudio_s(mode: str, gpu: Machine) -> None:
    results = []
    for module in (audio_shim, torchaudio):
        x, y = noise(2, 2100), noise(1, 9, seed=1)
        given = [each.requires_grad_() for each in ((gpu.put(x), gpu.put(y)) if module is audio_shim else (x, y))]
        z = module.functional.convolve(*given, mode)
        first = torch.autograd.grad(z.pow(2).sum(), given, create_graph=True)
        results.append(torch.autograd.grad(sum(each.pow(2).sum() for each in first), given))
    for mine, theirs in zip(*results, strict=True):
        alike(mine, theirs)
    served(gpu)
    assert set(gpu.launched) == {"convolution"}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_spoils_the_gradients_of_taps_that_meet_it(bad: float, gpu: Machine) -> None:
    x, y, g = gpu.put(noise(1, 2100)), gpu.put(noise(1, 9, seed=1)).requires_grad_(), noise(1, 2108, seed=2)
    g[0, 2105] = bad  # of result 2105, the last sample met tap 6
    (gradient,) = torch.autograd.grad(audio_shim.functional.convolve(x, y), y, g)
    assert gradient.isfinite().tolist() == [[tap < 6 for tap in range(9)]]
    served(gpu)


def test_what_else_is_convolved_on_a_gpu_is_torchaudio_s(gpu: Machine) -> None:
    x, y = gpu.put(noise(2, 1301)), gpu.put(noise(2, 9))
    audio_shim.functional.fftconvolve(x, y)
    assert "torch's own transforms" in reason()
    compat.reset()
    audio_shim.functional.convolve(x, x)
    assert "more than 1024 taps" in reason()


MASKS: dict[str, Callable[[Any, Any], Any]] = {
    "along frequencies": lambda m, x: m.functional.mask_along_axis(x, 9, 1.5, x.dim() - 2),
    "along time": lambda m, x: m.transforms.TimeMasking(30, p=0.5)(x),
    "several": lambda m, x: m.transforms.SpecAugment(2, 30, 3, 9, iid_masks=False)(x),
    "several, with the mean": lambda m, x: m.transforms.SpecAugment(2, 30, 1, 9, iid_masks=False, zero_masking=True)(x),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_all_examples_are_torchaudio_s_to_the_bit(name: str, gpu: Machine) -> None:
    x = noise(2, 3, 33, 70)
    for values in (x, x.transpose(-1, -2).contiguous().transpose(-1, -2)):
        results = []
        for module in (audio_shim, torchaudio):
            torch.manual_seed(7)
            results.append(MASKS[name](module, gpu.put(values) if module is audio_shim else values))
        mine, theirs = (y.as_subclass(torch.Tensor) for y in results)
        assert torch.equal(mine, theirs)
        assert mine.stride() == theirs.stride()
    assert {record.reason for record in compat.report()} == {""}


EACH: dict[str, Callable[[Any, Any], Any]] = {
    "along frequencies": lambda m, x: m.functional.mask_along_axis_iid(x, 9, 1.5, x.dim() - 2),
    "along time": lambda m, x: m.transforms.TimeMasking(30, iid_masks=True, p=0.3)(x),
    "along frequencies, infinite": lambda m, x: m.transforms.FrequencyMasking(9, iid_masks=True)(x, -math.inf),
    "several": lambda m, x: m.transforms.SpecAugment(2, 30, 3, 9)(x),
    "several, with the mean": lambda m, x: m.transforms.SpecAugment(2, 30, 0, 9, p=0.2)(x),
    "several, with zero": lambda m, x: m.transforms.SpecAugment(0, 30, 2, 33, zero_masking=True)(x),
}


@pytest.mark.parametrize("shape", [(4, 33, 70), (2, 3, 33, 70), (1, 1, 33, 70)], ids=str)
@pytest.mark.parametrize("name", EACH)
def test_masks_of_each_example_are_torchaudio_s_to_the_bit(name: str, shape: tuple[int, ...], gpu: Machine) -> None:
    x = noise(*shape)
    for values in (x, x.transpose(-1, -2).contiguous().transpose(-1, -2), x[..., ::2]):
        results = []
        for module in (audio_shim, torchaudio):
            torch.manual_seed(7)
            masked = EACH[name](module, gpu.put(values) if module is audio_shim else values)
            results.append((masked.as_subclass(torch.Tensor), torch.get_rng_state()))
        (mine, state), (theirs, expected) = results
        assert torch.equal(mine, theirs)
        assert mine.stride() == theirs.stride()
        assert torch.equal(state, expected)
    served(gpu)
    assert set(gpu.launched) == {"spans"}


def test_spans_are_not_drawn_where_no_kernel_lays_them(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    x, state = noise(2, 33, 70), torch.get_rng_state()
    monkeypatch.setattr(type(present_engine(gpu.put(x))), "load", lambda *_: "it does not compile")
    audio_shim.transforms.FrequencyMasking(9, iid_masks=True)(gpu.put(x))
    assert reason() == "it does not compile"
    mine = torch.get_rng_state()
    torch.set_rng_state(state)
    torchaudio.transforms.FrequencyMasking(9, iid_masks=True)(x)
    assert torch.equal(torch.get_rng_state(), mine)


@pytest.mark.parametrize("norm_vars", [False, True])
@pytest.mark.parametrize("center", [False, True])
def test_sliding_means_are_torchaudio_s(center: bool, norm_vars: bool, gpu: Machine) -> None:
    x = noise(2, 3, 90, 12)
    for values in (x, x[0, 0]):
        ours, theirs = (m.transforms.SlidingWindowCmn(30, 10, center, norm_vars) for m in (audio_shim, torchaudio))
        alike(ours(gpu.put(values)), theirs(values))
    served(gpu)


def test_a_new_shape_needs_no_text(gpu: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    stft(gpu.put(noise(301)))
    texts: list[Any] = []
    monkeypatch.setattr(gpu.launcher(), "program", texts.append)
    alike(stft(gpu.put(noise(403))), stft(noise(403), torch))
    assert not texts
    served(gpu)


@pytest.mark.parametrize("layout", ["frames side by side", "bins side by side"])
@pytest.mark.parametrize("rate", [0.4, 1.3])
def test_stretched_spectra_are_torchaudio_s_at_every_call(rate: float, layout: str, gpu: Machine) -> None:
    for seed in range(3):
        z = stft(noise(2, 3, 801, seed=seed).reshape(6, -1), torch)
        z = z.contiguous() if layout == "frames side by side" else z
        ours, theirs = (library.transforms.TimeStretch(16, 33, rate) for library in (audio_shim, torchaudio))
        moved(gpu, ours)
        mine, expected = ours(gpu.put(z)).as_subclass(torch.Tensor), theirs(z)
        assert (mine.shape, mine.stride(), mine.dtype) == (expected.shape, expected.stride(), expected.dtype)
        # torchaudio's phases are float32 sums of a few thousand radians
        assert (mine - expected).abs().max() <= 2e-3 * expected.abs().max()
    served(gpu)
    assert {kernel.partition("_turns")[0] for kernel in gpu.launched} == {"phase_vocoder"}


@pytest.mark.parametrize("steps", [-3, 0, 4])
def test_shifted_pitches_are_torchaudio_s(steps: int, gpu: Machine) -> None:
    x = noise(2, 901)
    options = {"n_fft": 64, "hop_length": 16}
    mine = audio_shim.functional.pitch_shift(gpu.put(x), 8000, steps, **options).as_subclass(torch.Tensor)
    theirs = torchaudio.functional.pitch_shift(x, 8000, steps, **options)
    assert (mine.shape, mine.stride(), mine.dtype) == (theirs.shape, theirs.stride(), theirs.dtype)
    assert (mine - theirs).abs().max() <= 1e-2 * theirs.abs().max()
    served(gpu)


def test_loudness_and_overdrive_are_torchaudio_s(gpu: Machine) -> None:
    x = 0.1 * noise(2, 2, 16000)
    alike(audio_shim.functional.overdrive(gpu.put(x)), torchaudio.functional.overdrive(x))
    mine, theirs = audio_shim.transforms.Loudness(8000)(gpu.put(x)), torchaudio.transforms.Loudness(8000)(x)
    assert (mine - theirs).abs().max() <= 1e-4
    served(gpu)


def test_filters_and_inverses_of_torchaudio_are_torchaudio_s(gpu: Machine) -> None:
    make: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "InverseSpectrogram": (
            lambda m: m.InverseSpectrogram(**SIZES, normalized="window"),
            stft(noise(2, 3, 301).reshape(6, -1), torch),
        ),
        "MelScale": (lambda m: m.MelScale(8, 8000, n_stft=33), stft(noise(2, 301), torch).abs()),
    }
    for build, x in make.values():
        alike(moved(gpu, build(audio_shim.transforms))(gpu.put(x)), build(torchaudio.transforms)(x))
    served(gpu)


def test_nothing_is_waited_for_after_the_first_call_of_a_kind(gpu: Machine) -> None:
    mel, x = moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL)), gpu.put(noise(2, 301))
    window = gpu.put(WINDOW)

    def calls() -> None:
        mel(x)
        z = shim.stft(x, 64, 16, window=window, return_complex=True)
        shim.istft(z, 64, 16, window=window)

    calls()
    before, kernels = gpu.waited, list(gpu.compiled)
    calls()
    assert (gpu.waited, gpu.compiled) == (before, kernels)
    served(gpu)


def test_after_prewarming_nothing_is_compiled_or_waited_for(gpu: Machine) -> None:
    mel, window = moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL)), gpu.put(WINDOW)

    def round_trip(x: Any) -> Any:
        z = shim.stft(x, 64, 16, window=window, return_complex=True)
        return shim.istft(z, 64, 16, window=window)

    x = gpu.put(noise(2, 301)).requires_grad_()
    compat.prewarm(mel, x)
    compat.prewarm(round_trip, x)
    assert not compat.report()
    assert x.grad is None
    before, kernels = gpu.waited, list(gpu.compiled)
    for call in (mel, round_trip):
        call(x).square().sum().backward()
    assert (gpu.waited, gpu.compiled) == (before, kernels)
    served(gpu)


def test_a_spectrum_s_gradient_is_torch_s_in_memory_by_frames(gpu: Machine) -> None:
    z = torch.stft(noise(2, 300), 64, 16, window=WINDOW, return_complex=True)
    gradients = []
    for module, spectrum in ((shim, gpu.put(z.clone())), (torch, z.clone())):
        y = istft(spectrum.requires_grad_(), module, length=300)
        gradients.append(torch.autograd.grad(y, spectrum, noise(2, 300, seed=1))[0].as_subclass(torch.Tensor))
    mine, theirs = gradients
    assert (mine - theirs).abs().max() <= 1e-5 * theirs.abs().max()
    assert mine.stride() == z.stride()  # as the spectrum itself: torch's lies by bins
    served(gpu)


@pytest.mark.parametrize("frames", [33, 20])
def test_mel_scales_are_torchaudio_s_at_every_call(frames: int, gpu: Machine) -> None:
    ours, theirs = (m.transforms.MelScale(8, 8000, n_stft=33) for m in (audio_shim, torchaudio))
    for seed in range(4):
        x = noise(2, 33, frames, seed=seed).abs()
        mine = moved(gpu, ours)(gpu.put(x)).as_subclass(torch.Tensor)
        assert (mine - theirs(x)).abs().max() <= 1e-5 * theirs(x).max()
    served(gpu)


def test_other_windows_of_a_kind_have_norms_and_overlaps_of_their_own(gpu: Machine) -> None:
    x = noise(2, 300)
    z = torch.stft(x, 64, 16, window=WINDOW, return_complex=True)
    ours, theirs = (m.transforms.Spectrogram(**SIZES, normalized=True) for m in (audio_shim, torchaudio))
    for factor in (1.0, 1.0, 1.0, 2.0, 2.0, 0.5):
        window = WINDOW * factor
        mine = gpu.put(window)
        moved(gpu, ours).window = mine
        theirs.window = window
        alike(ours(gpu.put(x)), theirs(x))
        alike(istft(gpu.put(z), shim, window=mine, length=300), istft(z, torch, window=window, length=300))
    served(gpu)
    none = gpu.put(torch.zeros(64))
    for module, window in ((shim, none), (torch, torch.zeros(64))):
        with pytest.raises(RuntimeError, match="window overlap add min"):
            istft(gpu.put(z) if module is shim else z, module, window=window, length=300)


def test_a_changed_bank_is_seen_and_one_that_hides_its_changes_is_declined(gpu: Machine) -> None:
    mel, theirs = (
        moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL)),
        torchaudio.transforms.MelSpectrogram(8000, **MEL),
    )
    x = noise(2, 301)
    alike(mel(gpu.put(x)), theirs(x))
    mel.mel_scale.fb.mul_(2)
    alike(mel(gpu.put(x)), 2 * theirs(x))
    served(gpu)
    compat.reset()
    with torch.inference_mode():
        mel.mel_scale.fb = gpu.put(theirs.mel_scale.fb.clone())
    mel(gpu.put(x))
    assert "torch.inference_mode, which hides its changes" in reason()


def test_a_table_lives_as_long_as_its_bank(gpu: Machine) -> None:
    x, kept = gpu.put(noise(2, 301)), None
    for _ in range(5):
        moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL))(x)
        kept = gpu.launcher()._made
    assert kept is not None
    assert not kept._known
    # what was let go waits until nothing can be reading it
    assert len(kept._dropped) == 1
    served(gpu)


def test_a_bank_that_is_written_to_all_the_time_is_torch_s(gpu: Machine) -> None:
    ours, x = moved(gpu, audio_shim.transforms.MelSpectrogram(8000, **MEL)), gpu.put(noise(2, 301))
    with compat.route("auto"):
        expected = ours(x)
        for left in [False] * 8 + [True] * 2:
            # as DistributedDataParallel does with buffers
            ours.mel_scale.fb.copy_(ours.mel_scale.fb.clone())
            compat.reset()
            waited = gpu.waited
            y = ours(x)
            assert left == (gpu.waited == waited)
            assert ("broadcast_buffers=False" in reason()) == left
            assert (y - expected).abs().max() <= 1e-5 * expected.abs().max()
    compat.reset()
    ours(x)
    served(gpu)


def test_geometries_are_tried_once(gpu: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tune, "enabled", lambda: True)
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(tmp_path / "autotune.json"))
    monkeypatch.setattr(tune, "_choices", {})
    tuning_cache.forget()
    x = gpu.put(noise(2, 301))
    stft(x[0])
    (key,) = tuning_cache.entries()
    assert key.startswith(f"{gpu.key}|stft|64|16|")
    launched, waited = len(gpu.launched), gpu.waited
    stft(x[0])
    assert (len(gpu.launched), gpu.waited) == (launched + 1, waited)
    served(gpu)
    tuning_cache.forget()


@pytest.mark.parametrize("top_db", [None, 20.0])
def test_decibels_are_torchaudio_s(top_db: float | None, gpu: Machine) -> None:
    powers = stft(noise(2, 3, 301).reshape(6, -1), torch).abs().square()
    for values in (powers, powers.contiguous(), powers[0]):
        for stype in ("power", "magnitude"):
            ours, theirs = (m.transforms.AmplitudeToDB(stype, top_db) for m in (audio_shim, torchaudio))
            level, expected = ours(gpu.put(values)).as_subclass(torch.Tensor), theirs(values)
            assert (level.shape, level.stride()) == (expected.shape, expected.stride())
            # each rounds a logarithm, its product and a difference
            assert (level - expected).abs().max() <= 4 * torch.finfo(torch.float32).eps * expected.abs().max()
    served(gpu)
    assert set(gpu.launched) == {"epilogues"}


REFUSALS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "double": (
        lambda x: audio_shim.transforms.ComputeDeltas()(x.double()),
        "on {}, our kernels compute in float32, not in float64",
    ),
    "half": (
        lambda x: stft(x.bfloat16().as_subclass(type(x)), window=WINDOW.bfloat16()),
        "the tensor is bfloat16: single and double precision are served",
    ),
    "a prime": (
        lambda x: shim.stft(x, 74, 20, window=torch.ones(74).as_subclass(type(x)), return_complex=True),
        "no kernel serves the call on {}: half of n_fft=74 has a prime factor above 7",
    ),
    "many coefficients": (
        lambda x: audio_shim.functional.lfilter(x, *[torch.eye(7)[0].as_subclass(type(x))] * 2),
        "no kernel serves the call on {}: a filter's order is above 4",
    ),
    "amplitudes": (
        lambda x: audio_shim.functional.DB_to_amplitude(x, 1.0, 1.0),
        "MLX computes this function, and no {} tensors",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_served_goes_to_torch_with_the_reason(name: str, gpu: Machine) -> None:
    call, expected = REFUSALS[name]
    with contextlib.suppress(RuntimeError):  # of half precision, torch's CPU has no transform
        call(gpu.put(noise(2, 400)))
    assert reason() == expected.format(gpu.device.partition(":")[0].upper())


def test_verification_compares_on_the_device(gpu: Machine) -> None:
    with compat.numerics("verify"):
        alike(stft(gpu.put(noise(2, 301))), stft(noise(2, 301), torch))
    served(gpu)
    assert set(gpu.launched) == {"stft_64_complex_bnf"}


def test_prewarming_tries_what_a_call_does_not(gpu: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tune, "enabled", lambda: True)
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(tmp_path / "autotune.json"))
    monkeypatch.setattr(tune, "_choices", {})
    tuning_cache.forget()
    x, window = gpu.put(noise(301)), gpu.put(WINDOW)
    compat.prewarm(shim.stft, x, 64, 16, window=window, return_complex=True)
    ((key, (*_, thoroughly)),) = tuning_cache.entries().items()
    assert key.startswith(f"{gpu.key}|stft|64|16|")
    assert thoroughly
    assert len(gpu.compiled) > 1
    waited, launched = gpu.waited, len(gpu.launched)
    shim.stft(x, 64, 16, window=window, return_complex=True)
    assert (gpu.waited, len(gpu.launched)) == (waited, launched + 1)
    tuning_cache.forget()
