"""Native features beyond what the parity rows measure."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import mlx_spectro as ms
from mlx_spectro.design.operators import Operator, Spectrogram
from mlx_spectro.ops import backend

from .test_transform import close, noise

pytestmark = pytest.mark.usefixtures("implementation")

MEL: dict[str, Any] = {"sample_rate": 16000, "n_fft": 64, "hop_length": 20, "n_mels": 8}
SMALL: dict[str, Any] = {"n_fft": 64, "hop_length": 20}
SCALE: dict[str, Any] = {"sample_rate": 8000, "f_min": 400.0, "n_bins": 18, "bins_per_octave": 6, "hop_length": 20}
# of a bundle, all but the features that decide or sort
SMOOTH = ("chroma_stft", "spectral_centroid", "spectral_bandwidth", "mfcc")
FEATURES: dict[str, Callable[[mx.array], mx.array]] = {
    "mel": lambda x: ms.MelSpectrogramTransform(**MEL, output_scale="linear")(x),
    "mel in dB": lambda x: ms.MelSpectrogramTransform(**MEL)(x),
    "mel of magnitudes": lambda x: ms.MelSpectrogramTransform(**MEL, power=1.0, output_scale="linear")(x),
    "log mel": lambda x: ms.LogMelSpectrogramTransform(**MEL)(x),
    "mfcc": lambda x: ms.mfcc(x, **MEL, n_mfcc=5, lifter=4),
    "onset_strength": lambda x: ms.onset_strength(x, **MEL),
    "onset_strength_multi": lambda x: ms.onset_strength_multi(x, **MEL),
    "chroma_stft": lambda x: ms.chroma_stft(x, **SMALL),
    "spectral_centroid": lambda x: ms.spectral_centroid(x, **SMALL),
    "spectral_bandwidth": lambda x: ms.spectral_bandwidth(x, **SMALL),
    "spectral_contrast": lambda x: ms.spectral_contrast(x, **SMALL, n_bands=2, fmin=1000.0),
    "spectral_flatness": lambda x: ms.spectral_flatness(x, **SMALL),
    "rms": lambda x: ms.rms(x, frame_length=64, hop_length=20),
    "filtered": lambda x: ms.FilteredSpectrogramTransform(
        filterbank=np.linspace(0, 1, 33 * 4).reshape(33, 4), **SMALL, output_scale="log10_plus_one"
    )(x),
    "resample": lambda x: ms.resample(x, orig_freq=3, new_freq=4),
    "preemphasis": lambda x: ms.preemphasis(x),
    "deemphasis": lambda x: ms.deemphasis(x, coeff=0.5),
    "cqt": lambda x: mx.real(ms.cqt(x, **SCALE)),
    "vqt": lambda x: mx.imag(ms.vqt(x, **SCALE)),
    "stft_at": lambda x: mx.real(ms.stft_at(x, [0, 7, 150, -9], n_fft=64)),
    "multiresolution": lambda x: ms.multiresolution_spectrogram(
        x, sample_rate=8000, fps=400, n_fft=(128, 256), bands_per_octave=3, f_max=3500.0
    ),
    "tempogram": lambda x: ms.tempogram(x, win_length=40, norm=2),
    "features": lambda x: mx.concatenate(
        list(ms.spectral_features(x, include=SMOOTH, **SMALL, n_mels=8, n_mfcc=5).values()), axis=-2
    ),
}
DECISIONS: dict[str, Callable[[mx.array], mx.array]] = {
    "spectral_rolloff": lambda x: ms.spectral_rolloff(x, **SMALL),
    "zero_crossing_rate": lambda x: ms.zero_crossing_rate(x, frame_length=64, hop_length=20),
}
NAMES = [*FEATURES, *DECISIONS]


def feature(name: str) -> Callable[[mx.array], mx.array]:
    return (FEATURES | DECISIONS)[name]


@pytest.mark.parametrize("name", NAMES)
def test_leading_axes_are_signals_of_their_own(name: str) -> None:
    x = noise(2, 3, 200)
    whole = feature(name)(x)
    for i in range(2):
        for j in range(3):
            single = feature(name)(x[i, j])
            np.testing.assert_array_equal(np.array(whole[i, j]), np.array(single.reshape(whole.shape[2:])))


@pytest.mark.parametrize("name", NAMES)
def test_compiled_and_vmapped_features_are_the_eager_ones(name: str) -> None:
    x = noise(3, 200)
    expected = feature(name)(x)
    close(mx.compile(feature(name))(x), expected, 400)
    vmapped = mx.vmap(lambda one: feature(name)(one[None])[0])(x)
    close(vmapped, expected, 400)


@pytest.mark.parametrize("name", FEATURES)
def test_gradients_agree_with_plain_ops_and_with_differences(name: str) -> None:
    x, step = noise(2, 200), noise(2, 200, seed=1)
    weights = noise(*FEATURES[name](x).shape, seed=2)

    def loss(x: mx.array) -> mx.array:
        return (FEATURES[name](x) * weights).sum()

    gradient = mx.grad(loss)(x)
    with backend.implementation("plain"):
        close(gradient, mx.grad(loss)(x), 3000)
    # a central difference is off by about h**2, and by the rounding of the loss over h
    h = 3e-3
    slope = (loss(x + h * step) - loss(x - h * step)).item() / (2 * h)
    size = mx.sqrt(mx.square(gradient).sum() * mx.square(step).sum()).item()
    assert abs((gradient * step).sum().item() - slope) < 2e-2 * size


@pytest.mark.parametrize("name", FEATURES)
def test_gradients_of_silence_are_finite(name: str) -> None:
    assert mx.isfinite(mx.grad(lambda x: FEATURES[name](x).sum())(mx.zeros((1, 200)))).all().item()


SHARES: dict[str, Callable[[mx.array], mx.array]] = {
    **{f"chroma_stft {norm}": functools.partial(ms.chroma_stft, **SMALL, norm=norm) for norm in (1, 2, np.inf)},
    **{f"tempogram {norm}": functools.partial(ms.tempogram, win_length=40, norm=norm) for norm in (1, 2, np.inf)},
    "spectral_bandwidth": functools.partial(ms.spectral_bandwidth, **SMALL),
    "spectral_centroid": functools.partial(ms.spectral_centroid, **SMALL),
}


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("factor", [2.0**-44, 2.0**44])
def test_gradients_of_shares_are_as_much_larger_as_the_signal_is_smaller(name: str, factor: float) -> None:
    x = noise(2, 300)
    weights = noise(*SHARES[name](x).shape, seed=2)

    def gradient(x: mx.array) -> mx.array:
        slope: mx.array = mx.grad(lambda x: (SHARES[name](x) * weights).sum())(x)
        return slope

    # by powers of two, nothing is rounded
    close(gradient(factor * x) * factor, gradient(x), 4)


@pytest.mark.parametrize("name", NAMES)
def test_what_one_thread_made_another_can_use(name: str) -> None:
    x = noise(2, 200)
    expected = np.array(feature(name)(x))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(np.array(feature(name)(x))))
    thread.start()
    thread.join()
    np.testing.assert_allclose(results[0], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_each_example_has_its_own_maximum() -> None:
    quiet_and_loud = mx.stack([noise(400) * 1e-4, noise(400, seed=1)])
    native = ms.MelSpectrogramTransform(**MEL, top_db=20.0)
    compat = ms.MelSpectrogramTransform(**MEL, top_db=20.0, mode="torchaudio_compat")
    assert mx.array_equal(native(quiet_and_loud)[0], native(quiet_and_loud[0])[0])
    assert (compat(quiet_and_loud)[0] == compat(quiet_and_loud)[1].max() - 20.0).all().item()
    assert native.mode == ms.MelSpectrogramTransform(**MEL, mode="default").mode == "mlx_native"


def test_output_scales_and_their_aliases() -> None:
    transform = ms.MelSpectrogramTransform(**MEL, top_db=None)
    x = noise(1, 400)
    linear = transform(x, output_scale="linear")
    close(transform(x, to_db=False), linear)
    close(transform(x, to_db=True), transform(x, output_scale="db"))
    close(transform(x), 10 * mx.log10(linear))
    close(transform(x, output_scale="log"), mx.log(mx.maximum(linear, 1e-5)))
    close(transform.mel_spectrogram(x), transform(x))
    close(mx.swapaxes(transform.spectrogram(x), -1, -2) @ transform.mel_fb, mx.swapaxes(linear, -1, -2))
    assert transform.get_compiled(to_db=True) is transform.get_compiled()
    assert transform.get_compiled(output_scale="linear") is not transform.get_compiled()
    close(transform.get_compiled()(x), transform(x), 400)
    with pytest.raises(ValueError, match="to_db=True means output_scale='db', got 'log'"):
        transform(x, output_scale="log", to_db=True)
    with pytest.raises(TypeError, match="no output_scale"):
        ms.LogMelSpectrogramTransform(output_scale="db")


def test_transforms_share_what_they_hold() -> None:
    one, other = (ms.SpectralFeatureTransform(include=("chroma_stft", "mfcc")) for _ in range(2))
    assert one.spectral is other.spectral
    assert one.chroma_fb is other.chroma_fb
    assert one.mel_fb is other.mel_fb
    assert one.dct_mat is other.dct_mat


def test_a_bundle_takes_one_stft(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_spectro.features import _shared
    from mlx_spectro.ops.apply import apply

    calls = []

    def counted(op: Operator, *arrays: Any) -> mx.array:
        calls.append(op)
        return apply(op, *arrays)

    monkeypatch.setattr(_shared, "apply", counted)
    features = ms.spectral_features(noise(2, 6000))
    assert list(features) == [
        "chroma_stft", "spectral_centroid", "spectral_bandwidth", "spectral_rolloff", "spectral_contrast", "mfcc",
    ]  # fmt: skip
    assert [type(op) for op in calls] == [Spectrogram]
    transform = ms.SpectralFeatureTransform(include=["mfcc", "spectral_centroid"])
    compiled = transform.get_compiled()(noise(2, 6000))
    assert list(compiled) == ["mfcc", "spectral_centroid"]
    for name, value in transform(noise(2, 6000)).items():
        close(compiled[name], value, 400)


def test_wrong_arguments_are_named() -> None:
    x = noise(1, 400)
    untyped: Any = ms  # as a program without types calls it
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: untyped.melscale_fbanks(33, 0, 8000, 0, 16000), "n_mels must be at least 1, got 0"),
        (lambda: untyped.melscale_fbanks(33, 5000, 4000, 8, 16000), "f_min must be at least 0 and below f_max"),
        (lambda: untyped.melscale_fbanks(33, 0, 8000, 8, 16000, norm="area"), "norm must be one of"),
        (lambda: untyped.melscale_fbanks(33, 0, 8000, 8, 16000, mel_scale="bark"), "mel_scale must be one of"),
        (lambda: untyped.MelSpectrogramTransform(**MEL, output_scale="sone"), "output_scale must be one of"),
        (lambda: untyped.MelSpectrogramTransform(**MEL, power=0), "power must be above 0, got 0"),
        (lambda: untyped.MelSpectrogramTransform(**MEL, log_mode="floor"), "log_mode must be one of"),
        (lambda: untyped.MelSpectrogramTransform(**MEL, mode="torch"), "mode must be one of"),
        (lambda: untyped.MelSpectrogramTransform(**MEL, top_db=-1), "top_db must be at least 0, got -1"),
        (lambda: untyped.MFCCTransform(n_mfcc=41, n_mels=40), "n_mfcc must be at most n_mels=40, got 41"),
        (lambda: untyped.dct_matrix(5, 8, norm="unit"), "norm must be one of"),
        (lambda: untyped.amplitude_to_db(x, stype="energy"), "stype must be one of"),
        (lambda: untyped.amplitude_to_db(x, amin=0), "amin must be above 0, got 0"),
        (lambda: untyped.amplitude_to_db(x, top_db=-1), "top_db must be at least 0, got -1"),
        (lambda: untyped.chroma_stft(x, **SMALL, norm=0), "norm must be above 0, got 0"),
        (lambda: untyped.spectral_bandwidth(x, **SMALL, p=0), "p must be above 0, got 0"),
        (lambda: untyped.spectral_rolloff(x, **SMALL, roll_percent=1), "roll_percent must lie between 0 and 1, got 1"),
        (lambda: untyped.spectral_contrast(x, **SMALL, quantile=0), "quantile must lie between 0 and 1, got 0"),
        (lambda: untyped.spectral_contrast(x, **SMALL), "has no bin of its own"),
        (lambda: untyped.spectral_contrast(x, **SMALL, n_bands=9), "half of sample_rate or more"),
        (lambda: untyped.spectral_flatness(x, **SMALL, amin=0), "amin must be above 0, got 0"),
        (lambda: untyped.onset_strength(x, **MEL, lag=0), "lag must be at least 1, got 0"),
        (lambda: untyped.rms(x, frame_length=0), "frame_length must be at least 1, got 0"),
        (lambda: untyped.zero_crossing_rate(x, pad_mode="zeros"), "pad_mode must be one of"),
        (lambda: untyped.spectral_features(x, include=("mfcc", "pitch")), "Unknown spectral feature 'pitch'"),
        (lambda: untyped.spectral_features(x, include=()), "include must name at least one feature"),
        (
            lambda: untyped.FilteredSpectrogramTransform(filterbank=np.ones((30, 4)), n_fft=64),
            "filterbank axis 0 must have size 33 or 32, got shape",
        ),
        (lambda: untyped.waveform_overlap_add(mx.ones((3, 10)), 0), "step must be at least 1, got 0"),
        (lambda: untyped.waveform_overlap_add(mx.ones((3, 10)), 5, window=mx.ones(9)), "window must have 10 samples"),
        (lambda: untyped.waveform_overlap_add(mx.ones(10), 5), "frames must have 2 or more axes"),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()


def test_no_chunks_make_silence() -> None:
    assert mx.array_equal(ms.waveform_overlap_add(mx.zeros((0, 2, 10)), 5, 7), mx.zeros((2, 7)))


def test_contrast_of_nearly_all_of_a_narrow_band_is_finite() -> None:
    x = noise(1, 2000)
    options: dict[str, Any] = {"sample_rate": 8000, "n_fft": 64, "hop_length": 16, "n_bands": 2, "quantile": 0.98}
    with backend.implementation("plain"):
        expected = ms.spectral_contrast(x, **options)
    assert mx.isfinite(expected).all()
    assert mx.allclose(ms.spectral_contrast(x, **options), expected, atol=1e-4)


def test_contrast_of_nearly_all_of_a_narrow_band_is_librosa_s() -> None:
    librosa = pytest.importorskip("librosa")
    from mlx_spectro import compat

    y, options = np.array(noise(2000)), {"sr": 8000, "n_fft": 64, "hop_length": 16, "n_bands": 2, "quantile": 0.98}
    with compat.route("ours"):
        ours = compat.librosa.feature.spectral_contrast(y=y, **options)
    np.testing.assert_allclose(ours, librosa.feature.spectral_contrast(y=y, **options), atol=1e-4)


def test_products_have_gradients_where_they_are_made_of_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlx_spectro.design.operators import Project
    from mlx_spectro.ops import projection
    from mlx_spectro.ops.apply import define

    # as on CUDA, where MLX's own products drop half of the digits, and MLX derives no bits
    monkeypatch.setattr(projection, "on_cuda", lambda: True)
    x, bank, g, t = noise(2, 5, 33), noise(33, 7), noise(2, 5, 7), noise(2, 5, 33) + 1
    (gradient,) = mx.vjp(lambda x: define(Project(), x, bank), [x], [g])[1]
    assert np.allclose(gradient, np.array(g, np.float64) @ np.array(bank, np.float64).T, rtol=0, atol=1e-5)
    (tangent,) = mx.jvp(lambda x: define(Project(), x, bank), [x], [t])[1]
    assert np.allclose(tangent, np.array(t, np.float64) @ np.array(bank, np.float64), rtol=0, atol=1e-5)
