"""Plain definitions in the place of torchaudio's, against torchaudio itself: only the names of modules differ."""

from __future__ import annotations

import copy
import importlib
import inspect
import warnings
from random import Random
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torchaudio

from . import plain_calls

if "mlx" in torchaudio.__version__:
    pytest.skip("there is no torchaudio to compare with", allow_module_level=True)

PLAIN = "mlx_spectro.compat.plain.torchaudio"
MODULES = ("functional", "transforms", "compliance.kaldi")
# what takes torchaudio's extension, and what is compared by a test of its own
OTHERS = {
    "functional.rnnt_loss",
    "functional.forced_align",
    "functional.merge_tokens",
    "functional.TokenSpan",
    "transforms.RNNTLoss",
    *(f"compliance.kaldi.{name}" for name in ("get_mel_banks", "vtln_warp_freq", "vtln_warp_mel_freq")),
    *(f"compliance.kaldi.{name}" for name in ("mel_scale", "mel_scale_scalar")),
    *(f"compliance.kaldi.{name}" for name in ("inverse_mel_scale", "inverse_mel_scale_scalar")),
}
DRAWS = 20
CALLS = {**plain_calls.FUNCTIONS, **{f"transforms.{name}": call for name, call in plain_calls.CLASSES.items()}}


def modules(name: str) -> tuple[ModuleType, ModuleType]:
    return importlib.import_module(f"{PLAIN}.{name}"), importlib.import_module(f"torchaudio.{name}")


def both(name: str) -> tuple[Any, Any]:
    room, _, last = name.rpartition(".")
    ours, theirs = modules(room)
    return getattr(ours, last), getattr(theirs, last)


NAMES = [f"{room}.{name}" for room in MODULES for name in modules(room)[1].__all__]


def test_every_name_is_there_and_compared() -> None:
    for room in MODULES:
        ours, theirs = modules(room)
        assert set(ours.__all__) == set(theirs.__all__)
    assert set(NAMES) == CALLS.keys() | OTHERS


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_torchaudio_s(name: str) -> None:
    ours, theirs = both(name)
    assert parameters(ours) == parameters(theirs)
    if isinstance(theirs, type) and hasattr(theirs, "forward"):
        assert parameters(ours.forward) == parameters(theirs.forward)
        assert set(getattr(ours, "__constants__", ())) == set(getattr(theirs, "__constants__", ()))


def cast(value: Any, dtype: Any) -> Any:
    if isinstance(value, dict):
        return {name: cast(one, dtype) for name, one in value.items()}
    if not isinstance(value, torch.Tensor):
        return copy.copy(value)
    kind = dtype.to_complex() if value.is_complex() else dtype if value.is_floating_point() else value.dtype
    # some functions change what they are given
    return value.to(kind, copy=True)


class Outcome:
    """What came of a call: a result, or an error; and warnings."""

    def __init__(self, made: Any, seed: int, call: Any) -> None:
        self.tensors: list[Any] = []
        self.error: type | None = None
        torch.manual_seed(seed)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                results = call(made)
            except Exception as error:  # noqa: BLE001 (whichever it is, it is to be the same)
                self.error = type(error)
                results = ()
        for result in results if isinstance(results, tuple) else (results,):
            self.tensors.append(torch.as_tensor(0 if result is None else result).detach())
        self.told = [one.category for one in said]
        # torch's generator is where it is after torchaudio's draws
        self.drawn = torch.rand(1)

    def kind(self) -> Any:
        return self.error, self.told, self.drawn, [(one.dtype, one.shape) for one in self.tensors]


def call_of(name: str, options: Any, inputs: Any, dtype: Any) -> Any:
    def call(made: Any) -> Any:
        if not isinstance(made, type):
            return made(**cast(options, dtype))
        module = made(**cast(options, dtype)).to(dtype)
        # a lazy module asks for arguments by their order
        forward, again = (inspect.signature(made.forward).bind(module, **cast(inputs, dtype)) for _ in range(2))
        first = module(*forward.args[1:], **forward.kwargs)
        return (first, module(*again.args[1:], **again.kwargs)) if getattr(module, "online", False) else first

    return call


def errors(ours: Outcome, theirs: Outcome, truth: Outcome) -> list[tuple[float, float]]:
    """Of results, the largest errors of ours and of theirs, as portions of the largest value."""
    pairs = []
    for one, other, exact in zip(ours.tensors, theirs.tensors, truth.tensors, strict=True):
        assert torch.equal(one.isfinite(), other.isfinite())
        if exact.numel() and exact.shape == one.shape:
            finite = one.isfinite() & exact.isfinite()
            one, other, exact = one[finite], other[finite], exact[finite]
            scale = float(exact.abs().max()) if exact.numel() else 0.0
            if scale:
                pairs.append(tuple(float((x.to(exact.dtype) - exact).abs().max()) / scale for x in (one, other)))
    return pairs  # type: ignore[return-value]


@pytest.mark.parametrize("name", CALLS)
def test_random_calls_come_out_as_torchaudio_s(name: str) -> None:
    ours, theirs = both(name)
    how, g = CALLS[name], Random(name)
    wide, narrow, successes = [], [], 0
    for seed in range(DRAWS):
        options = how.options(g)
        inputs = how.inputs(g, options)
        single, double = (call_of(name, options, inputs, dtype) for dtype in (torch.float32, torch.float64))
        outcomes = [Outcome(made, seed, call) for call in (single, double) for made in (ours, theirs)]
        mine, other, mine64, truth = outcomes
        assert mine.kind() == other.kind(), options
        assert mine64.kind() == truth.kind(), options
        successes += other.error is None
        if how.exact:
            for one, another in zip(mine.tensors + mine64.tensors, other.tensors + truth.tensors, strict=True):
                assert torch.equal(one, another), options
        else:
            narrow += errors(mine, other, truth)
            wide += errors(mine64, truth, truth)
    assert successes > DRAWS / 10
    if how.exact:
        return
    # the limits of the parity table, over all calls; in double precision, numbers are as sensitive as in single
    eps, fine = (torch.finfo(dtype).eps for dtype in (torch.float32, torch.float64))
    worst, theirs_worst = (max(column) for column in zip(*narrow, strict=True))
    assert worst <= max(1.5 * theirs_worst, 2 * eps)
    assert max(one for one, _ in wide) <= max(4 * theirs_worst / eps, 8) * fine
