"""recurrence_matrix, cross_similarity and path_enhance of librosa.segment."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np

from mlx_spectro.kernels import cpu

from ..arrays.numpy_options import check_flag, check_plain, check_whole
from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ._adapter import adapter
from ._arguments import Array, check_engine, check_size
from ._neighbours import Search, check_frames, crossing, recurrence

_diagonal_filter = librosa.filters.diagonal_filter
_MOST_FILTERS = 1000
# values of a matrix from which on ours is faster
_LEAST = 4000


def _check_dense(sparse: Any) -> None:
    check_flag("sparse", sparse)
    if sparse:
        raise Decline("a sparse matrix is asked for: arrays are served")


@adapter("librosa.segment.recurrence_matrix", tolerances.same)
def recurrence_matrix(
    data: Array,
    *,
    k: int | None = None,
    width: int = 1,
    metric: str = "euclidean",
    sym: bool = False,
    sparse: bool = False,
    mode: str = "connectivity",
    bandwidth: Any = None,
    self: bool = False,
    axis: int = -1,
    full: bool = False,
) -> Work:
    """librosa.segment.recurrence_matrix. Same arguments, same defaults.

    The neighbours are scikit-learn's, as librosa's are, and ties are broken alike.
    """
    _check_dense(sparse)
    search = Search(k, metric, mode, bandwidth, full)
    links = recurrence(data, search, width=width, sym=sym, self=self, axis=axis)

    def work() -> Array:
        matrix: Array = links().matrix(np.atleast_2d(data).shape[axis]).T.toarray()
        return matrix

    return work


@adapter("librosa.segment.cross_similarity", tolerances.same)
def cross_similarity(
    data: Array,
    data_ref: Array,
    *,
    k: int | None = None,
    metric: str = "euclidean",
    sparse: bool = False,
    mode: str = "connectivity",
    bandwidth: Any = None,
    full: bool = False,
) -> Work:
    """librosa.segment.cross_similarity. Same arguments, same defaults.

    The neighbours are scikit-learn's, as librosa's are, and ties are broken alike.
    """
    _check_dense(sparse)
    links = crossing(data, data_ref, Search(k, metric, mode, bandwidth, full))

    def work() -> Array:
        matrix: Array = links().matrix(data_ref.shape[-1]).T.toarray()
        return matrix

    return work


@adapter("librosa.segment.path_enhance", tolerances.sums, order=lambda given: int(given["n"]))
def path_enhance(
    R: Array,
    n: int,
    *,
    window: Any = "hann",
    max_ratio: float = 2.0,
    min_ratio: float | None = None,
    n_filters: int = 7,
    zero_mean: bool = False,
    clip: bool = True,
    **kwargs: Any,
) -> Work:
    """librosa.segment.path_enhance. Same arguments, same defaults.

    The filters are librosa's. Ours where they are no larger than the matrix, which is mirrored at its edges.
    """
    check_engine()
    check_frames(R)
    if R.ndim < 2:
        raise Decline("R has fewer than two axes")
    check_whole("n", n)
    if not isinstance(window, str):
        raise Decline("the window is not a name")
    check_plain("max_ratio", max_ratio, 1e-3, 1e3)
    if min_ratio is None:
        min_ratio = 1.0 / max_ratio
    check_plain("min_ratio", min_ratio, 1e-3, max_ratio)
    check_whole("n_filters", n_filters, 1, _MOST_FILTERS)
    check_flag("zero_mean", zero_mean)
    check_flag("clip", clip)
    if kwargs.keys() - {"mode"} or kwargs.get("mode", "reflect") != "reflect":
        raise Decline("options of SciPy's convolution: a matrix that is mirrored at its edges is served")
    if n == 2:
        raise Decline("the filters are of two values, and may be empty, of which NumPy warns")
    ratios = np.logspace(np.log2(min_ratio), np.log2(max_ratio), num=int(n_filters), base=2)
    if 2 * n > min(R.shape[-2:]):
        raise Decline("the filters may be larger than the matrix")
    check_size(R.size, _LEAST)
    filters = [_diagonal_filter(window, n, slope=ratio, zero_mean=zero_mean) for ratio in ratios]
    if not all(np.isfinite(one).all() for one in filters):
        raise Decline("a filter is not finite")

    def work() -> Array:
        return cpu.largest_convolution(R, filters, 0.0 if clip else None)

    return work
