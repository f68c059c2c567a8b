"""librosa's warnings: as often, of the same lines, and none of our own."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

librosa = pytest.importorskip("librosa")

from mlx_spectro import compat
from mlx_spectro.compat import librosa as ours
from mlx_spectro.ops import backend

from ..table.case import find
from .librosa_calls import AUDIO, MAGNITUDES, SPECTRUM, outcome, told_apart

pytestmark = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")

MANY_MELS = {"y": AUDIO, "sr": 22050, "n_fft": 64, "n_mels": 128}


def counted(action: str, run: Callable[[], Any]) -> list[tuple[str, int]]:
    """Files and lines of what ``run`` warns of, where warnings get this action."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        run()
    return [(w.filename, w.lineno) for w in caught]


@pytest.mark.parametrize("name", ["feature.melspectrogram", "feature.mfcc", "onset.onset_strength"])
def test_empty_filters_are_warned_of_at_every_call(name: str) -> None:
    ours_said, theirs_said = (
        counted("always", lambda prefix=prefix: [find(f"{prefix}librosa.{name}")(**MANY_MELS) for _ in range(3)])  # type: ignore[misc]
        for prefix in ("mlx_spectro.compat.", "")
    )
    assert [record.reason for record in compat.report()] == [""]
    assert ours_said == theirs_said
    assert len(theirs_said) == 3


@pytest.mark.parametrize("window", [("chebwin", 30), ("cheb", 44.9), ("chebwin", 45)])
def test_a_window_that_scipy_warns_of_is_warned_of_at_every_call(window: Any, ours: None) -> None:
    for _ in range(2):
        assert not told_apart("librosa.stft", (AUDIO,), {"n_fft": 64, "window": window})
        assert not told_apart("librosa.istft", (SPECTRUM,), {"hop_length": 16, "window": window})


def test_filters_that_a_program_makes_itself_are_warned_of_in_its_own_line() -> None:
    ((file, _),) = counted("always", lambda: ours.filters.mel(sr=22050, n_fft=64, n_mels=128))
    assert file == __file__


def test_complex_decibels_are_warned_of_once_a_line() -> None:
    def two_lines(library: Any) -> None:
        for _ in range(3):
            library.power_to_db(SPECTRUM)
        library.power_to_db(SPECTRUM)

    assert counted("default", lambda: two_lines(ours)) == counted("default", lambda: two_lines(librosa))
    assert len(counted("default", lambda: two_lines(librosa))) == 2


def test_silence_has_no_tuning_and_librosa_s_line_says_so(ours: None) -> None:
    silence = np.zeros_like(AUDIO)
    assert len(outcome(librosa.feature.chroma_stft, (), {"y": silence, "n_fft": 64}).warnings) == 1
    assert not told_apart("librosa.feature.chroma_stft", (), {"y": silence, "n_fft": 64})


@pytest.mark.parametrize("largest", [1e18, 1e25, 3e37])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stft", {"n_fft": 64}),
        ("feature.melspectrogram", {"n_fft": 64, "n_mels": 4}),
        ("feature.rms", {"frame_length": 64}),
        ("feature.zero_crossing_rate", {"frame_length": 64}),
    ],
)
def test_values_near_the_largest_float_are_warned_of_where_librosa_does(
    name: str, options: dict[str, Any], largest: float, ours: None
) -> None:
    loud = (AUDIO / np.abs(AUDIO).max() * largest).astype(np.float32)
    mine, theirs = (
        outcome(find(f"{prefix}librosa.{name}"), (), {"y": loud, **options}) for prefix in ("mlx_spectro.compat.", "")
    )
    assert mine.warnings == theirs.warnings


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", ["librosa.istft", "librosa.magphase"])
def test_spectra_that_are_not_finite_are_warned_of_as_librosa_does(name: str, value: float, ours: None) -> None:
    spectrum = SPECTRUM.copy()
    spectrum[3, 4] = value
    assert not told_apart(name, (spectrum,), {})


def test_amplitudes_whose_squares_overflow_are_warned_of_as_librosa_does(ours: None) -> None:
    assert not told_apart("librosa.amplitude_to_db", (np.full((5, 5), 1e20, np.float32),), {})


WIDE = {"frame_length": 64, "y": 1e20 * AUDIO.astype(np.float64)}
WIDE_MAGNITUDES = {"frame_length": 64, "S": 1e20 * MAGNITUDES.astype(np.float64)}


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("magphase", (SPECTRUM * np.float32(1e14),), {"power": 3}),
        ("magphase", (SPECTRUM * np.float32(1e10),), {"power": 4.0}),
        ("feature.melspectrogram", (), {"y": AUDIO * np.float32(1e14), "n_fft": 64, "n_mels": 4, "power": 3}),
        # float64 that librosa squares in float32, and in float64
        ("feature.rms", (), WIDE),
        ("feature.rms", (), WIDE_MAGNITUDES),
        ("feature.rms", (), WIDE | {"dtype": np.float64}),
        ("feature.rms", (), WIDE_MAGNITUDES | {"dtype": np.float64}),
    ],
)
def test_powers_that_overflow_are_warned_of_as_librosa_does(
    name: str, args: tuple[Any, ...], options: dict[str, Any], ours: None
) -> None:
    assert not told_apart(f"librosa.{name}", args, options)


@pytest.mark.parametrize("n_fft", [63, 64])
@pytest.mark.parametrize("value", [0.3, 1.0])
def test_bins_of_a_constant_are_warned_of_as_librosa_does(value: float, n_fft: int, ours: None) -> None:
    flat = np.full((2, 300), value, np.float32)
    for _ in range(2):
        # what NumPy says of a comparison is said once
        difference = told_apart("librosa.reassigned_spectrogram", (flat,), {"n_fft": n_fft, "ref_power": 1})
    assert not difference


def test_an_error_of_librosa_s_comes_by_way_of_the_line_that_called_us() -> None:
    with pytest.raises(librosa.ParameterError) as caught:
        ours.stft(AUDIO, hop_length=0)
    frames = [frame.filename for frame in traceback.extract_tb(caught.tb)]
    assert frames[0] == __file__ == frames[-2]


def test_what_is_left_to_librosa_is_warned_of_once(ours: None) -> None:
    assert not told_apart("librosa.segment.path_enhance", (np.eye(40), 2), {})
    of_other_frames = {"y": AUDIO, "sr": 8000, "n_fft": 64, "n_mels": 40, "ref": np.ones((40, 3), np.float32)}
    for name in ("onset_strength", "onset_strength_multi"):
        assert not told_apart(f"librosa.onset.{name}", (), of_other_frames)
