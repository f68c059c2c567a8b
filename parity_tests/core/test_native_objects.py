"""What native objects say of themselves: representations, versions, caches, and warnings where they belong."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import mlx_spectro as ms
from mlx_spectro import SpectralTransform, _check, diagnostics
from mlx_spectro.kernels import tuning_cache
from mlx_spectro.kernels.gpu import plan, tune
from mlx_spectro.ops import backend

from .test_transform import noise

MADE: dict[str, dict[str, Any]] = {
    "SpectralTransform": {"n_fft": 64, "hop_length": 16, "win_length": 50, "window": "rect", "normalized": True},
    "MelSpectrogramTransform": {"n_fft": 64, "n_mels": 8, "top_db": None, "norm": "slaney", "f_max": 7000.0},
    "LogMelSpectrogramTransform": {"n_fft": 64, "n_mels": 8, "log_amin": 1e-3, "center_pad_mode": "edge"},
    "MFCCTransform": {"n_fft": 64, "n_mels": 8, "n_mfcc": 4, "lifter": 3, "center": False},
    "SpectralFeatureTransform": {"include": ("mfcc", "spectral_rolloff"), "n_fft": 64, "n_mels": 8, "n_mfcc": 4},
}


@pytest.mark.parametrize("name", MADE)
def test_a_transform_shows_the_parameters_that_make_it(name: str) -> None:
    made = getattr(ms, name)(**MADE[name])
    again = eval(repr(made), {name: getattr(ms, name)})
    assert repr(again) == repr(made)
    for parameter, value in MADE[name].items():
        if parameter != "window":
            assert getattr(again, parameter) == getattr(made, parameter) == value
    for other in (copy.copy(made), pickle.loads(pickle.dumps(made))):
        assert repr(other) == repr(made)
    shown = {part.partition("=")[0] for part in repr(made).partition("(")[2].split(", ")}
    assert set(MADE[name]) <= shown
    assert "kwargs" not in shown


def test_arrays_are_shown_by_their_shapes() -> None:
    transform = SpectralTransform(64, 16, window=np.ones(50), win_length=50)
    assert "window=<array [64]>" in repr(transform)
    transform.set_window("hann")
    assert "window='hann'" in repr(transform)
    assert "window=<array [64]>" in repr(transform.with_window(mx.ones(64)))
    assert repr(ms.FilteredSpectrogramTransform(filterbank=np.ones((33, 4)), n_fft=64)).startswith(
        "FilteredSpectrogramTransform(filterbank=<array [33, 4]>, n_fft=64, hop_length=16"
    )


def test_making_a_transform_retires_no_recording() -> None:
    from mlx_spectro.features import _replay

    before = _replay._changes
    for name, options in MADE.items():
        getattr(ms, name)(**options)
    assert _replay._changes == before


def test_the_version_is_the_distribution_s_and_costs_an_import_nothing() -> None:
    assert ms.__version__ == version("mlx-spectro-compat")
    assert "__version__" in dir(ms)
    found = subprocess.run(
        [sys.executable, "-c", "import sys, mlx_spectro; print('importlib.metadata' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    alone = subprocess.run(
        [sys.executable, "-c", "import sys, numpy, platform; print('importlib.metadata' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == alone.stdout


def test_a_vanishing_overlap_warns_at_the_caller_s_line() -> None:
    transform = SpectralTransform(64, 16, center=False)
    z = transform.stft(noise(1, 320))
    calls: dict[str, Callable[[], Any]] = {
        "istft": lambda: transform.with_window(None).istft(z),
        "differentiable_istft": lambda: transform.with_window(None).differentiable_istft(mx.swapaxes(z, -1, -2)),
        "istft_compiled": lambda: transform.with_window(None).istft_compiled(z),
        "get_compiled_istft": lambda: transform.with_window(None).get_compiled_istft()(z),
    }
    for call in calls.values():
        with pytest.warns(RuntimeWarning, match="come out as 0") as said:
            call()
        assert [Path(warning.filename) for warning in said] == [Path(__file__)]
        assert said[0].lineno == inspect.getsourcelines(call)[1]


def test_a_warning_made_an_error_is_raised_at_each_call() -> None:
    transform = SpectralTransform(64, 16, center=False)
    z = transform.stft(noise(1, 320))
    for _ in range(2):
        with warnings.catch_warnings(), pytest.raises(RuntimeWarning, match="degenerate"):
            warnings.simplefilter("error")
            transform.istft(z)


SWITCHES: dict[str, tuple[Callable[[], Any], bool]] = {
    "SPEC_MLX_CACHE_STATS": (diagnostics._enabled, False),
    "SPEC_MLX_AUTOTUNE": (tune.enabled, True),
    "SPEC_MLX_AUTOTUNE_PERSIST": (tuning_cache.persists, True),
}


@pytest.mark.parametrize("variable", SWITCHES)
def test_a_switch_without_a_meaning_is_warned_of_once_and_counts_as_none(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, default = SWITCHES[variable]
    clear = getattr(asked, "cache_clear", lambda: None)
    _check._meant.cache_clear()
    try:
        for value, meant in (("1", True), ("0", False), ("on", True), ("FALSE", False), ("", default)):
            monkeypatch.setenv(variable, value)
            clear()
            assert asked() is meant
        monkeypatch.setenv(variable, "often")
        clear()
        with pytest.warns(RuntimeWarning, match=f"{variable} must be 0 or 1, got 'often'") as said:
            assert asked() is default
        assert said[0].filename == __file__
        clear()
        assert asked() is default
    finally:
        monkeypatch.undo()
        clear()


def test_threads_for_an_unknown_kernel_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEC_MLX_TGX", "ola:64, stft:256")
    with pytest.warns(RuntimeWarning, match="SPEC_MLX_TGX knows stft, istft, filterbank, got 'ola:64, stft:256'"):
        assert plan.from_environment("stft").threads == 256
    assert not plan.is_given("istft")


def test_the_kernel_cache_names_what_was_called_and_how_often() -> None:
    ms.reset_cache_debug_stats()
    x, transform = noise(2, 300), SpectralTransform(64, 16)
    for name in backend.implementations():
        with backend.implementation(name):
            for _ in range(3):
                mx.eval(transform.istft(transform.stft(x), 300))
                mx.eval(ms.rms(x, frame_length=64), ms.spectral_centroid(x, n_fft=64))
    stats = ms.get_cache_debug_stats(reset=True)
    called = {kernel: uses for kernel, uses in stats["kernel_cache"].items() if uses}
    if "host" in backend.implementations():
        assert called == dict.fromkeys(("host stft", "host istft", "host frame_statistic", "host describe"), 3)
    after = ms.get_cache_debug_stats()["kernel_cache"]
    assert after.keys() == stats["kernel_cache"].keys()
    assert not any(after.values())


def test_the_transform_cache_counts_hits_and_misses() -> None:
    options: dict[str, Any] = {"n_fft": 62, "hop_length": 7}
    before = ms.get_cache_debug_stats()["transform_cache"]
    for _ in range(3):
        ms.spectral_centroid(noise(1, 200), **options)
    after = ms.get_cache_debug_stats()["transform_cache"]
    assert (after["hits"] - before["hits"], after["misses"] - before["misses"]) == (2, 1)
    assert 0 < after["currsize"] <= after["maxsize"]
    with pytest.raises(TypeError, match=r"n_fft must be an integer, got 62\.0"):
        ms.spectral_centroid(noise(1, 200), n_fft=62.0, hop_length=7)  # type: ignore[arg-type]
