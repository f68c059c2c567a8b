"""Chromagrams."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np

from .. import _check
from ..design import banks
from ..ops.numerics import constant, root, total
from ._replay import recorded
from ._shared import filterbank, like_input, shared_transform

_TINY = float(np.finfo(np.float32).tiny)


@_check.remembered(32)
def chroma_filters(sample_rate: float, n_fft: int, n_chroma: int, tuning: float) -> mx.array:
    """Chroma filters ``[n_fft // 2 + 1, n_chroma]``; see :func:`mlx_spectro.design.banks.chroma_bank`."""
    sample_rate = _check.number("sample_rate", sample_rate, above=0)
    n_fft = _check.integer("n_fft", n_fft, at_least=2)
    tuning = _check.number("tuning", tuning, above=-1000, below=1000)
    return constant(banks.chroma_bank(sample_rate, n_fft, n_chroma, tuning).T)


def normalized(raw: mx.array, norm: float | None) -> mx.array:
    """``raw [..., N, n_chroma]`` with unit ``norm`` in each frame; a silent frame is left as it is.

    Raises:
        ValueError: a norm that is neither None nor positive.
    """
    norm = _check.number_or_none("norm", norm, above=0)
    if norm is None:
        return raw
    largest = mx.stop_gradient(mx.abs(raw).max(axis=-1, keepdims=True))
    silent = largest < _TINY
    # of shares of the largest, no power is too small or too large to be told, nor a divisor's square in a gradient
    shares = raw / mx.where(silent, 1.0, largest)
    sizes = mx.abs(shares)
    if math.isinf(norm):
        length = sizes.max(axis=-1, keepdims=True)
    elif norm == 1:
        length = total(sizes)
    else:
        length = root(total(mx.power(sizes, norm)), norm)
    return shares / mx.where(silent, 1.0, length)


@recorded()
def chroma_stft(
    x: mx.array,
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    n_chroma: int = 12,
    norm: float | None = 2,
    window_fn: str = "hann",
    center: bool = True,
    center_pad_mode: str = "reflect",
    center_tail_pad: str = "symmetric",
    tuning: float = 0.0,
) -> mx.array:
    """Energy of each pitch class in each frame of a power spectrogram.

    Args:
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot, and fill it to one frame.
        sample_rate: Hz.
        n_chroma: Pitch classes an octave, the first being C.
        norm: Norm to which each frame is scaled (``math.inf`` for the largest value); None for none.
        tuning: Deviation from A440 in pitch classes.
        n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad: As in
            :class:`SpectralTransform`.

    Returns:
        float32 ``[..., n_chroma, N]``.

    Raises:
        ValueError: a value out of its range, or an unknown option.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 16000))  # one second of two signals
        >>> mlx_spectro.chroma_stft(audio, sample_rate=16000, n_fft=512, hop_length=128).shape
        (2, 12, 126)
    """
    transform = shared_transform(n_fft, hop_length, win_length, window_fn, center, center_pad_mode, center_tail_pad)
    raw = filterbank(transform, x, chroma_filters(sample_rate, n_fft, n_chroma, tuning), power=2.0)
    return like_input(x, mx.swapaxes(normalized(raw, norm), -1, -2))
