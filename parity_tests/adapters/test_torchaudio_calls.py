"""Gradients of the torchaudio adapters, programs that torch traces or transforms, and what install() reaches."""

from __future__ import annotations

import functools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio
from torch.utils.checkpoint import checkpoint

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim

from .torchaudio_modules import KINDS, close, each_implementation, each_kind, given, make, noise, reasons

pytestmark = pytest.mark.usefixtures("ours")


# those that have a gradient of ours: decibels and phases of given values are torch's own operations
DIFFERENTIABLE = [kind for kind in KINDS if kind not in ("AmplitudeToDB", "GriffinLim", "TimeStretch")]


def scalar(y: Any) -> Any:
    return y.abs().square().sum()


@each_implementation
@pytest.mark.parametrize("kind", DIFFERENTIABLE)
def test_backward_and_double_backward_are_torchaudio_s(kind: str) -> None:
    results = []
    for module in (make(kind), make(kind, torchaudio)):
        x = given(kind).requires_grad_()
        (first,) = torch.autograd.grad(scalar(module(x)), x, create_graph=True)
        (second,) = torch.autograd.grad(scalar(first), x)
        results.append((first.detach(), second))
    for mine, theirs in zip(*results, strict=True):
        assert theirs.abs().max() > 0
        assert close(mine, theirs, 1e-3)
    assert reasons() == {""}


@pytest.mark.parametrize(
    "kind", ["Spectrogram", "MelSpectrogram", "MFCC", "LFCC", "MelScale", "ComputeDeltas", "Resample", "Deemphasis"]
)
def test_gradients_are_finite_differences_in_double_precision(kind: str, implementation: str) -> None:
    if implementation != "host":
        pytest.skip("only host kernels compute in float64")
    sizes: dict[str, Any] = {"n_fft": 12, "hop_length": 5}
    options = {
        "Spectrogram": sizes,
        "MelSpectrogram": {**sizes, "n_mels": 2},
        "MFCC": {"n_mfcc": 2, "melkwargs": {**sizes, "n_mels": 2}},
        "LFCC": {"n_lfcc": 2, "n_filter": 2, "speckwargs": sizes},
        "MelScale": {"n_mels": 2, "n_stft": 7},
        "ComputeDeltas": {},
        "Resample": {"lowpass_filter_width": 1},
        "Deemphasis": {},
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of filters without a bin
        module = make(kind, **options).double()
    x = (noise(7, 4) if kind == "MelScale" else noise(31)).double().requires_grad_()
    compat.reset()
    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradgradcheck(module, (x,))
    assert reasons() == {""}


@each_implementation
@pytest.mark.parametrize("kind", ["Spectrogram", "MelSpectrogram", "MFCC", "ComputeDeltas", "Resample"])
def test_batched_gradients_are_torchaudio_s(kind: str) -> None:
    x = noise(100)
    jacobians = [
        torch.autograd.functional.jacobian(make(kind, library), x, vectorize=True) for library in (shim, torchaudio)
    ]
    mine, theirs = jacobians
    assert close(mine, theirs, 1e-3)
    assert reasons() == {""}


@each_implementation
def test_audio_may_change_before_the_backward_pass() -> None:
    gradients = []
    for library in (shim, torchaudio):
        x = given("MelSpectrogram").requires_grad_()
        audio = 2 * x
        mel = make("MelSpectrogram", library, pad_mode="constant")(audio)
        audio.zero_()
        (gradient,) = torch.autograd.grad(mel.sum(), x)
        gradients.append(gradient)
    mine, theirs = gradients
    assert close(mine, theirs)
    assert reasons() == {""}


def test_silence_has_a_gradient_of_zero() -> None:
    x = torch.zeros(900, requires_grad=True)
    for power in (1.0, 2.0):
        (gradient,) = torch.autograd.grad(make("MelSpectrogram", power=power)(x).sum(), x)
        assert torch.equal(gradient, torch.zeros(900))


def test_a_learnt_filterbank_gets_its_gradient() -> None:
    gradients = []
    for library in (shim, torchaudio):
        module = make("MelSpectrogram", library)
        module.mel_scale.fb = torch.nn.Parameter(make("MelSpectrogram", torchaudio).mel_scale.fb)
        module(given("MelSpectrogram")).square().sum().backward()
        gradients.append(module.mel_scale.fb.grad)
    assert close(*gradients)
    assert any(reason.startswith("the filterbank requires a gradient") for reason in reasons())


class Model(torch.nn.Module):
    """A model that holds a transform, as programs write them."""

    def __init__(self, transform: Any) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, x: torch.Tensor) -> Any:
        return self.transform(x) * 2


class Calling(torch.nn.Module):
    """A model that calls a function of the library."""

    def forward(self, x: torch.Tensor) -> Any:
        window = torch.hann_window(64, device=x.device)
        s = torchaudio.functional.spectrogram(x, 0, window, 64, 32, 64, 2.0, False)
        return torchaudio.functional.amplitude_to_DB(s, 10.0, 1e-10, 0.0, 80.0)


def _export(model: Any, x: Any) -> Any:
    return torch.export.export(model, (torch.ones_like(x),)).module()(x)


def _compiled(model: Any, x: Any, backend: str) -> Any:
    compiled: Any = torch.compile(model, backend=backend)
    return compiled(x)


def _jvp(model: Any, x: Any) -> Any:
    return torch.func.jvp(model, (x,), (torch.ones_like(x),))[1]


TRACERS: dict[str, Callable[[Any, Any], Any]] = {
    "jit.script": lambda model, x: torch.jit.script(model)(x),
    "jit.trace": lambda model, x: torch.jit.trace(model, torch.ones_like(x), check_trace=False)(x),
    "compile": functools.partial(_compiled, backend="eager"),
    "compile with AOT": functools.partial(_compiled, backend="aot_eager"),
    "export": _export,
    "func.vmap": lambda model, x: torch.func.vmap(model)(x),
    "func.grad": lambda model, x: torch.func.grad(lambda x: model(x).abs().sum())(x),
    "func.jvp": _jvp,
}


@pytest.mark.slow
@pytest.mark.parametrize("tracer", TRACERS)
@pytest.mark.parametrize(
    "kind", ["Spectrogram", "MelSpectrogram", "MFCC", "AmplitudeToDB", "ComputeDeltas", "Resample", "function"]
)
def test_what_traces_or_transforms_a_model_computes_what_torchaudio_s_does(tracer: str, kind: str) -> None:
    x = given(kind)
    call = TRACERS[tracer]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "function":
            expected = call(Calling(), x)
            compat.install("torchaudio")
            result = call(Calling(), x)
        else:
            expected, result = (call(Model(make(kind, library)), x) for library in (torchaudio, shim))
    assert close(result, expected, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("tracer", ["jit.script", "jit.trace", "compile", "export"])
def test_what_traces_a_model_with_a_filter_gets_torchaudio_s(tracer: str) -> None:
    # torchaudio's filters have no place in the other transformations
    x = given("Deemphasis")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, result = (TRACERS[tracer](Model(make("Deemphasis", library)), x) for library in (torchaudio, shim))
    assert close(result, expected, 1e-5)


@pytest.mark.parametrize("kind", ["MelScale", "AmplitudeToDB", "ComputeDeltas", "Resample"])
def test_what_compiles_in_one_graph_still_does(kind: str) -> None:
    torch.compiler.reset()  # of a model that was compiled often, newer torch compiles no more
    model = Model(make(kind))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert close(compiled(given(kind)), model(given(kind)))


@each_kind
def test_autocast_gives_torchaudio_s_dtypes(kind: str) -> None:
    if kind == "Deemphasis":
        pytest.skip("torchaudio's recursion takes no half precision")
    with torch.autocast("cpu", torch.bfloat16):
        mine, theirs = (make(kind, library)(given(kind)) for library in (shim, torchaudio))
    assert mine.dtype == theirs.dtype
    assert torch.equal(mine, theirs)
    assert "inside torch.autocast, which chooses the dtypes" in reasons()


def test_a_symbolic_trace_is_torchaudio_s() -> None:
    model = Model(make("MelSpectrogram"))
    assert close(torch.fx.symbolic_trace(model)(given("MelSpectrogram")), model(given("MelSpectrogram")))


def test_a_program_s_subclass_can_be_scripted() -> None:
    base: Any = shim.transforms.MelSpectrogram

    class Program(base):
        def forward(self, waveform: torch.Tensor) -> Any:
            return self.mel_scale(self.spectrogram(waveform)) * 2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has deprecated it
        scripted: Any = torch.jit.script(Program(n_fft=64, n_mels=8))
    assert close(scripted(given("MelSpectrogram")), 2 * make("MelSpectrogram")(given("MelSpectrogram")))


@each_implementation
@pytest.mark.parametrize("kind", DIFFERENTIABLE)
def test_a_checkpoint_computes_anew_and_gives_the_same_gradient(kind: str) -> None:
    module = make(kind)
    gradients: list[Any] = []
    for call in (module, *3 * [functools.partial(checkpoint, module, use_reentrant=False)]):
        x = given(kind).requires_grad_()
        gradients += torch.autograd.grad(scalar(call(x)), x)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
    assert reasons() == {""}


@pytest.mark.parametrize("watched", [lambda: compat.numerics("verify"), compat.profile])
def test_what_is_computed_for_comparison_is_no_part_of_a_checkpoint(watched: Callable[[], Any]) -> None:
    for kind in DIFFERENTIABLE:
        x = given(kind).requires_grad_()
        (expected,) = torch.autograd.grad(scalar(make(kind)(x)), x)
        with watched():
            y = checkpoint(make(kind), x, use_reentrant=False)
            (gradient,) = torch.autograd.grad(scalar(y), x)
        assert torch.equal(gradient, expected)


class Refused(Exception):
    pass


@pytest.mark.parametrize("kind", DIFFERENTIABLE)
def test_what_a_hook_for_saved_tensors_raises_is_the_program_s(kind: str) -> None:
    def refuse(x: Any) -> Any:
        raise Refused

    x = given(kind).requires_grad_()
    with pytest.raises(Refused), torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        make(kind)(x)
    assert reasons() == set()


@each_implementation
def test_install_serves_instances_subclasses_and_names_from_before() -> None:
    from torchaudio.transforms import MelSpectrogram

    class Program(MelSpectrogram):
        pass

    before = (MelSpectrogram(n_fft=64, n_mels=8), Program(n_fft=64, n_mels=8))
    forward, function = MelSpectrogram.forward, torchaudio.functional.spectrogram
    compat.install("torchaudio")
    for module in (*before, MelSpectrogram(n_fft=64, n_mels=8)):
        compat.reset()
        module(given("MelSpectrogram"))
        assert {(r.function, r.reason) for r in compat.report()} == {("torchaudio.transforms.MelSpectrogram", "")}
    assert type(pickle.loads(pickle.dumps(before[0]))) is MelSpectrogram
    assert torchaudio.functional.functional.spectrogram is shim.functional.spectrogram
    compat.uninstall()
    assert MelSpectrogram.forward is forward
    assert torchaudio.functional.spectrogram is torchaudio.functional.functional.spectrogram is function


def test_what_torchaudio_calls_itself_is_served_under_install() -> None:
    compat.install("torchaudio")
    module = torchaudio.transforms.MelSpectrogram(n_fft=64, n_mels=8)
    module.mel_scale.register_forward_hook(lambda module, args, result: None)
    module(given("MelSpectrogram"))
    served = {record.function for record in compat.report() if not record.reason}
    assert served >= {"torchaudio.transforms.Spectrogram", "torchaudio.transforms.MelScale"}


def test_strict_is_bit_identical_and_its_gradient_too() -> None:
    for kind in DIFFERENTIABLE:
        results = []
        with compat.numerics("strict"):
            module, theirs = make(kind), make(kind, torchaudio)
            for each in (module, theirs):
                x = given(kind).requires_grad_()
                y = each(x)
                results.append((y.detach(), torch.autograd.grad(scalar(y), x)[0]))
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@each_implementation
@each_kind
def test_verify_finds_nothing_to_say(kind: str) -> None:
    module = make(kind)
    with compat.numerics("verify"):
        module(given(kind))
    assert reasons() == {""}
