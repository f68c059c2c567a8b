"""librosa's frames that are alike, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Decision, Program, Reject, Row, Sample, Timing, pairwise
from .librosa_core import row

MODES = ("connectivity", "distance", "affinity")
BANDWIDTHS = (None, 0.7, 3, "med_k_scalar", "mean_k", "gmean_k", "mean_k_avg", "gmean_k_avg", "mean_k_avg_and_pair")


def walk(frames: int, values: int = 12, seed: int = 0) -> Any:
    """Features ``[values, frames]`` that come back to where they were, some of them to the bit."""
    steps = np.random.default_rng(seed).standard_normal((values, frames))
    path = np.cumsum(steps, axis=-1)
    third = frames // 3
    path[:, third : 2 * third] = path[:, :third]
    path[:, 2 * third : 2 * third + 5] = path[:, :1]
    return path.astype(np.float32)


def recurrence_samples() -> Iterator[Sample]:
    x = walk(90)
    for o in pairwise(
        k=(None, 3, 200),
        width=(1, 7),
        metric=("euclidean", "cosine", "cityblock"),
        sym=(False, True),
        mode=MODES,
        bandwidth=BANDWIDTHS,
        self=(False, True),
        axis=(-1, 0, 1),
        full=(False, True),
        double=(False, True),
        layout=("C", "F", "deep"),
    ):
        data, layout = x.astype(np.float64 if o.pop("double") else np.float32), o.pop("layout")
        data = data.T if o["axis"] == 0 else data
        if layout == "deep":
            data = data.reshape(90, 3, 4) if o["axis"] == 0 else data.reshape(3, 4, 90)
            o["axis"] = 0 if o["axis"] == 0 else -1
        else:
            data = np.asarray(data, order=layout)
        empty = o["mode"] == "affinity" and isinstance(o["bandwidth"], str) and o["bandwidth"] != "med_k_scalar"
        if empty and o["sym"]:
            o["sym"] = False  # of which a frame may be left alone
        yield Sample(f"{o} {data.dtype} {data.shape} {layout}", (data,), o)
    yield Sample("of audio's frames", (walk(300),), {})
    yield Sample("a sparse one", (x,), {"sparse": True}, "a sparse matrix is asked for")
    yield Sample("another metric", (x,), {"metric": "canberra"}, "metric is not one of those that are served")
    yield Sample(
        "a bandwidth a link", (x,), {"mode": "affinity", "bandwidth": np.ones((90, 90))}, "bandwidth is an array"
    )


RECURRENCE_REJECTS = (
    Reject("a NaN", (np.where(walk(90) == walk(90)[0, 0], np.nan, walk(90)),), {}, "ValueError"),
    Reject("width 0", (walk(90),), {"width": 0}, "ParameterError"),
    Reject("too wide", (walk(90),), {"width": 45}, "ParameterError"),
    Reject("no such mode", (walk(90),), {"mode": "similarity"}, "ParameterError"),
    Reject("no such bandwidth", (walk(90),), {"mode": "affinity", "bandwidth": "median"}, "ParameterError"),
    Reject("a bandwidth of 0", (walk(90),), {"mode": "affinity", "bandwidth": 0}, "ParameterError"),
    Reject(
        "a frame alone", (walk(90),), {"mode": "affinity", "bandwidth": "mean_k", "k": 1, "sym": True}, "ParameterError"
    ),
)


def crossing_samples() -> Iterator[Sample]:
    for o in pairwise(
        k=(None, 3, 200),
        metric=("euclidean", "cosine"),
        mode=MODES,
        bandwidth=BANDWIDTHS,
        full=(False, True),
        counts=((90, 60), (40, 90)),
        deep=(False, True),
    ):
        pair = [walk(count) for count in o.pop("counts")]
        if o.pop("deep"):
            pair = [one.reshape(3, 4, -1) for one in pair]
        yield Sample(f"{o} {pair[0].shape} {pair[1].shape}", tuple(pair), o)


CROSSING_REJECTS = (
    Reject("other features", (walk(90), walk(90, 7)), {}, "ParameterError"),
    Reject("no such mode", (walk(90), walk(60)), {"mode": "similarity"}, "ParameterError"),
)


def enhanced() -> Iterator[Sample]:
    x = np.abs(np.random.default_rng(7).standard_normal((2, 70, 90)))
    for o in pairwise(
        n=(5, 16, 35),
        window=("hann", "boxcar"),
        max_ratio=(2.0, 1.5),
        min_ratio=(None, 0.8),
        n_filters=(1, 4),
        zero_mean=(False, True),
        clip=(True, False),
        double=(False, True),
        rows=(0, slice(None)),
        order=("C", "F"),
    ):
        matrix = np.asarray(x[o.pop("rows")], np.float64 if o.pop("double") else np.float32, order=o.pop("order"))
        n = o.pop("n")
        yield Sample(f"{n} {o} {matrix.dtype} {matrix.shape}", (matrix, n), o)
    yield Sample("a filter as large", (x[0, :20], 15), {}, "the filters may be larger than the matrix")
    yield Sample("other edges", (x[0], 9), {"mode": "nearest"}, "options of SciPy's convolution")


PATH_REJECTS = (
    Reject("ratios the wrong way", (np.ones((50, 50)), 9), {"min_ratio": 3.0}, "ParameterError"),
    Reject("no such window", (np.ones((50, 50)), 9), {"window": "no such"}, "ValueError"),
)


def filtered() -> Iterator[Sample]:
    x = np.abs(np.random.default_rng(8).standard_normal((33, 90))).astype(np.float32)
    rec = (np.random.default_rng(9).random((90, 90)) < 0.1) * 1.0
    rec[:, 5] = 0
    for o in pairwise(
        aggregate=(None, np.mean, np.median),
        graph=({}, {"k": 4, "sym": True}, {"mode": "affinity", "width": 3}, {"self": True, "metric": "cosine"}, rec),
        axis=(-1, 0),
        double=(False, True),
        layout=("C", "F", "deep"),
    ):
        graph = o.pop("graph")
        o |= graph if isinstance(graph, dict) else {"rec": graph}
        layout, data = o.pop("layout"), x.astype(np.float64 if o.pop("double") else np.float32)
        data = data.T if o["axis"] == 0 else data
        if layout == "deep":
            data = data.reshape(90, 3, 11) if o["axis"] == 0 else data.reshape(3, 11, 90)
        else:
            data = np.asarray(data, order=layout)
        label = {**o, "rec": "rec" in o}
        yield Sample(f"{label} {data.dtype} {data.strides}", (data,), o)
    yield Sample("an average", (x,), {"aggregate": np.average}, "the aggregate is neither np.mean nor np.median")


FILTER_REJECTS = (
    Reject("another matrix", (np.ones((5, 90), np.float32),), {"rec": np.ones((5, 5))}, "ParameterError"),
    Reject("a NaN", (np.full((5, 90), np.nan),), {}, "ValueError"),
)


def matrices() -> Iterator[tuple[str, Any]]:
    """Square matrices of several types and layouts, their rows shorter and longer than what is copied at a time."""
    rng = np.random.default_rng(10)
    for count, kind, order in (
        (90, np.float32, "C"),
        (90, bool, "F"),
        (300, np.float64, "F"),
        (7, np.int16, "C"),
        (1, np.float32, "C"),
    ):
        x = (4 * rng.random((count, count)) - 2).astype(kind)
        yield f"{count} {x.dtype} {order}", x if order == "C" else np.asfortranarray(x)
    yield "every second", rng.random((90, 180))[:, ::2]
    yield "upside down", rng.random((90, 90))[::-1]


def lag_samples() -> Iterator[Sample]:
    for label, x in matrices():
        for o in pairwise(pad=(True, False), axis=(-1, 0, 1)):
            yield Sample(f"{label} {o}", (x,), o)


LAG_REJECTS = (
    Reject("not square", (np.ones((5, 6)),), {}, "ParameterError"),
    Reject("no such axis", (np.ones((5, 5)),), {"axis": 2}, "IndexError"),
    Reject("one axis", (np.ones(5),), {}, "ParameterError"),
)


def back_samples() -> Iterator[Sample]:
    for label, x in matrices():
        for o in pairwise(axis=(-1, 0, 1), twice=(False, True)):
            axis = o.pop("axis")
            lag = np.concatenate([x, x[::-1]], axis=1 - abs(axis)) if o["twice"] else x
            yield Sample(f"{label} {lag.shape} {axis}", (lag,), {"axis": axis})


BACK_REJECTS = (
    Reject("neither once nor twice", (np.ones((15, 5)),), {}, "ParameterError"),
    Reject("twice along the other axis", (np.ones((10, 5)),), {"axis": 0}, "ParameterError"),
    Reject("no such axis", (np.ones((5, 5)),), {"axis": -2}, "ParameterError"),
)


def _along_time(library: Any, x: Any, pad: bool = True, **options: Any) -> Any:
    import scipy.ndimage

    return library.segment.timelag_filter(scipy.ndimage.median_filter, pad)(x, **options)


def dated() -> Iterator[Sample]:
    rng = np.random.default_rng(11)
    for o in pairwise(
        pad=(True, False),
        size=((1, 7), (1, 31), (1, 8), (1, 1), (9, 1), [1, 41]),
        mode=("reflect", "mirror", "nearest"),
        kind=(np.float32, np.float64, bool),
        order=("C", "F"),
    ):
        x = rng.random((60, 60)) - 0.5
        x = np.asarray(x if o["kind"] is not bool else x > 0, o.pop("kind"), order=o.pop("order"))
        yield Sample(f"{o} {x.dtype} {x.strides}", (x, o.pop("pad")), o)
    integers, several = np.arange(3600).reshape(60, 60), "size is not of two numbers of which one is 1"
    yield Sample("integers", (integers,), {"size": (1, 7)}, "the matrix is not square, or neither of flags nor")
    yield Sample("both axes", (x,), {"size": (3, 7)}, several)
    yield Sample("one number", (x,), {"size": 3}, several)
    yield Sample("another end", (x,), {"size": (1, 7), "mode": "wrap"}, "mode is not one of")
    yield Sample("a footprint", (x,), {"footprint": np.ones((1, 7))}, "SciPy's filter is told more than its size")
    yield Sample("a longer filter", (x,), {"size": (1, 200)}, "the filter is more than twice as long as the matrix")


DATED_REJECTS = (
    Reject("not square", (np.ones((50, 60)),), {"size": (1, 7)}, "ParameterError"),
    Reject("no size", (np.ones((60, 60)),), {}, "RuntimeError"),
    Reject("no such mode", (np.ones((60, 60)),), {"size": (1, 7), "mode": "no such"}, "RuntimeError"),
    Reject("no such option", (np.ones((60, 60)),), {"size": (1, 7), "width": 3}, "TypeError"),
)


def _time_matrix(batch: int, length: int, n_fft: int, hop: int) -> Any:
    size = max(60, min(1500, batch * (1 + length // hop)))
    return np.random.default_rng(0).random((size, size), np.float32)


def _time_lags(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", (_time_matrix(batch, length, n_fft, hop),), {})


def _time_dated(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", (_time_matrix(batch, length, n_fft, hop),), {"size": (1, 7)})


def _time_features(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", (walk(min(4000, batch * (1 + length // hop)), 20),), {"mode": "affinity"})


def _time_pair(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    (x,) = _time_features(batch, length, n_fft, hop).args
    return Sample("", (x, x[:, ::2].copy()), {"mode": "affinity"})


def _time_path(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    size = max(60, min(1500, batch * (1 + length // hop)))
    return Sample("", (np.random.default_rng(0).random((size, size)), min(51, size // 2)), {})


def _time_filter(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    frames = max(10, min(2000, batch * (1 + length // hop)))
    s = np.random.default_rng(0).random((frames, n_fft // 2 + 1), np.float32)
    return Sample("", (s.T,), {"aggregate": np.median})


COPIED = "none: the values are copied"
SAME = "none: the same neighbours at the same distances"
ROWS = [
    row(
        "segment.recurrence_matrix",
        recurrence_samples,
        SAME,
        rejects=RECURRENCE_REJECTS,
        timing=Timing(_time_features),
        judged=Decision(),
    ),
    row(
        "segment.cross_similarity",
        crossing_samples,
        SAME,
        rejects=CROSSING_REJECTS,
        timing=Timing(_time_pair),
        judged=Decision(),
    ),
    row(
        "segment.path_enhance",
        enhanced,
        "sums in double precision of the same terms, each rounded or not",
        rejects=PATH_REJECTS,
        timing=Timing(_time_path),
    ),
    row(
        "segment.recurrence_to_lag",
        lag_samples,
        COPIED,
        rejects=LAG_REJECTS,
        timing=Timing(_time_lags),
        judged=Decision(),
    ),
    row(
        "segment.lag_to_recurrence",
        back_samples,
        COPIED,
        rejects=BACK_REJECTS,
        timing=Timing(_time_lags),
        judged=Decision(),
    ),
    Row(
        "librosa.segment.timelag_filter",
        Program(_along_time),
        dated,
        "none: medians are among the values",
        against="librosa",
        rejects=DATED_REJECTS,
        timing=Timing(_time_dated),
        judged=Decision(),
    ),
    row(
        "decompose.nn_filter",
        filtered,
        "none: the same neighbours, summed up in the same order",
        rejects=FILTER_REJECTS,
        timing=Timing(_time_filter),
        judged=Decision(),
    ),
]
