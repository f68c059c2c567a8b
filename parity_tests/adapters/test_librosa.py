"""librosa's stand-in: what only it does, beyond the parity table."""

from __future__ import annotations

import importlib
import operator
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

librosa = pytest.importorskip("librosa")

from mlx_spectro import compat
from mlx_spectro.compat import librosa as ours
from mlx_spectro.ops import backend

pytestmark = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")


@pytest.fixture
def noise() -> Any:
    return np.random.default_rng(81).standard_normal(22050).astype(np.float32)


@pytest.fixture
def installed() -> Iterator[None]:
    compat.install("librosa")
    yield
    compat.uninstall()


def served() -> Counter[str]:
    """How many calls of each function were ours."""
    found: Counter[str] = Counter()
    for record in compat.report():
        if not record.reason:
            found[record.function] += record.calls
    return found


def test_names_that_are_not_ours_are_librosa_s() -> None:
    assert ours.sequence is librosa.sequence
    assert ours.effects.remix is librosa.effects.remix
    assert ours.util.frame is librosa.util.frame
    assert ours.feature.stack_memory is librosa.feature.stack_memory
    assert ours.core.stft is ours.stft is not librosa.stft


def test_the_documentation_says_whose_every_public_function_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "functions.md").read_text(encoding="utf-8")
    said = page.partition("\n## librosa\n")[2].partition("\n## ")[0]
    rooms = ("core", "beat", "decompose", "effects", "feature", "feature.inverse", "filters", "onset")
    missing = []
    for room in (*rooms, "segment", "sequence", "util"):
        module = importlib.import_module(f"librosa.{room}")
        public = [name for name in module.__all__ if callable(getattr(module, name))]
        missing += [f"{room}.{name}" for name in public if not re.search(rf"`([\w.]+\.)?{name}`", said)]
    assert not missing


def test_installed_functions_reach_librosa_s_own_callers(noise: Any, installed: None) -> None:
    compat.reset()
    with compat.route("ours"):
        librosa.perceptual_weighting(noise.reshape(210, 105) ** 2, np.linspace(20, 8000, 210))
    assert served() == {"librosa.power_to_db": 1}
    compat.reset()
    # with a window that is left to librosa
    librosa.feature.tempogram(y=noise, win_length=32, window=np.hanning(32).astype(np.float32))
    assert served() == {"librosa.onset.onset_strength": 1}


def test_rhythm_is_heard_in_one_call(noise: Any, installed: None) -> None:
    librosa.feature.fourier_tempogram(y=noise, win_length=16)
    librosa.beat.beat_track(y=noise)
    librosa.beat.plp(y=noise, win_length=32)
    assert served() == {
        "librosa.feature.fourier_tempogram": 1,
        "librosa.beat.beat_track": 1,
        "librosa.beat.plp": 1,
    }


def test_uninstalled_librosa_is_its_own_again(noise: Any) -> None:
    before = librosa.stft, librosa.feature.melspectrogram, librosa.core.spectrum.stft
    compat.install("librosa")
    assert librosa.core.spectrum.stft is not before[2]
    compat.uninstall()
    assert (librosa.stft, librosa.feature.melspectrogram, librosa.core.spectrum.stft) == before


def test_what_hpss_separates_is_what_librosa_separates(noise: Any, installed: None) -> None:
    harmonic, percussive = librosa.effects.hpss(noise)
    with compat.numerics("strict"):
        expected = librosa.effects.hpss(noise)
    assert np.abs(harmonic - expected[0]).max() < 1e-5 * np.abs(noise).max()
    assert np.abs(percussive - expected[1]).max() < 1e-5 * np.abs(noise).max()


def test_strict_numerics_are_librosa_s_bits(noise: Any) -> None:
    with compat.numerics("strict"):
        assert np.array_equal(ours.feature.mfcc(y=noise), librosa.feature.mfcc(y=noise))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stft", {}),
        ("feature.melspectrogram", {"sr": 22050}),
        ("feature.mfcc", {"sr": 22050}),
        ("feature.rms", {}),
        ("feature.spectral_rolloff", {"sr": 22050}),
        ("feature.spectral_contrast", {"sr": 22050}),
        ("feature.zero_crossing_rate", {}),
        ("onset.onset_strength", {"sr": 22050}),
        ("effects.hpss", {}),
        ("effects.percussive", {"power": np.inf}),
    ],
)
def test_verify_finds_no_breach(name: str, options: dict[str, Any], noise: Any) -> None:
    function: Any = ours
    for part in name.split("."):
        function = getattr(function, part)
    with compat.numerics("verify"), compat.route("ours"):
        function(y=noise, **options)


def test_mlx_arrays_come_back_as_mlx_arrays(noise: Any) -> None:
    mx = pytest.importorskip("mlx.core")
    z = ours.stft(mx.array(noise))
    assert isinstance(z, mx.array)
    assert np.array_equal(np.array(z), ours.stft(noise))
    mel = ours.feature.melspectrogram(y=mx.array(noise))
    assert isinstance(mel, mx.array)


def test_memory_given_is_the_memory_returned(noise: Any) -> None:
    room = np.empty((1025, 44), np.complex64)
    assert ours.stft(noise, out=room) is room
    assert np.array_equal(room, ours.stft(noise))
    samples = np.empty(22050, np.float32)
    assert ours.istft(room, length=22050, out=samples) is samples
    assert np.array_equal(samples, ours.istft(room, length=22050))


def test_audio_is_read_where_it_lies_and_left_alone(noise: Any) -> None:
    every_second = noise[::2]
    before = noise.copy()
    assert np.array_equal(ours.stft(every_second), ours.stft(every_second.copy()))
    assert np.array_equal(ours.stft(noise[::-1]), ours.stft(noise[::-1].copy()))
    noise.flags.writeable = False
    ours.feature.mfcc(y=noise)
    assert np.array_equal(noise, before)


def test_small_elementwise_calls_are_numpy_s() -> None:
    compat.reset()
    with compat.route("auto"):
        ours.magphase(np.ones((5, 5), np.complex64))
        ours.power_to_db(np.ones((5, 5), np.float32))
        ours.db_to_power(np.ones((5, 5), np.float32))
    assert not served()


def test_a_program_s_feature_is_called_with_librosa_s_arguments(noise: Any) -> None:
    seen: list[dict[str, Any]] = []

    def feature(**options: Any) -> Any:
        seen.append(options)
        return librosa.feature.melspectrogram(**options)

    result = ours.onset.onset_strength(y=noise, sr=22050, feature=feature, n_mels=32)
    assert np.array_equal(result, librosa.onset.onset_strength(y=noise, sr=22050, feature=feature, n_mels=32))
    assert seen[0].keys() == seen[1].keys()


# NumPy's, of how librosa compares
@pytest.mark.filterwarnings("ignore:'where' used without 'out'")
def test_a_program_s_own_parts_of_a_reassigned_spectrogram_are_called(
    noise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, magnitudes = np.full((5, 16), 3.0), np.ones((5, 16))
    options = {"sr": 64, "n_fft": 8, "hop_length": 8, "center": False, "reassign_times": False}
    with compat.route("ours"):
        before = ours.reassigned_spectrogram(noise[:128], **options)[0]
        assert not compat.report()[0].reason
        monkeypatch.setattr(librosa.core.spectrum, "__reassign_frequencies", lambda **_: (places, magnitudes))
        after = ours.reassigned_spectrogram(noise[:128], **options)[0]
    assert (before != 3).all()
    assert (after == 3).all()


def test_results_that_are_not_real_spectra_are_librosa_s_errors(noise: Any) -> None:
    z = librosa.stft(noise)
    for function in (ours.feature.spectral_centroid, ours.feature.spectral_flatness):
        with pytest.raises(librosa.ParameterError, match="real-valued"):
            function(S=z)


@pytest.mark.parametrize("name", ["power_to_db", "magphase", "pcen", "mu_expand"])
def test_arrays_of_many_axes_take_no_more_memory_than_librosa_s(name: str) -> None:
    x: Any = np.ones((2,) * 12, {"magphase": np.complex64, "mu_expand": np.int16}.get(name, np.float32))
    peaks = []
    with compat.route("ours"):
        for library in (librosa, ours):
            tracemalloc.start()
            getattr(library, name)(x)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] + (1 << 23)  # with what is loaded


@pytest.mark.parametrize(
    "name",
    [
        "feature.melspectrogram", "feature.mfcc", "feature.rms", "feature.spectral_centroid",
        "feature.zero_crossing_rate", "effects.trim",
    ],
)  # fmt: skip
def test_features_of_long_audio_keep_no_spectrogram(name: str) -> None:
    function = operator.attrgetter(name)(ours)
    y = np.random.default_rng(80).standard_normal(60 * 22050).astype(np.float32)
    function(y=y[:8192])
    tracemalloc.start()
    function(y=y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not any(record.reason for record in compat.report())
    spectrogram = 1025 * (1 + y.size // 512) * y.itemsize
    assert peak < spectrogram / 2


def calls_of(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry of each call that is made from now on of what a module of librosa's adapters names."""
    made: list[None] = []
    home = importlib.import_module(f"mlx_spectro.compat.librosa.{module}")
    original = getattr(home, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        made.append(None)
        return original(*args, **kwargs)

    monkeypatch.setattr(home, name, counted)
    return made


@pytest.mark.parametrize("planned", ["_octaves", "synthesis", "_bank"])
def test_iterations_of_constant_q_transforms_are_planned_once(planned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.random.default_rng(82).random((24, 40)).astype(np.float32)
    made, counts = calls_of("_core.constantq", planned, monkeypatch), []
    with compat.route("ours"):
        for n_iter in (1, 4):
            made.clear()
            ours.griffinlim_cqt(levels, sr=8000, fmin=200.0, hop_length=64, n_iter=n_iter)
            counts.append(len(made))
    assert served()["librosa.griffinlim_cqt"] == 2
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("name", ["tempogram", "fourier_tempogram", "hybrid_tempogram"])
def test_tempograms_plan_their_envelope_once(name: str, noise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(librosa.feature, name):
        pytest.skip("librosa has it from 1.0 on")
    made = calls_of("_onset", "mel_plan", monkeypatch)
    with compat.route("ours"):
        getattr(ours.feature, name)(y=noise, win_length=32)
    assert served()[f"librosa.feature.{name}"] == 1
    assert len(made) == 1


def test_the_flatness_of_silence_is_1_in_double_precision() -> None:
    n_fft, eps = 4096, float(np.finfo(np.float64).eps)
    for flat in ({"y": np.zeros(2 * n_fft)}, {"S": np.zeros((n_fft // 2 + 1, 3))}):
        found = ours.feature.spectral_flatness(n_fft=n_fft, **flat)
        # the logarithm of amin, rounded, and its mean
        assert np.abs(found - 1).max() <= 4 * eps * abs(np.log(1e-10))
