"""Audio of a magnitude spectrogram."""

from __future__ import annotations

import math

import mlx.core as mx

from .. import _check
from ..design.framing import Framing, overlap_length
from ..design.operators import GriffinLim, Istft, Stft
from ..ops.apply import compute, define
from ..ops.autodiff import fused
from ..ops.numerics import root
from ..types import CenterPadMode
from . import _inputs
from ._shared import shared_transform

_EPS = 1e-16


def griffinlim(
    s: mx.array,
    *,
    n_fft: int | None = None,
    hop_length: int | None = None,
    win_length: int | None = None,
    window_fn: str = "hann",
    center_pad_mode: CenterPadMode = "constant",
    power: float = 1.0,
    n_iter: int = 32,
    momentum: float = 0.99,
    length: int | None = None,
    phase: mx.array | None = None,
    key: mx.array | None = None,
) -> mx.array:
    """Audio whose spectrogram is the given one, or nearly so (Griffin and Lim, 1984).

    With momentum, by the fast algorithm of Perraudin, Balazs and Søndergaard (2013).

    Args:
        s: Spectrogram ``[..., F, N]`` of centred frames, not negative: magnitudes to ``power``.
        n_fft: Frame length in samples. Default: ``2 * (F - 1)``.
        hop_length: Samples between frame starts. Default: ``n_fft // 4``.
        power: Exponent of the magnitudes in ``s``.
        n_iter: How often audio is made and transformed again.
        momentum: How far each step goes beyond the one before, from 0 on and below 1.
        length: Samples of the audio, which must have ``N`` frames. Default: ``hop_length * (N - 1)``, one more where
            ``n_fft`` is odd.
        phase: First phases in radians, of the shape of ``s``. Default: drawn at random, alike from 0 to a turn.
        key: Of MLX's random numbers, for phases that can be drawn again.
        win_length, window_fn, center_pad_mode: As in :class:`SpectralTransform`.

    Returns:
        float32 ``[..., length]``.

    Raises:
        TypeError: no MLX array, or one of integers.
        ValueError: a value out of its range, another number of bins or frames, or an unknown option.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> mlx_spectro.griffinlim(mx.ones((2, 257, 126)), hop_length=128, n_iter=4).shape
        (2, 16000)
    """
    s = _inputs.real("s", s)
    if s.ndim < 2 or s.shape[-2] < 2 or not s.shape[-1]:
        raise ValueError(f"s must have 2 or more bins and 1 or more frames, [..., bins, frames], got shape {s.shape}")
    bins, frames = s.shape[-2:]
    n_fft = 2 * (bins - 1) if n_fft is None else _check.integer("n_fft", n_fft, at_least=2)
    if n_fft // 2 + 1 != bins:
        raise ValueError(f"n_fft={n_fft} has {n_fft // 2 + 1} bins, got s of shape {s.shape}")
    hop = n_fft // 4 if hop_length is None else hop_length
    transform = shared_transform(n_fft, hop, win_length, window_fn, True, center_pad_mode)
    power = _check.number("power", power, above=0)
    n_iter = _check.integer("n_iter", n_iter, at_least=0)
    momentum = _check.number("momentum", momentum, at_least=0, below=1)
    hop = transform.hop_length
    natural = overlap_length(frames, n_fft, hop) - 2 * (n_fft // 2)
    length = natural if length is None else _check.integer("length", length, at_least=1)
    framing = transform.framing(length)
    if length < 1 or framing.frames(length) != frames:
        raise ValueError(f"{length} samples have {framing.frames(length)} frames, and s has {frames}; pass length")
    framing.check(length)
    turns = _turns(s, phase, key)
    istft = Istft(Framing(n_fft, hop, n_fft // 2), length)
    op = GriffinLim(istft, Stft(framing), n_iter, momentum / (1 + momentum), _EPS)
    levels = mx.contiguous(mx.swapaxes(root(s, power), -1, -2))

    # the first spectrum, a weight to the operator, depends on the levels too
    def by_kernels(levels: mx.array) -> mx.array:
        return compute(op, levels, levels * turns, transform.window)

    def by_parts(levels: mx.array) -> mx.array:
        return define(op, levels, levels * turns, transform.window)

    return fused(by_kernels, by_parts)(levels)


def _turns(s: mx.array, phase: mx.array | None, key: mx.array | None) -> mx.array:
    """First directions ``[..., N, F]``."""
    if phase is None:
        if key is not None:
            _inputs.array("key", key)
        angles = mx.random.uniform(high=2 * math.pi, shape=s.shape, key=key)
    else:
        angles = _inputs.real("phase", phase)
        if angles.shape != s.shape:
            raise ValueError(f"phase must have the shape of s, {s.shape}, got {angles.shape}")
    angles = mx.contiguous(mx.swapaxes(angles, -1, -2))
    return mx.cos(angles) + 1j * mx.sin(angles)
