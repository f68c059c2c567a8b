"""Sliding normalization in torchaudio's place, beyond what the parity rows and the generic tests measure."""

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

from mlx_spectro.compat import torchaudio as shim

from . import likeness
from .torchaudio_modules import noise, reasons

FUNCTIONS = shim.functional.sliding_window_cmn, torchaudio.functional.sliding_window_cmn
NAME = "torchaudio.functional.sliding_window_cmn"


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 2, 3, 40, 130])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("window", [1, 2, 7, 39, 40, 41, 500])
@pytest.mark.parametrize("least", [-1, 0, 1, 30, 500])
def test_windows_are_torchaudio_s(frames: int, center: bool, window: int, least: int, ours: None) -> None:
    x = noise(2, frames, 3)
    assert not likeness.unlike(NAME, FUNCTIONS, x, window, least, center)
    assert not likeness.unlike(NAME, FUNCTIONS, x[0], window, least, center)
    assert reasons() == {""}


@pytest.mark.parametrize(
    "x",
    [
        noise(2, 40, 3).half(),
        noise(2, 40, 3) + 1j,
        torch.ones(2, 40, 3, dtype=torch.int32),
        noise(40, 2, 3).transpose(0, 1)[None].expand(2, 2, 40, 3),
        noise(40),
        noise(2, 0, 3),
        noise(0, 40, 3),
        noise(2, 40, 3).requires_grad_(),
    ],
    ids=likeness.shown,
)
def test_what_we_do_not_normalize_is_torchaudio_s(x: Any, ours: None) -> None:
    assert not likeness.unlike(NAME, FUNCTIONS, x, 9, 4, norm_vars=True)
    assert "" not in reasons()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_what_it_spoils_there(bad: float, ours: None) -> None:
    x = noise(2, 60, 3)
    x[1, 30, 2] = bad
    for norm_vars in (False, True):
        assert not likeness.unlike(NAME, FUNCTIONS, x, 9, 4, False, norm_vars)


def test_what_does_not_vary_is_torchaudio_s(ours: None) -> None:
    assert not likeness.unlike(NAME, FUNCTIONS, torch.full((2, 40, 3), 0.1), 9, 4, norm_vars=True)
    assert reasons() == {"a window's variance is nothing but rounding"}


@pytest.mark.parametrize(("scale", "norm_vars"), [(1e-22, True), (1e-40, True), (1e19, True), (3e37, False)])
def test_sums_that_vanish_or_overflow_do_so_as_torchaudio_s(scale: float, norm_vars: bool, ours: None) -> None:
    x = noise(2, 60, 3)
    x[..., 1] *= scale
    assert not likeness.unlike(NAME, FUNCTIONS, x, 50, 50, False, norm_vars)
    assert "" not in reasons()


def test_modules_are_torchaudio_s(ours: None) -> None:
    x, made = noise(2, 60, 3), shim.transforms.SlidingWindowCmn(9, 4, True)
    theirs = torchaudio.transforms.SlidingWindowCmn(9, 4, True)
    assert isinstance(made, torchaudio.transforms.SlidingWindowCmn)
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        # sums of at most 9 values
        assert torch.allclose(module(x), theirs(x), atol=1e-5)
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
    made.norm_vars = theirs.norm_vars = True
    assert not likeness.unlike("torchaudio.transforms.SlidingWindowCmn", (made, theirs), x, bound=lambda x: 1e-3 * x)
