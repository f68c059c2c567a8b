"""Companding in torchaudio's place, beyond what rows and the generic tests measure."""

from __future__ import annotations

import copy
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
from mlx_spectro.design.thresholds import thresholds

from . import likeness
from .torchaudio_modules import noise, reasons

LIBRARIES = (shim, torchaudio)


def both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return getattr(shim.functional, name), getattr(torchaudio.functional, name)


def neighbours(kind: Any, channels: int) -> Any:
    """Numbers around those at which codes change, of which some are the nearest ones."""
    values, _ = thresholds(lambda x: torchaudio.functional.mu_law_encoding(torch.from_numpy(x), channels).numpy(), kind)
    near, every = [values], [values]
    for way in (np.inf, -np.inf):
        near = [values]
        for _ in range(30):
            near.append(np.nextafter(near[-1], kind(way)))
        every += near
    return torch.from_numpy(np.concatenate(every).clip(-1, 1))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [2, 3, 16, 100, 255, 256])
def test_numbers_near_those_at_which_codes_change_get_torchaudio_s(kind: Any, channels: int, ours: None) -> None:
    functions = both("mu_law_encoding")
    for x in (neighbours(kind, channels), noise(100001).to(torch.float64).tanh().numpy().astype(kind)):
        for begin in (0, 1, 2, 3):  # wherever vectors begin
            assert not likeness.unlike("", functions, torch.as_tensor(x)[begin:], channels, bound=lambda _: 0.0)
    assert reasons() == {""}


def test_zeros_of_either_sign_and_the_smallest_numbers_are_encoded_alike(ours: None) -> None:
    for kind in (np.float32, np.float64):
        limits = np.finfo(kind)
        small = torch.from_numpy(np.array([0, limits.tiny, limits.smallest_subnormal, 1e-9, 1, 1 - 1e-7], kind))
        x = torch.cat([small, -small])
        assert not likeness.unlike("", both("mu_law_encoding"), x, 256, bound=lambda _: 0.0)
    assert reasons() == {""}


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8])
@pytest.mark.parametrize("channels", [2, 100, 128, 256, 40000])
def test_every_code_is_decoded_to_the_bit(kind: Any, channels: int, ours: None) -> None:
    x = torch.arange(min(channels, torch.iinfo(kind).max + 1)).to(kind).repeat(3)
    for codes in (x, x[1:].view(1, -1)):
        assert not likeness.unlike("", both("mu_law_decoding"), codes, channels, bound=lambda _: 0.0)
    assert reasons() == {""}


@pytest.mark.parametrize(
    ("x", "channels"),
    [
        (noise(3, 90), 256),
        (noise(3, 90).half().tanh(), 256),
        (noise(3, 90).tanh() + 0j, 256),
        (torch.ones(3, 9, dtype=torch.int32), 256),
        (noise(90, 3).tanh().T, 256),
        (noise(3, 90).tanh()[:, ::2], 256),
        (noise(3, 0), 256),
        (torch.tensor(0.5), 256),
        (noise(3, 90).tanh().requires_grad_(), 256),
        (noise(3, 90).tanh(), 1),
        (noise(3, 90).tanh(), 65536),
        (noise(3, 90).tanh(), 255.5),
        (torch.tensor([0.1, np.nan, 0.2]), 256),
        (torch.tensor([0.1, np.inf, 0.2]), 256),
    ],
)
def test_whatever_else_is_encoded_is_torchaudio_s(x: Any, channels: Any, ours: None) -> None:
    with likeness.every_warning():
        assert not likeness.unlike("", both("mu_law_encoding"), x, channels, bound=lambda _: 0.0)


@pytest.mark.parametrize(
    ("x", "channels"),
    [
        (torch.arange(256), 100),
        (torch.arange(256) - 3, 256),
        (torch.arange(256).view(16, 16).T, 256),
        (torch.arange(256)[::2], 256),
        (torch.arange(256)[:0], 256),
        (torch.tensor(3), 256),
        (torch.arange(256) / 2, 256),
        ((torch.arange(256) / 2).requires_grad_(), 256),
        (torch.arange(256) > 3, 256),
        (torch.arange(256), 1),
        (torch.arange(256), 255.5),
    ],
)
def test_whatever_else_is_decoded_is_torchaudio_s(x: Any, channels: Any, ours: None) -> None:
    assert not likeness.unlike("", both("mu_law_decoding"), x, channels, bound=lambda _: 0.0)


def test_few_values_are_torchaudio_s_to_encode_and_ours_to_decode() -> None:
    compat.reset()
    shim.functional.mu_law_encoding(noise(90).tanh(), 256)
    assert "as fast" in next(iter(reasons()))
    compat.reset()
    shim.functional.mu_law_decoding(torch.arange(9), 256)
    shim.functional.mu_law_encoding(noise(2, 1 << 16).tanh(), 256)
    assert reasons() == {""}


@pytest.mark.parametrize("kind", ["MuLawEncoding", "MuLawDecoding"])
def test_modules_are_copied_and_pickled_as_torchaudio_s(kind: str, ours: None) -> None:
    x = noise(2, 90).tanh() if kind == "MuLawEncoding" else torch.arange(90)
    made, theirs = (getattr(library.transforms, kind)(100) for library in LIBRARIES)
    assert isinstance(made, getattr(torchaudio.transforms, kind))
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(module(x), theirs(x))
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
    made.quantization_channels = theirs.quantization_channels = 200
    assert torch.equal(made(x), theirs(x))
