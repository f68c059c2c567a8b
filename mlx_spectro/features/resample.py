"""Audio at another sample rate."""

from __future__ import annotations

import math
from typing import Literal

import mlx.core as mx

from .. import _check
from ..design import polyphase
from ..design.operators import Resample
from ..ops.apply import apply
from ..ops.numerics import constant
from . import _inputs
from ._replay import recorded
from ._shared import like_input

# of a Kaiser window whose values are in double precision's range
_STEEPEST = 700

ResampleWindow = Literal["hann", "kaiser"]


@_check.remembered(32)
def _filter(
    orig: int, new: int, lowpass_filter_width: int, rolloff: float, beta: float | None
) -> tuple[Resample, mx.array]:
    """The operator between two rates without a common divisor, and its weights."""
    reach, weights = polyphase.windowed_sinc(orig, new, lowpass_filter_width, rolloff, beta)
    return Resample(orig, new, reach), constant(weights)


@recorded()
def resample(
    x: mx.array,
    *,
    orig_freq: int,
    new_freq: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    window_fn: ResampleWindow = "hann",
    beta: float = 14.769656459379492,
) -> mx.array:
    """Audio at another sample rate, by a windowed sinc (J. O. Smith, Digital Audio Resampling, 2002).

    Args:
        x: Audio ``[..., T]`` of any length; silence surrounds it.
        orig_freq: Its sample rate in Hz, a whole number.
        new_freq: The result's sample rate in Hz, a whole number.
        lowpass_filter_width: Zero crossings of the sinc on each side: more are sharper and slower.
        rolloff: Cutoff frequency as a share of half the lower of the two rates.
        window_fn: ``"hann"`` or ``"kaiser"``.
        beta: Shape of the Kaiser window, up to 700; 0 is a rectangle.

    Returns:
        float32 ``[..., ceil(T * new_freq / orig_freq)]``.

    Raises:
        TypeError: audio that is no MLX array, or not floating point; a rate that is no integer.
        ValueError: a value out of its range, or an unknown window.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> audio = mx.zeros((2, 44100))  # one second of two signals
        >>> mlx_spectro.resample(audio, orig_freq=44100, new_freq=16000).shape
        (2, 16000)
    """
    orig = _check.integer("orig_freq", orig_freq, at_least=1)
    new = _check.integer("new_freq", new_freq, at_least=1)
    width = _check.integer("lowpass_filter_width", lowpass_filter_width, at_least=1)
    rolloff = _check.number("rolloff", rolloff, above=0)
    if rolloff > 1:
        raise ValueError(f"rolloff must be at most 1, got {rolloff}")
    _check.one_of("window_fn", window_fn, ResampleWindow)
    beta = _check.number("beta", beta, at_least=0)
    if beta > _STEEPEST:
        raise ValueError(f"beta must be at most {_STEEPEST}, got {beta}")
    audio = _inputs.as_audio(x)
    common = math.gcd(orig, new)
    if orig == new or not audio.shape[-1]:
        return like_input(x, audio)
    orig, new = orig // common, new // common
    op, weights = _filter(orig, new, width, rolloff, beta if window_fn == "kaiser" else None)
    return like_input(x, apply(op, audio, weights)[..., : -(-audio.shape[-1] * new // orig)])
