"""InverseMelScale in torchaudio's place, beyond what rows and the generic tests measure."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio

from mlx_spectro.compat import torchaudio as shim

from . import likeness
from .torchaudio_modules import close, noise, reasons

LIBRARIES = (shim, torchaudio)
X = noise(2, 20, 9).square()
# a few roundings of a few dozen sums, of filters that overlap little
NEAR = 1e-5


def modules(**options: Any) -> tuple[Any, Any]:
    mine, theirs = (library.transforms.InverseMelScale(257, 20, **options) for library in LIBRARIES)
    return mine, theirs


def test_a_bank_is_read_at_each_call(ours: None) -> None:
    mine, theirs = modules()
    for change in (
        lambda module: module.fb.mul_(2.0),
        lambda module: module.fb.data[:, 3].mul_(3.0),  # which leaves its version
        lambda module: setattr(module, "fb", module.fb.flip(0)),
        # the same bytes, which are other numbers
        lambda module: setattr(module, "fb", torch._neg_view(-module.fb)),
        lambda module: setattr(module, "fb", module.fb.neg().resolve_neg()),
        lambda module: module.load_state_dict({"fb": module.fb * 0.5}),
    ):
        for module in (mine, theirs):
            change(module)
        assert close(mine(X), theirs(X), NEAR)
    assert reasons() == {""}


@pytest.mark.parametrize("driver", ["gels", "gelsd", "gelss"])
@pytest.mark.parametrize("double", [False, True])
def test_spectrograms_are_those_of_every_driver(driver: str, double: bool, ours: None) -> None:
    kind = torch.float64 if double else torch.float32
    mine, theirs = (module.to(kind) for module in modules(driver=driver))
    for x in (X, X[0], X[:1], X[..., :1], X[None]):
        x = x.to(kind).contiguous()
        assert not likeness.unlike("", (mine, theirs), x, bound=lambda largest: NEAR * largest)
    assert reasons() == {""}


@pytest.mark.parametrize(
    "x",
    [
        X.half(),
        X + 0j,
        X.to(torch.int32),
        X.mT.contiguous().mT,
        X[..., ::2],
        X[..., :0],
        X[:, :9],
        X[0, 0],
        X.double(),
        X.clone().requires_grad_(),
    ],
    ids=likeness.shown,
)
def test_whatever_else_is_inverted_is_torchaudio_s(x: Any, ours: None) -> None:
    assert not likeness.unlike("", modules(), x, bound=lambda largest: NEAR * largest)
    assert "" not in reasons()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_torchaudio_s(bad: float, ours: None) -> None:
    x = X.clone()
    x[1, 3, 4] = bad
    assert not likeness.unlike("", modules(), x, bound=lambda largest: NEAR * largest)
    assert "" not in reasons()


@pytest.mark.parametrize("n_mels", [60, 128])
def test_filters_that_are_no_independent_ones_raise_torchaudio_s_error(n_mels: int, ours: None) -> None:
    with pytest.warns(UserWarning, match="all zero"):
        calls = [library.transforms.InverseMelScale(65, n_mels) for library in LIBRARIES]
    assert not likeness.unlike("", (calls[0], calls[1]), noise(n_mels, 3).square())
    assert "" not in reasons()


@pytest.fixture
def less_precise() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


def test_products_that_may_be_less_precise_are_not_ours(less_precise: None, ours: None) -> None:
    mine, theirs = modules()
    assert torch.equal(mine(X), theirs(X))
    assert "less precise" in next(iter(reasons()))


def test_modules_are_copied_and_pickled_as_torchaudio_s(ours: None) -> None:
    made, theirs = modules()
    assert isinstance(made, torchaudio.transforms.InverseMelScale)
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert close(module(X), theirs(X), NEAR)
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
