"""Spectra of frames that start anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .. import _check
from ..design.framing import Framing
from ..design.operators import Stft
from ..ops.apply import apply
from ..ops.frames import pad
from ..ops.numerics import constant
from . import _inputs
from ._shared import like_input
from .windows import make_window

# so many interleaved series of evenly spaced frames are transformed one by one
_MOST_SERIES = 8


def by_frames(
    audio: mx.array,
    starts: npt.NDArray[np.int64],
    n_fft: int,
    transform: Callable[[mx.array, Framing], mx.array],
) -> mx.array:
    """What ``transform`` makes ``[..., N, F]`` of the frames of audio ``[..., T]`` from ``starts`` on, in silence.

    Frames that are not evenly spaced, nor every second, third or so of them, are put one behind the other.
    """
    before = max(0, -int(starts.min()))
    audio = pad(audio, before, max(0, int(starts.max()) + n_fft - audio.shape[-1]), "constant")
    starts = starts + before
    series = _series(starts)
    if not series:
        frames = mx.take(audio, mx.array(starts[:, None] + np.arange(n_fft)), axis=-1)
        return transform(frames.reshape(*audio.shape[:-1], starts.size * n_fft), Framing(n_fft, n_fft))
    parts = []
    for evenly in (starts[i::series] for i in range(series)):
        hop = int(evenly[1] - evenly[0]) if evenly.size > 1 else n_fft
        parts.append(transform(audio[..., int(evenly[0]) : int(evenly[-1]) + n_fft], Framing(n_fft, hop)))
    if series == 1:
        return parts[0]
    short = [(0, 0)] * (audio.ndim - 1)
    parts = [mx.pad(part, [*short, (0, parts[0].shape[-2] - part.shape[-2]), (0, 0)]) for part in parts]
    joined = mx.stack(parts, axis=-2)
    count, width = joined.shape[-3] * series, joined.shape[-1]
    return joined.reshape(*joined.shape[:-3], count, width)[..., : starts.size, :]


def _series(starts: npt.NDArray[np.int64]) -> int:
    """Of how few series of evenly spaced frames ``starts`` is made in turn; 0 where of too many."""
    for count in range(1, min(_MOST_SERIES, starts.size) + 1):
        steps = starts[count:] - starts[:-count]
        if (steps == steps[:1]).all() and (steps[:1] > 0).all():
            return count
    return 0


def _places(starts: Any) -> npt.NDArray[np.int64]:
    places = np.array(starts) if isinstance(starts, mx.array) else np.asarray(starts)
    if places.dtype.kind not in "iu" or places.ndim != 1 or not places.size:
        raise ValueError(f"starts must be one or more whole numbers, [frames], got {_check.shown(starts)}")
    return places.astype(np.int64)


def stft_at(
    x: mx.array,
    starts: mx.array | npt.ArrayLike | Sequence[int],
    *,
    n_fft: int,
    window_fn: str = "hann",
    periodic: bool = True,
    zero_phase: bool = False,
) -> mx.array:
    """Spectra of frames that start at given samples, as :func:`frame_starts` has them.

    Args:
        x: Audio ``[..., T]`` of any length; silence surrounds it.
        starts: First sample of each frame, whole numbers ``[N]`` in any order.
        n_fft: Frame length in samples.
        window_fn, periodic: As in :class:`SpectralTransform`.
        zero_phase: Phases are those of a frame's centre, sample ``n_fft // 2``, and not of its start.

    Returns:
        complex64 ``[..., n_fft // 2 + 1, N]``; bin ``k`` lies at ``k * sample_rate / n_fft`` Hz.

    Raises:
        TypeError: audio that is no MLX array, or not floating point.
        ValueError: starts that are no whole numbers, a value out of its range, or an unknown window.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> starts = mlx_spectro.frame_starts(44100, frame_length=2048, fps=100)
        >>> mlx_spectro.stft_at(mx.zeros((2, 44100)), starts, n_fft=2048).shape
        (2, 1025, 100)
    """
    n_fft = _check.integer("n_fft", n_fft, at_least=1)
    window = make_window(None, window_fn, n_fft, n_fft, periodic)
    zero_phase = _check.flag("zero_phase", zero_phase)
    audio = _inputs.as_audio(x)
    z = by_frames(audio, _places(starts), n_fft, lambda audio, framing: apply(Stft(framing), audio, window))
    if zero_phase:
        turns = np.exp(2j * np.pi / n_fft * (np.arange(n_fft // 2 + 1) * (n_fft // 2) % n_fft))
        z = z * (constant(turns.real) + 1j * constant(turns.imag))
    return like_input(x, mx.swapaxes(z, -1, -2))
