"""The way from public functions to GPU kernels and back, with the kernels' Metal text run on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")

import mlx_spectro
from mlx_spectro import SpectralTransform
from mlx_spectro.design.operators import Project
from mlx_spectro.features import _replay, _shared
from mlx_spectro.kernels.gpu import launch_mlx, plan, programs, tune
from mlx_spectro.kernels.gpu.dialect import Launch
from mlx_spectro.ops import backend, mlx_on_gpu

from .kernel_host import host

pytestmark = [
    pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU"),
    pytest.mark.skipif(launch_mlx.available(), reason="the CPU cannot see into this GPU's memory"),
]


class OnCpu(launch_mlx.MlxLauncher):
    """Runs the launches of MLX arrays on this machine."""

    calls = 0

    def prepare(self, launch: Launch) -> Any:
        def call(arrays: list[Any]) -> list[Any]:
            OnCpu.calls += 1
            inputs = {}
            for name, array in zip(launch.kernel.inputs, arrays, strict=True):
                values = np.ascontiguousarray(np.array(array))
                inputs[name] = values if values.size >= 8 else np.pad(values.ravel(), (0, 8))
            outcome = host.compiled(launch.kernel).run(launch, inputs)
            assert outcome.wrong == {}
            return [mx.array(output) for output in outcome.outputs.values()]

        return call


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = OnCpu()
    monkeypatch.setattr(mlx_on_gpu, "run", launcher.run)
    monkeypatch.setattr(mlx_on_gpu, "serves", launcher.serves)


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    monkeypatch.setattr(backend, "implementations", lambda: ("plain", "gpu"))
    monkeypatch.setattr(tune, "enabled", lambda: False)
    # on this machine a kernel has to see values
    monkeypatch.setattr(_replay, "_recording", lambda function, _like: function)
    OnCpu.calls = 0


def noise(*shape: int) -> Any:
    return mx.array(np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32))


def transform() -> SpectralTransform:
    return SpectralTransform(64, 16)


def small(name: str, **options: Any) -> Callable[[Any], Any]:
    sizes = {"sample_rate": 8000, "n_fft": 64, "hop_length": 16}
    return lambda x: getattr(mlx_spectro, name)(**sizes, **options)(x)


def described(name: str, **options: Any) -> Callable[[Any], Any]:
    return lambda x: getattr(mlx_spectro, name)(x, sample_rate=8000, n_fft=64, hop_length=16, **options)


def several_descriptors(x: Any) -> Any:
    include = [f"spectral_{name}" for name in ("rolloff", "contrast", "centroid", "bandwidth")]
    found = described("spectral_features", include=include, n_bands=2, contrast_fmin=1000.0)(x)
    # each to its own scale
    return mx.concatenate([rows / rows.max() for rows in found.values()], axis=-2)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "stft": (lambda x: mx.abs(transform().stft(x)), 1),
    "round trip": (lambda x: transform().istft(transform().stft(x), x.shape[-1]), 2),
    "mel": (small("MelSpectrogramTransform", n_mels=8, output_scale="linear"), 1),
    "mel in dB": (small("MelSpectrogramTransform", n_mels=8, output_scale="db", top_db=None), 1),
    "log mel": (small("LogMelSpectrogramTransform", n_mels=8, log_amin=1e-3), 1),
    "MFCC": (small("MFCCTransform", n_mels=8, n_mfcc=5), 2),
    "chroma": (lambda x: mlx_spectro.chroma_stft(x, sample_rate=8000, n_fft=64, hop_length=16, norm=None), 1),
    "centroid": (described("spectral_centroid"), 2),
    "bandwidth": (described("spectral_bandwidth"), 2),
    "bandwidth of order 1": (described("spectral_bandwidth", p=1.0), 2),
    "bandwidth of an order without a kernel": (described("spectral_bandwidth", p=3.0), 1),
    "rolloff": (described("spectral_rolloff"), 2),
    "flatness": (lambda x: mlx_spectro.spectral_flatness(x, n_fft=64, hop_length=16), 2),
    "flatness of magnitudes": (lambda x: mlx_spectro.spectral_flatness(x, n_fft=64, hop_length=16, power=1.0), 2),
    "contrast": (described("spectral_contrast", n_bands=2, fmin=1000.0, quantile=0.2), 2),
    "several descriptors": (several_descriptors, 2),
    "energy": (lambda x: mlx_spectro.rms(x, frame_length=64, hop_length=16), 1),
    "zero crossings": (lambda x: mlx_spectro.zero_crossing_rate(x, frame_length=64, hop_length=16), 1),
    "chunks": (lambda x: mlx_spectro.waveform_overlap_add(x.reshape(3, 2, -1), step=50), 1),
    "symmetric padding": (lambda x: mx.abs(SpectralTransform(64, 16, center_pad_mode="symmetric").stft(x)), 1),
    "less than a frame": (lambda x: mx.abs(SpectralTransform(64, 16, center=False).stft(x[:, :20])), 1),
    "mel of less than half a frame": (lambda x: small("MelSpectrogramTransform", n_mels=8)(x[:, :20]), 1),
    "MFCC of less than half a frame": (lambda x: small("MFCCTransform", n_mels=8, n_mfcc=5)(x[:, :20]), 2),
    "centroid of less than half a frame": (lambda x: described("spectral_centroid")(x[:, :20]), 2),
    "energy of less than half a frame": (
        lambda x: mlx_spectro.rms(x[:, :20], frame_length=64, hop_length=16),
        1,
    ),
    "a length without a kernel": (
        lambda x: SpectralTransform(74, 20).istft(SpectralTransform(74, 20).stft(x), x.shape[-1]),
        1,
    ),
}


def close(found: Any, expected: Any, digits: float = 1e-5) -> None:
    found, expected = np.array(found), np.array(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= digits * np.abs(expected).max()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_those_of_plain_ops(name: str) -> None:
    function, launches = FUNCTIONS[name]
    x = noise(2, 300)
    found = function(x)
    mx.eval(found)
    assert OnCpu.calls >= launches
    with backend.implementation("plain"):
        close(found, function(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_those_of_plain_ops(name: str) -> None:
    function, _ = FUNCTIONS[name]
    x = noise(2, 300)

    def loss(x: Any) -> Any:
        y = function(x)
        return (y * mx.cos(mx.arange(y.size, dtype=mx.float32).reshape(y.shape))).sum()

    found = mx.grad(loss)(x)
    with backend.implementation("plain"):
        close(found, mx.grad(loss)(x), 1e-3)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("chunks", "several descriptors")])
def test_an_empty_batch_launches_nothing(name: str) -> None:
    function, _ = FUNCTIONS[name]
    with backend.implementation("plain"):
        shape = function(noise(2, 300)).shape
    found = function(mx.zeros((0, 300)))
    assert found.shape == (0, *shape[1:])
    assert mx.grad(lambda x: function(x).sum())(mx.zeros((0, 300))).shape == (0, 300)
    assert OnCpu.calls == 0


def test_leading_axes_of_any_number_are_rows() -> None:
    x = noise(2, 3, 300)
    whole = transform().stft(x)
    assert whole.shape == (2, 3, 33, 19)
    close(whole[1, 2], transform().stft(x[1, 2])[0])


def test_norm_is_not_fused_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    function, _ = FUNCTIONS["a length without a kernel"]
    fused = function(noise(2, 300))
    monkeypatch.setenv("MLX_OLA_FUSE_NORM", "0")
    OnCpu.calls = 0
    close(function(noise(2, 300)), fused)
    assert OnCpu.calls == 0


def test_the_environment_sets_the_threads_of_a_threadgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = transform().stft(noise(2, 300))
    for value, threads in (("64", 64), ("stft:256", 256), ("istft:32, stft:64", 64), ("istft:64", 128)):
        monkeypatch.setenv("SPEC_MLX_TGX", value)
        assert plan.from_environment("stft").threads == threads
        programs.program.cache_clear()
        stand_in(monkeypatch)
        close(transform().stft(noise(2, 300)), expected)
    for wrong in ("many", "stft:", "0", "4096"):
        monkeypatch.setenv("SPEC_MLX_TGX", wrong)
        with pytest.raises(ValueError, match="SPEC_MLX_TGX"):
            plan.from_environment("stft")
    programs.program.cache_clear()


def test_a_bank_too_large_for_a_table_is_left_to_plain_ops() -> None:
    matrix = mx.zeros((2048, 4097))
    assert mlx_on_gpu.run(Project(), mx.zeros((1, 2, 2048)), matrix) is None
    assert OnCpu.calls == 0


@pytest.mark.parametrize("decade", range(-36, 37))
def test_norms_and_magnitudes_are_right_at_every_level(decade: int) -> None:
    x = (noise(1, 400) * mx.array(10.0**decade)).astype(mx.float32)
    exact = np.array(x, np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(exact, 64, axis=-1)[:, ::16]
    largest = np.sqrt(np.mean(frames**2, axis=-1))
    found = np.array(mlx_spectro.rms(x, frame_length=64, hop_length=16, center=False), np.float64)
    np.testing.assert_allclose(found[:, 0], largest, rtol=1e-6)
    transform = SpectralTransform(64, 16, window_fn="rect", center=False)
    magnitudes = np.abs(np.fft.rfft(frames))
    if magnitudes.max() < 1e38:
        found = np.array(_shared.spectrogram(transform, x), np.float64)
        np.testing.assert_allclose(found, magnitudes, atol=1e-6 * magnitudes.max())
