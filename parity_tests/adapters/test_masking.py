"""Masks in torchaudio's place: the same seed gives the same bits, in the same memory."""

from __future__ import annotations

import copy
import functools
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim
from mlx_spectro.compat.torchaudio._functional.masking import Mask

from . import likeness
from .torchaudio_modules import noise, reasons

pytestmark = pytest.mark.usefixtures("every_warning")

LAYOUTS = {
    "as it is": lambda: noise(4, 20, 30),
    "of two axes": lambda: noise(20, 30),
    "of four axes": lambda: noise(2, 3, 20, 30),
    "frames last, as a spectrogram's": lambda: noise(2, 3, 30, 20).transpose(-1, -2),
    "every second": lambda: noise(4, 20, 60)[..., ::2],
    "one for all": lambda: noise(20, 30).expand(4, 20, 30),
    "swapped": lambda: noise(20, 4, 30).transpose(0, 1),
    "offset": lambda: noise(5, 20, 30)[1:],
    "double": lambda: noise(4, 20, 30).double(),
}
Call = Callable[[Any, Any], Any]


def function(name: str, axis: int, p: float) -> Call:
    return lambda library, x: getattr(library.functional, name)(x, 12, 0.5, x.dim() + axis, p)


def module(kind: str, each: bool) -> Call:
    return lambda library, x: getattr(library.transforms, kind)(9, each)(x, 1)


def augmented(times: int, freqs: int, each: bool, zero: bool) -> Call:
    return lambda library, x: library.transforms.SpecAugment(times, 9, freqs, 7, each, zero_masking=zero)(x)


BOTH, MASKS = (False, True), ("FrequencyMasking", "TimeMasking")
CALLS: dict[str, Call] = {
    **{
        f"{name}, axis {axis}, p={p}": function(name, axis, p)
        for name in ("mask_along_axis", "mask_along_axis_iid")
        for axis in (-1, -2, -3)
        for p in (1.0, 0.3, 0.0, 1.1)
    },
    **{f"{kind}, iid_masks={each}": module(kind, each) for kind in MASKS for each in BOTH},
    **{
        f"SpecAugment, {counts}, iid_masks={each}, zero_masking={zero}": augmented(*counts, each, zero)
        for counts in ((2, 2), (1, 0), (0, 1), (0, 0))
        for each in BOTH
        for zero in BOTH
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CALLS)
def test_masks_are_torchaudio_s_to_the_bit(name: str, layout: str, ours: None) -> None:
    x = LAYOUTS[layout]()
    before, calls = x.clone(), [lambda x, library=library: CALLS[name](library, x) for library in (shim, torchaudio)]
    assert not likeness.unlike("", (calls[0], calls[1]), x, bound=lambda _: 0.0)
    assert torch.equal(x, before)


def test_they_are_served(ours: None) -> None:
    for name, call in CALLS.items():
        if "axis -3" in name or "p=1.1" in name:
            continue
        compat.reset()
        call(shim, LAYOUTS["as it is"]())
        assert reasons() == {""}, name


@pytest.mark.parametrize("value", [0, -1, 2.5, math.inf, math.nan, 1e300, True, None, "1", torch.tensor(0.5), 2**70])
@pytest.mark.parametrize("name", ["mask_along_axis", "mask_along_axis_iid"])
def test_any_number_to_mask_with_does_as_torchaudio_s(name: str, value: Any, ours: None) -> None:
    functions = tuple(getattr(library.functional, name) for library in (shim, torchaudio))
    assert not likeness.unlike("", functions, noise(2, 20, 30), 9, value, 2, bound=lambda _: 0.0)


@pytest.mark.parametrize("name", ["mask_along_axis", "mask_along_axis_iid"])
def test_a_number_beyond_the_dtype_is_no_fault_where_nothing_is_masked(name: str, ours: None) -> None:
    functions = tuple(getattr(library.functional, name) for library in (shim, torchaudio))
    with compat.on_fault("raise"):
        assert not likeness.unlike("", functions, noise(2, 20, 30), 0, 1e39, 2, bound=lambda _: 0.0)


@pytest.mark.parametrize("width", [0, -3, 30, 31, 90, 2.5, "9", None, torch.tensor(9), True])
@pytest.mark.parametrize("name", ["mask_along_axis", "mask_along_axis_iid"])
def test_any_width_does_as_torchaudio_s(name: str, width: Any, ours: None) -> None:
    functions = tuple(getattr(library.functional, name) for library in (shim, torchaudio))
    for axis in (1, 2, True, 2.0, "2"):
        for p in (1, 0.5, "1", None, math.nan):
            assert not likeness.unlike("", functions, noise(2, 20, 30), width, 0.0, axis, p, bound=lambda _: 0.0)


@pytest.mark.parametrize(
    "x",
    [
        noise(2, 20, 30).requires_grad_(),
        noise(2, 20, 30).half(),
        noise(2, 20, 30) + 1j,
        noise(2, 20, 30).int(),
        noise(0, 20, 30),
        noise(30),
    ],
    ids=likeness.shown,
)
@pytest.mark.parametrize("name", CALLS)
def test_what_we_do_not_mask_is_torchaudio_s(name: str, x: Any, ours: None) -> None:
    calls = [lambda x, library=library: CALLS[name](library, x) for library in (shim, torchaudio)]
    assert not likeness.unlike("", (calls[0], calls[1]), x, bound=lambda _: 0.0)
    assert "" not in reasons()


def test_a_span_as_wide_as_it_may_not_be_is_torchaudio_s_error(monkeypatch: pytest.MonkeyPatch, ours: None) -> None:
    def rand(*shape: Any, **_: Any) -> Any:
        return torch.ones(*shape)

    monkeypatch.setattr(torch, "rand", rand)
    functions = [library.functional.mask_along_axis for library in (shim, torchaudio)]
    first, second = (likeness.outcome(function, (noise(2, 20, 30), 3, 0.0, 2), {}) for function in functions)
    assert first.error == second.error
    assert first.error[1] == "Number of columns to be masked should be less than mask_param"


def test_what_is_drawn_in_vain_is_drawn_again(ours: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(self: Mask, *_: Any) -> None:
        raise OSError("a fault")

    torch.manual_seed(5)
    state = torch.get_rng_state()
    work = shim.functional.mask_along_axis.plan(noise(2, 20, 30), 9, 0.0, 2)
    monkeypatch.setattr(Mask, "fill", fill)
    with pytest.raises(OSError, match="a fault"):
        work()
    assert torch.equal(torch.get_rng_state(), state)


def test_verification_has_nothing_to_compare(ours: None) -> None:
    with compat.numerics("verify"):
        shim.functional.mask_along_axis(noise(2, 20, 30), 9, 0.0, 2)
    assert "drawn at random" in next(iter(reasons()))


@pytest.mark.parametrize("shape", [(9, 80, 100), (40, 4, 3, 5), (300, 9, 8), (2, 80, 200)], ids=str)
def test_many_examples_and_few_are_masked(shape: tuple[int, ...]) -> None:
    for kind in MASKS:
        for each in BOTH:
            calls = [functools.partial(_mask, library, kind, each) for library in (shim, torchaudio)]
            assert not likeness.unlike("", (calls[0], calls[1]), noise(*shape), bound=lambda _: 0.0)
            assert reasons() == {""}


def _mask(library: Any, kind: str, each: bool, x: Any) -> Any:
    return getattr(library.transforms, kind)(3, each)(x, 1.5)


@pytest.mark.parametrize(
    ("kind", "options"), [("FrequencyMasking", (9,)), ("TimeMasking", (9, True, 0.5)), ("SpecAugment", (1, 9, 1, 9))]
)
def test_modules_are_copied_and_pickled_as_torchaudio_s(kind: str, options: tuple[Any, ...], ours: None) -> None:
    x, made = noise(3, 20, 30), getattr(shim.transforms, kind)(*options)
    theirs = getattr(torchaudio.transforms, kind)(*options)
    assert isinstance(made, getattr(torchaudio.transforms, kind))
    results = []
    for module in (theirs, made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        torch.manual_seed(3)
        results.append(module(x))
    assert all(torch.equal(result, results[0]) for result in results)
    assert type(pickle.loads(pickle.dumps(made))).__module__.startswith("torchaudio")
