"""Spectral descriptors: centroid, bandwidth, rolloff, contrast and flatness, defined as librosa defines them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..design.banks import contrast_bands
from ..kernels.cpu import Wanted
from ..ops import operators
from ..ops.decibels import clip_below_peak, example_axes, to_decibel
from ..ops.numerics import mean, root, total
from ._replay import recorded
from ._shared import audio_of, constant, like_input, shared_transform

_TINY = float(np.finfo(np.float32).tiny)
# as librosa.power_to_db has it
_CONTRAST_AMIN, _CONTRAST_RANGE = 1e-10, 80.0


@_check.remembered(32)
def bin_frequencies(sample_rate: float, n_fft: int) -> npt.NDArray[np.float32]:
    """Frequencies ``[n_fft // 2 + 1]`` of the bins in Hz."""
    sample_rate = _check.number("sample_rate", sample_rate, above=0)
    _check.integer("n_fft", n_fft, at_least=1)
    return (np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)).astype(np.float32)


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
    if not s.size:  # MLX finds no largest of nothing
        return total(s)
    running = mx.cumsum(mx.stop_gradient(s), axis=-1)
    reached = mx.logical_not(running < roll_percent * running[..., -1:])
    return hz[mx.argmax(reached, axis=-1, keepdims=True)]


def extremes(s: mx.array, bands: Sequence[tuple[int, int, int]]) -> mx.array:
    """Means ``[..., N, 2 * bands]`` of each band's smallest magnitudes, and then of each band's largest."""
    valleys, peaks = [], []
    for first, last, count in bands:
        ordered = mx.sort(s[..., first:last], axis=-1)
        valleys.append(mean(ordered[..., :count]))
        peaks.append(mean(ordered[..., -count:]))
    return mx.concatenate([*valleys, *peaks], axis=-1)


def contrast(rows: mx.array) -> mx.array:
    """Peaks above valleys in dB ``[..., bands, N]`` of :func:`extremes`, turned."""
    low, high = (
        clip_below_peak(to_decibel(values, 10.0, _CONTRAST_AMIN), _CONTRAST_RANGE, example_axes(values))
        for values in mx.split(rows, 2, axis=-2)
    )
    return high - low


def flatness(s: mx.array, amin: float, power: float) -> mx.array:
    """Geometric over arithmetic mean ``[..., N, 1]`` of magnitudes to ``power``, none below ``amin``."""
    raised = mx.maximum(mx.square(s) if power == 2 else mx.power(s, power), amin)
    # logarithms relative to the mean are small, and so is what their sum loses
    return mx.exp(mean(mx.log(raised / mean(raised))))


_DEFINITIONS: dict[str, Callable[[mx.array, Wanted], mx.array]] = {
    "centroid": lambda s, wanted: centroid(s, constant(wanted.hz)),
    "bandwidth": lambda s, wanted: bandwidth(s, constant(wanted.hz), wanted.order),
    "rolloff": lambda s, wanted: rolloff(s, constant(wanted.hz), wanted.share),
    "flatness": lambda s, wanted: flatness(s, wanted.amin, wanted.power),
    "contrast": lambda s, wanted: extremes(s, wanted.bands),
}


def rows_of(s: mx.array, wanted: Wanted) -> mx.array:
    """The wanted descriptors ``[..., rows, N]`` of magnitudes ``s [..., N, F]``, one after another."""
    return mx.swapaxes(mx.concatenate([_DEFINITIONS[name](s, wanted) for name in wanted.names], axis=-1), -1, -2)


def named(rows: mx.array, wanted: Wanted) -> dict[str, mx.array]:
    """What :func:`rows_of` put together: each descriptor ``[..., rows, N]`` by name."""
    counts = [2 * len(wanted.bands) if name == "contrast" else 1 for name in wanted.names]
    parts = mx.split(rows, np.cumsum(counts)[:-1].tolist(), axis=-2)
    found = dict(zip(wanted.names, parts, strict=True))
    return {name: contrast(part) if name == "contrast" else part for name, part in found.items()}


def of_magnitudes(s: mx.array, wanted: Wanted) -> dict[str, mx.array]:
    """The wanted descriptors of magnitudes ``s [..., N, F]``."""
    return named(operators.describe_given(s, wanted, lambda s: rows_of(s, wanted)), wanted)


def _descriptor(x: mx.array, wanted: Wanted, *parameters: Any) -> mx.array:
    """The one wanted descriptor of audio ``[..., T]``."""
    audio = audio_of(shared_transform(*parameters), x)
    rows = operators.describe(*audio, wanted, lambda s: rows_of(s, wanted))
    return like_input(x, named(rows, wanted)[wanted.names[0]])


@recorded()
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

    Klapuri and Davy, "Signal processing methods for music transcription" (2007), chapter 5.

    Args:
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot, and fill it to one frame.
        sample_rate: Hz.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.

    Returns:
        Hz, float32 ``[..., 1, N]``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> mlx_spectro.spectral_centroid(audio, sample_rate=16000, n_fft=512, hop_length=128).shape
        (2, 1, 126)
    """
    wanted = Wanted(("centroid",), bin_frequencies(sample_rate, n_fft))
    return _descriptor(x, wanted, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


@recorded()
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
    p = _check.number("p", p, above=0)
    wanted = Wanted(("bandwidth",), bin_frequencies(sample_rate, n_fft), order=p)
    return _descriptor(x, wanted, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


@recorded()
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
    roll_percent = _check.number("roll_percent", roll_percent, above=0, below=1)
    wanted = Wanted(("rolloff",), bin_frequencies(sample_rate, n_fft), share=roll_percent)
    return _descriptor(x, wanted, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


@recorded()
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
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot, and fill it to one frame.
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
    wanted = Wanted(("contrast",), bands=bands)
    return _descriptor(x, wanted, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


@recorded()
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

    Dubnov, "Generalization of spectral flatness measure for non-Gaussian linear processes" (2004).

    Args:
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot, and fill it to one frame.
        amin: Smallest value that counts.
        power: Exponent of the magnitudes.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.

    Returns:
        float32 ``[..., 1, N]`` between 0 and 1.

    Raises:
        ValueError: an ``amin`` that is not positive.
    """
    amin, power = _check.number("amin", amin, above=0), _check.number("power", power, above=0)
    wanted = Wanted(("flatness",), power=power, amin=amin)
    return _descriptor(x, wanted, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
