"""chroma_stft and tonnetz of librosa.feature."""

from __future__ import annotations

import functools
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design import banks
from mlx_spectro.design.operators import Project
from mlx_spectro.kernels import cpu

from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import Analysis, source_of
from .._arguments import LARGEST, Array, check_array, check_engine
from .._core.pitch import tuning_of
from .._filters import check_chroma, check_norm, check_rate, check_tuning, chroma_filters
from .._layout import lying, memory
from .._options import check_whole
from .mel import Filtered

_normalize = librosa.util.normalize
_chroma_stft, _tonnetz = librosa.feature.chroma_stft, librosa.feature.tonnetz


def _chroma_of(spectrogram: Array) -> Array:
    result: Array = _chroma_stft(S=spectrogram, tuning=0.0)
    return result


@adapter("librosa.feature.chroma_stft", tolerances.energy)
def chroma_stft(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    norm: float | None = np.inf,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    tuning: float | None = None,
    n_chroma: int = 12,
    **kwargs: Any,
) -> Work:
    """librosa.feature.chroma_stft. Same arguments, same defaults.

    The filters, and the deviation from A440 of the peaks that we find, are librosa's own.
    """
    check_rate(sr)
    check_whole("n_chroma", n_chroma)
    check_norm(norm, None)
    if tuning is not None:
        check_tuning(tuning)
    check_chroma(**kwargs)
    source, length = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)

    def work() -> Array:
        spectrum, deviation = source, tuning
        if deviation is None:
            # two things are made of the spectrum
            spectrum = source.power_spectrogram() if isinstance(source, Analysis) else source
            deviation = tuning_of(spectrum, sr, 2 * (spectrum.shape[-2] - 1), bins_per_octave=n_chroma)
        bank = functools.partial(chroma_filters, sr=sr, n_fft=length, tuning=deviation, n_chroma=n_chroma, **kwargs)
        filtered = Filtered(spectrum, int(n_chroma), bank, 2.0, like=source)
        return _normalize(filtered.filtered(_chroma_of), norm=norm, axis=-2)

    return work


def _check_shares(chroma: Any) -> None:
    """Decline a chromagram ``[..., classes, N]`` whose sums of classes are not sums of magnitudes."""
    check_engine()
    check_array(chroma)
    if chroma.dtype.kind != "f" or chroma.ndim < 2:
        raise Decline("chroma is no real array of two axes or more")
    smallest, largest = float(chroma.min()), float(chroma.max())
    if not (smallest >= 0 and chroma.shape[-2] * largest < LARGEST[chroma.dtype.char]):
        raise Decline("chroma holds values that are negative, not finite or too large to sum")
    # kernels take these as zero, librosa takes shares of them; those of float32 are numbers of float64 like any other
    if chroma.dtype == np.float64 and ((chroma > 0) & (chroma < np.finfo(np.float64).tiny)).any():
        raise Decline("chroma holds denormal numbers")


@functools.lru_cache(maxsize=16)
def _basis(classes: int) -> Array:
    """The tonal basis, and beside it what sums all classes: ``[classes, 7]``."""
    return np.hstack([banks.tonal_basis(classes), np.ones((classes, 1))])


def _of_shares(*_: Any) -> float:
    """Bound for shares of a whole, weighted by at most 1: librosa rounds each to float32, by half a unit of its own."""
    return float(np.finfo(np.float32).eps)


def _tonnetz_of(chroma: Array) -> Array:
    result: Array = _tonnetz(chroma=chroma)
    return result


@adapter("librosa.feature.tonnetz", _of_shares)
def tonnetz(*, y: Array | None = None, sr: float = 22050, chroma: Array | None = None, **kwargs: Any) -> Work:
    """librosa.feature.tonnetz. Same arguments, same defaults.

    Of a given ``chroma``; of audio, its constant-Q transform and what follows are librosa's.
    """
    if chroma is None:
        raise Decline("chroma is not given: librosa makes it of a constant-Q transform, which takes all of the time")
    # beside a chromagram, librosa looks at nothing else
    _check_shares(chroma)

    def work() -> Array:
        values = chroma.astype(np.float64, copy=False).swapaxes(-1, -2)
        sums = cpu.run(Project(), values, _basis(chroma.shape[-2]))
        whole = sums[..., 6:]
        whole[whole < np.finfo(chroma.dtype).tiny] = 1.0
        shape = (*chroma.shape[:-2], 6, chroma.shape[-1])
        centroids = memory(_tonnetz_of, lying(chroma), chroma.dtype, shape, np.float64)
        np.divide(sums[..., :6], whole, out=centroids.swapaxes(-1, -2))
        return centroids

    return work
