"""Noise at a ratio in torchaudio's place, beyond what rows and the generic tests measure."""

from __future__ import annotations

import copy
import pickle
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
from .torchaudio_modules import noise, reasons

LIBRARIES = (shim, torchaudio)
BOTH = (shim.functional.add_noise, torchaudio.functional.add_noise)
X, NOISE, SNR = noise(3, 900), noise(3, 900, seed=1), 10 * noise(3, seed=2)
LENGTHS = torch.tensor([900, 300, 0])


def same(*args: Any) -> bool:
    return not likeness.unlike("", BOTH, *args, bound=lambda _: 0.0)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(900,), (3, 900), (2, 3, 40000), (70, 1000)])
def test_sums_are_torchaudio_s_to_the_bit(shape: tuple[int, ...], kind: Any, ours: None) -> None:
    x, other = noise(*shape).to(kind), noise(*shape, seed=1).to(kind)
    snr = 10 * noise(*shape[:-1], seed=2).to(kind)
    counted = torch.from_numpy(np.random.default_rng(3).integers(-1, shape[-1] + 3, shape[:-1]))
    for lengths in (None, counted, counted.int(), torch.full(shape[:-1], shape[-1])):
        assert same(x, other, snr, lengths)
    assert reasons() == {""}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [100, 500])
def test_what_is_not_finite_spoils_what_it_spoils_there(bad: float, place: int, ours: None) -> None:
    for k in range(2):
        signals = [X.clone(), NOISE.clone()]
        signals[k][1, place] = bad
        assert same(*signals, SNR, LENGTHS)
        assert same(*signals, SNR)
    assert reasons() == {""}


def test_silence_and_what_overflows_are_torchaudio_s(ours: None) -> None:
    for x, other in ((0 * X, NOISE), (X, 0 * NOISE), (0 * X, 0 * NOISE), (1e30 * X, NOISE), (X, 1e-30 * NOISE)):
        assert same(x, other, SNR)
        assert same(x, other, SNR, LENGTHS)
    assert reasons() == {""}


@pytest.mark.parametrize(
    "args",
    [
        (X.half(), NOISE.half(), SNR.half()),
        (X.double(), NOISE, SNR),
        (X, NOISE, SNR.double()),
        (X + 0j, NOISE + 0j, SNR),
        (X[:1], NOISE, SNR),
        (X, NOISE[:1], SNR),
        (X, NOISE, SNR[:1]),
        (X[:, ::2], NOISE[:, ::2], SNR),
        (X[..., :0], NOISE[..., :0], SNR),
        (X, NOISE, SNR, LENGTHS.float()),
        (X, NOISE, SNR, LENGTHS[:1]),
        (X, NOISE, SNR, [900, 300, 0]),
        (X.clone().requires_grad_(), NOISE, SNR),
        (X, NOISE.clone().requires_grad_(), SNR),
        (X, NOISE, SNR.clone().requires_grad_()),
    ],
)
def test_whatever_else_is_mixed_is_torchaudio_s(args: Any, ours: None) -> None:
    assert same(*args)
    assert "" not in reasons()


def test_what_is_not_counted_and_many_short_signals_are_torchaudio_s() -> None:
    counted, every = torch.arange(16) * 4000, noise(16, 1 << 15)
    for x, lengths in ((every, None), (every[:, :900].contiguous(), counted), (every[:2], counted[:2])):
        compat.reset()
        BOTH[0](x, x, noise(len(x)), lengths)
        assert "as fast" in next(iter(reasons()))
    compat.reset()
    assert same(every, every.flip(0), noise(16), counted)
    assert reasons() == {""}


def test_modules_are_copied_and_pickled_as_torchaudio_s(ours: None) -> None:
    made, theirs = (library.transforms.AddNoise() for library in LIBRARIES)
    assert isinstance(made, torchaudio.transforms.AddNoise)
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(module(X, NOISE, SNR, LENGTHS + 1), theirs(X, NOISE, SNR, LENGTHS + 1))
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
