"""What the door does with a call that goes wrong: faults of ours, untrue reasons, and calls inside calls."""

from __future__ import annotations

import contextlib
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import librosa as real_librosa
import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.compat import librosa
from mlx_spectro.compat.contract.decline import Decline
from mlx_spectro.compat.contract.reasons import REJECTED

from .. import doors

Y = np.random.default_rng(0).standard_normal(8000).astype(np.float32)


def door(plan: Callable[..., Any], theirs: Callable[..., Any] = np.negative) -> Callable[..., Any]:
    return doors.door("librosa.fake", theirs, plan, lambda *_: 1e-6)


def broken(_: Any) -> Any:
    raise KeyError("planned badly")


def broken_at_work(_: Any) -> Any:
    return lambda: broken(None)


class TestFaults:
    @pytest.mark.parametrize("plan", [broken, broken_at_work])
    def test_a_fault_of_ours_has_the_reference_serve_and_is_said_once(
        self, plan: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        with compat.on_fault("record"), caplog.at_level(logging.WARNING, "mlx_spectro.compat"):
            for _ in range(2):
                np.testing.assert_array_equal(door(plan)(Y), -Y)
        (record,) = compat.report()
        assert record.calls == 2
        assert record.reason.startswith("a fault of mlx_spectro's own: KeyError: 'planned badly'")
        assert [entry.levelname for entry in caplog.records] == ["WARNING"]
        assert "planned badly" in caplog.text

    def test_a_fault_names_its_own_line(self) -> None:
        with compat.on_fault("record"):
            door(lambda x: lambda: compat.numerics("no such"))(Y)
        (record,) = compat.report()
        assert "(settings.py:" in record.reason

    @pytest.mark.parametrize("plan", [broken, broken_at_work])
    def test_a_fault_raises_where_that_is_asked_for(self, plan: Callable[..., Any]) -> None:
        with compat.on_fault("raise"), pytest.raises(KeyError, match="planned badly"):
            door(plan)(Y)

    @pytest.mark.parametrize("mode", ["record", "raise"])
    def test_the_reference_s_own_error_comes_before_a_fault(self, mode: str) -> None:
        def theirs(_: Any) -> Any:
            raise ZeroDivisionError("of the reference")

        with compat.on_fault(mode), pytest.raises(ZeroDivisionError, match="of the reference") as caught:
            door(broken, theirs)(Y)
        assert caught.value.__context__ is None
        assert [record.reason for record in compat.report()] == [REJECTED]

    @pytest.mark.parametrize("mode", ["record", "raise"])
    @pytest.mark.parametrize("fails", [False, True])
    def test_a_fault_holds_nothing_of_a_call_afterwards(self, fails: bool, mode: str) -> None:
        def theirs(x: Any) -> Any:
            if fails:
                raise ZeroDivisionError("of the reference")
            return -x

        x = Y.copy()
        held = weakref.ref(x)
        gc.disable()
        try:
            with compat.on_fault(mode), contextlib.suppress(ZeroDivisionError, KeyError):
                door(broken_at_work, theirs)(x)
            del x
            assert held() is None
        finally:
            gc.enable()

    def test_a_fault_under_verification_is_one_too(self) -> None:
        with compat.on_fault("record"), compat.numerics("verify"):
            np.testing.assert_array_equal(door(broken_at_work)(Y), -Y)
        assert "planned badly" in compat.report()[0].reason

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_what_ends_a_program_is_no_fault(self, error: type[BaseException]) -> None:
        def plan(_: Any) -> Any:
            raise error

        with compat.on_fault("record"), pytest.raises(error):
            door(plan)(Y)


class TestDeclined:
    def test_while_the_reference_serves_nothing_of_planning_is_held(self) -> None:
        planned: list[weakref.ref[Any]] = []

        def plan(x: Any) -> Any:
            copy = x.copy()
            planned.append(weakref.ref(copy))
            raise Decline("not today")

        def theirs(x: Any) -> Any:
            assert [reference() for reference in planned] == [None]
            return -x

        gc.disable()
        try:
            np.testing.assert_array_equal(door(plan, theirs)(Y), -Y)
        finally:
            gc.enable()
        assert [record.reason for record in compat.report()] == ["not today"]

    def test_the_reference_s_own_error_knows_nothing_of_it(self) -> None:
        def theirs(_: Any) -> Any:
            raise ZeroDivisionError("of the reference")

        with pytest.raises(ZeroDivisionError, match="of the reference") as caught:
            door(doors.declining("not today"), theirs)(Y)
        assert caught.value.__context__ is None
        assert [record.reason for record in compat.report()] == ["not today"]

    def test_it_is_no_fault(self, caplog: pytest.LogCaptureFixture) -> None:
        with compat.on_fault("raise"):
            np.testing.assert_array_equal(door(doors.declining("not today"))(Y), -Y)
        assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]

    def test_a_call_inside_ours_that_is_declined_is_part_of_ours(self) -> None:
        inner = door(doors.declining("not today"))
        np.testing.assert_array_equal(door(lambda x: lambda: inner(x))(Y), -Y)
        assert [record.reason for record in compat.report()] == [""]


class TestRejected:
    def test_arguments_that_the_reference_takes_after_all_are_a_fault(self) -> None:
        with pytest.raises(compat.FaultError, match="not true that the reference rejects"):
            door(doors.declining(REJECTED))(Y)
        with compat.on_fault("record"):
            np.testing.assert_array_equal(door(doors.declining(REJECTED))(Y), -Y)
        assert compat.report()[0].reason == f"a fault of mlx_spectro's own: {REJECTED}"

    def test_arguments_that_the_reference_rejects_are_recorded_as_such(self) -> None:
        with pytest.raises(TypeError):
            librosa.stft(Y, fft_size=512)
        with pytest.raises(librosa.ParameterError):
            librosa.stft(Y[:100], center=False)
        assert {record.reason for record in compat.report()} <= {REJECTED, "the signal is shorter than a frame"}

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            (1, "int"),
            (None, "NoneType"),
            (np.bool_(True), f"numpy.{np.bool_.__name__}"),
            (np.float64(1), "numpy.float64"),
        ],
    )
    def test_an_option_s_type_is_named_whole(self, given: Any, named: str, ours: None) -> None:
        torch = pytest.importorskip("torch")
        with pytest.raises(TypeError):
            compat.torch.istft(torch.ones(33, 9, dtype=torch.complex64), 64, center=given)
        assert [record.reason for record in compat.report()] == [
            f"center is of type {named}: the documented type is served"
        ]


class TestInside:
    def test_only_the_program_s_own_call_counts(self) -> None:
        compat.install("librosa")
        with compat.on_fallback("raise"):
            real_librosa.onset.onset_strength(y=Y)
        assert [(r.function, r.reason) for r in compat.report()] == [("librosa.onset.onset_strength", "")]

    @pytest.mark.parametrize("mode", ["fast", "verify", "strict"])
    def test_a_call_of_the_library_s_own_books_no_fallback_inside(self, mode: str) -> None:
        compat.install("librosa")
        with compat.numerics(mode):
            real_librosa.beat.beat_track(y=Y)
            real_librosa.onset.onset_detect(y=Y)
        assert {r.reason for r in compat.report()} <= {"", "strict numerics"}
        assert "librosa.onset.onset_strength_multi" not in {r.function for r in compat.report() if r.reason}

    def test_what_the_reference_calls_for_a_fallback_is_no_fallback_of_its_own(self) -> None:
        compat.install("librosa")
        real_librosa.feature.mfcc(y=Y, dct_type=3)
        assert [r.function for r in compat.report() if r.reason] == ["librosa.feature.mfcc"]
        assert "librosa.feature.melspectrogram" in {r.function for r in compat.report() if not r.reason}

    def test_a_profile_counts_a_call_inside_ours_as_part_of_it(self) -> None:
        compat.install("librosa")
        with compat.profile():
            real_librosa.onset.onset_strength(y=Y)
        assert [r.function for r in compat.report()] == ["librosa.onset.onset_strength"]


class TestByDesign:
    def test_what_is_the_library_s_by_design_is_no_fallback(self) -> None:
        with compat.on_fallback("raise"):
            librosa.filters.mel(sr=16000, n_fft=400)
            librosa.power_to_db(np.ones((3, 3), np.float32))
        assert all(record.reason for record in compat.report())

    @pytest.mark.parametrize("route", ["auto", "ours"])
    def test_constructing_a_transform_is_no_fallback(self, route: str) -> None:
        torchaudio = pytest.importorskip("torchaudio")
        compat.install("torchaudio")
        with compat.on_fallback("raise"), compat.route(route):
            torchaudio.transforms.MFCC(16000, melkwargs={"n_mels": 40})
            torchaudio.transforms.LFCC(16000)
            with pytest.warns(UserWarning, match="all zero values"):
                torchaudio.transforms.MelSpectrogram(16000)


class TestBackward:
    @pytest.mark.parametrize("name", ["stft", "MelSpectrogram", "MFCC"])
    def test_a_fault_of_ours_in_a_backward_pass_has_torch_s_operations_serve(
        self, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        torch = pytest.importorskip("torch")
        pytest.importorskip("torchaudio")
        from mlx_spectro.compat import torch as ours
        from mlx_spectro.compat import torchaudio
        from mlx_spectro.compat.arrays import torch_autograd

        window = torch.hann_window(512)
        options: dict[str, Any] = {"n_fft": 512, "n_mels": 20}

        def value(x: Any) -> Any:
            if name == "stft":
                return ours.stft(x, 512, window=window, return_complex=True).abs().sum()
            if name == "MFCC":
                return torchaudio.transforms.MFCC(16000, 10, melkwargs=options)(x).square().sum()
            return torchaudio.transforms.MelSpectrogram(16000, **options)(x).sum()

        def gradient(broken: bool) -> Any:
            x = torch.from_numpy(Y).clone().requires_grad_()
            with compat.route("ours"):
                y = value(x)
            if broken:
                monkeypatch.setattr(torch_autograd, "run", lambda *_, **__: broken_at_work(None)())
            y.backward()
            return x.grad

        expected = gradient(False)
        with compat.on_fault("record"), caplog.at_level(logging.WARNING, "mlx_spectro.compat"):
            found = gradient(True)
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
        assert "planned badly" in caplog.text
        assert "torch.autograd" in {record.function for record in compat.report()}
