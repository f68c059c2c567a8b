"""Spectral descriptors: centroid, bandwidth, rolloff, contrast and flatness, defined as librosa defines them."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..design.banks import contrast_bands
from ..design.descriptors import DescriptorSpec
from ..design.epilogues import Decibels
from ..design.operators import Describe, DescribeMagnitudes
from ..ops.apply import apply
from ..ops.decibels import clip_below_peak, example_axes
from ..ops.epilogues import follow
from ._replay import recorded
from ._shared import audio_of, like_input, shared_transform

# as librosa.power_to_db has it
_CONTRAST_AMIN, _CONTRAST_RANGE = 1e-10, 80.0
# of what depends on no frequencies
_NO_HZ = np.zeros(0, np.float32)


@_check.remembered(32)
def bin_frequencies(sample_rate: float, n_fft: int) -> npt.NDArray[np.float32]:
    """Frequencies ``[n_fft // 2 + 1]`` of the bins in Hz."""
    sample_rate = _check.number("sample_rate", sample_rate, above=0)
    _check.integer("n_fft", n_fft, at_least=1)
    return (np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)).astype(np.float32)


def contrast(rows: mx.array) -> mx.array:
    """Peaks above valleys in dB ``[..., bands, N]`` of the extremes of bands, ``[..., 2 * bands, N]``."""
    low, high = (
        clip_below_peak(follow(Decibels(10.0, _CONTRAST_AMIN), values), _CONTRAST_RANGE, example_axes(values))
        for values in mx.split(rows, 2, axis=-2)
    )
    return high - low


def named(rows: mx.array, spec: DescriptorSpec) -> dict[str, mx.array]:
    """Descriptors ``[..., rows, N]`` by name, of all of them, one after another."""
    counts = [2 * len(spec.bands) if name == "contrast" else 1 for name in spec.names]
    parts = mx.split(rows, np.cumsum(counts)[:-1].tolist(), axis=-2)
    by_name = zip(spec.names, parts, strict=True)
    return {name: contrast(part) if name == "contrast" else part for name, part in by_name}


def of_magnitudes(s: mx.array, hz: npt.NDArray[np.float32], spec: DescriptorSpec) -> dict[str, mx.array]:
    """Descriptors of magnitudes ``s [..., N, F]``."""
    return named(apply(DescribeMagnitudes(spec), s, hz), spec)


def _descriptor(x: mx.array, hz: npt.NDArray[np.float32], spec: DescriptorSpec, *parameters: Any) -> mx.array:
    """The one descriptor of ``spec``, of audio ``[..., T]``."""
    audio, window, framing = audio_of(shared_transform(*parameters), x)
    rows = apply(Describe(framing, spec), audio, window, hz)
    return like_input(x, named(rows, spec)[spec.names[0]])


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
    hz, spec = bin_frequencies(sample_rate, n_fft), DescriptorSpec(("centroid",))
    return _descriptor(x, hz, spec, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


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
    hz, spec = bin_frequencies(sample_rate, n_fft), DescriptorSpec(("bandwidth",), order=p)
    return _descriptor(x, hz, spec, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


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
    hz, spec = bin_frequencies(sample_rate, n_fft), DescriptorSpec(("rolloff",), share=roll_percent)
    return _descriptor(x, hz, spec, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


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
    hz, spec = _NO_HZ, DescriptorSpec(("contrast",), bands=tuple(bands))
    return _descriptor(x, hz, spec, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)


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
    hz, spec = _NO_HZ, DescriptorSpec(("flatness",), power=power, amin=amin)
    return _descriptor(x, hz, spec, n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
