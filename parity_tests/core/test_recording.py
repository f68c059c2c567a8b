"""Calls that a GPU is given again: repeated without Python, and the same under every transformation."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")

import mlx_spectro
from mlx_spectro import SpectralTransform
from mlx_spectro.design.operators import Istft, IstftAdjoint, Stft, StftAdjoint
from mlx_spectro.features import _replay
from mlx_spectro.ops import backend, mlx_on_gpu
from mlx_spectro.ops.apply import define


class Kernels:
    """Definitions in the place of GPU kernels, for a few operators; the forward ones are counted."""

    def __init__(self) -> None:
        self.calls = 0

    def serves(self, op: Any, *_arrays: Any) -> bool:
        return isinstance(op, Stft | Istft | StftAdjoint | IstftAdjoint)

    def run(self, op: Any, *arrays: Any) -> Any:
        self.calls += isinstance(op, Stft | Istft)
        return define(op, *arrays)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Kernels:
    fake = Kernels()
    monkeypatch.setattr(backend, "implementations", lambda: ("plain", "gpu"))
    monkeypatch.setattr(mlx_on_gpu, "run", fake.run)
    monkeypatch.setattr(mlx_on_gpu, "serves", fake.serves)
    return fake


def noise(*shape: int) -> Any:
    return mx.array(np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32))


def transform() -> SpectralTransform:
    return SpectralTransform(64, 16)


def test_third_call_of_a_kind_runs_no_python(kernels: Kernels) -> None:
    stft, x, y = transform().stft, noise(2, 300), noise(2, 300) + 1
    expected = [np.array(stft(signal)) for signal in (x, y)]
    calls = kernels.calls
    for signal, values in zip((x, y), expected, strict=True):
        np.testing.assert_array_equal(np.array(stft(signal)), values)
    assert kernels.calls == calls
    stft(noise(3, 300))
    stft(x, output_layout="bnf")
    assert kernels.calls == calls + 2


SCALE: dict[str, Any] = {"sample_rate": 8000, "f_min": 400.0, "n_bins": 18, "bins_per_octave": 6, "hop_length": 20}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "resample": lambda x: mlx_spectro.resample(x, orig_freq=3, new_freq=2),
    "deemphasis": lambda x: mlx_spectro.deemphasis(x),
    "time_stretch": lambda x: mlx_spectro.time_stretch(x, rate=0.8, n_fft=64),
    "cqt": lambda x: mlx_spectro.cqt(x, **SCALE),
    "tempogram": lambda x: mlx_spectro.tempogram(x, win_length=40),
    "multiresolution_spectrogram": lambda x: mlx_spectro.multiresolution_spectrogram(
        x, sample_rate=8000, fps=150, n_fft=(256, 512), bands_per_octave=3, f_max=3500.0
    ),
    "hpss": lambda x: mx.stack(mlx_spectro.hpss(x, kernel_size=5)),
    "superflux": lambda x: mlx_spectro.superflux(mx.abs(x)),
    "complex_domain": lambda x: mlx_spectro.complex_domain(x.astype(mx.complex64)),
    "complex_flux": lambda x: mlx_spectro.complex_flux(x.astype(mx.complex64), mx.abs(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_the_same_from_their_recording(name: str, kernels: Kernels) -> None:
    x, y = noise(40, 300), noise(300, 40).T
    with backend.implementation("plain"):
        expected = [np.array(FUNCTIONS[name](signal)) for signal in (x, y)]
    for _ in range(3):
        for signal, values in zip((x, y), expected, strict=True):
            np.testing.assert_allclose(np.array(FUNCTIONS[name](signal)), values, rtol=1e-5, atol=1e-5)


TRANSFORMATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, x: mx.grad(lambda x: mx.square(mx.abs(f(x))).sum())(x),
    "jvp": lambda f, x: mx.jvp(f, [x], [mx.cos(x)])[1][0],
    "vmap": lambda f, x: mx.vmap(f)(mx.stack([x, 2 * x])),
    "compile": lambda f, x: mx.compile(lambda x: f(x) * 2)(x),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_of_a_recorded_call_are_those_of_the_function(name: str, kernels: Kernels) -> None:
    x, stft = noise(2, 300), transform().stft
    with backend.implementation("plain"):
        expected = np.array(TRANSFORMATIONS[name](stft, x))
    for before in range(3):
        for _ in range(before):
            stft(x)
        np.testing.assert_allclose(np.array(TRANSFORMATIONS[name](stft, x)), expected, rtol=1e-5, atol=1e-4)


def test_gradient_of_a_recorded_round_trip_is_a_projection(kernels: Kernels) -> None:
    t, x = transform(), noise(1, 320)
    for _ in range(3):
        g = mx.grad(lambda x: 0.5 * mx.square(t.istft(t.stft(x), 320)).sum())(x)
    # stft and then its inverse change nothing, so neither does their transpose
    np.testing.assert_allclose(np.array(g), np.array(x), atol=1e-5)


def test_calls_that_look_at_values_are_never_recorded(kernels: Kernels) -> None:
    t = transform()
    z = t.stft(noise(1, 300))
    for _ in range(3):
        t.istft(z, 300, True)
        t.istft(z, 300, safety="always")
        t.istft(z, 300, backend_policy="torch_fallback")
    spoiled = z * float("nan")
    for _ in range(3):
        with pytest.raises(ValueError, match="NaN"):
            t.istft(spoiled, 300, validate=True)


def test_an_error_is_raised_at_every_call(kernels: Kernels) -> None:
    t = SpectralTransform(64, 64, window_fn="hann", center=False)
    z = t.stft(noise(1, 640))
    for _ in range(3):
        with pytest.raises(RuntimeError, match="degenerate"):
            t.istft(z, torch_like=True)


def test_another_window_is_another_recording(kernels: Kernels) -> None:
    t, x = transform(), noise(1, 300)
    for _ in range(3):
        t.stft(x)
    other = t.with_window("rect")
    t.set_window("hamming")
    for changed, name in ((other, "rect"), (t, "hamming")):
        expected = SpectralTransform(64, 16, window_fn=name).stft(x)
        for _ in range(3):
            np.testing.assert_array_equal(np.array(changed.stft(x)), np.array(expected))


def test_a_changed_attribute_is_seen(kernels: Kernels) -> None:
    mfcc, x = mlx_spectro.MFCCTransform(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20), noise(1, 3000)
    before = [np.array(mfcc(x)) for _ in range(3)][-1]
    mfcc.mel.top_db = 10.0
    expected = mlx_spectro.MFCCTransform(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, top_db=10.0)(x)
    for _ in range(3):
        np.testing.assert_allclose(np.array(mfcc(x)), np.array(expected), rtol=1e-4, atol=1e-2)
    assert not np.allclose(before, expected, atol=1)


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_and_pickles_leave_recordings_behind(twin: Callable[[Any], Any], kernels: Kernels) -> None:
    t, x = transform(), noise(1, 300)
    expected = np.array([t.get_compiled_stft()(x) for _ in range(3)][-1])
    other = twin(t)
    assert not vars(other)["_recorded"]
    np.testing.assert_array_equal(np.array(other.get_compiled_stft()(x)), expected)


def test_options_that_cannot_be_hashed_are_served(kernels: Kernels) -> None:
    for _ in range(3):
        found = mlx_spectro.spectral_features(noise(1, 4000), n_fft=256, hop_length=64, include=["spectral_centroid"])
        assert list(found) == ["spectral_centroid"]


def test_recordings_are_bounded(kernels: Kernels) -> None:
    t = transform()
    for length in range(100, 100 + 2 * _replay._MOST):
        t.stft(mx.zeros((1, length)))
    assert len(vars(t)["_recorded"]) <= _replay._MOST


def test_another_thread_and_stream_repeat_a_call(kernels: Kernels) -> None:
    t, x = transform(), noise(2, 300)
    expected = np.array([t.stft(x) for _ in range(3)][-1])
    found: list[Any] = []

    def work() -> None:
        mine = noise(2, 300)
        found.append(np.array(t.stft(mine)))
        with mx.stream(mx.new_stream(mx.default_device())):
            found.append(np.array(t.stft(mine)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for values in found:
        np.testing.assert_array_equal(values, expected)
    assert len(found) == 2


@pytest.mark.parametrize("name", ["MelSpectrogramTransform", "MFCCTransform", "SpectralFeatureTransform"])
def test_features_repeat_what_they_gave_at_first(name: str, kernels: Kernels) -> None:
    bands = {"n_bands": 3} if name == "SpectralFeatureTransform" else {}
    extract = getattr(mlx_spectro, name)(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20, **bands)
    x = noise(2, 3000)

    def values() -> list[Any]:
        found = extract(x)
        return [np.array(y) for y in (found.values() if isinstance(found, dict) else [found])]

    first = values()
    for _ in range(2):
        for value, expected in zip(values(), first, strict=True):
            # what MLX compiles may round otherwise: a few units in the last place of what a sum or a logarithm holds
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
