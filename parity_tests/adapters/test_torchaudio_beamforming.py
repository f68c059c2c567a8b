"""Covariances and beamforming in torchaudio's place, beyond what rows and the generic tests measure."""

from __future__ import annotations

import copy
import pickle
from typing import Any

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
X = torch.complex(noise(3, 5, 20), noise(3, 5, 20, seed=1))
MASK = noise(5, 20).square().clamp(max=1)


def near(largest: float) -> float:
    """What single precision makes of sums of 20 products, and of solutions for three channels."""
    return 1e-4 * largest


@pytest.mark.parametrize(
    ("x", "mask"),
    [
        (X, MASK.double()),
        (X.to(torch.complex128), MASK),
        (X.real, MASK),
        (X, MASK + 0j),
        (X, MASK[None]),
        (X, MASK > 0.5),
        (X[..., :0], MASK[..., :0]),
        (X.clone().requires_grad_(), MASK),
        (X, MASK.clone().requires_grad_()),
    ],
)
def test_other_masks_do_as_torchaudio_s(x: Any, mask: Any, ours: None) -> None:
    functions = tuple(library.functional.psd for library in LIBRARIES)
    assert not likeness.unlike("", functions, x, mask, bound=near)


@pytest.mark.parametrize("solution", ["ref_channel", "stv_evd", "stv_power"])
def test_a_module_that_is_online_remembers_as_torchaudio_s(solution: str, ours: None) -> None:
    mine, theirs = (library.transforms.MVDR(1, solution, online=True) for library in LIBRARIES)
    for seed in range(3):
        x = X * (1 + 0.1 * seed)
        assert not likeness.unlike("", (mine, theirs), x, MASK, 1 - MASK, bound=near)
        assert reasons() == {""}
    for name, value in theirs.state_dict().items():
        assert torch.allclose(mine.state_dict()[name], value)


def test_what_fails_is_not_remembered(ours: None) -> None:
    mine, theirs = (library.transforms.MVDR(diag_loading=False, online=True) for library in LIBRARIES)
    for module in (mine, theirs):
        # no noise, of which there is no inverse
        with pytest.raises(RuntimeError, match="singular"):
            module(X, MASK, 0 * MASK)
        module(X, MASK, 1 - MASK)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(mine.state_dict()[name], value)


@pytest.mark.parametrize("mask", [MASK, torch.ones_like(MASK)], ids=["usable", "of no noise"])
def test_what_torchaudio_warns_of_is_said_once(mask: Any, ours: None) -> None:
    modules = tuple(library.transforms.MVDR(diag_loading=False) for library in LIBRARIES)
    assert not likeness.unlike("", modules, X, mask, bound=near)


def test_a_part_with_hooks_is_called(ours: None) -> None:
    made, heard = shim.transforms.MVDR(), []
    made.psd.register_forward_hook(lambda *_: heard.append(1))
    made(X, MASK, 1 - MASK)
    assert len(heard) == 2
    assert "hooks" in next(iter(reasons()))


def test_verification_does_not_make_it_remember_twice(ours: None) -> None:
    made = shim.transforms.MVDR(online=True)
    with compat.numerics("verify"):
        made(X, MASK, 1 - MASK)
        assert "twice" in next(iter(reasons()))
        compat.reset()
        shim.transforms.MVDR()(X, MASK, 1 - MASK)
    assert reasons() == {""}


Z = torch.complex(noise(4, 3, 5, 20, seed=2), noise(4, 3, 5, 20, seed=3))
W = torch.complex(noise(4, 5, 3, seed=4), noise(4, 5, 3, seed=5))


@pytest.mark.parametrize("kind", [torch.complex64, torch.complex128])
@pytest.mark.parametrize(
    ("w", "x"),
    [
        (W, Z),
        (W.conj(), Z),
        (W.mT.contiguous().mT, Z),
        (W.view(2, 2, 5, 3), Z.view(2, 2, 3, 5, 20)),
        (W[:, :1], Z[:, :, :1].contiguous()),
        (W[..., :1], Z[:, :1].contiguous()),
        (W, Z[..., :1].contiguous()),
    ],
)
def test_examples_are_weighed_as_torchaudio_s(w: Any, x: Any, kind: Any, ours: None) -> None:
    functions = tuple(library.functional.apply_beamforming for library in LIBRARIES)
    assert not likeness.unlike("", functions, w.to(kind), x.to(kind), bound=near)
    assert reasons() == {""}


@pytest.mark.parametrize(
    ("w", "x"),
    [
        (W[0], Z[0]),
        (W[:1], Z[:1]),
        (W[:2], Z),
        (W.real, Z),
        (W, Z.real),
        (W.to(torch.complex128), Z),
        (W[..., :2], Z),
        (W, Z[..., ::2]),
        (W, Z[..., :0]),
        (W.clone().requires_grad_(), Z),
        (W, Z.clone().requires_grad_()),
    ],
)
def test_whatever_else_is_weighed_is_torchaudio_s(w: Any, x: Any, ours: None) -> None:
    functions = tuple(library.functional.apply_beamforming for library in LIBRARIES)
    assert not likeness.unlike("", functions, w, x, bound=near)
    assert "" not in reasons()


@pytest.mark.parametrize("kind", ["SoudenMVDR", "RTFMVDR"])
@pytest.mark.parametrize("channel", [1, torch.tensor([0.0, 1.0, 0.0]), -1, 7, None, "1"])
def test_weights_of_several_examples_are_torchaudio_s(kind: str, channel: Any, ours: None) -> None:
    calls = tuple(getattr(library.transforms, kind)() for library in LIBRARIES)
    speech, others = (shim.functional.psd(one) for one in (Z, Z.flip(-1) + W[0, 0, 0]))
    given = speech if kind == "SoudenMVDR" else W
    assert not likeness.unlike("", calls, Z, given, others, channel, bound=near)
    # no noise, of which there is no inverse
    assert not likeness.unlike("", calls, Z, given, 0 * others, channel, False, bound=near)
    assert not likeness.unlike("", calls, Z[0], given[0], others[0], channel, bound=near)


def test_few_spectra_and_those_of_one_example_are_torchaudio_s() -> None:
    covariance = torch.eye(3, dtype=torch.complex64).expand(4, 5, 3, 3)
    for x in (Z, Z[0].repeat(1, 50, 400)):
        rows = covariance[: len(x)] if x.dim() > 3 else covariance[0].repeat(50, 1, 1)
        compat.reset()
        shim.functional.apply_beamforming(rows[..., 0], x)
        shim.transforms.SoudenMVDR()(x, rows, rows, 0)
        assert all("as fast" in reason for reason in reasons())
    compat.reset()
    x = Z.repeat(1, 1, 10, 50)
    shim.transforms.SoudenMVDR()(x, covariance.repeat(1, 10, 1, 1), covariance.repeat(1, 10, 1, 1), 0)
    assert reasons() == {""}


@pytest.mark.parametrize("kind", ["PSD", "MVDR"])
def test_modules_are_copied_and_pickled_as_torchaudio_s(kind: str, ours: None) -> None:
    made, theirs = (getattr(library.transforms, kind)() for library in LIBRARIES)
    masks = (MASK, 1 - MASK) if kind == "MVDR" else (MASK,)
    assert isinstance(made, getattr(torchaudio.transforms, kind))
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.allclose(module(X, *masks), theirs(X, *masks), rtol=1e-4, atol=1e-4)
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
