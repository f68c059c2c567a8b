"""Kaldi's features on MLX arrays: what they are, and every implementation with every transformation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro import diagnostics
from mlx_spectro.design.kaldi import Extraction, kaldi_framing
from mlx_spectro.design.operators import KaldiFilterbank, KaldiSpectrogram
from mlx_spectro.ops.apply import apply, define

from ..kernels.kernel_host import speech

SIZE, SHIFT, N_FFT, FILTERS = 50, 20, 64, 6
RNG = np.random.default_rng(8)
X, T = (100 * RNG.standard_normal((3, 2, 305)).astype(np.float32) for _ in range(2))
WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / (SIZE - 1))).astype(np.float32)
BANK = RNG.random((N_FFT // 2 + 1, FILTERS)).astype(np.float32)
HOW = Extraction(kaldi_framing(SIZE, SHIFT, True), N_FFT)
OPS: dict[str, KaldiSpectrogram] = {
    "spectrogram": KaldiSpectrogram(HOW._replace(framing=kaldi_framing(SIZE, SHIFT, False))),
    "of windowed energy": KaldiSpectrogram(HOW._replace(raw_energy=False, remove_mean=False, least=-math.inf)),
    "filterbank": KaldiFilterbank(HOW, energy="first"),
    "of magnitudes": KaldiFilterbank(HOW._replace(preemphasis=0.5), power=1, logarithmic=False, energy="last"),
    "of a long shift": KaldiFilterbank(HOW._replace(framing=kaldi_framing(SIZE, 70, False))),
}


def weights(op: KaldiSpectrogram) -> tuple[Any, ...]:
    return (WINDOW, BANK) if isinstance(op, KaldiFilterbank) else (WINDOW,)


def close(found: mx.array, truth: Any) -> None:
    """Equal but for a transform's rounding, which counts a hundred times 40 dB below the largest magnitude."""
    assert found.shape == truth.shape
    limit = 100 * np.finfo(np.float32).eps * (4 + 2 * math.log2(N_FFT))
    assert np.abs(np.array(found) - truth).max() <= limit * np.abs(truth).max()


def slope(op: KaldiSpectrogram, x: Any, t: Any) -> Any:
    """The derivative along ``t`` in double precision, by differences that are right to more digits than float32's."""
    step = 1e-5
    return (speech.features(op, x + step * t, *weights(op)) - speech.features(op, x - step * t, *weights(op))) / (
        2 * step
    )


@pytest.mark.parametrize("name", OPS)
def test_values_and_derivatives_are_those_of_what_is_described(name: str, implementation: str) -> None:
    op, x, t = OPS[name], mx.array(X), mx.array(T)
    constants = tuple(map(mx.array, weights(op)))
    truth, tangent = speech.features(op, X, *weights(op)), slope(op, X.astype(np.float64), T)
    g = np.random.default_rng(9).standard_normal(truth.shape).astype(np.float32)

    def of(x: mx.array) -> mx.array:
        return apply(op, x, *constants)

    close(define(op, x, *constants), truth)
    close(of(x), truth)
    close(mx.vmap(of)(x), truth)
    close(mx.compile(of)(x), truth)
    close(mx.jvp(of, [x], [t])[1][0], tangent)
    # the gradient along a direction is the derivative's part along the cotangent
    (back,) = mx.vjp(of, [x], [mx.array(g)])[1]
    assert abs(float((back * t).sum()) - float((tangent * g).sum())) <= 1e-4 * float(np.abs(tangent * g).sum())


def test_each_implementation_is_the_one_that_is_asked_for(implementation: str) -> None:
    served = {"plain": set(), "host": {"host kaldi_spectrogram"}, "gpu": set()}[implementation]
    diagnostics.get_cache_debug_stats(reset=True)
    mx.eval(apply(OPS["spectrogram"], mx.array(X), mx.array(WINDOW)))
    found = diagnostics.get_cache_debug_stats()["kernel_cache"]
    assert {name for name, times in found.items() if times and "kaldi" in name} == served


@pytest.mark.parametrize("shift", [1, 2, 7, 20, 51, 90])
@pytest.mark.parametrize("size", [2, 3, 50])
def test_frames_that_reach_beyond_the_ends_are_one_for_each_share(size: int, shift: int) -> None:
    framing = kaldi_framing(size, shift, False)
    for length in range(size, 300):
        frames = framing.frames(length)
        assert frames == (length + shift // 2) // shift
        # and none reaches so far that it would be mirrored twice
        assert framing.left <= length
        assert (frames - 1) * shift - framing.left + size <= 2 * length


def test_what_is_too_short_is_refused(implementation: str) -> None:
    with pytest.raises(ValueError, match="n_fft=50 is longer than the signal"):
        apply(OPS["filterbank"], mx.zeros((2, SIZE - 1)), mx.array(WINDOW), mx.array(BANK))


def test_equal_settings_are_equal_operators() -> None:
    op = OPS["filterbank"]
    assert replace(op, extraction=Extraction(kaldi_framing(SIZE, SHIFT, True), N_FFT)) == op
    assert replace(op, extraction=HOW._replace(least=1.0)) != op
