"""Filterbanks, the DCT basis and contrast bands, designed in float64 by NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _check
from ..types import MelNorm, MelScale

Matrix = npt.NDArray[np.float64]

# Slaney's mel scale (Auditory Toolbox, 1998): linear to 1000 Hz, 27 logarithmic steps from there to 6400 Hz
_LINEAR_HZ = 200.0 / 3
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(hz: npt.ArrayLike, mel_scale: str = "htk") -> Matrix:
    """Mel values of frequencies in Hz, by O'Shaughnessy's formula (``"htk"``) or Slaney's (``"slaney"``).

    Example:
        >>> float(mel_to_hz(hz_to_mel(1000.0)).round(6))
        1000.0
    """
    frequencies = np.asarray(hz, np.float64)
    if mel_scale == "htk":
        return 2595.0 * np.log10(1.0 + frequencies / 700.0)
    logarithmic = _KNEE_MEL + np.log(np.maximum(frequencies, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(frequencies < _KNEE_HZ, frequencies / _LINEAR_HZ, logarithmic)


def mel_to_hz(mel: npt.ArrayLike, mel_scale: str = "htk") -> Matrix:
    """Inverse of :func:`hz_to_mel`."""
    mels = np.asarray(mel, np.float64)
    if mel_scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    logarithmic = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mels, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mels < _KNEE_MEL, mels * _LINEAR_HZ, logarithmic)


def triangles(bin_hz: Matrix, corner_hz: Matrix) -> Matrix:
    """Triangles ``[bins, filters]``: filter ``m`` rises from corner ``m`` to ``m + 1`` and falls to ``m + 2``."""
    slopes = corner_hz[None, :] - bin_hz[:, None]
    widths = np.diff(corner_hz)
    rising = -slopes[:, :-2] / widths[:-1]
    falling = slopes[:, 2:] / widths[1:]
    return np.maximum(0.0, np.minimum(rising, falling))


def mel_corners(f_min: float, f_max: float, n_mels: int, mel_scale: str = "htk") -> Matrix:
    """The ``n_mels + 2`` frequencies in Hz, evenly spaced in mels, between which ``n_mels`` filters rise and fall."""
    mels = np.linspace(hz_to_mel(f_min, mel_scale), hz_to_mel(f_max, mel_scale), n_mels + 2)
    return mel_to_hz(mels, mel_scale)


def mel_bank(
    bin_hz: Matrix, f_min: float, f_max: float, n_mels: int, norm: MelNorm = None, mel_scale: MelScale = "htk"
) -> Matrix:
    """Mel filters ``[bins, n_mels]`` over bins at ``bin_hz``; ``norm="slaney"`` gives each filter unit area in Hz."""
    _check.integer("n_mels", n_mels, at_least=1)
    _check.one_of("norm", norm, (None, "slaney"))
    _check.one_of("mel_scale", mel_scale, MelScale)
    if not 0 <= f_min < f_max:
        raise ValueError(f"f_min must be at least 0 and below f_max, got f_min={f_min}, f_max={f_max}")
    corners = mel_corners(f_min, f_max, n_mels, mel_scale)
    bank = triangles(bin_hz, corners)
    return bank * (2.0 / (corners[2:] - corners[:-2])) if norm == "slaney" else bank


def linear_corners(f_min: float, f_max: float, n_filter: int) -> Matrix:
    """The ``n_filter + 2`` evenly spaced frequencies in Hz between which ``n_filter`` filters rise and fall."""
    return np.linspace(f_min, f_max, n_filter + 2)


def linear_bank(bin_hz: Matrix, f_min: float, f_max: float, n_filter: int) -> Matrix:
    """Triangular filters ``[bins, n_filter]`` evenly spaced from ``f_min`` to ``f_max`` Hz."""
    return triangles(bin_hz, linear_corners(f_min, f_max, n_filter))


def dct_basis(n_out: int, n_in: int, norm: str | None = "ortho") -> Matrix:
    """DCT-II basis ``[n_out, n_in]``: row ``k`` is ``2 cos(pi k (2 n + 1) / (2 n_in))``; ``"ortho"``: orthonormal.

    Example:
        >>> import numpy as np
        >>> basis = dct_basis(4, 4)
        >>> np.allclose(basis @ basis.T, np.eye(4))
        True
    """
    _check.integer("n_mfcc", n_out, at_least=1)
    _check.integer("n_mels", n_in, at_least=1)
    _check.one_of("norm", norm, (None, "ortho"))
    k, n = np.arange(n_out)[:, None], np.arange(n_in)
    basis: Matrix = 2.0 * np.cos(np.pi / (2 * n_in) * k * (2 * n + 1))
    if norm == "ortho":
        basis *= np.where(k == 0, np.sqrt(0.25 / n_in), np.sqrt(0.5 / n_in))
    return basis


def chroma_bank(
    sample_rate: float,
    n_fft: int,
    n_chroma: int = 12,
    tuning: float = 0.0,
    *,
    centre_octave: float = 5.0,
    octave_width: float | None = 2.0,
    norm: float | None = 2.0,
    base_c: bool = True,
) -> Matrix:
    """Chroma filters ``[n_chroma, n_fft // 2 + 1]`` (D. Ellis, "Chroma feature analysis and synthesis", 2007).

    A bin weighs on a pitch class by a Gaussian of their distance, wider where bins lie further apart than classes.

    Args:
        sample_rate: Hz.
        n_fft: Frame length in samples.
        n_chroma: Pitch classes an octave.
        tuning: Deviation from A440 in pitch classes.
        centre_octave: Octave, counted from A0 = 27.5 Hz, on which a second Gaussian over all octaves is centred.
        octave_width: Half-width of that Gaussian in octaves; None for none.
        norm: Norm to which each bin's weights are scaled; None for none.
        base_c: The first class is C, else A.
    """
    _check.integer("n_chroma", n_chroma, at_least=1)
    hz = np.arange(1, n_fft) * sample_rate / n_fft
    a0 = 440.0 * 2.0 ** (tuning / n_chroma) / 16
    classes = n_chroma * np.log2(hz / a0)
    # the bin at 0 Hz is put an octave and a half below the first
    classes = np.concatenate([classes[:1] - 1.5 * n_chroma, classes])
    widths = np.append(np.maximum(np.diff(classes), 1.0), 1.0)
    half = np.round(n_chroma / 2)
    distance = np.remainder(classes - np.arange(n_chroma)[:, None] + half + 10 * n_chroma, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distance / widths) ** 2)
    if norm is not None:
        weights = normalized(weights, norm, axis=0)
    if octave_width is not None:
        weights *= np.exp(-0.5 * ((classes / n_chroma - centre_octave) / octave_width) ** 2)
    if base_c:
        weights = np.roll(weights, -3 * (n_chroma // 12), axis=0)
    one_sided: Matrix = weights[:, : n_fft // 2 + 1]
    return one_sided


def tonal_basis(n_chroma: int) -> Matrix:
    """Basis ``[n_chroma, 6]`` of tonal centroids (C. Harte et al., "Detecting harmonic change in musical audio", 2006).

    Pitch classes lie on three circles, of fifths, minor thirds and major thirds, the last of half the radius: two
    columns each, the sine and the cosine of a class's angle.
    """
    _check.integer("n_chroma", n_chroma, at_least=1)
    # an octave of pitch classes turns so many times around each circle
    turns = np.outer(np.arange(n_chroma), (7, 9, 4)) % n_chroma
    angles = 2 * np.pi / n_chroma * turns
    basis: Matrix = np.stack([np.sin(angles), np.cos(angles)], axis=-1) * np.array([1.0, 1.0, 0.5])[:, None]
    return basis.reshape(n_chroma, 6)


def normalized(x: Matrix, norm: float, axis: int) -> Matrix:
    """``x`` with unit ``norm`` along ``axis``; what has none (below the smallest normal number) is left alone."""
    length = np.linalg.norm(x, ord=norm, axis=axis, keepdims=True)
    return x / np.where(length < np.finfo(x.dtype).tiny, 1.0, length)


class Band(NamedTuple):
    """Bins of a contrast band, and how many of them count as its peak and as its valley."""

    first: int
    last: int
    extremes: int


@_check.remembered(32)
def contrast_bands(sample_rate: float, n_fft: int, n_bands: int, fmin: float, quantile: float) -> Sequence[Band]:
    """Octave bands from ``fmin`` up, with one below it and the last reaching half the sample rate.

    Neighbouring bands share no bin but the one below a band's edge, which the upper band counts too.
    """
    _check.number("sample_rate", sample_rate, above=0)
    _check.integer("n_fft", n_fft, at_least=1)
    _check.integer("n_bands", n_bands, at_least=1)
    _check.number("quantile", quantile, above=0, below=1)
    _check.number("fmin", fmin, above=0)
    edges = np.concatenate([[0.0], fmin * 2.0 ** np.arange(n_bands + 1)])
    if edges[-2] >= 0.5 * sample_rate:
        raise ValueError(
            f"the highest band starts at {edges[-2]} Hz, half of sample_rate or more; lower fmin or n_bands"
        )
    hz = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    bands = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.flatnonzero((hz >= low) & (hz <= high))
        first = max(0, int(inside[0]) - (k > 0)) if inside.size else 0
        end = hz.size if k == n_bands else int(inside[-1]) + 1 if inside.size else 0
        last = end if k == n_bands else end - 1
        if last <= first:
            raise ValueError(
                f"the band from {low} to {high} Hz has no bin of its own at sample_rate={sample_rate}; "
                "raise n_fft or fmin, or lower n_bands"
            )
        # the share is of a band with its last bin, which it then loses
        extremes = max(1, int(np.rint(quantile * (end - first))))
        bands.append(Band(first, last, min(extremes, last - first)))
    return bands


def polynomial_basis(hz: npt.NDArray[np.float64], order: int) -> tuple[npt.NDArray[np.float64], float]:
    """What the coefficients of a fitted polynomial are made of, ``[F, order + 1]``, and its condition number.

    Args:
        hz: Places ``[F]`` of the values that are fitted by least squares.
        order: Of the polynomial; the coefficient of the highest power is the first.

    Example:
        >>> basis, _ = polynomial_basis(np.array([0.0, 1.0, 2.0]), 1)
        >>> (np.array([1.0, 3.0, 5.0]) @ basis).round(9)
        array([2., 1.])
    """
    powers = np.vander(hz, order + 1)
    scale = np.sqrt((powers * powers).sum(axis=0))
    columns = powers / scale
    return (np.linalg.pinv(columns) / scale[:, np.newaxis]).T, float(np.linalg.cond(columns))
