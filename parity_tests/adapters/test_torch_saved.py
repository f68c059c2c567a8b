"""What torch keeps for a backward pass, and when a change in place before it is an error: ours does the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro.compat import torch as our_torch
from mlx_spectro.compat import torchaudio as our_torchaudio

from . import likeness

pytestmark = pytest.mark.usefixtures("ours")

X = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 120), np.float32))
OURS, THEIRS = (our_torch, our_torchaudio), (torch, torchaudio)


def stft(**options: Any) -> Callable[[Any, Any], Any]:
    def call(libraries: Any, x: Any) -> Any:
        given = {"window": torch.hann_window(16), "return_complex": True} | options
        return libraries[0].stft(x.reshape(-1, x.shape[-1]), 16, 4, **given)

    return call


def module(kind: str, **options: Any) -> Callable[[Any, Any], Any]:
    return lambda libraries, x: getattr(libraries[1].transforms, kind)(**options)(x)


def convolved(name: str, taps: int) -> Callable[[Any, Any], Any]:
    y = torch.linspace(1, -1, taps)
    return lambda libraries, x: getattr(libraries[1].functional, name)(x, y.expand(*x.shape[:-1], taps))


CALLS: dict[str, Callable[[Any, Any], Any]] = {
    **{f"stft, {mode}": stft(pad_mode=mode) for mode in ("reflect", "constant", "replicate", "circular")},
    "stft, not centred": stft(center=False),
    "stft, no window": stft(center=False, window=None),
    "stft, no window, centred": stft(pad_mode="constant", window=None),
    "stft, short frames without a window": stft(center=False, window=None, win_length=8),
    **{f"spectrogram, {p}": module("Spectrogram", n_fft=16, power=p) for p in (None, 1.0, 2.0, 3.0)},
    "spectrogram, constant": module("Spectrogram", n_fft=16, pad_mode="constant"),
    "spectrogram, padded": module("Spectrogram", n_fft=16, pad=3),
    "mel": module("MelSpectrogram", n_fft=16, n_mels=4),
    "mel, not centred": module("MelSpectrogram", n_fft=16, n_mels=4, center=False),
    "mel, constant, magnitudes": module("MelSpectrogram", n_fft=16, n_mels=4, pad_mode="constant", power=1.0),
    "mfcc": module("MFCC", n_mfcc=3, melkwargs={"n_fft": 16, "n_mels": 4}),
    "lfcc, circular": module("LFCC", n_lfcc=3, n_filter=4, speckwargs={"n_fft": 16, "pad_mode": "circular"}),
    **{f"deltas, {m}": module("ComputeDeltas", mode=m) for m in ("reflect", "constant", "replicate", "circular")},
    "resample": lambda libraries, x: module("Resample", orig_freq=11, new_freq=7)(libraries, x[0]),
    "centroid": module("SpectralCentroid", sample_rate=16000, n_fft=16),
    "deemphasis": module("Deemphasis"),
    "a filter forward and backward": lambda libraries, x: libraries[1].functional.filtfilt(
        x, torch.tensor([1.0, -0.5]), torch.tensor([0.5, 0.2])
    ),
    **{f"{name}, {taps} taps": convolved(name, taps) for name in ("convolve", "fftconvolve") for taps in (5, 50, 150)},
    "filters of one signal each": lambda libraries, x: libraries[1].functional.lfilter(
        x, torch.tensor([[1.0, -0.5]] * 2), torch.tensor([[0.5, 0.2]] * 2), False, False
    ),
}
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda x: x * 1,
    # leading axes that torchaudio cannot put into one without a copy, which it then keeps
    "swapped": lambda x: (x * 1).transpose(0, 1),
}


def gradient(libraries: Any, call: Callable[[Any, Any], Any], layout: Callable[[Any], Any]) -> Any:
    leaf = X.clone().requires_grad_()
    x = layout(leaf)
    y = call(libraries, x)
    with torch.no_grad():
        x.zero_()
    return torch.autograd.grad(y.abs().square().sum(), leaf)[0]


@pytest.mark.filterwarnings("ignore:A window was not provided")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CALLS)
def test_audio_changed_before_the_backward_pass_is_an_error_where_it_is_one_in_torch(name: str, layout: str) -> None:
    arguments = CALLS[name], LAYOUTS[layout]
    mine, theirs = (likeness.outcome(gradient, (libraries, *arguments), {}) for libraries in (OURS, THEIRS))
    assert {reason for _, reason in likeness.reasons()} == {""}
    assert mine.error == theirs.error
    if not theirs.error[0]:
        assert not likeness.difference(mine.result, theirs.result, lambda largest: 1e-3 * largest)


def test_audio_that_torch_keeps_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Any] = []
    clone = torch.Tensor.clone

    def counted(x: Any, *args: Any, **kwargs: Any) -> Any:
        copies.append(x)
        return clone(x, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "clone", counted)
    x = X[0].clone().requires_grad_()
    for options, wanted in (({}, 0), ({"pad": 3, "center": False}, 0), ({"center": False}, 1)):
        copies.clear()
        our_torchaudio.transforms.MelSpectrogram(n_fft=16, n_mels=4, **options)(x)
        assert len(copies) == wanted
    assert {reason for _, reason in likeness.reasons()} == {""}


def weight(libraries: Any, kind: str, path: str, **options: Any) -> Any:
    """A gradient, a weight of whose module was changed before."""
    made = getattr(libraries[1].transforms, kind)(**options)
    x = (torch.fft.rfft(torch.ones(9, 16)).T if kind == "InverseSpectrogram" else X * 1).requires_grad_()
    y = made(x)
    with torch.no_grad():
        made.get_buffer(path).mul_(2)
    return torch.autograd.grad(y.abs().square().sum(), x)[0]


@pytest.mark.parametrize(
    ("kind", "path", "options"),
    [
        ("Spectrogram", "window", {"n_fft": 16}),
        ("Spectrogram", "window", {"n_fft": 16, "win_length": 8}),
        ("InverseSpectrogram", "window", {"n_fft": 16}),
        ("InverseSpectrogram", "window", {"n_fft": 16, "win_length": 8}),
        ("MelSpectrogram", "mel_scale.fb", {"n_fft": 16, "n_mels": 4}),
        ("MFCC", "dct_mat", {"n_mfcc": 3, "melkwargs": {"n_fft": 16, "n_mels": 4}}),
        ("LFCC", "filter_mat", {"n_lfcc": 3, "n_filter": 4, "speckwargs": {"n_fft": 16}}),
        ("Resample", "kernel", {"orig_freq": 11, "new_freq": 7}),
    ],
)
def test_a_weight_changed_before_the_backward_pass_is_an_error_where_it_is_one_in_torch(
    kind: str, path: str, options: dict[str, Any]
) -> None:
    mine, theirs = (likeness.outcome(weight, (libraries, kind, path), options) for libraries in (OURS, THEIRS))
    assert {reason for name, reason in likeness.reasons() if name.endswith(kind)} == {""}
    assert mine.error == theirs.error
    if not theirs.error[0]:
        assert not likeness.difference(mine.result, theirs.result, lambda largest: 1e-3 * largest)


@pytest.mark.parametrize("center", [True, False])
def test_the_gradient_of_a_spectrum_lies_in_memory_as_torch_s_does(center: bool) -> None:
    window = torch.ones(16)
    for shape in ((9, 12), (2, 9, 12), (1, 9, 12)):
        z = torch.randn(shape, dtype=torch.complex64).requires_grad_()
        mine, theirs = (
            torch.autograd.grad(module.istft(z, 16, 4, window=window, center=center).sum(), z)[0]
            for module in (our_torch, torch)
        )
        assert mine.stride() == theirs.stride()


def test_the_second_gradient_of_decibels_of_empty_filters_is_finite_as_torch_s_is() -> None:
    options = {"n_lfcc": 3, "n_filter": 40, "speckwargs": {"n_fft": 16}}  # more filters than bins
    results = []
    for libraries in (OURS, THEIRS):
        x = X.clone().requires_grad_()
        y = libraries[1].transforms.LFCC(**options)(x)
        (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        results.append(second)
    mine, theirs = results
    assert theirs.isfinite().all()
    assert not likeness.difference(mine, theirs, lambda largest: 1e-2 * largest)


def test_the_gradient_of_a_silent_frame_s_centroid_is_nan_as_torch_s_is() -> None:
    x = X.clone()
    x[..., 60:] = 0
    gradients = []
    for libraries in (OURS, THEIRS):
        leaf = x.clone().requires_grad_()
        made = libraries[1].transforms.SpectralCentroid(sample_rate=16000, n_fft=16, hop_length=16)
        gradients.append(torch.autograd.grad(made(leaf).nan_to_num().sum(), leaf)[0])
    assert torch.equal(gradients[0].isfinite(), gradients[1].isfinite())
    assert not gradients[1].isfinite().all()


IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "detach_": lambda y: y.detach_().requires_grad,
    "mul_": lambda y: y.mul_(2).requires_grad,
    "mul_, of a part": lambda y: y[0].mul_(2).requires_grad,
}
CHANGED = {
    **CALLS,
    "a filter forward and backward, not clamped": lambda libraries, x: libraries[1].functional.filtfilt(
        x, torch.tensor([1.0, -0.5]), torch.tensor([0.5, 0.2]), clamp=False
    ),
    "decibels": lambda libraries, x: libraries[1].transforms.AmplitudeToDB()(x.transpose(-1, -2)),
    "a pitch": module("PitchShift", sample_rate=16000, n_steps=12, n_fft=16),
}


@pytest.mark.filterwarnings("ignore:A window was not provided")
@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("how", IN_PLACE)
@pytest.mark.parametrize("name", CHANGED)
def test_a_result_can_be_changed_in_place_where_torch_s_can(name: str, how: str, wanted: bool) -> None:
    def changed(libraries: Any) -> Any:
        x = X[0].clone().requires_grad_(wanted)
        return IN_PLACE[how](CHANGED[name](libraries, x))

    mine, theirs = (likeness.outcome(changed, (libraries,), {}) for libraries in (OURS, THEIRS))
    # of a view that torch has, and we have not, nothing is refused
    assert mine == theirs or not mine.error[0]
    assert mine.result == theirs.result or theirs.error[0]
