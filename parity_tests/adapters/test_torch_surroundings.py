"""Tensors of every sort, under every mode that torch has: served as torch serves them, or by torch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mlx_spectro import compat
from mlx_spectro.compat import torch as our_torch
from mlx_spectro.compat import torchaudio as our_torchaudio

from . import likeness

pytestmark = pytest.mark.usefixtures("ours")

LIBRARIES = ((our_torch, our_torchaudio), (torch, torchaudio))
AUDIO = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 300), np.float32))
WINDOW = torch.hann_window(16)
with torch.inference_mode():
    FROZEN, FROZEN_WINDOW = AUDIO.clone(), WINDOW.clone()


def spectrum(x: Any) -> Any:
    return torch.stft(x, 16, 4, window=WINDOW.to(x.dtype), return_complex=True)


def module(kind: str, **options: Any) -> Callable[[Any], Callable[[Any, Any], Any]]:
    return lambda libraries: lambda x, window: getattr(libraries[1].transforms, kind)(**options)(x)


CALLS: dict[str, Callable[[Any], Callable[[Any, Any], Any]]] = {
    "torch.stft": lambda libs: lambda x, w: libs[0].stft(x, 16, 4, window=w, return_complex=True),
    "torch.istft": lambda libs: lambda x, w: libs[0].istft(spectrum(x), 16, 4, window=w),
    "torchaudio.functional.spectrogram": lambda libs: (
        lambda x, w: libs[1].functional.spectrogram(x, 0, w, 16, 4, 16, 2.0, False)
    ),
    "torchaudio.functional.melscale_fbanks": lambda libs: (
        lambda x, w: libs[1].functional.melscale_fbanks(33, 0.0, 8000.0, 8, 16000)
    ),
    "torchaudio.functional.create_dct": lambda libs: lambda x, w: libs[1].functional.create_dct(3, 8, "ortho"),
    "torchaudio.compliance.kaldi.fbank": lambda libs: (
        lambda x, w: libs[1].compliance.kaldi.fbank(x, sample_frequency=4000.0, num_mel_bins=8, dither=0.5)
    ),
    "torchaudio.compliance.kaldi.mfcc": lambda libs: (
        lambda x, w: libs[1].compliance.kaldi.mfcc(x, sample_frequency=4000.0, use_energy=True)
    ),
    "torchaudio.compliance.kaldi.get_mel_banks": lambda libs: (
        lambda x, w: libs[1].compliance.kaldi.get_mel_banks(8, 256, 8000.0, 20.0, 0.0, 100.0, -500.0, 1.0)[0]
    ),
    "torchaudio.transforms.MelSpectrogram": module("MelSpectrogram", n_fft=16, n_mels=4),
    "torchaudio.transforms.MFCC": module("MFCC", n_mfcc=3, melkwargs={"n_fft": 16, "n_mels": 4}),
    "torchaudio.transforms.SpectralCentroid": module("SpectralCentroid", sample_rate=16000, n_fft=16),
    "torchaudio.transforms.ComputeDeltas": module("ComputeDeltas"),
    "torchaudio.transforms.Resample": module("Resample", orig_freq=11, new_freq=7),
    "torchaudio.functional.resample": lambda libs: lambda x, w: libs[1].functional.resample(x, 11, 7),
    "torchaudio.transforms.Deemphasis": module("Deemphasis"),
    "torchaudio.functional.lowpass_biquad": lambda libs: (
        lambda x, w: libs[1].functional.lowpass_biquad(x, 16000, 1000.0)
    ),
    "torchaudio.functional.overdrive": lambda libs: lambda x, w: libs[1].functional.overdrive(x[:, :40]),
    "torchaudio.functional.preemphasis": lambda libs: lambda x, w: libs[1].functional.preemphasis(x),
    "torchaudio.functional.convolve": lambda libs: lambda x, w: libs[1].functional.convolve(x, x[:, :50]),
    "torchaudio.transforms.AmplitudeToDB": module("AmplitudeToDB", top_db=80.0),
}


@contextlib.contextmanager
def default_dtype(dtype: Any) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


class Passing(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


SURROUNDINGS: dict[str, Callable[[], Any]] = {
    "nothing": contextlib.nullcontext,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default float64": lambda: default_dtype(torch.float64),
    "default float16": lambda: default_dtype(torch.float16),
    "default device": lambda: torch.device("cpu"),
    "default device meta": lambda: torch.device("meta"),
    "deterministic": deterministic,
    "a dispatch mode": Passing,
    "saved tensors' hooks": lambda: torch.autograd.graph.saved_tensors_hooks(lambda x: x.clone(), lambda x: x),
}


class Logged(torch.Tensor):
    """A subclass that sees what is asked of it."""

    seen: list[str]

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(getattr(function, "__name__", str(function)))
        return super().__torch_function__(function, types, args, kwargs or {})  # type: ignore[no-untyped-call]


def nested(x: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it is a prototype
        return torch.nested.as_nested_tensor(list(x))


def named(x: Any, *names: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it is an experiment
        return x.rename(*names)


SORTS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "plain": lambda: (AUDIO, WINDOW),
    "a parameter": lambda: (torch.nn.Parameter(AUDIO), WINDOW),
    "a learnt window": lambda: (AUDIO, torch.nn.Parameter(WINDOW)),
    "a frozen parameter": lambda: (AUDIO, torch.nn.Parameter(WINDOW, requires_grad=False)),
    "of inference mode": lambda: (FROZEN, WINDOW),
    "a window of inference mode": lambda: (AUDIO.clone().requires_grad_(), FROZEN_WINDOW),
    "a window of a subclass": lambda: (AUDIO, WINDOW.as_subclass(Logged)),
    "float64": lambda: (AUDIO.double(), WINDOW.double()),
    "float64 and a float32 window": lambda: (AUDIO.double(), WINDOW),
    "float16": lambda: (AUDIO.half(), WINDOW.half()),
    "bfloat16": lambda: (AUDIO.bfloat16(), WINDOW.bfloat16()),
    "int": lambda: ((100 * AUDIO).int(), WINDOW),
    "bool": lambda: (AUDIO > 0, WINDOW),
    "complex": lambda: (AUDIO.to(torch.complex64), WINDOW),
    "a complex window": lambda: (AUDIO, WINDOW.to(torch.complex64)),
    "meta": lambda: (AUDIO.to("meta"), WINDOW.to("meta")),
    "sparse": lambda: (AUDIO.to_sparse(), WINDOW),
    "of MKL-DNN": lambda: (AUDIO.to_mkldnn(), WINDOW),
    "without axes": lambda: (AUDIO[0, 0], WINDOW),
    "without signals": lambda: (AUDIO[:0], WINDOW),
    "without samples": lambda: (AUDIO[:, :0], WINDOW),
    "negative": lambda: (torch._neg_view(AUDIO), WINDOW),
    "an imaginary part": lambda: (torch.complex(AUDIO, AUDIO).conj().imag, WINDOW),
    "a list": lambda: (AUDIO.tolist(), WINDOW),
    "nothing": lambda: (None, WINDOW),
    "a silent window": lambda: (AUDIO, WINDOW * 0),
    "a window of NaN": lambda: (AUDIO, WINDOW * float("nan")),
    "NaN": lambda: (AUDIO * float("nan"), WINDOW),
    "infinite": lambda: (AUDIO * float("inf"), WINDOW),
    "no window": lambda: (AUDIO, None),
    "transposed": lambda: (AUDIO.t().contiguous().t(), WINDOW),
    "nested": lambda: (nested(AUDIO), WINDOW),
    "of named axes": lambda: (named(AUDIO, "B", "T"), WINDOW),
    "a window of a named axis": lambda: (AUDIO, named(WINDOW, "T")),
}


def inside(surroundings: Callable[[], Any], call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def function(x: Any, window: Any) -> Any:
        with surroundings():
            return call(x, window)

    return function


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("where", SURROUNDINGS)
def test_any_tensor_anywhere_does_as_torch_s(where: str, name: str) -> None:
    Logged.seen = []
    mine, theirs = (inside(SURROUNDINGS[where], CALLS[name](libraries)) for libraries in LIBRARIES)
    with likeness.every_warning():
        for sort, made in SORTS.items():
            unlike = likeness.unlike(name, (mine, theirs), *made())
            assert not unlike, f"{sort}: {unlike}"


@pytest.mark.parametrize("name", [name for name in CALLS if "_fbanks" not in name and "create_dct" not in name])
def test_a_subclass_sees_what_it_sees_of_torch(name: str) -> None:
    seen = []
    for libraries in LIBRARIES:
        Logged.seen = []
        CALLS[name](libraries)(AUDIO.as_subclass(Logged), WINDOW)
        seen.append(Logged.seen)
    assert seen[0] == seen[1]


class Handling(torch.Tensor):
    """A subclass that has functions of its own for torch's."""

    functions: dict[Any, str]

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls.functions.get(function)


class Noting(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        Handling.functions.setdefault(function, "unknown")
        return function(*args, **(kwargs or {}))


def test_what_sees_to_torch_s_functions_knows_them_under_install() -> None:
    z = spectrum(AUDIO)
    compat.install("torch")
    try:
        Handling.functions = {torch.stft: "stft", torch.istft: "istft"}
        assert torch.stft(AUDIO.as_subclass(Handling), 16, window=WINDOW, return_complex=True) == "stft"
        assert torch.istft(z.as_subclass(Handling), 16, 4, window=WINDOW) == "istft"
        with Noting():
            torch.istft(torch.stft(AUDIO, 16, 4, window=WINDOW, return_complex=True), 16, 4, window=WINDOW)
        assert "unknown" not in Handling.functions.values()
    finally:
        compat.uninstall()


def test_a_first_call_in_inference_mode_leaves_nothing_that_a_gradient_cannot_use() -> None:
    first = {  # such as no other test makes
        **CALLS,
        "torchaudio.transforms.SpectralCentroid": module("SpectralCentroid", sample_rate=12345, n_fft=16),
    }
    for call in first.values():
        x, window = AUDIO.abs().requires_grad_(), torch.hann_window(16)
        with torch.inference_mode():
            call(LIBRARIES[0])(x.detach(), window)
        y = call(LIBRARIES[0])(x, window)
        if y.requires_grad:
            y.abs().sum().backward()
            assert x.grad is not None
