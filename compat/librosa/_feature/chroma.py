"""Chromagrams and tonnetz of librosa.feature."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design import banks
from mlx_spectro.design.operators import Project
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import Analysis, check_faint_frames, source_of
from .._arguments import LARGEST, Array, check_array, check_engine
from .._core.constantq import cqt, hybrid_cqt, of_bins, vqt
from .._core.pitch import tuning_of
from .._filters import check_chroma, check_norm, check_rate, check_tuning, chroma_filters
from .._layout import lying, memory
from .mel import Filtered

_normalize = librosa.util.normalize
_chroma_stft, _tonnetz = librosa.feature.chroma_stft, librosa.feature.tonnetz
_chroma_cqt, _chroma_cens = librosa.feature.chroma_cqt, librosa.feature.chroma_cens
_chroma_vqt = librosa.feature.chroma_vqt


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
    check_faint_frames(source)

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


def _of_transform(theirs: Any, transform: Any, argument: str, options: dict[str, Any]) -> Work:
    """librosa's chromagram of a transform of ours, in magnitudes; of one that is given, all is librosa's."""
    given = options.pop(argument)
    if given is not None:
        raise Decline(f"{argument} is given: all that is left is librosa's")
    y, of_transform = options.pop("y"), options.pop("of_transform")
    plan = transform.plan(y, **of_transform)
    return lambda: theirs(**options, **{argument: np.abs(plan())})


_OPTIONS_OF_CHROMA = inspect.signature(_chroma_cqt).parameters.keys() - {"y", "sr"}
_OF_CQT = "sr", "hop_length", "fmin", "bins_per_octave", "tuning"


def _of_cqt(theirs: Any, given: dict[str, Any]) -> Work:
    mode = given["cqt_mode"]
    check_choice("cqt_mode", mode, "full", "hybrid")
    for name in ("n_octaves", "n_chroma", "bins_per_octave"):
        check_whole(name, given[name])
    if given["bins_per_octave"] % given["n_chroma"]:
        raise Decline("bins_per_octave is no multiple of n_chroma")
    of_transform = {name: given[name] for name in _OF_CQT}
    of_transform["n_bins"] = given["n_octaves"] * given["bins_per_octave"]
    return _of_transform(theirs, cqt if mode == "full" else hybrid_cqt, "C", {**given, "of_transform": of_transform})


@adapter("librosa.feature.chroma_cqt", tolerances.energy, order=of_bins)
def chroma_cqt(
    *,
    y: Array | None = None,
    sr: float = 22050,
    C: Array | None = None,
    hop_length: int = 512,
    fmin: float | None = None,
    norm: float | None = np.inf,
    threshold: float = 0.0,
    tuning: float | None = None,
    n_chroma: int = 12,
    n_octaves: int = 7,
    window: Array | None = None,
    bins_per_octave: int | None = 36,
    cqt_mode: str = "full",
) -> Work:
    """librosa.feature.chroma_cqt. Same arguments, same defaults.

    What follows the transform, which takes nearly all of the time, is librosa's.
    """
    return _of_cqt(_chroma_cqt, dict(locals()))


@adapter("librosa.feature.chroma_cens", tolerances.energy, order=of_bins)
def chroma_cens(
    *,
    y: Array | None = None,
    sr: float = 22050,
    C: Array | None = None,
    hop_length: int = 512,
    fmin: float | None = None,
    tuning: float | None = None,
    n_chroma: int = 12,
    n_octaves: int = 7,
    bins_per_octave: int = 36,
    cqt_mode: str = "full",
    window: Array | None = None,
    norm: float | None = 2,
    win_len_smooth: int | None = 41,
    smoothing_window: Any = "hann",
) -> Work:
    """librosa.feature.chroma_cens. Same arguments, same defaults.

    What follows the transform, which takes nearly all of the time, is librosa's.
    """
    return _of_cqt(_chroma_cens, dict(locals()))


@adapter("librosa.feature.chroma_vqt", tolerances.energy, order=of_bins)
def chroma_vqt(
    *,
    y: Array | None = None,
    sr: float = 22050,
    V: Array | None = None,
    hop_length: int = 512,
    fmin: float | None = None,
    intervals: Any,
    norm: float | None = np.inf,
    threshold: float = 0.0,
    n_octaves: int = 7,
    bins_per_octave: int = 12,
    gamma: float = 0,
) -> Work:
    """librosa.feature.chroma_vqt. Same arguments, same defaults.

    What follows the transform, which takes nearly all of the time, is librosa's.
    """
    given = dict(locals())
    check_whole("n_octaves", n_octaves)
    check_whole("bins_per_octave", bins_per_octave)
    names = ("sr", "hop_length", "fmin", "intervals", "bins_per_octave", "gamma")
    of_transform = {name: given[name] for name in names} | {"n_bins": n_octaves * bins_per_octave}
    return _of_transform(_chroma_vqt, vqt, "V", {**given, "of_transform": of_transform})


@adapter("librosa.feature.tonnetz", _of_shares)
def tonnetz(*, y: Array | None = None, sr: float = 22050, chroma: Array | None = None, **kwargs: Any) -> Work:
    """librosa.feature.tonnetz. Same arguments, same defaults.

    Of a given ``chroma``, or of ``chroma_cqt``'s.
    """
    if chroma is not None:
        # beside a chromagram, librosa looks at nothing else
        return _centroids(chroma)
    if kwargs.keys() - _OPTIONS_OF_CHROMA:
        raise Decline("arguments that mlx_spectro does not know")
    if kwargs.get("norm", np.inf) != np.inf or kwargs.get("threshold", 0.0) != 0.0:
        raise Decline("norm or threshold is given")
    plan = chroma_cqt.plan(y=y, sr=sr, **kwargs)
    return lambda: _centroids(plan())()


def _centroids(chroma: Array) -> Work:
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
