"""Native functions of spectrograms and spectra: every transformation, derivatives by float64, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlx.core")
pytest.importorskip("librosa")

import librosa
import mlx.core as mx

import mlx_spectro as ms

from ..table.cases import onset_functions, phase_vocoder

RNG = np.random.default_rng(12)
BINS, FRAMES = 17, 12
EPS = float(np.finfo(np.float32).eps)
LEVELS = RNG.uniform(0.5, 2.0, (2, 3, BINS, FRAMES)).astype(np.float32)
Z = (LEVELS * np.exp(2j * np.pi * RNG.random(LEVELS.shape))).astype(np.complex64)
BANK = np.eye(BINS, 5, dtype=np.float32) + np.eye(BINS, 5, -3, dtype=np.float32)
Function = Callable[[Any], Any]


def _both(parts: Any, stack: Callable[..., Any]) -> Any:
    return stack(list(parts), axis=-2)


def _rebuilt(s: mx.array) -> mx.array:
    return ms.griffinlim(s, n_iter=2, phase=mx.zeros(s.shape))


def _rebuilt_by_librosa(s: Any) -> Any:
    return librosa.griffinlim(s, n_iter=2, init=None, hop_length=8)


# a function, what it takes, and its definition in double precision
OF_LEVELS: dict[str, tuple[Function, Function]] = {
    "hpss": (
        lambda s: _both(ms.hpss(s, kernel_size=5), mx.concatenate),
        lambda s: _both(librosa.decompose.hpss(s, kernel_size=5), np.concatenate),
    ),
    "griffinlim": (_rebuilt, _rebuilt_by_librosa),
}
OF_SPECTRA: dict[str, tuple[Function, Function]] = {
    "phase_vocoder": (
        lambda z: ms.phase_vocoder(z, rate=0.8),
        lambda z: phase_vocoder.vocoded(z, rate=0.8),
    ),
    "complex_flux": (
        lambda z: ms.complex_flux(z, filterbank=BANK),
        lambda z: onset_functions.complex_flux(z, filterbank=BANK),
    ),
}
for one in (
    "high_frequency_content", "spectral_flux", "spectral_difference", "superflux", "modified_kullback_leibler",
    "phase_deviation", "weighted_phase_deviation", "normalized_weighted_phase_deviation", "complex_domain",
    "rectified_complex_domain",
):  # fmt: skip
    OF_SPECTRA[one] = getattr(ms, one), getattr(onset_functions, one)
CALLS = {**OF_LEVELS, **OF_SPECTRA}


def given(name: str) -> Any:
    return LEVELS if name in OF_LEVELS else Z


def near(found: mx.array, truth: Any, roundings: float) -> None:
    assert found.shape == truth.shape
    assert np.abs(np.array(found) - truth).max() <= roundings * EPS * np.abs(truth).max()


# of Griffin-Lim, a direction is rounded by an eps over its magnitude's share of the largest, which here is a hundredth
ROUNDINGS = {"griffinlim": 1e3}


@pytest.mark.parametrize("name", CALLS)
def test_values_are_the_definition_s_in_double_precision(name: str, implementation: str) -> None:
    function, definition = CALLS[name]
    x = given(name)
    wide = x.astype(np.result_type(x.dtype, np.float64))
    near(function(mx.array(x)), definition(wide), ROUNDINGS.get(name, 8 * FRAMES))


@pytest.mark.parametrize("name", CALLS)
def test_a_batch_is_its_examples_compiled_and_vmapped_too(name: str, implementation: str) -> None:
    function, x = CALLS[name][0], mx.array(given(name))
    whole = np.array(function(x))
    roundings = ROUNDINGS.get(name, 8 * FRAMES)
    near(mx.stack([mx.stack([function(one) for one in row]) for row in x]), whole, roundings)
    near(mx.compile(function)(x), whole, roundings)
    near(mx.vmap(function)(x), whole, roundings)


@pytest.mark.parametrize("name", CALLS)
def test_gradients_are_slopes_in_double_precision(name: str, implementation: str) -> None:
    function, definition = CALLS[name]
    x = given(name)[0, 0]
    wide = x.astype(np.result_type(x.dtype, np.float64))
    y = definition(wide)
    weights = RNG.standard_normal(y.shape).astype(np.float32)
    direction = RNG.standard_normal(x.shape)
    direction = direction + 1j * RNG.standard_normal(x.shape) if np.iscomplexobj(x) else direction

    def loss(x: mx.array) -> mx.array:
        return (mx.real(function(x)) * mx.array(weights)).sum()

    gradient = np.array(mx.grad(loss)(mx.array(x)))
    # between two of values' ranks, or of angles' half turns, everything is smooth: this step crosses none
    step = 1e-7
    up, down = ((definition(wide + sign * step * direction).real * weights).sum() for sign in (1, -1))
    size = np.linalg.norm(gradient) * np.linalg.norm(direction)
    # a difference of numbers rounded in double precision, over the step; and the gradient's own roundings
    limit = 2e-16 * np.abs(y * weights).sum() / step + 100 * EPS * ROUNDINGS.get(name, 8 * FRAMES) / 8 * size
    assert abs((gradient * direction.conj()).real.sum() - (up - down) / (2 * step)) <= limit
    assert size > 0


@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_silence_are_finite(name: str, implementation: str) -> None:
    silence = mx.zeros((BINS, FRAMES), mx.float32 if name in OF_LEVELS else mx.complex64)
    gradient = mx.grad(lambda x: mx.real(CALLS[name][0](x)).sum())(silence)
    assert mx.isfinite(mx.abs(gradient)).all().item()


@pytest.mark.parametrize("name", CALLS)
def test_an_empty_batch_has_an_empty_result(name: str, implementation: str) -> None:
    x = mx.array(given(name))
    assert CALLS[name][0](x[:0]).shape == (0, *CALLS[name][0](x).shape[1:])


@pytest.mark.parametrize("name", [name for name in OF_SPECTRA if name != "phase_vocoder"])
@pytest.mark.parametrize("frames", [0, 1, 2])
def test_few_frames_have_values(name: str, frames: int, implementation: str) -> None:
    found = CALLS[name][0](mx.array(Z)[..., :frames])
    assert found.shape == (2, 3, frames)
    assert mx.isfinite(found).all().item()


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_spectrogram_is_refused(name: str, implementation: str) -> None:
    function = CALLS[name][0]
    with pytest.raises(TypeError, match=r"must be an mlx.core.array, got numpy.ndarray|has no attribute 'shape'"):
        function(given(name))
    with pytest.raises(ValueError, match=r"2 or more"):
        function(mx.array(given(name)[0, 0, 0]))
    with pytest.raises((TypeError, ValueError), match=r"astype|complex spectrum"):
        function(mx.zeros((BINS, FRAMES), mx.int32))


def test_phases_drawn_with_a_key_are_drawn_again(implementation: str) -> None:
    s = mx.array(LEVELS)
    one, again, other = (ms.griffinlim(s, n_iter=1, key=mx.random.key(seed)) for seed in (1, 1, 2))
    assert mx.array_equal(one, again)
    assert not mx.array_equal(one, other)
    assert not mx.array_equal(ms.griffinlim(s, n_iter=1), ms.griffinlim(s, n_iter=1))


def test_more_iterations_come_nearer_to_the_magnitudes(implementation: str) -> None:
    transform = ms.SpectralTransform(32, 8, center_pad_mode="constant")
    audio = mx.array(RNG.standard_normal((1, 4000)).astype(np.float32))
    s = mx.abs(transform.stft(audio))

    def distance(n_iter: int, momentum: float) -> float:
        rebuilt = ms.griffinlim(s, n_iter=n_iter, momentum=momentum, key=mx.random.key(3))
        return float(mx.linalg.norm(mx.abs(transform.stft(rebuilt)) - s))

    # without momentum, it never grows (Griffin and Lim, 1984)
    plain = [distance(n_iter, 0.0) for n_iter in (1, 4, 16)]
    assert plain[2] < plain[1] < plain[0]
    assert distance(16, 0.99) < plain[2]


def test_wrong_options_are_named() -> None:
    s, z = mx.array(LEVELS), mx.array(Z)
    untyped: Any = ms
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: untyped.hpss(s, kernel_size=0), "kernel_size must be at least 1, got 0"),
        (lambda: untyped.hpss(s, kernel_size=(3, 5, 7)), "kernel_size must be one value or two"),
        (lambda: untyped.hpss(s, margin=0.5), "margin must be at least 1, got 0.5"),
        (lambda: untyped.hpss(s, power=0), "power must be above 0, got 0"),
        (lambda: untyped.griffinlim(s, n_fft=40), "n_fft=40 has 21 bins, got s of shape"),
        (lambda: untyped.griffinlim(s, n_iter=-1), "n_iter must be at least 0, got -1"),
        (lambda: untyped.griffinlim(s, momentum=1), "momentum must be at least 0 and below 1, got 1"),
        (lambda: untyped.griffinlim(s, length=500), "500 samples have 63 frames, and s has 12"),
        (lambda: untyped.griffinlim(s, phase=s[0]), "phase must have the shape of s"),
        (lambda: untyped.griffinlim(s[..., :1]), "pass length"),
        (lambda: untyped.griffinlim(s, center_pad_mode="zeros"), "center_pad_mode must be one of"),
        (lambda: untyped.phase_vocoder(z, rate=0), "rate must be above 0, got 0"),
        (lambda: untyped.spectral_flux(z, lag=0), "lag must be at least 1, got 0"),
        (lambda: untyped.superflux(z, max_bins=0), "max_bins must be at least 1, got 0"),
        (lambda: untyped.modified_kullback_leibler(z, eps=0), "eps must be above 0, got 0"),
        (lambda: untyped.complex_flux(z, temporal_filter=0), "temporal_filter must be at least 1, got 0"),
        (lambda: untyped.complex_flux(z, temporal_origin=2), "temporal_origin must be at most 1, got 2"),
        (lambda: untyped.complex_flux(z, filterbank=np.ones((3, 2))), r"filterbank must be \[17, filters\]"),
        (lambda: untyped.complex_flux(z, filterbank=np.zeros((17, 2))), "none empty"),
        (lambda: untyped.complex_flux(z, s[..., :3]), r"s must be \[..., 17, 12\] as z"),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()
