"""Onset strength: the rise of a mel spectrogram in dB from one frame to the next."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from .. import _check
from ..types import CenterPadMode, CenterTailPad, MelNorm, MelScale
from ._replay import recorded
from ._shared import like_input
from .mel import MelSpectrogramTransform


def _rises(x: mx.array, center: bool, lag: int, n_fft: int, hop_length: int, **mel_parameters: Any) -> mx.array:
    """Positive differences ``[..., n_mels, N]`` over ``lag`` frames."""
    lag = _check.integer("lag", lag, at_least=1)
    transform = MelSpectrogramTransform(n_fft=n_fft, hop_length=hop_length, center=center, **mel_parameters)
    mel = transform(x)
    rise = mx.maximum(mel[..., lag:] - mel[..., :-lag], 0.0)
    # a centred frame answers half a frame early: the rise is put where its sound starts
    late = lag + (n_fft // (2 * transform.spectral.hop_length) if center else 0)
    rise = mx.pad(rise, [(0, 0)] * (rise.ndim - 1) + [(late, 0)])
    return like_input(x, rise[..., : mel.shape[-1]])


@recorded()
def onset_strength_multi(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    center: bool = True,
    lag: int = 1,
    norm: MelNorm = "slaney",
    mel_scale: MelScale = "slaney",
    top_db: float | None = 80.0,
    center_pad_mode: CenterPadMode = "reflect",
    center_tail_pad: CenterTailPad = "symmetric",
) -> mx.array:
    """Rise of each mel band in dB over ``lag`` frames, falls counted as 0.

    Args:
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot, and fill it to one frame.
        lag: Frames between the two that are compared.
        center: Frames are centred, and rises put half a frame later, where their sound starts.
        sample_rate, n_fft, hop_length, n_mels, f_min, f_max, norm, mel_scale, top_db, center_pad_mode,
            center_tail_pad: As in :class:`MelSpectrogramTransform`.

    Returns:
        dB, float32 ``[..., n_mels, N]``.

    Raises:
        ValueError: a value out of its range, or an unknown option.
    """
    return _rises(**locals())


@recorded()
def onset_strength(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    center: bool = True,
    lag: int = 1,
    norm: MelNorm = "slaney",
    mel_scale: MelScale = "slaney",
    top_db: float | None = 80.0,
    center_pad_mode: CenterPadMode = "reflect",
    center_tail_pad: CenterTailPad = "symmetric",
) -> mx.array:
    """Mean of :func:`onset_strength_multi` over the bands (Böck and Widmer, 2013).

    The arguments are those of :func:`onset_strength_multi`.

    Returns:
        dB, float32 ``[..., N]``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> mlx_spectro.onset_strength(audio, sample_rate=16000, n_fft=512, hop_length=128).shape
        (2, 126)
    """
    return _rises(**locals()).mean(axis=-2)
