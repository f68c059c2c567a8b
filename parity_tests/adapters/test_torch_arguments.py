"""Every parameter of every served function of torch and torchaudio gets what people pass: ours does as theirs does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro.compat import torch as our_torch
from mlx_spectro.compat import torchaudio as our_torchaudio
from mlx_spectro.compat.contract.adapter import adapters

from . import likeness

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ours", "every_warning")]

LIBRARIES = ({"torch": our_torch, "torchaudio": our_torchaudio}, {"torch": torch, "torchaudio": torchaudio})
# filters, phases and resampling have tests of odd options of their own: errors there grow with what is asked for, and
# torchaudio itself runs out of memory, divides by 0 and ends the process, or masks 2**70 times, for what is tried here
_GROWING = (
    "filt",
    "biquad",
    "emphasis",
    "loudness",
    "overdrive",
    "phase_vocoder",
    "timestretch",
    "griffinlim",
    "pitch",
)
_ELSEWHERE = (
    *_GROWING,
    "resample",
    "speed",
    "specaugment",
    "flanger",
    "phaser",
    "vad",
    "dcshift",
    "transforms.addnoise",
    "transforms.psd",
    "mvdr",
)
NAMES = [
    name
    for name in adapters
    if name.split(".")[0] in LIBRARIES[0] and not any(part in name.lower() for part in _ELSEWHERE)
]
CLASSES = [name for name in NAMES if ".transforms." in name]
FUNCTIONS = [name for name in NAMES if name not in CLASSES]

rng = np.random.default_rng(0)
WINDOW = torch.hann_window(16)
AUDIO = torch.from_numpy(rng.standard_normal((2, 400), np.float32))
SPECTRUM = torch.stft(AUDIO, 16, 4, window=WINDOW, return_complex=True)
LEVELS = torch.from_numpy(rng.random((2, 9, 11), np.float32))
PARTS = {"n_fft": 16, "hop_length": 4}
# a value that is right for each parameter of whatever function has it; any other parameter has its default
USUAL: dict[str, Any] = {
    "waveform": AUDIO,
    "spectrogram": SPECTRUM,
    "specgram": LEVELS,
    "x": LEVELS,
    "y": LEVELS[..., :4],
    "noise": AUDIO.flip(0),
    "snr": AUDIO[:, 0].clone(),
    "lengths": torch.tensor([400, 90]),
    "melspec": LEVELS[..., :4, :].clone(),
    "driver": "gels",
    "x_mu": torch.arange(240).view(2, 120),
    "quantization_channels": 256,
    "specgrams": LEVELS,
    "mask_param": 3,
    "freq_mask_param": 3,
    "time_mask_param": 3,
    "mask_value": 0.5,
    "axis": 2,
    "window": WINDOW,
    "n_fft": 16,
    "hop_length": 4,
    "win_length": 16,
    "pad": 3,
    "power": 2.0,
    "normalized": False,
    "length": 380,
    "return_complex": True,
    "sample_rate": 16000,
    "multiplier": 10.0,
    "amin": 1e-10,
    "db_multiplier": 0.0,
    "ref": 1.0,
    "top_db": 80.0,
    "n_freqs": 33,
    "n_stft": 9,
    "f_min": 0.0,
    "f_max": 8000.0,
    "n_filter": 8,
    "n_mels": 4,
    "n_mfcc": 3,
    "n_lfcc": 3,
    "norm": None,
    "melkwargs": {**PARTS, "n_mels": 4},
    "speckwargs": PARTS,
}
# where a function needs another
OWN: dict[str, dict[str, Any]] = {
    "torchaudio.functional.convolve": {"mode": "same"},
    "torchaudio.functional.fftconvolve": {"mode": "valid"},
    "torchaudio.functional.psd": {"specgram": SPECTRUM, "mask": SPECTRUM[0].abs()},
    "torchaudio.functional.apply_beamforming": {
        "beamform_weights": SPECTRUM[..., :2].clone(),
        "specgram": SPECTRUM[:, None].repeat(1, 2, 1, 1),
    },
    "torch.stft": {"input": AUDIO},
    "torch.istft": {"input": SPECTRUM, "return_complex": False},
    "torchaudio.functional.spectrogram": {"return_complex": None},
    "torchaudio.transforms.Spectrogram": {"return_complex": None},
    "torchaudio.compliance.kaldi.get_mel_banks": {
        "num_bins": 8,
        "window_length_padded": 64,
        "sample_freq": 16000.0,
        "low_freq": 20.0,
        "high_freq": 0.0,
        "vtln_low": 100.0,
        "vtln_high": -500.0,
        "vtln_warp_factor": 1.0,
    },
}


class Number(int):
    """A program's own int."""


class Text(str):
    """A program's own str."""

    __slots__ = ()


def anything() -> list[Any]:
    """What signatures invite and people pass, to whatever parameter."""
    return [
        None, 0, 1, 2, True, False, -1, -2, 2.0, 0.5, float("nan"), float("inf"), 1j, "2", "", (), [1], 2**70,
        np.int64(2), np.int32(2), np.float64(2), np.float32(2), np.bool_(True), np.bool_(False), np.array(2),
        torch.tensor(2), torch.tensor(2.0), torch.tensor(True), torch.tensor([2]), torch.empty(0),
    ]  # fmt: skip


def near(value: Any) -> list[Any]:
    """Other forms of a right value, and neighbours of it."""
    if isinstance(value, torch.Tensor):
        real = value.real if value.is_complex() else value
        return [
            value.to(torch.complex128 if value.is_complex() else torch.float64), real.half(), real.bfloat16(),
            real.int(), real.to(torch.complex64), value[..., :0], value[:0], value[0], value[None], value.tolist(),
            torch.nn.Parameter(value, value.is_floating_point() or value.is_complex()), real.to_sparse(),
        ]  # fmt: skip
    if isinstance(value, str):
        return [Text(value), "constant", "replicate", "circular", "slaney", "htk", "window", "frame_length", "ortho"]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        whole = int(value)
        return [
            float(value), str(value), Number(value), value + 1, value - 1, 2 * value,
            np.int64(value), np.int32(value), np.int16(value), np.float64(value), np.float32(value), np.array(value),
            torch.tensor(value), torch.tensor(whole), torch.tensor(whole, dtype=torch.int32),
            torch.tensor(float(value), dtype=torch.float64),
        ]  # fmt: skip
    return []


def found(library: dict[str, Any], name: str) -> Any:
    head, *parts = name.split(".")
    value = library[head]
    for part in parts:
        value = getattr(value, part)
    return value


def usual(name: str, function: Any) -> dict[str, Any]:
    """Right arguments for each parameter that ``function`` shows; ``name`` is what is served by it."""
    shown = inspect.signature(torch.Tensor.istft if name == "torch.istft" else function).parameters.values()
    arguments = {p.name: USUAL.get(p.name, p.default) for p in shown if p.name != "self"}
    return arguments | OWN.get(name, {})


def complaints(name: str, calls: Any, tried: Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> list[str]:
    found = ((label, likeness.unlike(name, calls, *args, **kwargs)) for label, args, kwargs in tried)
    return [f"{label}: {unlike}" for label, unlike in found if unlike]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_argument_of_a_function_does_as_the_reference_s(name: str) -> None:
    calls = tuple(found(library, name) for library in LIBRARIES)
    right = usual(name, calls[1])
    calls[0](**right)
    assert likeness.reasons() == {(name, "")}

    def tried() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        yield "right", (), right
        yield "positional", tuple(right.values()), {}
        yield "none", (), {}
        yield "too many", (*right.values(), 1, 2, 3), {}
        yield "one twice", (next(iter(right.values())),), right
        yield "unknown", (), {**right, "colour": "red"}
        for key, value in right.items():
            yield f"without {key}", (), {other: v for other, v in right.items() if other != key}
            for one in (*anything(), *near(value)):
                changed = {**right, key: one}
                yield f"{key}={likeness.shown(one)}", (), changed
                yield f"positional {key}={likeness.shown(one)}", tuple(changed.values()), {}

    assert complaints(name, calls, tried()) == []


def constructed(kinds: Any) -> tuple[Callable[..., Any], ...]:
    """For each library: construct a module with the options given, and call it."""
    return tuple(lambda *x, kind=kind, **options: kind(**options)(*x) for kind in kinds)


def given(kind: Any) -> tuple[Any, ...]:
    """What a module of a class is called with."""
    first, *others = list(inspect.signature(kind.forward).parameters.values())[1:]
    return tuple(USUAL[each.name] for each in (first, *others) if each is first or each.default is each.empty)


@pytest.mark.parametrize("name", CLASSES)
def test_any_option_of_a_class_does_as_torchaudio_s(name: str) -> None:
    kinds = [found(library, name) for library in LIBRARIES]
    right, x = usual(name, kinds[1]), given(kinds[1])
    kinds[0](**right)(*x)
    assert (name, "") in likeness.reasons()

    def tried() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        for key, value in right.items():
            for one in (*anything(), *near(value)):
                yield f"{key}={likeness.shown(one)}", x, {**right, key: one}
            if isinstance(value, dict):
                part = torchaudio.transforms.MelSpectrogram if key == "melkwargs" else torchaudio.transforms.Spectrogram
                for inner in inspect.signature(part).parameters:
                    for one in anything():
                        yield f"{key}: {inner}={likeness.shown(one)}", x, {**right, key: {**value, inner: one}}

    assert complaints(name, constructed(kinds), tried()) == []


@pytest.mark.parametrize("name", CLASSES)
def test_any_argument_of_a_module_s_call_does_as_torchaudio_s(name: str) -> None:
    kinds = [found(library, name) for library in LIBRARIES]
    right = usual(name, kinds[1])
    calls = tuple(kind(**right) for kind in kinds)
    parameters = list(inspect.signature(kinds[1].forward).parameters)[1:]

    def tried() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        yield "none", (), {}
        yield "unknown", given(kinds[1]), {"colour": "red"}
        for key in parameters:
            for one in (*anything(), *near(USUAL[key])):
                changed = {name: USUAL[name] for name in parameters} | {key: one}
                yield f"{key}={likeness.shown(one)}", (), changed
                yield f"positional {key}={likeness.shown(one)}", tuple(changed.values()), {}

    assert complaints(name, calls, tried()) == []


def attributes(module: Any) -> dict[str, Any]:
    """What a module's call may read of it."""
    own = {key: value for key, value in vars(module).items() if not key.startswith("_") and key != "training"}
    return {**own, **dict(module.named_buffers(recurse=False))}


@pytest.mark.parametrize("name", CLASSES)
def test_any_attribute_of_a_module_may_be_set_or_lost_later_as_torchaudio_s(name: str) -> None:
    kinds = [found(library, name) for library in LIBRARIES]
    right, x = usual(name, kinds[1]), given(kinds[1])

    def with_attribute(kind: Any) -> Callable[..., Any]:
        def call(x: tuple[Any, ...], key: str, *value: Any) -> Any:
            module = kind(**right)
            delattr(module, key)
            if value:
                setattr(module, key, *value)
            return module(*x)

        return call

    def tried() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        for key, value in attributes(kinds[1](**right)).items():
            yield f"{key} deleted", (x, key), {}
            for one in (*anything(), *near(value)):
                # torch's default driver may find no solution, and returns memory that it has not written to
                if not (key == "driver" and one is None):
                    yield f"{key}={likeness.shown(one)}", (x, key, one), {}

    assert complaints(name, tuple(map(with_attribute, kinds)), tried()) == []
