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
        forward, again = (inspect.signature(type(module).forward).bind(module, **cast(inputs, dtype)) for _ in range(2))
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


@pytest.mark.slow
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


def attempt(kind: Any, options: Any) -> Any:
    """A module, or the type of error that its constructor raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind(**options)
    except (ValueError, ZeroDivisionError) as error:
        return type(error)


@pytest.mark.parametrize("name", plain_calls.CLASSES)
def test_modules_hold_what_torchaudio_s_hold(name: str) -> None:
    ours, theirs = both(f"transforms.{name}")
    g, compared = Random(name), 0
    for _ in range(DRAWS):
        options = plain_calls.CLASSES[name].options(g)
        mine, other = attempt(ours, options), attempt(theirs, options)
        if isinstance(other, type):
            assert mine is other
            continue
        public = [{key: str(one) for key, one in vars(each).items() if key[0] != "_"} for each in (mine, other)]
        assert public[0] == public[1]
        assert repr(mine) == repr(other)
        states = mine.state_dict(), other.state_dict()
        assert list(states[0]) == list(states[1])
        for one, another in zip(*(state.values() for state in states), strict=True):
            if not isinstance(another, torch.nn.UninitializedParameter):
                assert torch.equal(one, another) and one.stride() == another.stride()
        compared += 1
    assert compared


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", [name for name in NAMES if name != "functional.TokenSpan"])
def test_torchscript_reads_what_it_reads_of_torchaudio_s(name: str) -> None:
    last = name.rpartition(".")[2]
    options: Any = plain_calls.CLASSES[last].options if last in plain_calls.CLASSES else lambda g: {}

    def scripted(kind: Any) -> bool:
        if isinstance(kind, type):
            g = Random(2)
            kind = next(one for one in (attempt(kind, options(g)) for _ in range(99)) if not isinstance(one, type))
        try:
            torch.jit.script(kind)
        except (RuntimeError, torch.jit.frontend.FrontendError):
            return False
        return True

    ours, theirs = both(name)
    assert scripted(ours) or not scripted(theirs)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning", "ignore:.return_complex")
@pytest.mark.parametrize("name", ["functional.lfilter", "functional.highpass_biquad", "functional.spectrogram"])
def test_scripted_it_computes_the_same(name: str) -> None:
    ours, g = both(name)[0], Random(3)
    scripted = torch.jit.script(ours)
    for seed in range(5):
        call = call_of(name, CALLS[name].options(g), {}, torch.float32)
        eager, read = Outcome(ours, seed, call), Outcome(scripted, seed, call)
        # of TorchScript, errors are of one type
        assert (eager.error is None) == (read.error is None)
        for one, other in zip(eager.tensors, read.tensors, strict=True):
            assert torch.equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("filters", [0, 2])
def test_gradients_of_filters_are_torchaudio_s(filters: int) -> None:
    ours, theirs = both("functional.lfilter")
    shape = (filters, 3) if filters else (3,)
    g = Random(5)
    x, a, b = plain_calls.noise(g, 3, 2, 30), plain_calls.noise(g, *shape, scale=0.2), plain_calls.noise(g, *shape)
    a[..., 0] = 2.0
    inputs = [one.requires_grad_() for one in (x, a, b)]
    weights = plain_calls.noise(g, 3, 2, 30)
    found = [torch.autograd.grad((f(*inputs, clamp=False) * weights).sum(), inputs) for f in (ours, theirs)]
    for one, other in zip(*found, strict=True):
        # sums of so many products at most, each rounded
        assert (one - other).abs().max() <= x.numel() * torch.finfo(torch.float64).eps * other.abs().max()
    assert torch.autograd.gradcheck(lambda *args: ours(*args, clamp=False), inputs)
    assert torch.autograd.gradgradcheck(lambda *args: ours(*args, clamp=False), inputs)


def test_kaldi_s_helpers_are_torchaudio_s() -> None:
    ours, theirs = modules("compliance.kaldi")
    hz = torch.linspace(0, 8000, 99)
    for one in (0.0, 60.0, 4000.0):
        assert ours.mel_scale_scalar(one) == theirs.mel_scale_scalar(one)
        assert ours.inverse_mel_scale_scalar(one) == theirs.inverse_mel_scale_scalar(one)
    mels = theirs.mel_scale(hz)
    assert torch.equal(ours.mel_scale(hz), mels)
    assert torch.equal(ours.inverse_mel_scale(mels), theirs.inverse_mel_scale(mels))
    for factor in (0.8, 1.2):
        call = (100.0, 7500.0, 20.0, 8000.0, factor)
        assert torch.equal(ours.vtln_warp_freq(*call, hz), theirs.vtln_warp_freq(*call, hz))
        assert torch.equal(ours.vtln_warp_mel_freq(*call, mels), theirs.vtln_warp_mel_freq(*call, mels))
        for wrong in ((10.0, 7500.0), (100.0, 9000.0)):
            with pytest.raises(AssertionError):
                ours.vtln_warp_freq(*wrong, *call[2:], hz)
    for warp in (1.0, 0.9):
        banks = [each.get_mel_banks(23, 512, 16000.0, 20.0, 0.0, 100.0, -500.0, warp) for each in (ours, theirs)]
        for one, other in zip(*banks, strict=True):
            assert torch.equal(one, other)


def test_alignments_are_torchaudio_s() -> None:
    ours, theirs = modules("functional")
    g = Random(7)
    for _ in range(DRAWS):
        frames, classes, count = g.randint(1, 30), g.randint(2, 6), g.randint(1, 8)
        scores = plain_calls.noise(g, g.choice([1, 1, 1, 2]), frames, classes).float().log_softmax(-1)
        targets = torch.tensor(
            [[g.randint(g.choice([0, 1, 1, 1]), classes - 1) for _ in range(count)]], dtype=torch.int32
        )
        call = call_of("functional.forced_align", {"log_probs": scores, "targets": targets}, {}, torch.float32)
        outcomes = [Outcome(each.forced_align, 0, call) for each in (ours, theirs)]
        assert outcomes[0].kind() == outcomes[1].kind()
        for one, other in zip(*(outcome.tensors for outcome in outcomes), strict=True):
            assert torch.equal(one, other)
        if outcomes[0].error is None:
            spans = [each.merge_tokens(*(one[0] for one in outcomes[0].tensors)) for each in (ours, theirs)]
            assert [vars(one) for one in spans[0]] == [vars(one) for one in spans[1]]
