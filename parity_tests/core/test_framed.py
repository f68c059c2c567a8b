"""Frames that start anywhere, filterbanks of one's own corners, and what networks for onsets take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

import mlx_spectro as ms
from mlx_spectro.design.starts import frames_of_rise

from ..table.cases.framed import spectra_at

X = np.random.default_rng(14).standard_normal((2, 700)).astype(np.float32)
EPS = float(np.finfo(np.float32).eps)


@pytest.mark.parametrize(
    "starts",
    [
        [0, 100, 200],
        [200, 100, 0],
        [-64, 3, 70],
        [5],
        [3, 3, 3],
        [-500, 900],
        mx.array([0, 1, 3]),
        np.array([7, 9], np.uint8),
    ],
    ids=str,
)
def test_frames_lie_where_they_are_asked_for(starts: Any, implementation: str) -> None:
    found = np.array(ms.stft_at(mx.array(X), starts, n_fft=64))
    truth = spectra_at(X.astype(np.float64), np.array(starts).astype(int), n_fft=64)
    assert found.shape == truth.shape
    assert np.abs(found - truth).max() <= 8 * EPS * max(np.abs(truth).max(), EPS)


def test_phases_of_a_frame_s_centre_are_those_of_a_tone_there(implementation: str) -> None:
    tone = np.cos(2 * np.pi * 0.125 * np.arange(700) + 0.4).astype(np.float32)
    z = np.array(ms.stft_at(mx.array(tone), [100, 103], n_fft=64, zero_phase=True))
    for at, bin_of_frame in zip((132, 135), z[8], strict=True):
        expected = np.exp(1j * (2 * np.pi * 0.125 * at + 0.4))
        assert abs(bin_of_frame / abs(bin_of_frame) - expected) < 1e-5


def test_audio_without_samples_is_silence(implementation: str) -> None:
    assert mx.array_equal(ms.stft_at(mx.zeros((2, 0)), [0, 9], n_fft=64), mx.zeros((2, 33, 2), mx.complex64))
    options: dict[str, Any] = {"n_fft": 512, "bands_per_octave": 3, "sample_rate": 8000, "f_max": 3500.0}
    found = ms.multiresolution_spectrogram(mx.zeros((2, 0)), **options)
    assert mx.array_equal(found, ms.multiresolution_spectrogram(mx.zeros((2, 1)), **options))
    assert found.shape[-1] == 1


@pytest.mark.parametrize(
    ("size", "hop", "ratio"), [(2048, 441.0, 0.5), (2048, 220.5, 0.25), (4096, 100, 0.1), (64, 9, 0)]
)
def test_rises_are_over_as_many_frames_as_windows_are_apart_at_a_ratio(size: int, hop: float, ratio: float) -> None:
    window = np.hanning(size)
    # a Hann window is cos(pi t / size) ** 2 at t samples from its middle
    apart = np.arccos(np.sqrt(ratio)) * size / np.pi
    assert abs(frames_of_rise(window, hop, ratio) - max(1, apart / hop)) <= 0.5 + 1 / hop


def test_one_number_of_bands_is_that_of_all_resolutions() -> None:
    options: dict[str, Any] = {"n_fft": (512, 1024), "sample_rate": 8000, "f_max": 3500.0}
    one, several = (
        ms.multiresolution_spectrogram(mx.array(X), bands_per_octave=bands, **options) for bands in (3, (3, 3))
    )
    assert mx.array_equal(one, several)


def test_wrong_options_are_named() -> None:
    x, untyped = mx.array(X), ms
    frames: dict[str, Any] = {"frame_length": 64, "fps": 100}
    bank: dict[str, Any] = {"n_fft": 64, "sample_rate": 8000}
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: untyped.stft_at(x, [], n_fft=64), r"starts must be one or more whole numbers, \[frames\], got \[\]"),
        (lambda: untyped.stft_at(x, [0.5], n_fft=64), "starts must be one or more whole numbers"),
        (lambda: untyped.stft_at(x, [[0]], n_fft=64), "starts must be one or more whole numbers"),
        (lambda: untyped.frame_starts(10, frame_length=64, fps=9000, sample_rate=8000), "fps must be at most"),
        (lambda: untyped.frame_starts(10, **frames, origin="left"), "origin must be one of"),  # type: ignore[arg-type]
        (lambda: untyped.frame_starts(10, **frames, end="all"), "end must be one of"),  # type: ignore[arg-type]
        (lambda: untyped.triangular_fbanks([500.0, 100.0, 900.0], **bank), "frequencies must ascend"),
        (lambda: untyped.triangular_fbanks([100.0, 110.0, 120.0], **bank), "3 are nearest to 1 bins at n_fft=64"),
        (lambda: untyped.rectangular_fbanks([100.0], **bank), "a filter needs 2 frequencies"),
        (lambda: untyped.log_fbanks(**bank, f_min=500, f_max=400), "f_min must be below f_max, got f_min=500.0"),
        (lambda: untyped.multiresolution_spectrogram(x, bands_per_octave=(3, 6)), "one number, or 3 as n_fft, got 2"),
        (lambda: untyped.multiresolution_spectrogram(x, n_fft=()), "n_fft must name at least one"),
        (lambda: untyped.multiresolution_spectrogram(x, add=0), "add must be above 0, got 0"),
        (lambda: untyped.multiresolution_spectrogram(x, diff_ratio=1), "diff_ratio must be at least 0 and below 1"),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()
