"""Calls that were planned before: what they cost, and that whatever may have changed since is noticed."""

from __future__ import annotations

import functools
import gc
import signal
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")

from mlx_spectro import compat
from mlx_spectro.compat import torch as our_torch
from mlx_spectro.compat import torchaudio as shim
from mlx_spectro.compat.arrays import torch_ops, torch_results, torch_tensors
from mlx_spectro.compat.contract.adapter import adapters
from mlx_spectro.compat.contract.inside import inside
from mlx_spectro.kernels.cpu.runtime import memory

from . import torchaudio_modules as modules

pytestmark = pytest.mark.usefixtures("ours")

X, WINDOW = modules.noise(2, 900), torch.hann_window(64)
Z = torch.stft(X, 64, 16, window=WINDOW, return_complex=True)


def stft(x: Any = X, n_fft: Any = 64, hop: Any = 16, window: Any = WINDOW, **options: Any) -> Any:
    return our_torch.stft(x, n_fft, hop, window=window, return_complex=True, **options)


def istft(z: Any = Z, window: Any = WINDOW, **options: Any) -> Any:
    return our_torch.istft(z, 64, 16, window=window, **options)


def often(call: Callable[[], Any]) -> Any:
    """The result of a call that has been planned and made ready."""
    for _ in range(3):
        call()
    return call()


def fresh(call: Callable[[], Any]) -> Any:
    """The result of a call like which there was none."""
    for adapter in adapters.values():
        adapter.function.forget()
    return call()


def same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and a.stride() == b.stride() and a.dtype == b.dtype and bool((a == b).all())


def python_calls(call: Callable[[], Any]) -> int:
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    often(call)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count - 1  # the lambda's own


@pytest.mark.parametrize(
    ("call", "most"),
    [
        (lambda: our_torch.stft(X, 64, 16, window=WINDOW, return_complex=True), 25),
        (lambda: our_torch.istft(Z, 64, 16, window=WINDOW), 32),
    ],
    ids=["stft", "istft"],
)
def test_a_planned_call_takes_few_calls_of_python(call: Callable[[], Any], most: int) -> None:
    assert python_calls(call) <= most


def test_a_planned_transform_takes_few_calls_of_python() -> None:
    mel = modules.make("MelSpectrogram")
    assert python_calls(lambda: mel(X)) <= 50


@pytest.mark.parametrize("shared", [False, True], ids=["in place", "by NumPy"])
def test_a_window_that_was_changed_is_read_anew(shared: bool) -> None:
    window = WINDOW.clone()
    often(lambda: stft(window=window))
    if shared:
        window.numpy()[:32] = 0
    else:
        window[:32] = 0
    assert same(stft(window=window), fresh(lambda: stft(window=window.clone())))


def test_a_bank_that_was_changed_is_read_anew() -> None:
    mel = modules.make("MelSpectrogram")
    before = often(lambda: mel(X))
    mel.mel_scale.fb.data.mul_(2)
    assert torch.equal(mel(X), 2 * before)


def test_a_window_that_overlaps_to_nothing_is_refused_whatever_was_planned() -> None:
    window = WINDOW.clone()
    often(lambda: istft(window=window))
    window.zero_()
    with pytest.raises(RuntimeError, match="window overlap add min"):
        istft(window=window)


def test_options_that_are_equal_are_not_the_same() -> None:
    often(lambda: stft(center=True))
    assert same(stft(center=1), fresh(lambda: stft(center=1)))
    for n_fft in (64.0, True):
        with pytest.raises((TypeError, RuntimeError)):
            stft(n_fft=n_fft)


def test_a_tensor_that_is_a_number_is_read_at_every_call() -> None:
    often(lambda: stft(hop=torch.tensor(16)))
    assert same(stft(hop=torch.tensor(32)), fresh(lambda: stft(hop=32)))


def test_audio_that_is_its_own_window() -> None:
    x = WINDOW.clone()
    often(lambda: our_torch.stft(x, 64, 16, window=WINDOW, return_complex=True))
    mine = often(lambda: our_torch.stft(x, 64, 16, window=x, return_complex=True))
    assert same(mine, fresh(lambda: our_torch.stft(x, 64, 16, window=x.clone(), return_complex=True)))


@pytest.mark.parametrize("length", [900, 901, 64, 33])
def test_other_lengths_are_planned_with_the_first(length: int) -> None:
    often(stft)
    x = modules.noise(2, length)
    assert same(stft(x), fresh(lambda: stft(x)))


def test_a_signal_that_became_too_short_raises_as_torch_does() -> None:
    often(stft)
    with pytest.raises(RuntimeError, match="Padding size"):
        stft(modules.noise(2, 20))


def test_signals_that_lie_otherwise() -> None:
    often(stft)
    for x in (modules.noise(900, 2).t(), modules.noise(2, 1800)[:, ::2], modules.noise(2, 1000)[:, 50:950]):
        assert same(often(functools.partial(stft, x)), fresh(functools.partial(stft, x.contiguous())))


def test_a_gradient_that_is_asked_for_later() -> None:
    often(stft)
    x = X.clone().requires_grad_()
    z = often(lambda: stft(x))
    assert z.requires_grad
    (mine,) = torch.autograd.grad(z.abs().sum(), x)
    (theirs,) = torch.autograd.grad(torch.stft(x, 64, 16, window=WINDOW, return_complex=True).abs().sum(), x)
    assert modules.close(mine, theirs)
    with torch.no_grad():
        assert not often(lambda: stft(x)).requires_grad
    assert stft(x).requires_grad


def test_what_surrounds_a_call_is_seen_at_every_call() -> None:
    often(stft)
    expected = torch.stft(X, 64, 16, window=WINDOW, return_complex=True)
    with compat.numerics("strict"):
        assert same(stft(), expected)
    with torch.autocast("cpu"):
        stft()
    assert any("autocast" in record.reason for record in compat.report())
    (gradient,) = torch.func.vjp(lambda x: stft(x), X)[1](expected)
    assert gradient.shape == X.shape


def test_attributes_of_a_module_are_read_at_every_call() -> None:
    mel = modules.make("MelSpectrogram")
    often(lambda: mel(X))
    for change, value in (("hop_length", 16), ("power", 1.0), ("center", False), ("normalized", True), ("pad", 8)):
        setattr(mel.spectrogram, change, value)
        assert same(often(lambda: mel(X)), fresh(lambda: mel(X))), change


def test_hooks_and_parts_of_a_module_are_seen_at_every_call() -> None:
    mel = modules.make("MelSpectrogram")
    often(lambda: mel(X))
    heard: list[Any] = []
    handle = mel.spectrogram.register_forward_hook(lambda *_: heard.append(1))
    mel(X)
    assert heard == [1]
    handle.remove()
    assert same(mel(X), fresh(lambda: mel(X)))
    mel.mel_scale = torch.nn.Identity()
    assert mel(X).shape[-2] == 33


def test_a_module_that_lost_a_buffer_raises_as_torchaudio_does() -> None:
    mel, theirs = modules.make("MelSpectrogram"), modules.make("MelSpectrogram", torchaudio)
    often(lambda: mel(X))
    errors = []
    for module in (mel, theirs):
        del module.spectrogram.window
        with pytest.raises(AttributeError) as caught:
            module(X)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_no_call_is_remembered_with_its_arrays() -> None:
    x: Any = X.clone()
    often(lambda: stft(x))
    gone = weakref.ref(x)
    x = None
    gc.collect()
    assert gone() is None


def test_calls_are_recorded_all_the_same() -> None:
    often(stft)
    (record,) = [r for r in compat.report() if r.function == "torch.stft"]
    assert (record.calls, record.reason) == (4, "")


def test_results_are_each_their_own_memory() -> None:
    first = often(stft)
    kept = first.clone()
    stft(modules.noise(2, 900, seed=1))
    assert torch.equal(first, kept)


def test_verification_compares_planned_calls() -> None:
    often(stft)
    with compat.numerics("verify"):
        stft()
    assert [r.breaches for r in compat.report() if r.function == "torch.stft"] == [0]
    assert shim.transforms.Spectrogram(64)(X).shape == (2, 33, 29)


def test_an_axis_of_1_does_not_hide_how_the_others_lie() -> None:
    x = modules.noise(12, 900).reshape(2, 1, 6, 900)[:, :, :3]
    spectra = torch.stft(x.reshape(6, 900), 64, 16, window=WINDOW, return_complex=True).reshape(2, 1, 3, 33, -1)
    z = torch.cat([spectra, spectra], dim=2)[:, :, :3]
    for call, values in (
        (modules.make("MelSpectrogram"), x),
        (modules.make("Spectrogram"), x),
        (modules.make("MelScale"), z.abs()),
        (modules.make("InverseSpectrogram"), z),
    ):
        assert modules.close(often(functools.partial(call, values)), call(values.contiguous()))


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_tensors_without_strides_are_left_to_torchaudio() -> None:
    ours, theirs = modules.make("MelScale"), modules.make("MelScale", torchaudio)
    ours.fb = theirs.fb
    values = modules.noise(len(ours.fb), 20).to_sparse_csr()
    assert torch.equal(ours(values), theirs(values))


def test_a_part_that_is_not_called_may_be_missing() -> None:
    ours = modules.make("MFCC", log_mels=True)
    before = often(lambda: ours(X))
    ours.amplitude_to_DB = None
    assert torch.equal(ours(X), before)
    ours.MelSpectrogram = None
    with pytest.raises(TypeError, match="not callable"):
        ours(X)


def test_a_call_inside_ours_that_is_refused_raises_as_torch_does() -> None:
    often(stft)
    outside = inside.set("ours")
    try:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="Padding size"):
                stft(modules.noise(2, 20))
    finally:
        inside.reset(outside)


def test_results_can_be_changed_in_place_as_torch_s() -> None:
    spectrogram, scale = modules.make("Spectrogram"), torch.ones((), requires_grad=True)
    for call in (stft, lambda: spectrogram(X)):
        for made in (fresh, often):
            with torch.no_grad():
                z = made(call)
            assert z.mul_(scale).requires_grad


def test_a_multiplier_of_0_keeps_its_sign() -> None:
    x = torch.tensor([[0.5, 2.0]])
    for multiplier in (0.0, -0.0):
        mine = often(lambda: shim.functional.amplitude_to_DB(x, multiplier, 1e-10, 0.0))  # noqa: B023
        theirs = torchaudio.functional.amplitude_to_DB(x, multiplier, 1e-10, 0.0)
        assert torch.equal(mine.signbit(), theirs.signbit())


def test_zeros_of_either_sign_are_two_values() -> None:
    x, signs = torch.rand(2, 20, 30), []
    for value in (0.0, -0.0, 0.0):
        for library in (shim, torchaudio):
            torch.manual_seed(1)
            signs.append(library.functional.mask_along_axis(x, 15, value, 2).signbit())
    assert [torch.equal(*pair) for pair in zip(signs[::2], signs[1::2], strict=True)] == [True] * 3
    assert signs[2].any()


def test_a_plan_that_was_overtaken_by_a_change_is_not_kept() -> None:
    spectrogram = modules.make("Spectrogram")
    function = adapters["torchaudio.transforms.Spectrogram"].function
    plan = function.plan

    def overtaken(*args: Any) -> Any:
        work = plan(*args)
        spectrogram.power = 2.0
        return work

    function.plan = overtaken
    try:
        fresh(lambda: spectrogram(X))
    finally:
        function.plan = plan
    assert same(spectrogram(X), fresh(lambda: spectrogram(X)))


def test_what_is_ready_may_be_cleared_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cleared(dict[Any, Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, value)
            self.clear()

        def __contains__(self, key: Any) -> bool:
            there = super().__contains__(key)
            self.clear()
            return there

    monkeypatch.setattr(torch_ops, "_calls", Cleared())
    often(stft)
    assert [r.reason for r in compat.report() if r.function == "torch.stft"] == [""]


def test_large_results_are_asked_to_lie_in_large_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch_results, "advise", lambda address, size: asked.append(address))
    monkeypatch.setattr(torch_results, "MOST", 0)
    x = modules.noise(1, memory.LARGE // 16)
    for made in (fresh, often):
        z = made(lambda: stft(x))
        assert z.nbytes >= memory.LARGE
        assert asked[-1] == z.data_ptr()


def test_an_attribute_in_front_of_a_buffer_or_a_part_is_read() -> None:
    spectrogram, mel = modules.make("Spectrogram"), modules.make("MelSpectrogram")
    often(lambda: spectrogram(X)), often(lambda: mel(X))
    vars(spectrogram)["window"], vars(mel)["mel_scale"] = torch.ones(64), torch.nn.Identity()
    assert same(spectrogram(X), fresh(lambda: spectrogram(X)))
    assert mel(X).shape[-2] == 33


def test_a_class_whose_forward_is_replaced_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    mel = modules.make("MelSpectrogram")
    kind, own = type(mel.mel_scale), type(mel.mel_scale).forward
    often(lambda: mel(X))
    for twin in {kind, shim.transforms.MelScale}:
        monkeypatch.setattr(twin, "forward", lambda self, x: x)
        assert mel(X).shape[-2] == (33 if twin is kind else 8)
        monkeypatch.setattr(twin, "forward", functools.wraps(own)(lambda self, x: x))
        assert mel(X).shape[-2] == (33 if twin is kind else 8)
        monkeypatch.undo()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no signals of a program's own here")
def test_an_error_of_a_signal_handler_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(*_: Any) -> None:
        raise KeyError("late")

    def interrupted() -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        monkeypatch.setattr(torch_tensors, "check_untraced", interrupted)
        with pytest.raises(KeyError, match="late"):
            stft()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_window_that_is_not_finite_is_no_reason_for_a_warning() -> None:
    window = WINDOW.clone()
    window[3] = torch.inf
    for n_fft, power in ((64, 2.0), (64, None), (33, 2.0), (33, None)):
        spectrogram = modules.make("Spectrogram", n_fft=n_fft, power=power, normalized=True)
        theirs = modules.make("Spectrogram", torchaudio, n_fft=n_fft, power=power, normalized=True)
        spectrogram.window = theirs.window = window[:n_fft]
        for made in (fresh, often):
            assert torch.equal(made(lambda: spectrogram(X)).isfinite(), theirs(X).isfinite())  # noqa: B023


def test_a_window_with_nan_that_overlaps_to_nothing_is_torch_s() -> None:
    window = WINDOW.clone()
    window[3] = torch.nan
    with compat.on_fault("raise"):
        mine = istft(window=window, center=False)
    theirs = torch.istft(Z, 64, 16, window=window, center=False)
    assert torch.equal(mine.isnan(), theirs.isnan())


@pytest.mark.parametrize(
    ("function", "array"),
    [(stft, X), (istft, Z)],
    ids=["stft", "istft"],
)
def test_freed_memory_is_not_read(function: Any, array: Any) -> None:
    x = array.clone()
    often(lambda: function(x))
    x.untyped_storage().resize_(0)
    for made in (fresh, often):
        with pytest.raises(RuntimeError):
            made(lambda: function(x))


def emphasized(x: Any, coeff: float = 0.97) -> Any:
    return shim.functional.preemphasis(x, coeff)


def test_a_size_that_was_left_to_the_library_is_not_planned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    function = adapters["torchaudio.functional.preemphasis"].function
    plan, planned = function.plan, list[Any]()

    def noted(*args: Any) -> Any:
        planned.append(args)
        return plan(*args)

    monkeypatch.setattr(function, "plan", noted)
    with compat.route("auto"):
        mine = fresh(lambda: emphasized(X))
        assert torch.equal(emphasized(X), mine)
        emphasized(modules.noise(*X.shape, seed=1))
        assert len(planned) == 1
        for other in ((X, 0.5), (X[:1], 0.97), (X[:, :9], 0.97)):
            emphasized(*other)
        assert len(planned) == 4
        (reason,) = {record.reason for record in compat.report()}
    assert reason.startswith("torch's operations are as fast")


def test_a_size_that_was_left_to_the_library_is_ours_if_asked_for() -> None:
    with compat.route("auto"):
        fresh(lambda: emphasized(X))
        compat.reset()
        with compat.route("ours"):
            emphasized(X)
        with compat.numerics("strict"):
            emphasized(X)
        assert {record.reason for record in compat.report()} == {"", "strict numerics"}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested")
def test_what_is_left_to_the_library_for_its_size_raises_the_library_s_errors() -> None:
    nested = torch.nested.nested_tensor([torch.ones(3), torch.ones(4)])
    with compat.route("auto"):
        fresh(lambda: emphasized(X))
        for x in (nested, torch.ones(3, 4).to_sparse(), "x"):
            with pytest.raises(Exception) as mine:
                emphasized(x)
            with pytest.raises(mine.type) as theirs:
                torchaudio.functional.preemphasis(x)
            assert str(mine.value) == str(theirs.value)


def test_a_kernel_that_was_changed_is_read_anew() -> None:
    resample, theirs = modules.make("Resample"), modules.make("Resample", torchaudio)
    before = often(lambda: resample(X))
    assert same(before, fresh(lambda: resample(X)))
    for module in (resample, theirs):
        module.kernel.mul_(2)
    assert torch.equal(resample(X), 2 * before)
    assert resample(X).stride() == theirs(X).stride()


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_modules_of_other_parameters_are_of_another_size() -> None:
    few, many = modules.make("MelScale"), shim.transforms.MelScale(2048, 16000, n_stft=33)
    values = modules.noise(33, 600).abs()
    with compat.route("auto"):
        for module, served in ((few, False), (many, True), (few, False)):
            compat.reset()
            assert often(lambda: module(values)).shape == (module.n_mels, 600)  # noqa: B023
            assert [record.reason == "" for record in compat.report()] == [served]
        few.fb = torch.ones(33, 2048)
        compat.reset()
        few(values)
        assert [record.reason for record in compat.report()] == [""]


@pytest.mark.parametrize("options", [{}, {"pad_mode": "constant"}, {"center": False}], ids=str)
@pytest.mark.parametrize("shape", [(2, 900), (900,), (3, 64)], ids=str)
def test_planned_gradients_are_those_of_the_first_call(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    mel, power = modules.make("MelSpectrogram", **options), modules.make("MelSpectrogram", power=1.0, **options)

    def gradients(call: Callable[[Any], Any], seed: int) -> tuple[Any, ...]:
        x = modules.noise(*shape, seed=seed).requires_grad_()
        y = call(x)
        (first,) = torch.autograd.grad(torch.view_as_real(y).square().sum() if y.is_complex() else y.sum(), x)
        return y, first

    for call in (functools.partial(stft, **options), mel, power):
        once = fresh(lambda: gradients(call, 1))  # noqa: B023
        again = often(lambda: gradients(call, 1))  # noqa: B023
        assert all(map(same, once, again))
        assert not torch.equal(gradients(call, 2)[1], again[1])


def test_audio_that_was_changed_before_its_planned_gradient() -> None:
    mel = modules.make("MelSpectrogram", pad_mode="constant")
    x = X.clone().requires_grad_()
    often(lambda: mel(x))
    before, z = mel(x), stft(x)
    (expected,) = torch.autograd.grad(mel(x).sum(), x)
    with torch.no_grad():
        x.mul_(2)
    assert same(torch.autograd.grad(before.sum(), x)[0], expected)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(z.abs().sum(), x)
