"""Tempograms."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.framing import Framing
from ..design.operators import Spectrogram
from ..design.windows import window_samples
from ..ops.apply import apply
from ..ops.fft import inverse_spectra
from ..ops.frames import pad
from ..ops.numerics import constant
from . import _inputs
from ._replay import recorded
from ._shared import like_input
from .chroma import normalized


@_check.remembered(16)
def _padded_window(window_fn: str, win_length: int) -> mx.array:
    """A window and zeros behind it, so that products with what is later do not come round to the start."""
    n_fft = 2 ** math.ceil(math.log2(2 * win_length))
    return constant(np.pad(window_samples(window_fn, win_length), (0, n_fft - win_length)))


def _faded(x: mx.array, count: int) -> mx.array:
    """``x [..., N]`` between ``count`` values that rise from 0 to its first and ``count`` that fall from its last."""
    slope = mx.arange(count) / max(count, 1)
    return mx.concatenate([x[..., :1] * slope, x, x[..., -1:] * slope[::-1]], axis=-1)


@recorded()
def tempogram(
    envelope: mx.array,
    *,
    win_length: int = 384,
    window_fn: str = "hann",
    center: bool = True,
    norm: float | None = math.inf,
) -> mx.array:
    """How alike an onset strength is to itself some frames later, in a window around each frame.

    Grosche, Müller and Kurth, "Cyclic tempogram: a mid-level tempo representation for music signals", ICASSP 2010.

    Args:
        envelope: Onset strength ``[..., N]``, as of :func:`onset_strength`, of one frame or more.
        win_length: Frames of the window, and lags.
        window_fn: As in :class:`SpectralTransform`.
        center: Windows are centred on their frames, and the ends fade to 0; else they begin there.
        norm: Norm to which each frame is scaled (``math.inf`` for the largest value); None for none.

    Returns:
        float32 ``[..., win_length, N]``, uncentred ``N - win_length + 1`` frames; row ``k`` is for a lag of ``k``
        frames, or ``60 * frames a second / k`` beats a minute.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: a value out of its range, an unknown window, or fewer frames than an uncentred window.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> strength = mlx_spectro.onset_strength(mx.zeros((2, 22050)))
        >>> mlx_spectro.tempogram(strength, win_length=100).shape
        (2, 100, 44)
    """
    win_length = _check.integer("win_length", win_length, at_least=1)
    center = _check.flag("center", center)
    window = _padded_window(window_fn, win_length)
    strength = _inputs.as_audio(envelope)
    frames = strength.shape[-1]
    if frames < (1 if center else win_length):
        raise ValueError(f"win_length={win_length} needs more frames, got envelope of shape {envelope.shape}")
    strength = _faded(strength, win_length // 2) if center else strength
    count = frames if center else frames - win_length + 1
    n_fft = window.size
    strength = pad(strength, 0, count - 1 + n_fft - strength.shape[-1], "constant")
    powers = apply(Spectrogram(Framing(n_fft, 1), 2.0), strength, window)
    products = inverse_spectra(powers.astype(mx.complex64), n_fft)[..., :win_length]
    return like_input(envelope, mx.swapaxes(normalized(products, norm), -1, -2))
