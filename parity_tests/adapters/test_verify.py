"""What verification makes of a call: the innocent are not accused, and the guilty are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.compat import librosa
from mlx_spectro.compat.contract.adapter import adapters

rng = np.random.default_rng(3)
Y = rng.standard_normal(16000).astype(np.float32)


@pytest.fixture(autouse=True)
def verified() -> Iterator[None]:
    with compat.numerics("verify"), compat.route("ours"):
        yield


def uncentred(dtype: Any) -> Any:
    """Resynthesis that divides by next to nothing, where its window begins at 0."""
    spectrum = librosa.stft(Y.astype(dtype), center=False)
    return librosa.istft(spectrum, center=False)


INNOCENT: dict[str, Callable[[], Any]] = {
    "istft without centring": lambda: uncentred(np.float32),
    "istft without centring, in double precision": lambda: uncentred(np.float64),
    "istft beyond the signal": lambda: librosa.istft(librosa.stft(Y), length=20000),
    "decibels of silence": lambda: librosa.power_to_db(np.zeros((300, 400), np.float32), ref=np.max),
    "mel of silence": lambda: librosa.feature.melspectrogram(y=0 * Y),
    "cepstrum": lambda: librosa.feature.mfcc(y=Y),
    "decibels in double precision": lambda: librosa.power_to_db(rng.random((300, 400)), ref=np.max),
    "flatness in double precision": lambda: librosa.feature.spectral_flatness(y=np.append(Y, 0 * Y).astype(float)),
    "flatness of no magnitudes": lambda: librosa.feature.spectral_flatness(S=np.zeros((1025, 9))),
    "rolloff": lambda: librosa.feature.spectral_rolloff(y=Y),
}


@pytest.mark.parametrize("what", INNOCENT)
def test_the_innocent_are_not_accused(what: str) -> None:
    INNOCENT[what]()
    assert all(record.breaches == 0 for record in compat.report())
    assert [record.reason for record in compat.report()] == [""] * len(compat.report())


def designs(seed: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Matrices that torchaudio designs, of random options."""
    draw = np.random.default_rng(seed)
    for _ in range(60):
        rate, bins, filters = (int(draw.choice(n)) for n in ((8000, 22050, 48000), (257, 513, 1025), (1, 23, 64, 128)))
        f_max = float(rate * draw.uniform(0.1, 0.5))
        f_min = float(draw.choice((0.0, 20.0, f_max / 2)))
        norm, scale = draw.choice(np.array([None, "slaney"])), str(draw.choice(("htk", "slaney")))
        yield "melscale_fbanks", (bins, f_min, f_max, filters, rate, norm, scale)
        yield "linear_fbanks", (bins, f_min, f_max, filters, rate)
        ortho = draw.choice(np.array([None, "ortho"]))
        yield "create_dct", (int(draw.integers(2, 200)), int(draw.integers(2, 500)), ortho)


@pytest.fixture(params=["float32", "float64"])
def default_dtype(request: pytest.FixtureRequest) -> Iterator[None]:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchaudio")
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, request.param))
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_designs_of_any_options_are_innocent() -> None:
    from mlx_spectro.compat import torchaudio

    for name, options in designs(0):
        getattr(torchaudio.functional, name)(*options)
    records = [record for record in compat.report() if not record.reason]
    assert {record.function.rpartition(".")[2] for record in records} == {name for name, _ in designs(0)}
    assert sum(record.calls for record in records) > 150
    assert not any(record.breaches for record in records)
    assert all("some filters hold no frequency" in record.reason for record in compat.report() if record.reason)


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_a_design_that_is_shifted_by_one_bin_is_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_spectro.compat import torchaudio

    for name in ("melscale_fbanks", "linear_fbanks", "create_dct"):
        planted(monkeypatch, f"torchaudio.functional.{name}", lambda y: y.roll(1, 0))
    for name, options in designs(1):
        compat.reset()
        with contextlib.suppress(compat.VerificationError):
            getattr(torchaudio.functional, name)(*options)
        (record,) = compat.report()
        assert record.breaches or "some filters hold no frequency" in record.reason, (name, options)


def planted(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Any], Any]) -> None:
    """Have us serve a result that is ``change`` of what we would."""
    function = adapters[name].function
    plan = function.plan

    def wrong(*args: Any, **kwargs: Any) -> Any:
        work = plan(*args, **kwargs)
        return (lambda: change(work())) if callable(work) else work

    monkeypatch.setattr(function, "plan", wrong)
    function.forget()


@pytest.mark.parametrize("what", ["cepstrum", "mel of noise"])
def test_an_error_of_a_ten_thousandth_is_a_breach(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Callable[[], Any]] = {**INNOCENT, "mel of noise": lambda: librosa.feature.melspectrogram(y=Y)}
    for name in ("librosa.feature.mfcc", "librosa.feature.melspectrogram"):
        planted(monkeypatch, name, lambda y: y * np.float32(1.0001))
    with pytest.raises(compat.VerificationError, match="differs by"):
        calls[what]()


def test_another_window_is_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchaudio").transforms
    from mlx_spectro.compat import torchaudio

    module = torchaudio.transforms.MFCC(16000, melkwargs={"n_fft": 512, "n_mels": 40})
    module(torch.from_numpy(Y))
    symmetric = transforms.MFCC(16000, melkwargs={"n_fft": 512, "n_mels": 40})
    symmetric.MelSpectrogram.spectrogram.window = torch.hann_window(512, periodic=False)
    planted(monkeypatch, "torchaudio.transforms.MFCC", lambda _: symmetric(torch.from_numpy(Y)))
    with pytest.raises(compat.VerificationError, match="differs by"):
        module(torch.from_numpy(Y))


def test_errors_and_limits_are_told_relative_to_the_largest_value() -> None:
    librosa.feature.melspectrogram(y=1000 * Y)
    (record,) = compat.report()
    assert 0 < record.error <= record.limit < 1e-5


@pytest.mark.parametrize("route", ["auto", "ours"])
def test_a_program_gets_the_bits_that_it_gets_without_verification(route: str) -> None:
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchaudio").transforms
    from mlx_spectro.compat import torchaudio

    def results() -> list[Any]:
        module = torchaudio.transforms.MelSpectrogram(16000, 512, n_mels=20)
        filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=20)
        return [module.mel_scale.fb.numpy(), module(torch.from_numpy(Y)).numpy(), filters, librosa.feature.mfcc(y=Y)]

    with compat.route(route):
        verified = results()
        with compat.numerics("fast"):
            for mine, alone in zip(verified, results(), strict=True):
                np.testing.assert_array_equal(mine, alone)
    # these reach checkpoints
    own = transforms.MelSpectrogram(16000, 512, n_mels=20).mel_scale.fb.numpy()
    np.testing.assert_array_equal(verified[0], own)
