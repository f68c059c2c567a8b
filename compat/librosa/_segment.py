"""recurrence_matrix, cross_similarity, path_enhance and what filters by lags, of librosa.segment."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import librosa
import numpy as np
import scipy.ndimage

from mlx_spectro.design.operators import Medians
from mlx_spectro.kernels import cpu

from .. import dispatch
from ..arrays.numpy_options import check_choice, check_flag, check_plain, check_whole
from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.lines import at_callers_line
from ._adapter import Librosa, adapter
from ._arguments import Array, check_engine, check_kind, check_size
from ._neighbours import Search, check_frames, crossing, recurrence

_diagonal_filter = librosa.filters.diagonal_filter
_MOST_FILTERS = 1000
# values of a matrix from which on ours is faster
_LEAST = 4000
# bytes of a matrix's columns that are sheared at a time, which a cache holds, and the fewest columns
_BLOCK, _COLUMNS = 1 << 20, 16
# types of what librosa's own compiled code turns
_TURNED = "?bhilqBHILQfdFD"
# how SciPy continues what it filters, by NumPy's names: as medians of ours do, first
_EDGES = {"reflect": "symmetric", "mirror": "reflect", "nearest": "edge"}

_timelag_filter, _median_filter = librosa.segment.timelag_filter, scipy.ndimage.median_filter


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


def _sheared(pieces: Sequence[Array], rows: int, first: int, step: int) -> Array:
    """The matrix whose value ``[r, i]`` is the one in row ``first + r + step * i`` of column ``i`` of ``pieces``.

    Args:
        pieces: Matrices, each below the one before.
    """
    height, columns = sum(map(len, pieces)), pieces[0].shape[1]
    result = np.empty((rows, columns), pieces[0].dtype)
    width = max(_COLUMNS, _BLOCK // (height * result.itemsize))
    for begin in range(0, columns, width):
        block = slice(begin, begin + width)
        x = np.concatenate([piece[:, block] for piece in pieces])[first + step * begin :]
        down, along = x.strides
        shape, strides = (rows, x.shape[1]), (down, along + step * down)
        result[:, block] = np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)
    return result


def _lags(rec: Array, pad: Any) -> Array:
    """A recurrence matrix in coordinates of lags and times."""
    count = len(rec)
    if not pad:
        return _sheared([rec, rec], count, 0, 1)
    return _sheared([rec, np.broadcast_to(rec.dtype.type(0), rec.shape), rec], 2 * count, 0, 1)


def _recurrence(lag: Array) -> Array:
    """What :func:`_lags` made, as a recurrence matrix again."""
    count = lag.shape[1]
    return _sheared([lag[len(lag) - count :], lag[:count]], count, count, -1)


def _check_matrix(x: Any, axis: Any) -> None:
    check_kind(x)
    if x.ndim != 2 or x.dtype.char not in _TURNED or not x.dtype.isnative or not x.size:
        raise Decline("the matrix is no array of numbers with two axes, or is empty")
    check_whole("axis", axis, -1, 1)


@adapter("librosa.segment.recurrence_to_lag", tolerances.same)
def recurrence_to_lag(rec: Array, *, pad: bool = True, axis: int = -1) -> Work:
    """librosa.segment.recurrence_to_lag. Same arguments, same defaults."""
    _check_matrix(rec, axis)
    if rec.shape[0] != rec.shape[1]:
        raise Decline("the matrix is not square")
    check_flag("pad", pad)
    return lambda: _lags(np.asarray(rec), pad) if axis else _lags(np.asarray(rec).T, pad).T


@adapter("librosa.segment.lag_to_recurrence", tolerances.same)
def lag_to_recurrence(lag: Array, *, axis: int = -1) -> Work:
    """librosa.segment.lag_to_recurrence. Same arguments, same defaults."""
    _check_matrix(lag, axis)
    by_lags = np.asarray(lag if axis else lag.T)
    if len(by_lags) not in (by_lags.shape[1], 2 * by_lags.shape[1]):
        raise Decline("the matrix has neither as many lags as times nor twice as many")
    check_size(lag.size, _LEAST)
    return lambda: _recurrence(by_lags) if axis else _recurrence(by_lags).T


class _Filters(Librosa):
    """A function that makes others of a program's: calls of what it makes of SciPy's median filter go to the door."""

    def guard(
        self, plan: Callable[..., Work], signature: inspect.Signature, own: Callable[..., Any]
    ) -> Callable[..., Work]:
        # which has the arguments of what is made
        return plan

    def in_place_of(
        self, theirs: Callable[..., Any], serve: Callable[..., Any], signature: inspect.Signature
    ) -> Callable[..., Any]:
        @functools.wraps(theirs)
        def wrap(function: Callable[..., Any], pad: bool = True, index: int = 0) -> Callable[..., Any]:
            wrapped = theirs(function, pad, index)
            if function is not _median_filter or type(pad) is not bool or type(index) is not int or index:
                return wrapped  # type: ignore[no-any-return]

            @functools.wraps(wrapped)
            def filtered(*args: Any, **kwargs: Any) -> Any:
                return serve(pad, *args, **kwargs)

            vars(filtered).update(vars(wrapped))  # what it wraps is the program's function
            return filtered

        return wrap


@functools.cache
def _medians_of_librosa(pad: bool) -> Callable[..., Any]:
    wrapped: Callable[..., Any] = _timelag_filter(_median_filter, pad)
    return wrapped


def _by_librosa(pad: bool, *args: Any, **kwargs: Any) -> Any:
    return _medians_of_librosa(pad)(*args, **kwargs)


_of_filters = _Filters(dispatch.call)


@_of_filters.adapter("librosa.segment.timelag_filter", tolerances.same, theirs=at_callers_line(_by_librosa))
def timelag_filter(pad: bool, input: Array, size: Any = None, *others: Any, mode: Any = "reflect", **more: Any) -> Work:
    """librosa.segment.timelag_filter. Same arguments, same defaults.

    Calls of SciPy's median filter along time are ours, and its medians are. What librosa makes of another function is
    its own, in which the matrix is turned by us where we are installed.
    """
    check_engine()
    if others or more:
        raise Decline("SciPy's filter is told more than its size and how the matrix goes on at its edges")
    _check_matrix(input, -1)
    if input.shape[0] != input.shape[1] or input.dtype.char not in "?fd":
        raise Decline("the matrix is not square, or neither of flags nor in single or double precision")
    check_choice("mode", mode, *_EDGES)
    if type(size) not in (tuple, list) or len(size) != 2 or 1 not in size:
        raise Decline("size is not of two numbers of which one is 1")
    for one in size:
        check_whole("size", one)
    axis, longest = (-2, size[0]) if size[1] == 1 else (-1, size[1])
    if longest // 2 >= len(input):
        raise Decline("the filter is more than twice as long as the matrix")
    if not (np.isfinite(input.min()) and np.isfinite(input.max())):
        raise Decline("the matrix holds values that are not finite")
    return lambda: _recurrence(_medians(_lags(np.asarray(input), pad), int(longest), axis, mode))


def _medians(x: Array, size: int, axis: int, mode: str) -> Array:
    """SciPy's medians of ``x``, its flags as numbers."""
    values = x.astype(np.float32) if x.dtype == bool else x
    if mode == "reflect":
        return cpu.run(Medians(size, axis), values).astype(x.dtype, copy=False)
    around = [(size // 2,) * 2 if one == axis else (0, 0) for one in (-2, -1)]
    within = tuple(slice(before, before + count) for (before, _), count in zip(around, x.shape, strict=True))
    medians = cpu.run(Medians(size, axis), np.pad(values, around, _EDGES[mode]))  # type: ignore[call-overload]
    return medians[within].astype(x.dtype, copy=False)
