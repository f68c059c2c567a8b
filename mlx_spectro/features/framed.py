"""Spectra of frames that start anywhere."""

from __future__ import annotations

from collections.abc import Sequence
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


def gathered(audio: mx.array, starts: npt.NDArray[np.int64], n_fft: int) -> tuple[mx.array, Framing]:
    """Audio ``[..., T]``, and a framing, whose frames are those of ``audio`` from ``starts`` on, in silence.

    Frames that are not evenly spaced are put one behind the other.
    """
    first, end, length = int(starts.min()), int(starts.max()) + n_fft, audio.shape[-1]
    before = max(0, -first)
    audio = pad(audio, before, max(0, end - length), "constant")
    steps = np.diff(starts)
    if (steps == steps[:1]).all() and (steps[:1] > 0).all():
        return audio[..., before + first : before + end], Framing(n_fft, int(steps[0]) if steps.size else n_fft)
    places = mx.array((starts + before)[:, None] + np.arange(n_fft))
    frames = mx.take(audio, places, axis=-1)
    return frames.reshape(*audio.shape[:-1], starts.size * n_fft), Framing(n_fft, n_fft)


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
    audio, framing = gathered(_inputs.as_audio(x), _places(starts), n_fft)
    z = apply(Stft(framing), audio, window)
    if zero_phase:
        turns = np.exp(2j * np.pi / n_fft * (np.arange(n_fft // 2 + 1) * (n_fft // 2) % n_fft))
        z = z * (constant(turns.real) + 1j * constant(turns.imag))
    return like_input(x, mx.swapaxes(z, -1, -2))
