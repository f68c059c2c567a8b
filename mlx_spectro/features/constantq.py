"""Constant-Q and variable-Q transforms."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from .. import _check
from ..design import constantq
from ..design.framing import Framing
from ..design.operators import Project, Stft
from ..ops.apply import apply
from ..ops.frames import pad
from ..ops.numerics import constant
from ..types import CenterPadMode
from ._replay import recorded
from ._shared import audio_of, like_input, shared_transform

C1 = 32.70319566257483
# samples of the frames whose spectra are in memory at a time
_BLOCK = 1 << 24


@_check.remembered(16)
def _banks(
    scale: constantq.Scale, norm: float | None, sparsity: float, balanced: bool
) -> list[tuple[int, slice, mx.array]]:
    """Of each octave the transform's length, the bins that it takes, and its filters.

    Filters ``[2 * bins, 2 * filters]`` take real parts and, behind them, imaginary parts, and give such.
    """
    banks = []
    for n_fft, first, filters in constantq.octaves(scale, norm, sparsity, balanced):
        re, im = filters.real, filters.imag
        banks.append((n_fft, slice(first, first + len(filters)), constant(np.block([[re, im], [-im, re]]))))
    return banks


def _octave(x: mx.array, n_fft: int, hop_length: int, pad_mode: CenterPadMode, bins: slice, bank: mx.array) -> mx.array:
    """Bins ``[..., N, filters]`` of audio ``[..., T]``, made of a part of all frames at a time."""
    transform = shared_transform(n_fft, hop_length, None, "rect", True, pad_mode)
    audio, window, framing = audio_of(transform, x)
    framing.check(audio.shape[-1])
    frames = framing.frames(audio.shape[-1])
    audio = pad(audio, framing.left, framing.right, framing.pad_mode)
    block, hop = max(1, _BLOCK // n_fft), framing.hop_length
    parts = []
    for start in range(0, frames, block):
        end = min(start + block, frames) - 1
        samples = audio[..., start * hop : end * hop + n_fft]
        z = apply(Stft(Framing(n_fft, hop)), samples, window)[..., bins]
        parts.append(apply(Project(), mx.concatenate([mx.real(z), mx.imag(z)], axis=-1), bank))
    re, im = mx.split(mx.concatenate(parts, axis=-2), 2, axis=-1)
    return re + 1j * im


@recorded()
def vqt(
    x: mx.array,
    *,
    sample_rate: float = 22050,
    hop_length: int = 512,
    f_min: float = C1,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    gamma: float | None = None,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window_fn: str = "hann",
    scale: bool = True,
    center_pad_mode: CenterPadMode = "constant",
) -> mx.array:
    """Variable-Q transform: a spectrum whose bins' bandwidths are a share of their frequencies and a constant.

    Schörkhuber, Klapuri, Holighaus and Dörfler, "A Matlab toolbox for efficient perfect reconstruction time-frequency
    transforms with log-frequency resolution", AES 2014. Filters are librosa's; all octaves are transformed at the
    sample rate itself, and so any rate and any hop will do, and nothing is lost by resampling.

    Args:
        x: Audio ``[..., T]`` of any length: zeros extend what ``center_pad_mode`` cannot.
        sample_rate: Hz.
        hop_length: Samples between frames, whose centres are multiples of it.
        f_min: Frequency of the lowest bin in Hz. Default: C1.
        gamma: Hz that each bandwidth has beside its share of the frequency: 0 for a constant Q. Default: what makes
            bandwidths proportional to those of the ear's critical bands.
        tuning: Deviation of ``f_min``, in bins.
        filter_scale: Lengths of filters are multiplied by it: longer ones are sharper in frequency, shorter in time.
        norm: Norm to which filters are scaled (``math.inf`` for the largest value); None for none.
        sparsity: Share of the sum of a filter's magnitudes, the smallest of them, that is left out: from 0 on, below 1.
        window_fn: Of the filters, as in :class:`SpectralTransform`.
        scale: Divide by the roots of the filters' lengths, so that white noise is as loud in all bins.
        n_bins, bins_per_octave: Bins, and how many of them make an octave.
        center_pad_mode: As in :class:`SpectralTransform`.

    Returns:
        complex64 ``[..., n_bins, 1 + T // hop_length]``; bin ``k`` is at ``f_min * 2 ** ((k + tuning) /
        bins_per_octave)`` Hz.

    Raises:
        TypeError: audio that is no MLX array, or not floating point.
        ValueError: a value out of its range, an unknown option, or filters that reach beyond half the sample rate.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> mlx_spectro.vqt(mx.zeros((2, 22050)), n_bins=48, f_min=110.0).shape
        (2, 48, 44)
    """
    gamma = None if gamma is None else _check.number("gamma", gamma, at_least=0)
    tuning = _check.number("tuning", tuning, above=-1000, below=1000)
    bins_per_octave = _check.integer("bins_per_octave", bins_per_octave, at_least=1)
    filters = constantq.Scale(
        _check.number("sample_rate", sample_rate, above=0),
        _check.number("f_min", f_min, above=0) * 2.0 ** (tuning / bins_per_octave),
        _check.integer("n_bins", n_bins, at_least=1),
        bins_per_octave,
        gamma,
        _check.number("filter_scale", filter_scale, above=0),
        window_fn,
    )
    hop_length = _check.integer("hop_length", hop_length, at_least=1)
    norm = _check.number_or_none("norm", norm, above=0)
    sparsity = _check.number("sparsity", sparsity, at_least=0, below=1)
    scale = _check.flag("scale", scale)
    _check.one_of("center_pad_mode", center_pad_mode, CenterPadMode)
    banks = _banks(filters, norm, sparsity, scale)
    octaves = [_octave(x, n_fft, hop_length, center_pad_mode, bins, bank) for n_fft, bins, bank in banks]
    return like_input(x, mx.swapaxes(mx.concatenate(octaves, axis=-1), -1, -2))


def cqt(
    x: mx.array,
    *,
    sample_rate: float = 22050,
    hop_length: int = 512,
    f_min: float = C1,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window_fn: str = "hann",
    scale: bool = True,
    center_pad_mode: CenterPadMode = "constant",
) -> mx.array:
    """Constant-Q transform: :func:`vqt` with bandwidths that are a share of their frequencies (``gamma=0``).

    Brown, "Calculation of a constant Q spectral transform", JASA 89 (1991). The arguments, the result and the errors
    are those of :func:`vqt`.
    """
    options = locals()
    return vqt(options.pop("x"), gamma=0.0, **options)
