"""Constant-Q transforms on MLX arrays, beyond what their rows measure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlx.core")
librosa = pytest.importorskip("librosa")

import mlx.core as mx

import mlx_spectro as ms
from mlx_spectro.design import constantq
from mlx_spectro.features import constantq as features

from ..table.cases.constantq import by_librosa_s_filters

X = np.random.default_rng(13).standard_normal((2, 6000)).astype(np.float32)
EPS = float(np.finfo(np.float32).eps)
# an odd hop keeps librosa from resampling, which no two resamplers do alike
OPTIONS: dict[str, Any] = {"n_bins": 30, "hop_length": 301}


@pytest.mark.parametrize("name", ["cqt", "vqt"])
def test_values_are_librosa_s_where_it_does_not_resample(name: str, implementation: str) -> None:
    found = np.array(getattr(ms, name)(mx.array(X), f_min=200.0, **OPTIONS))
    truth = getattr(librosa, name)(X.astype(np.float64), fmin=200.0, **OPTIONS)
    assert found.shape == truth.shape
    # a transform's roundings grow with the logarithm of its length, and a filter sums a few dozen bins
    assert np.abs(found - truth).max() <= 16 * EPS * np.abs(truth).max()


@pytest.mark.parametrize("hop_length", [256, 301])
def test_a_tone_is_loudest_at_its_bin_and_turns_as_fast_as_it_does(hop_length: int, implementation: str) -> None:
    scale = constantq.Scale(22050, 220.0, 24, 12, 0.0)
    hz = scale.frequencies[17]
    tone = mx.array(np.cos(2 * np.pi * hz / 22050 * np.arange(12000)).astype(np.float32))
    z = np.array(ms.cqt(tone, f_min=220.0, n_bins=24, hop_length=hop_length))[:, 8:-8]
    assert (np.abs(z).argmax(axis=0) == 17).all()
    turn = z[17, 1:] / z[17, :-1]
    # what the tone's mirror at negative frequencies leaks in is as much as a Hann window has 34 of its bins away
    np.testing.assert_allclose(turn, np.exp(2j * np.pi * hz * hop_length / 22050), atol=1e-3)


def test_frames_are_transformed_in_parts_that_join(monkeypatch: pytest.MonkeyPatch, implementation: str) -> None:
    whole = np.array(ms.vqt(mx.array(X), f_min=200.0, n_bins=24, hop_length=100))
    monkeypatch.setattr(features, "_BLOCK", 7 * 1024)
    parts = np.array(ms.vqt(mx.array(X), f_min=200.0, n_bins=24, hop_length=100))
    assert np.abs(parts - whole).max() <= 8 * EPS * np.abs(whole).max()


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101])
def test_short_audio_has_frames_of_it_and_of_silence(length: int, implementation: str) -> None:
    found = np.array(ms.cqt(mx.array(X[:, :length]), f_min=200.0, n_bins=12, hop_length=50))
    assert found.shape == (2, 12, 1 + length // 50)
    wide = X[:, :length].astype(np.float64)
    truth = by_librosa_s_filters(wide, f_min=200.0, n_bins=12, hop_length=50, gamma=0)
    assert np.abs(found - truth).max(initial=0) <= 16 * EPS * np.abs(truth).max(initial=0)


def test_one_bin_has_its_scale_s_bandwidth() -> None:
    one = constantq.Scale(22050, 220.0, 1, 12, 0.0)
    assert one.lengths[0] == pytest.approx(constantq.Scale(22050, 220.0, 24, 12, 0.0).lengths[0])


def test_wrong_options_are_named() -> None:
    x, untyped = mx.array(X), ms
    for options, message in (
        ({"n_bins": 0}, "n_bins must be at least 1, got 0"),
        ({"n_bins": 120}, r"below half of sample_rate, got \d+\.\d Hz of Scale\(sample_rate=22050.0, .*n_bins=120"),
        ({"f_min": 0.001}, "filters must be shorter than 1048576 samples"),
        ({"sparsity": 1}, "sparsity must be at least 0 and below 1, got 1"),
        ({"window_fn": "kaiser"}, "Unknown window_fn 'kaiser'"),
        ({"norm": 0}, "norm must be above 0, got 0"),
        ({"center_pad_mode": "zeros"}, "center_pad_mode must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            untyped.cqt(x, **options)
