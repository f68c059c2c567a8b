"""Native functions of audio shorter than a frame, and every way of padding."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, get_args

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_spectro as ms
from mlx_spectro import CenterPadMode, SpectralTransform
from mlx_spectro.ops import backend

from ..table.native import frames_of
from .test_transform import close, noise

pytestmark = pytest.mark.usefixtures("implementation")

N_FFT, HOP = 16, 4
LENGTHS = (0, 1, 2, 3, 7, 8, 15)
SIZES: dict[str, Any] = {"n_fft": N_FFT, "hop_length": HOP}
MEL: dict[str, Any] = {**SIZES, "sample_rate": 16000, "n_mels": 4}
Feature = Callable[..., mx.array]


def _bundle(x: mx.array, **options: Any) -> mx.array:
    include = ("chroma_stft", "spectral_centroid", "mfcc")
    features = ms.spectral_features(x, include=include, **SIZES, n_mels=4, n_mfcc=3, **options)
    return mx.concatenate(list(features.values()), axis=-2)


SPECTRAL: dict[str, Feature] = {
    "chroma_stft": lambda x, **options: ms.chroma_stft(x, **SIZES, **options),
    "spectral_centroid": lambda x, **options: ms.spectral_centroid(x, **SIZES, **options),
    "spectral_bandwidth": lambda x, **options: ms.spectral_bandwidth(x, **SIZES, **options),
    "spectral_rolloff": lambda x, **options: ms.spectral_rolloff(x, **SIZES, **options),
    "spectral_contrast": lambda x, **options: ms.spectral_contrast(x, **SIZES, n_bands=1, fmin=3000.0, **options),
    "spectral_flatness": lambda x, **options: ms.spectral_flatness(x, **SIZES, **options),
    "spectral_features": _bundle,
    "MelSpectrogramTransform": lambda x, **options: ms.MelSpectrogramTransform(**MEL, **options)(x),
    "LogMelSpectrogramTransform": lambda x, **options: ms.LogMelSpectrogramTransform(**MEL, **options)(x),
    "mfcc": lambda x, **options: ms.mfcc(x, **MEL, n_mfcc=3, **options),
    "onset_strength": lambda x, **options: ms.onset_strength(x, **MEL, **options),
    "onset_strength_multi": lambda x, **options: ms.onset_strength_multi(x, **MEL, **options),
    "filtered": lambda x, **options: ms.FilteredSpectrogramTransform(
        filterbank=np.linspace(0, 1, 27).reshape(9, 3), **SIZES, **options
    )(x),
}


def _waveform(name: str) -> Feature:
    def feature(x: mx.array, *, center_pad_mode: str = "reflect", **options: Any) -> mx.array:
        sizes = {"frame_length": N_FFT, "hop_length": HOP, "pad_mode": center_pad_mode}
        return getattr(ms, name)(x, **sizes, **options)  # type: ignore[no-any-return]

    return feature


WAVEFORM = {name: _waveform(name) for name in ("rms", "zero_crossing_rate")}
FEATURES = SPECTRAL | WAVEFORM
# what takes the place of a reflection that a signal is too short for
INSTEAD = {**dict.fromkeys(SPECTRAL, "constant"), **dict.fromkeys(WAVEFORM, "edge")}
DECISIONS = ("spectral_rolloff", "zero_crossing_rate")
SMOOTH = [name for name in FEATURES if name not in DECISIONS]


def padded(x: mx.array, mode: str) -> mx.array:
    side = N_FFT // 2
    # there is nothing to repeat of nothing
    mode = mode if x.shape[-1] else "constant"
    return mx.array(np.pad(np.array(x), [(0, 0)] * (x.ndim - 1) + [(side, side)], mode=mode))  # type: ignore[call-overload]


@pytest.mark.parametrize("name", FEATURES)
def test_a_signal_too_short_to_be_mirrored_has_zeros_or_its_edges_repeated(name: str) -> None:
    for length in (*LENGTHS[:-1],):
        for x in (noise(length), noise(2, length)):
            found = FEATURES[name](x)
            assert found.shape[-1] == 1 + length // HOP
            if name.startswith("onset"):  # which puts the rises of centred frames elsewhere
                expected = FEATURES[name](x, center_pad_mode=INSTEAD[name])
            else:
                expected = FEATURES[name](padded(x, INSTEAD[name]), center=False)
            assert mx.allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FEATURES)
def test_a_signal_shorter_than_a_frame_that_is_not_padded_has_zeros_behind_it(name: str) -> None:
    for length in LENGTHS:
        x = noise(2, length)
        whole = mx.pad(x, [(0, 0), (0, N_FFT - length)])
        found = FEATURES[name](x, center=False)
        assert found.shape[-1] == 1
        assert mx.allclose(found, FEATURES[name](whole, center=False), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_fft", [15, 16, 64])
def test_an_stft_of_less_than_a_frame_is_that_of_the_frame_filled_with_zeros(n_fft: int) -> None:
    for length in (0, 1, n_fft - 1):
        x = noise(2, length)
        transform = SpectralTransform(n_fft, 4, center=False)
        frame = np.pad(np.array(x, np.float64), ((0, 0), (0, n_fft - length)))
        expected = np.fft.rfft(frame * np.array(transform.window, np.float64))[..., None]
        found = np.array(transform.stft(x))
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-6 * n_fft)
        if length:
            assert transform.istft(transform.stft(x), length, safety="off").shape == (2, length)


@pytest.mark.parametrize("n_fft", [15, 16, 63, 64])
@pytest.mark.parametrize("mode", ["constant", "minimal"])
def test_no_samples_have_one_silent_frame(n_fft: int, mode: str) -> None:
    tail: Any = "minimal" if mode == "minimal" else "symmetric"
    transform = SpectralTransform(n_fft, 1, center_pad_mode="constant", center_tail_pad=tail)
    z = transform.stft(mx.zeros((3, 0)))
    assert mx.array_equal(z, mx.zeros((3, n_fft // 2 + 1, 1), mx.complex64))


def test_an_stft_itself_refuses_to_mirror_what_is_too_short() -> None:
    for length in (0, 8):
        with pytest.raises(ValueError, match="reflect padding"):
            SpectralTransform(N_FFT, HOP).stft(noise(1, length))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("length", [3, 8])
def test_gradients_of_short_signals_are_those_of_the_padded_ones(name: str, length: int) -> None:
    x = noise(2, length)
    feature = FEATURES[name]
    weights = noise(*feature(x).shape, seed=1)

    def loss(x: mx.array) -> mx.array:
        return (feature(x) * weights).sum()

    def expected(x: mx.array) -> mx.array:
        side = N_FFT // 2
        if INSTEAD[name] == "edge":
            ends = [mx.broadcast_to(edge, (2, side)) for edge in (x[:, :1], x[:, -1:])]
            whole = mx.concatenate([ends[0], x, ends[1]], axis=-1)
        else:
            whole = mx.pad(x, [(0, 0), (side, side)])
        return (feature(whole, center=False) * weights).sum()

    tangent = noise(2, length, seed=2)
    gradient = mx.grad(loss)(x)
    if not name.startswith("onset"):
        with backend.implementation("plain"):
            close(gradient, mx.grad(expected)(x), 3000)
    slope = mx.jvp(loss, [x], [tangent])[1][0]
    assert mx.allclose(slope, (gradient * tangent).sum(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", FEATURES)
def test_short_signals_compiled_vmapped_or_of_another_thread_are_the_eager_ones(name: str) -> None:
    x, feature = noise(3, 3), FEATURES[name]
    expected = np.array(feature(x))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(np.array(feature(x))))
    thread.start()
    thread.join()
    found += [np.array(mx.compile(feature)(x)), np.array(mx.vmap(lambda one: feature(one[None])[0])(x))]
    for values in found:
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)


NUMPY_NAMES = {"edge": "replicate", "wrap": "circular"}


@pytest.mark.parametrize("name", FEATURES)
def test_numpy_s_names_of_paddings_are_known(name: str) -> None:
    x = noise(2, 50)
    for theirs, ours in NUMPY_NAMES.items():
        assert mx.array_equal(FEATURES[name](x, center_pad_mode=theirs), FEATURES[name](x, center_pad_mode=ours))
    if not name.startswith("onset"):
        mirrored = FEATURES[name](padded(x, "symmetric"), center=False)
        assert mx.allclose(FEATURES[name](x, center_pad_mode="symmetric"), mirrored, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 9, 40])
@pytest.mark.parametrize("mode", ["symmetric", "edge"])
def test_a_padding_that_takes_any_length_is_numpy_s(mode: str, length: int) -> None:
    x = noise(2, length)
    frames = frames_of(np.array(x, np.float64), N_FFT, HOP, True, mode)
    found = np.array(ms.rms(x, frame_length=N_FFT, hop_length=HOP, pad_mode=mode))
    np.testing.assert_allclose(found[:, 0], np.sqrt(np.mean(frames**2, axis=-1)), rtol=1e-5)
    spectra = np.swapaxes(np.fft.rfft(frames * np.array(SpectralTransform(N_FFT, HOP).window, np.float64)), -1, -2)
    transform = SpectralTransform(N_FFT, HOP, center_pad_mode=mode)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.array(transform.stft(x)), spectra, atol=1e-5)


def test_a_hop_far_beyond_the_signal_has_one_frame() -> None:
    x = noise(1, 20)
    near, far = (ms.rms(x, frame_length=N_FFT, hop_length=hop) for hop in (1000, 10**12))
    assert near.shape == (1, 1, 1)
    assert mx.array_equal(near, far)


NUMPY_MODES = {"replicate": "edge", "circular": "wrap"}


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    n_fft=st.integers(1, 70),
    hop=st.integers(1, 90),
    length=st.integers(0, 120),
    mode=st.sampled_from(get_args(CenterPadMode)),
    center=st.booleans(),
    stride=st.sampled_from([1, 2, -1, 0]),
)
def test_an_stft_of_any_sizes_is_numpy_s_or_refused(
    n_fft: int, hop: int, length: int, mode: Any, center: bool, stride: int
) -> None:
    long = np.array(noise(2, 2 * length + 1))
    # every other sample, backwards, or the same one again and again: MLX's own views
    views: dict[int, Callable[[mx.array], mx.array]] = {
        1: lambda x: x[:, :length],
        2: lambda x: x[:, : 2 * length : 2],
        -1: lambda x: x[:, length:0:-1],
        0: lambda x: mx.broadcast_to(x[:, :1], (2, length)),
    }
    view = views[stride](mx.array(long))
    signal = np.array(view).astype(np.float64)
    transform = SpectralTransform(n_fft, hop, center=center, center_pad_mode=mode)
    side, mode = n_fft // 2 if center else 0, NUMPY_MODES.get(mode, mode)
    refused = {"reflect": side >= length, "wrap": side > length}.get(mode, not length and mode != "constant")
    if side and refused:
        with pytest.raises(ValueError, match="padding"):
            transform.stft(view)
        return
    extended = np.pad(signal, ((0, 0), (side, side)), mode=mode if side else "constant")
    extended = np.pad(extended, ((0, 0), (0, max(0, n_fft - extended.shape[-1]))))
    frames = np.lib.stride_tricks.sliding_window_view(extended, n_fft, axis=-1)[:, ::hop]
    expected = np.fft.rfft(frames * np.array(transform.window, np.float64))
    found = np.array(transform.stft(view, output_layout="bnf"))
    assert found.shape == expected.shape
    # a float32 transform errs by a few roundings of its largest value
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * max(np.abs(expected).max(), 1e-6))
