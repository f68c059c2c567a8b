"""Transforms of torchaudio, some of whose parts a program has replaced, removed or changed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

from . import likeness
from .torchaudio_modules import KINDS, given, make

pytestmark = pytest.mark.usefixtures("ours")

# the parts of each transform that has any
PARTS = {
    "MelSpectrogram": ["spectrogram", "mel_scale"],
    "MFCC": ["MelSpectrogram", "MelSpectrogram.spectrogram", "MelSpectrogram.mel_scale", "amplitude_to_DB"],
    "LFCC": ["Spectrogram", "amplitude_to_DB"],
}


class Halved(torch.nn.Module):
    """A program's own module around a part."""

    def __init__(self, part: Any) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Any) -> Any:
        return self.part(x) / 2


REPLACED: dict[str, Callable[[Any], Any]] = {
    "an identity": lambda part: torch.nn.Identity(),
    "a sequence": lambda part: torch.nn.Sequential(part),
    "a program's own module": Halved,
    "nothing": lambda part: None,
    "torchaudio's own": lambda part: pickle.loads(pickle.dumps(part)),
}


def replaced(library: Any, kind: str, path: str, how: str) -> Any:
    module = make(kind, library)
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, REPLACED[how](module.get_submodule(path)))
    return module


@pytest.mark.parametrize("how", REPLACED)
@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in PARTS.items() for path in paths])
def test_a_part_that_is_replaced_by_another_module_is_called_as_torchaudio_calls_it(
    kind: str, path: str, how: str
) -> None:
    calls = (replaced(shim, kind, path, how), replaced(torchaudio, kind, path, how))
    assert not likeness.unlike(f"torchaudio.transforms.{kind}", calls, given(kind))


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in PARTS.items() for path in paths])
def test_a_part_that_is_lost_raises_torchaudio_s_error(kind: str, path: str) -> None:
    def without(library: Any) -> Any:
        module = make(kind, library)
        parent, _, name = path.rpartition(".")
        delattr(module.get_submodule(parent), name)
        return module

    assert not likeness.unlike(f"torchaudio.transforms.{kind}", (without(shim), without(torchaudio)), given(kind))


@pytest.mark.parametrize("log_mels", [False, True])
def test_what_a_transform_does_not_use_may_be_lost(log_mels: bool) -> None:
    module = make("MFCC", log_mels=log_mels)
    expected = module(given("MFCC"))
    if log_mels:
        del module.amplitude_to_DB
    assert torch.equal(module(given("MFCC")), expected)
    assert likeness.reasons() == {("torchaudio.transforms.MFCC", "")}


def test_no_filters_give_an_empty_spectrogram() -> None:
    calls = tuple(make("MelSpectrogram", library, n_mels=0) for library in (shim, torchaudio))
    assert not likeness.unlike("torchaudio.transforms.MelSpectrogram", calls, given("MelSpectrogram"))
    assert calls[0](given("MelSpectrogram")).shape == (2, 0, 29)


def test_a_pad_mode_that_is_never_read_is_no_reason() -> None:
    # as EnCodec's discriminators have it
    options = {"n_fft": 64, "hop_length": 16, "normalized": True, "center": False, "pad_mode": None, "power": None}
    calls = tuple(library.transforms.Spectrogram(**options) for library in (shim, torchaudio))
    assert not likeness.unlike("torchaudio.transforms.Spectrogram", calls, given("Spectrogram"))
    assert likeness.reasons() == {("torchaudio.transforms.Spectrogram", "")}


@pytest.mark.parametrize("later", [False, True])
def test_a_spectrum_is_one_sided_unless_that_is_refused(later: bool) -> None:
    module = make("Spectrogram", onesided=True if later else None)
    module.onesided = None
    assert module(given("Spectrogram")).shape[-2] == 33
    lfcc = make("LFCC", speckwargs={"n_fft": 64, "onesided": None})
    lfcc(given("LFCC"))
    assert {reason for _, reason in likeness.reasons()} == {""}


# a coefficient or a momentum that is no plain number is torchaudio's to calculate with
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("Deemphasis", "GriffinLim")])
def test_numbers_of_numpy_s_and_torch_s_are_served(kind: str) -> None:
    for form in (torch.tensor, lambda value: np.asarray(value)[()]):
        module, expected = make(kind), make(kind)(given(kind))
        for part in module.modules():
            for name, value in vars(part).items():
                if type(value) in (int, float):
                    setattr(part, name, form(value))
        compat.reset()
        result = module(given(kind))
        assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
        assert torch.equal(result, expected)
        assert {reason for _, reason in likeness.reasons()} == {""}


def test_an_empty_result_lies_in_memory_as_torchaudio_s_does() -> None:
    calls = tuple(make("InverseSpectrogram", library, pad=3) for library in (shim, torchaudio))
    for length in (0, 20):
        assert not likeness.unlike(
            "torchaudio.transforms.InverseSpectrogram", calls, given("InverseSpectrogram"), length
        )
