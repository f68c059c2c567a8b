"""Convolution in torchaudio's place, beyond what the parity rows and the generic tests measure."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
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

NAMES = ("convolve", "fftconvolve")
MODES = ("full", "valid", "same")
each_name = pytest.mark.parametrize("name", NAMES)


def both(name: str) -> tuple[Any, Any]:
    return getattr(shim.functional, name), getattr(torchaudio.functional, name)


# where axes lie and which of them repeat
LAYOUTS = {
    "as they are": lambda: (noise(2, 3, 90), noise(2, 3, 40, seed=1)),
    "swapped": lambda: (noise(3, 2, 90).transpose(0, 1), noise(2, 3, 40, seed=1)),
    "every second": lambda: (noise(2, 3, 180)[..., ::2], noise(2, 3, 40, seed=1)),
    "interleaved": lambda: (noise(2, 90, 3).transpose(1, 2), noise(2, 40, 3, seed=1).transpose(1, 2)),
    "repeated": lambda: (noise(90).expand(2, 3, 90), noise(2, 3, 40, seed=1)),
    "a filter for all": lambda: (noise(2, 3, 90), noise(1, 1, 40, seed=1)),
    "a signal for all": lambda: (noise(2, 1, 90), noise(1, 3, 40, seed=1)),
    "the filter is longer": lambda: (noise(2, 1, 40), noise(1, 3, 90, seed=1)),
    "few taps": lambda: (noise(2, 3, 90), noise(1, 3, 5, seed=1)),
    "no leading axes": lambda: (noise(90), noise(40, seed=1)),
    "two samples": lambda: (noise(2, 2), noise(2, 1, seed=1)),
}


@each_name
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_results_and_gradients_are_torchaudio_s(name: str, mode: str, layout: str, dtype: Any, ours: None) -> None:
    x, y = (each.to(dtype) for each in LAYOUTS[layout]())
    calls = both(name)
    assert not likeness.unlike(f"torchaudio.functional.{name}", calls, x, y, mode)
    assert reasons() == {""}

    def gradients(call: Any) -> Any:
        def of(x: Any, y: Any, which: tuple[bool, bool]) -> Any:
            leaves = [each.detach().requires_grad_(wanted) for each, wanted in zip((x, y), which, strict=True)]
            result = call(*leaves, mode)
            g = torch.from_numpy(np.random.default_rng(3).standard_normal(tuple(result.shape))).to(dtype)
            return torch.autograd.grad(result, [leaf for leaf in leaves if leaf.requires_grad], g)

        return of

    for which in ((True, True), (True, False), (False, True)):
        # sums over leading axes and taps
        unlike = likeness.unlike("", tuple(map(gradients, calls)), x, y, which, bound=lambda largest: 1e-5 * largest)
        assert not unlike


@each_name
@pytest.mark.parametrize("taps", [3, 40])
@pytest.mark.parametrize("mode", MODES)
def test_gradients_and_their_gradients_are_numerical_ones(name: str, taps: int, mode: str, ours: None) -> None:
    x, y = noise(2, 1, 12).double().requires_grad_(), noise(1, 2, taps, seed=1).double().requires_grad_()
    call, _ = both(name)
    assert torch.autograd.gradcheck(lambda x, y: call(x, y, mode), (x, y), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(lambda x, y: call(x, y, mode), (x, y))
    assert {record.reason for record in compat.report() if record.function.endswith(name)} == {""}


@each_name
@pytest.mark.parametrize("taps", [5, 40, 200])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_not_finite_spoils_what_it_does_there(name: str, taps: int, bad: float, where: int, ours: None) -> None:
    arrays = noise(2, 120), noise(2, taps, seed=1)
    arrays[where][1, 4] = bad
    assert not likeness.unlike(f"torchaudio.functional.{name}", both(name), *arrays)


@each_name
@pytest.mark.parametrize(
    "arrays",
    [
        (torch.ones(2, 9, dtype=torch.int32), torch.ones(2, 3, dtype=torch.int32)),
        (torch.ones(2, 9, dtype=torch.int64), torch.ones(2, 3)),
        (torch.ones(2, 9), torch.ones(2, 3).double()),
        (torch.ones(2, 9).bfloat16(), torch.ones(2, 3).bfloat16()),
        (torch.ones(2, 9) + 1j, torch.ones(2, 3)),
        (torch.ones(2, 9), torch.ones(3)),
        (torch.ones(2, 9), torch.ones(3, 3)),
        (torch.ones(2, 0), torch.ones(2, 3)),
        (torch.ones(0, 9), torch.ones(0, 3)),
        (torch.ones(9), np.ones(3)),
        ([1.0, 2.0], torch.ones(3)),
    ],
    ids=lambda arrays: ", ".join(map(likeness.shown, arrays)),
)
def test_what_we_do_not_convolve_is_torchaudio_s(name: str, arrays: Any, ours: None) -> None:
    assert not likeness.unlike(f"torchaudio.functional.{name}", both(name), *arrays)
    assert "" not in reasons()


@pytest.mark.parametrize(
    "arrays",
    [
        (torch.tensor([0.7338]), torch.tensor([3e38])),
        (torch.tensor([-0.0046, 3e38]), torch.tensor([0.2033, 0.8145])),
        (torch.ones(1), torch.tensor([3e38]).expand(40)),
        (noise(40).requires_grad_(), torch.tensor([3e38]).expand(100)),
        (noise(3, 2, 33).transpose(0, 1), torch.ones(1, 1, 1)),
        (torch.ones(1, 1, 1), noise(1, 3, 33).expand(2, 3, 33)),
    ],
    ids=lambda arrays: ", ".join(map(likeness.shown, arrays)),
)
def test_what_transforms_overflow_of_or_lay_out_is_torchaudio_s(arrays: Any, ours: None) -> None:
    assert not likeness.unlike("torchaudio.functional.fftconvolve", both("fftconvolve"), *arrays)


def test_silence_stays_silent_in_sums_of_few_products(ours: None) -> None:
    x = torch.zeros(400)
    x[200] = 1
    y = noise(9)
    assert torch.equal(shim.functional.convolve(x, y)[200:209], y)
    assert not shim.functional.convolve(x, y)[:200].any()


@each_name
def test_a_batch_is_its_signals_one_by_one(name: str, ours: None) -> None:
    call, _ = both(name)
    for taps in (9, 300):
        x, y = noise(5, 3000), noise(5, taps, seed=1)
        assert torch.equal(call(x, y), torch.stack([call(*pair) for pair in zip(x, y, strict=True)]))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("kind", ["Convolve", "FFTConvolve"])
def test_modules_are_torchaudio_s(kind: str, ours: None) -> None:
    x, y = noise(2, 90), noise(2, 40, seed=1)
    made = getattr(shim.transforms, kind)("same")
    theirs = getattr(torchaudio.transforms, kind)("same")
    assert isinstance(made, getattr(torchaudio.transforms, kind))
    for module in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.allclose(module(x, y), theirs(x, y), atol=1e-4)
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
    made.mode = "valid"
    assert made(x, y).shape == (2, 51)
    scripted = torch.jit.script(made)
    assert torch.allclose(scripted(x, y), made(x, y), atol=1e-4)
    for library in (shim, torchaudio):
        with pytest.raises(ValueError, match="Unrecognized mode value 'circular'"):
            getattr(library.transforms, kind)("circular")


@pytest.mark.parametrize(
    ("name", "length", "taps", "served"),
    [
        ("fftconvolve", 16000, 2000, True),
        ("fftconvolve", 900, 101, False),
        ("fftconvolve", 32768, 32769, False),
        ("fftconvolve", 32768, 32770, True),
        ("convolve", 16000, 2000, True),
        ("convolve", 200_000, 3, False),
        ("convolve", 900, 100, False),
    ],
)
def test_torchaudio_serves_what_takes_it_no_longer(name: str, length: int, taps: int, served: bool) -> None:
    call, theirs = both(name)
    for arguments in itertools.permutations((noise(length), noise(taps, seed=1))):
        compat.reset()
        result = call(*arguments)
        (reason,) = reasons()
        assert (reason == "") == served
        assert served or reason.startswith("torchaudio is as fast")
        assert torch.allclose(result, theirs(*arguments), atol=1e-3)


def test_a_compiler_and_a_transform_take_torchaudio_s_own(ours: None) -> None:
    x, y = noise(2, 90), noise(2, 40, seed=1)
    call, theirs = both("fftconvolve")
    assert torch.allclose(torch.func.vmap(call)(x, y), theirs(x, y), atol=1e-4)
    gradient = torch.func.grad(lambda x: call(x, y).square().sum())(x)
    leaf = x.clone().requires_grad_()
    assert torch.allclose(gradient, torch.autograd.grad(theirs(leaf, y).square().sum(), leaf)[0], rtol=1e-3, atol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has deprecated tracing, and torchaudio's comparisons are traced
        traced = torch.jit.trace(call, (x, y))
    assert torch.allclose(traced(2 * x, y), theirs(2 * x, y), atol=1e-4)
