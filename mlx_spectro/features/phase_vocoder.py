"""Spectra and audio at another speed."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.framing import Framing
from ..design.operators import Istft, PhaseVocoder, Stft
from ..ops.apply import apply
from ..ops.numerics import constant
from ..types import CenterPadMode
from . import _inputs
from ._replay import recorded
from ._shared import audio_of, like_input, shared_transform


@_check.remembered(32)
def _steps(count: int, rate: float) -> tuple[mx.array, mx.array]:
    """Frames between which those of a spectrum of ``count`` frames at a rate lie, and how far between."""
    times = np.arange(0, count, rate)
    here = np.floor(times).astype(np.int64)
    frames = mx.array(np.stack([here, here + 1, here, here + 1]))
    mx.eval(frames)
    return frames, constant(times - here)


def _at(z: mx.array, rate: float) -> mx.array:
    """``z [..., N, F]`` at a rate."""
    return apply(PhaseVocoder(), z, *_steps(z.shape[-2], rate))


@recorded()
def phase_vocoder(z: mx.array, *, rate: float) -> mx.array:
    """A spectrum ``rate`` times as fast, with its frequencies as they are (Flanagan and Golden, Phase Vocoder, 1966).

    Magnitudes are interpolated between frames, behind which there is silence, and phases go on as between the two
    frames nearby. No angle is summed: directions are multiplied.

    Args:
        z: complex64 ``[..., F, N]``.
        rate: How many times faster; below 1, slower.

    Returns:
        complex64 ``[..., F, ceil(N / rate)]``.

    Raises:
        TypeError: no MLX array.
        ValueError: a rate that is not positive, fewer than two axes, or real numbers.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> spectrum = mlx_spectro.SpectralTransform(512, 128).stft(mx.zeros((2, 16000)))
        >>> mlx_spectro.phase_vocoder(spectrum, rate=0.5).shape
        (2, 257, 252)
    """
    rate = _check.number("rate", rate, above=0)
    if _inputs.array("z", z).ndim < 2 or not mx.issubdtype(z.dtype, mx.complexfloating):
        raise ValueError(f"z must be a complex spectrum of 2 or more axes, got {z.dtype} {z.shape}")
    return mx.swapaxes(_at(mx.swapaxes(z, -1, -2), rate), -1, -2)


@recorded()
def time_stretch(
    x: mx.array,
    *,
    rate: float,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window_fn: str = "hann",
    center_pad_mode: CenterPadMode = "constant",
) -> mx.array:
    """Audio ``rate`` times as fast at the same pitch: its spectrum by :func:`phase_vocoder`, and back.

    Args:
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot.
        rate: How many times faster; below 1, slower.
        n_fft: Frame length in samples.
        hop_length: Samples between frame starts. Default: ``n_fft // 4``.
        win_length, window_fn, center_pad_mode: As in :class:`SpectralTransform`.

    Returns:
        float32 ``[..., round(T / rate)]``.

    Raises:
        TypeError: audio that is no MLX array, or not floating point.
        ValueError: a value out of its range, a rate at which nothing is left, or an unknown option.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> mlx_spectro.time_stretch(mx.zeros((2, 16000)), rate=2.0).shape
        (2, 8000)
    """
    rate = _check.number("rate", rate, above=0)
    hop_length = _check.integer("n_fft", n_fft, at_least=1) // 4 if hop_length is None else hop_length
    transform = shared_transform(n_fft, hop_length, win_length, window_fn, True, center_pad_mode)
    length = round(_inputs.as_audio(x).shape[-1] / rate)
    if length < 1:
        raise ValueError(f"at rate={rate}, nothing is left of audio of shape {x.shape}")
    audio, window, framing = audio_of(transform, x)
    z = _at(apply(Stft(framing), audio, window), rate)
    back = Istft(Framing(transform.n_fft, transform.hop_length, transform.n_fft // 2), length)
    return like_input(x, apply(back, z, window))
