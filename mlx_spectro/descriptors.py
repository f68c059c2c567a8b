"""Spectral descriptors: centroid, bandwidth, rolloff, contrast and flatness, defined as librosa defines them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from .banks import Band, contrast_bands
from .decibel import clip_below_peak, example_axes, to_decibel
from .frontend import constant, like_input, shared_transform, spectrogram
from .sums import mean, root, total

_TINY = float(np.finfo(np.float32).tiny)
# as librosa.power_to_db has it
_CONTRAST_AMIN, _CONTRAST_RANGE = 1e-10, 80.0


@functools.lru_cache(maxsize=32)
def bin_frequencies(sample_rate: float, n_fft: int) -> mx.array:
    """Frequencies ``[n_fft // 2 + 1]`` of the bins in Hz."""
    return constant(np.arange(n_fft // 2 + 1) * (sample_rate / n_fft))


def _shares(s: mx.array) -> mx.array:
    """``s [..., N, F]`` divided by its sum over the bins; a silent frame is left as it is."""
    energy = total(s)
    return s / mx.where(energy < _TINY, 1.0, energy)


def centroid(s: mx.array, hz: mx.array) -> mx.array:
    """Mean frequency ``[..., N, 1]`` of magnitudes ``s [..., N, F]``."""
    return total(_shares(s) * hz)


def bandwidth(s: mx.array, hz: mx.array, p: float) -> mx.array:
    """``p``-th-order spread ``[..., N, 1]`` of magnitudes about their centroid."""
    shares = _shares(s)
    distance = mx.abs(hz - total(shares * hz))
    moment = total(shares * (mx.square(distance) if p == 2 else mx.power(distance, p)))
    return root(moment, p)


def rolloff(s: mx.array, hz: mx.array, roll_percent: float) -> mx.array:
    """Lowest bin frequency ``[..., N, 1]`` up to which ``roll_percent`` of the magnitudes' sum lies."""
    running = mx.cumsum(mx.stop_gradient(s), axis=-1)
    reached = mx.logical_not(running < roll_percent * running[..., -1:])
    return hz[mx.argmax(reached, axis=-1, keepdims=True)]


def contrast(s: mx.array, bands: Sequence[Band]) -> mx.array:
    """Peak above valley in dB ``[..., N, bands]``, each the mean of a band's extreme magnitudes."""
    valleys, peaks = [], []
    for band in bands:
        ordered = mx.sort(s[..., band.first : band.last], axis=-1)
        valleys.append(mean(ordered[..., : band.extremes]))
        peaks.append(mean(ordered[..., -band.extremes :]))
    low, high = (
        clip_below_peak(to_decibel(values, 10.0, _CONTRAST_AMIN), _CONTRAST_RANGE, example_axes(values))
        for values in (mx.concatenate(valleys, axis=-1), mx.concatenate(peaks, axis=-1))
    )
    return high - low


def flatness(s: mx.array, amin: float, power: float) -> mx.array:
    """Geometric over arithmetic mean ``[..., N, 1]`` of magnitudes to ``power``, none below ``amin``."""
    raised = mx.maximum(mx.square(s) if power == 2 else mx.power(s, power), amin)
    # logarithms relative to the mean are small, and so is what their sum loses
    return mx.exp(mean(mx.log(raised / mean(raised))))


def _magnitudes(x: mx.array, *parameters: Any) -> mx.array:
    return spectrogram(shared_transform(*parameters), x)


def _result(x: mx.array, y: mx.array) -> mx.array:
    return like_input(x, mx.swapaxes(y, -1, -2))


def spectral_centroid(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
) -> mx.array:
    """Mean frequency of each frame, weighted by magnitude; 0 for a silent frame.

    Args:
        x: Audio ``[..., T]``.
        sample_rate: Hz.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.

    Returns:
        Hz, float32 ``[..., 1, N]``.
    """
    s = _magnitudes(x, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
    return _result(x, centroid(s, bin_frequencies(sample_rate, n_fft)))


def spectral_bandwidth(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    p: float = 2.0,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
) -> mx.array:
    """Spread of each frame's magnitudes about their mean frequency: the ``p``-th root of the ``p``-th central moment.

    The other arguments are those of :func:`spectral_centroid`.

    Returns:
        Hz, float32 ``[..., 1, N]``.

    Raises:
        ValueError: a ``p`` that is not positive.
    """
    if p <= 0:
        raise ValueError(f"p must be above 0, got {p}")
    s = _magnitudes(x, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
    return _result(x, bandwidth(s, bin_frequencies(sample_rate, n_fft), p))


def spectral_rolloff(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    roll_percent: float = 0.85,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
) -> mx.array:
    """Lowest bin frequency of each frame up to which ``roll_percent`` of its magnitudes' sum lies.

    The other arguments are those of :func:`spectral_centroid`.

    Returns:
        Hz, float32 ``[..., 1, N]``.

    Raises:
        ValueError: a ``roll_percent`` that does not lie between 0 and 1.
    """
    if not 0 < roll_percent < 1:
        raise ValueError(f"roll_percent must lie between 0 and 1, got {roll_percent}")
    s = _magnitudes(x, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
    return _result(x, rolloff(s, bin_frequencies(sample_rate, n_fft), roll_percent))


def spectral_contrast(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    n_bands: int = 6,
    fmin: float = 200.0,
    quantile: float = 0.02,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
) -> mx.array:
    """Peak above valley in octave bands of each frame (Jiang et al., "Music type classification by spectral contrast").

    Args:
        x: Audio ``[..., T]``.
        sample_rate: Hz.
        n_bands: Octaves above ``fmin``; one more band lies below it.
        fmin: Upper edge of the lowest band in Hz.
        quantile: Share of a band's bins whose mean is its peak, and of those whose mean is its valley.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.

    Returns:
        dB, float32 ``[..., n_bands + 1, N]``. Peaks and valleys are each kept within 80 dB of an example's largest.

    Raises:
        ValueError: a value out of its range, or a band without bins.
    """
    bands = contrast_bands(sample_rate, n_fft, n_bands, fmin, quantile)
    s = _magnitudes(x, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
    return _result(x, contrast(s, bands))


def spectral_flatness(
    x: mx.array,
    *,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    amin: float = 1e-10,
    power: float = 2.0,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
) -> mx.array:
    """Geometric over arithmetic mean of each frame's spectrum: 1 for white noise, near 0 for a tone.

    Args:
        x: Audio ``[..., T]``.
        amin: Smallest value that counts.
        power: Exponent of the magnitudes.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.

    Returns:
        float32 ``[..., 1, N]`` between 0 and 1.

    Raises:
        ValueError: an ``amin`` that is not positive.
    """
    if amin <= 0:
        raise ValueError(f"amin must be above 0, got {amin}")
    s = _magnitudes(x, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
    return _result(x, flatness(s, amin, power))
