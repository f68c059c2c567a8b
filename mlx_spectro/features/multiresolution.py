"""Log-filtered spectrograms of several frame lengths, and their rises, one above the other."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from .. import _check
from ..design.framing import Framing
from ..design.operators import Filterbank
from ..design.starts import FrameOrigin, frame_starts, frames_of_rise
from ..ops.apply import apply
from . import _inputs
from ._replay import recorded
from ._shared import like_input
from .framed import by_frames
from .log_banks import log_fbanks
from .onset_functions import extreme, rise
from .windows import make_window


def _integers(name: str, values: int | Sequence[int], least: int) -> list[int]:
    several = values if isinstance(values, (tuple, list)) else (values,)
    if not several:
        raise ValueError(f"{name} must name at least one, got {_check.shown(values)}")
    return [_check.integer(name, value, at_least=least) for value in several]


@_check.remembered(64)
def _resolution(
    n_fft: int, hop_length: float, diff_ratio: float | None, **of_bank: Any
) -> tuple[mx.array, mx.array, int]:
    """Window, filters, and the frames that rises are over, 0 for no rises."""
    window = make_window(None, "hann", n_fft, n_fft, False)
    lag = 0 if diff_ratio is None else frames_of_rise(np.array(window), hop_length, diff_ratio)
    return window, log_fbanks(n_fft=n_fft, **of_bank), lag


def _filtered(window: mx.array, bank: mx.array, audio: mx.array, framing: Framing) -> mx.array:
    return apply(Filterbank(framing), audio, window, bank)


@recorded()
def multiresolution_spectrogram(
    x: mx.array,
    *,
    sample_rate: float = 44100,
    fps: float = 100.0,
    n_fft: int | Sequence[int] = (1024, 2048, 4096),
    bands_per_octave: int | Sequence[int] = (3, 6, 12),
    f_min: float = 30.0,
    f_max: float = 17000.0,
    f_ref: float = 440.0,
    norm: bool = True,
    mul: float = 1.0,
    add: float = 1.0,
    diff_ratio: float | None = 0.5,
    max_bins: int = 1,
    origin: FrameOrigin | int = "center",
) -> mx.array:
    """Logarithms of filtered magnitudes of several frame lengths, and their rises: what onset and beat networks take.

    Schlüter and Böck, "Improved musical onset detection with convolutional neural networks", ICASSP 2014; Böck, Krebs
    and Widmer, "Joint beat and downbeat tracking with recurrent neural networks", ISMIR 2016. Windows are symmetric
    Hann windows, and frames reach into silence at both ends.

    Args:
        x: Audio ``[..., T]`` of any length; without samples, it counts as one of silence.
        sample_rate: Hz.
        fps: Frames a second.
        n_fft: Samples a frame, of each resolution.
        bands_per_octave: Of each resolution, or of all.
        mul, add: A value is ``log10(mul * level + add)``.
        diff_ratio: Rises are over as many frames as lie between two whose windows overlap where they are above this
            share of their largest value, and at least one; None for no rises.
        max_bins: Rises are over the greatest of so many neighbouring filters, as in :func:`superflux`; 1 for the filter
            itself.
        origin: As in :func:`frame_starts`.
        f_min, f_max, f_ref, norm: As in :func:`log_fbanks`.

    Returns:
        float32 ``[..., features, N]``: of each resolution the logarithms, from the lowest filter on, and the rises.

    Raises:
        TypeError: audio that is no MLX array, or not floating point.
        ValueError: a value out of its range, or filters without bins.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> mlx_spectro.multiresolution_spectrogram(mx.zeros((2, 44100))).shape
        (2, 314, 100)
    """
    lengths, bands = _integers("n_fft", n_fft, 2), _integers("bands_per_octave", bands_per_octave, 1)
    bands = bands * len(lengths) if len(bands) == 1 else bands
    if len(bands) != len(lengths):
        raise ValueError(f"bands_per_octave must be one number, or {len(lengths)} as n_fft, got {len(bands)}")
    mul, add = _check.number("mul", mul, above=0), _check.number("add", add, above=0)
    diff_ratio = None if diff_ratio is None else _check.number("diff_ratio", diff_ratio, at_least=0, below=1)
    max_bins = _check.integer("max_bins", max_bins, at_least=1)
    audio, parts = _inputs.as_audio(x), []
    for size, bands_here in zip(lengths, bands, strict=True):
        starts = frame_starts(
            max(1, audio.shape[-1]), frame_length=size, fps=fps, sample_rate=sample_rate, origin=origin
        )
        window, bank, lag = _resolution(
            size, sample_rate / fps, diff_ratio, sample_rate=sample_rate, bands_per_octave=bands_here, f_min=f_min,
            f_max=f_max, f_ref=f_ref, norm=norm,
        )  # fmt: skip
        levels = by_frames(audio, starts, size, functools.partial(_filtered, window, bank))
        logarithms = mx.log10(mul * levels + add)
        parts.append(logarithms)
        if lag:
            parts.append(rise(logarithms, lag, extreme(logarithms, max_bins, -1, True)))
    return like_input(x, mx.swapaxes(mx.concatenate(parts, axis=-1), -1, -2))
