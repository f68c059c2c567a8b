"""tonnetz of librosa.feature."""

from __future__ import annotations

import functools
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design import banks
from mlx_spectro.design.operators import Project
from mlx_spectro.kernels import cpu

from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import LARGEST, Array, check_array, check_engine
from .._layout import lying, memory

_tonnetz = librosa.feature.tonnetz


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
