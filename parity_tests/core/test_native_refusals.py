"""What native functions refuse, and how: the argument, the rule, the value."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import mlx_spectro as ms
from mlx_spectro import SpectralTransform

from .test_transform import close, noise

pytestmark = pytest.mark.usefixtures("implementation")

MEL: dict[str, Any] = {"sample_rate": 16000, "n_fft": 64, "hop_length": 20, "n_mels": 8}
SIZES: dict[str, Any] = {"n_fft": 64, "hop_length": 20}
BANDS: dict[str, Any] = {"n_bands": 2, "fmin": 1000.0}
SCALE: dict[str, Any] = {"f_min": 500.0, "n_bins": 12}
BANK: dict[str, Any] = {"n_fft": 512, "sample_rate": 16000}
FRAMES: dict[str, Any] = {"frame_length": 64, "hop_length": 20}
FEATURES: dict[str, dict[str, Any]] = {
    "amplitude_to_db": {},
    "chroma_stft": SIZES,
    "cqt": SCALE,
    "deemphasis": {},
    "mfcc": {**MEL, "n_mfcc": 5},
    "multiresolution_spectrogram": {"sample_rate": 16000, "n_fft": (512, 1024), "bands_per_octave": 6, "f_max": 7000.0},
    "onset_strength": MEL,
    "onset_strength_multi": MEL,
    "preemphasis": {},
    "resample": {"orig_freq": 3, "new_freq": 2},
    "rms": FRAMES,
    "spectral_bandwidth": SIZES,
    "spectral_centroid": SIZES,
    "spectral_contrast": {**SIZES, **BANDS},
    "spectral_features": {**SIZES, "n_bands": 2, "contrast_fmin": 1000.0, "n_mels": 8, "n_mfcc": 5},
    "spectral_flatness": SIZES,
    "spectral_rolloff": SIZES,
    "stft_at": {"starts": [0, 20, 50], "n_fft": 64},
    "tempogram": {"win_length": 40},
    "time_stretch": {**SIZES, "rate": 0.8},
    "vqt": SCALE,
    "waveform_overlap_add": {"step": 20},
    "zero_crossing_rate": FRAMES,
}
TRANSFORMS: dict[str, dict[str, Any]] = {
    "FilteredSpectrogramTransform": {"filterbank": np.ones((33, 3)), **SIZES},
    "LogMelSpectrogramTransform": MEL,
    "MFCCTransform": {**MEL, "n_mfcc": 5},
    "MelSpectrogramTransform": MEL,
    "SpectralFeatureTransform": FEATURES["spectral_features"],
}
WINDOW: dict[str, Any] = {
    "window_fn": "hann", "win_length": 64, "periodic": True, "window": None, "center": True, "normalized": False
}  # fmt: skip
DESIGNS: dict[str, dict[str, Any]] = {
    "SpectralTransform": SIZES,
    "dct_matrix": {"n_mfcc": 5, "n_mels": 8},
    "frame_starts": {"length": 300, "frame_length": 64, "fps": 100.0, "sample_rate": 8000},
    "get_transform_mlx": {**SIZES, **WINDOW},
    "log_fbanks": {**BANK, "f_max": 7000.0},
    "make_window": {"n_fft": 64, **{k: v for k, v in WINDOW.items() if k not in ("center", "normalized")}},
    "melscale_fbanks": {"n_freqs": 33, "f_min": 0.0, "f_max": 8000.0, "n_mels": 8, "sample_rate": 16000},
    "rectangular_fbanks": {**BANK, "frequencies": [0.0, 500.0, 7000.0]},
    "resolve_fft_params": {**SIZES, "win_length": 64, "pad": 0},
    "triangular_fbanks": {**BANK, "frequencies": [0.0, 500.0, 7000.0]},
}


def of_arrays() -> dict[str, Callable[[Any], Any]]:
    """Every native function that takes an array, as a function of it."""
    transform = SpectralTransform(64, 20)
    calls: dict[str, Callable[[Any], Any]] = {
        name: functools.partial(getattr(ms, name), **options) for name, options in FEATURES.items()
    }
    for name, options in TRANSFORMS.items():
        made = getattr(ms, name)(**options)
        calls |= {name: made, f"{name}.get_compiled": made.get_compiled()}
    calls["spectrogram"] = ms.MelSpectrogramTransform(**MEL).spectrogram
    for method in ("stft", "istft", "differentiable_stft", "differentiable_istft", "stft_compiled", "istft_compiled"):
        calls[method] = getattr(transform, method)
    return calls


@pytest.mark.parametrize("name", of_arrays())
def test_what_is_no_mlx_array_is_named(name: str) -> None:
    call = of_arrays()[name]
    for given, kind in (
        (np.zeros((2, 300), np.float32), "numpy.ndarray"),
        ([[0.0] * 300] * 2, "list"),
        (None, "NoneType"),
        (1.0, "float"),
    ):
        with pytest.raises(TypeError, match=rf"must be an mlx.core.array, got {kind}; mlx.core.array\("):
            call(given)


@pytest.mark.parametrize("name", of_arrays())
def test_a_scalar_has_no_time_axis(name: str) -> None:
    if name == "amplitude_to_db":  # of any number of axes
        assert of_arrays()[name](mx.array(10.0)).item() == pytest.approx(10.0)
        return
    with pytest.raises(ValueError, match=r"axis|axes"):
        of_arrays()[name](mx.array(1.0))


@pytest.mark.parametrize("name", of_arrays())
def test_other_numbers_are_converted_or_refused_by_their_type(name: str) -> None:
    call = of_arrays()[name]
    if "istft" in name:
        with pytest.raises(ValueError, match="complex spectrum"):
            call(mx.zeros((2, 33, 4)))
        return
    x = noise(2, 300)
    with pytest.raises(TypeError, match=r"float32, float16 or bfloat16, got|must hold real numbers, got"):
        call(x + 1j)
    for dtype in (mx.float16, mx.bfloat16):
        half = x.astype(dtype)
        if name != "amplitude_to_db":  # which keeps the type
            found, expected = call(half), call(half.astype(mx.float32))
            pairs = (
                zip(found.values(), expected.values(), strict=True) if isinstance(found, dict) else [(found, expected)]
            )
            assert all(mx.array_equal(a, b) for a, b in pairs)
    if name in ("amplitude_to_db", "waveform_overlap_add"):
        integers = mx.array([[3, 7, 100] * 20] * 3)
        assert mx.array_equal(call(integers), call(integers.astype(mx.float32)))
        return
    for dtype in (mx.int16, mx.bool_, mx.float64):
        with mx.stream(mx.cpu), pytest.raises(TypeError, match=r"got mlx.core.\w+; astype"):
            call(x.astype(dtype))


@pytest.mark.parametrize("name", [name for name in of_arrays() if "istft" not in name])
def test_an_empty_batch_has_an_empty_result(name: str) -> None:
    call, shape = of_arrays()[name], (3, 0, 300) if name == "waveform_overlap_add" else (0, 300)

    def results(x: mx.array) -> list[mx.array]:
        found = call(x)
        return list(found.values()) if isinstance(found, dict) else [found]

    two = mx.zeros([n or 2 for n in shape])
    for found, like in zip(results(mx.zeros(shape)), results(two), strict=True):
        assert found.shape == (0, *like.shape[1:])
        assert found.dtype == like.dtype
    gradient = mx.grad(lambda x: mx.abs(results(x)[0]).sum())(mx.zeros(shape))
    assert gradient.shape == shape


ODD: tuple[Any, ...] = (
    None, 0, -1, 2.5, 1e30, float("nan"), float("inf"), "x", b"x", [], [1], (1,), {}, object(), 1j,
    np.float32(2.5), np.int64(3), np.bool_(True), np.ones(3), np.array(3), mx.array(3),
)  # fmt: skip


def _refusals(call: Callable[..., Any], good: dict[str, Any], name: str) -> list[str]:
    """What is said of odd values of a parameter, where it is not this library's sentence about it."""
    others = []
    for value in ODD:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call(**{**good, name: value})
        except (TypeError, ValueError) as error:
            place = inspect.trace()[-1]
            if name.removeprefix("contrast_") not in str(error) or f"{ms.__name__}/" not in place.filename:
                others.append(f"{value!r}: {error}")
    return others


@pytest.mark.parametrize("name", [*FEATURES, *TRANSFORMS, *DESIGNS])
def test_an_odd_value_is_served_or_refused_by_the_argument_s_name(name: str) -> None:
    function = getattr(ms, name)
    good = {**FEATURES, **TRANSFORMS, **DESIGNS}[name]
    named = {p: None for p in inspect.signature(function).parameters if p not in ("x", "frames", "envelope", "kwargs")}
    x = noise(3, 100)

    def call(**options: Any) -> Any:
        if name in FEATURES:
            return function(x, **options)
        made = function(**options)
        return made(x) if name in TRANSFORMS else made

    for parameter in named:
        assert _refusals(call, good, parameter) == []


@pytest.mark.parametrize("method", ["istft", "istft_compiled", "stft", "compiled_pair", "warmup", "prewarm_compiled"])
def test_an_odd_option_of_a_call_is_refused_by_its_name(method: str) -> None:
    transform = SpectralTransform(64, 20)
    function = getattr(transform, method)
    good: dict[str, Any] = {"compiled_pair": {"length": 100}, "warmup": {"length": 100}}.get(method, {})
    x = transform.stft(noise(1, 100)) if "istft" in method else noise(1, 100)

    def call(**options: Any) -> Any:
        return (
            function(**options) if method in ("compiled_pair", "warmup", "prewarm_compiled") else function(x, **options)
        )

    for parameter in inspect.signature(function).parameters:
        if parameter not in ("x", "z"):
            assert _refusals(call, good, parameter) == []


def test_a_window_may_be_numpy_s_or_a_list() -> None:
    samples = np.hamming(64)
    x, expected = noise(1, 300), SpectralTransform(64, 20, window=mx.array(samples.astype(np.float32)))
    for window in (samples, samples.astype(np.float32), samples.tolist(), tuple(samples)):
        transform = SpectralTransform(64, 20, window=window)
        assert mx.array_equal(transform.stft(x), expected.stft(x))
        assert mx.array_equal(ms.make_window(window, "hann", 64, 64, True), expected.window)
    transform.set_window([1] * 64)
    close(transform.stft(x), SpectralTransform(64, 20, window_fn="rect").stft(x))
    assert mx.array_equal(transform.with_window(np.ones(64, np.float16)).window, mx.ones(64))
    shared = {**SIZES, "win_length": 64, "window_fn": "hann", "periodic": True, "center": True, "normalized": False}
    assert mx.array_equal(ms.get_transform_mlx(**shared, window=samples).window, expected.window)


def test_a_window_that_is_none_is_named() -> None:
    for window, message in (
        (np.ones(64, np.complex64), "window must be an array of real numbers, got complex64"),
        (mx.ones(64, mx.complex64), "window must hold real numbers, got mlx.core.complex64"),
        (["a"] * 64, "window must be an array of real numbers"),
        ([[1.0], [1.0, 2.0]], "window must be an array of real numbers, got list"),
        (object(), "window must be an array of real numbers, got object"),
    ):
        with pytest.raises(TypeError, match=message):
            SpectralTransform(64, 20, window=window)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"window length must be .* got shape \(64, 1\)"):
        SpectralTransform(64, 20, window=np.ones((64, 1)))


@pytest.mark.parametrize("make", [np.float32, np.float64, np.int64])
def test_a_number_of_numpy_s_leaves_results_mlx_s(make: Any) -> None:
    x = noise(1, 300)
    calls: list[Callable[[Any], mx.array]] = [
        lambda n: ms.MelSpectrogramTransform(**MEL, power=n(2), top_db=n(80))(x),
        lambda n: ms.amplitude_to_db(mx.abs(x), amin=n(1), top_db=n(60), ref_value=n(2)),
        lambda n: ms.chroma_stft(x, **SIZES, norm=n(2), tuning=n(1)),
        lambda n: ms.spectral_bandwidth(x, **SIZES, p=n(3)),
        lambda n: ms.spectral_flatness(x, **SIZES, amin=n(1), power=n(1)),
        lambda n: ms.spectral_rolloff(x, **SIZES, roll_percent=n(1) / 2),
    ]
    for call in calls:
        found = call(make)
        assert isinstance(found, mx.array)
        assert found.dtype == mx.float32
        assert mx.array_equal(found, call(float))
