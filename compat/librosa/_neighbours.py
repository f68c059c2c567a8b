"""Frames that are alike, as librosa's segment links them: its rules, without a list a frame."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import librosa
import numpy as np

from ..arrays.numpy_options import check_choice, check_flag, check_plain, check_whole
from ..contract.decline import Decline
from ._arguments import Array, check_array, energy

# of these, scikit-learn takes every finite array
_METRICS = "euclidean", "l2", "sqeuclidean", "manhattan", "cityblock", "l1", "chebyshev", "cosine"
_MODES = "connectivity", "distance", "affinity"
_BANDWIDTHS = "med_k_scalar", "mean_k", "gmean_k", "mean_k_avg", "gmean_k_avg", "mean_k_avg_and_pair"
# from librosa 1.0 on, a frame that is linked to itself is a neighbour whose distance counts
_OWN_COUNTS = "transition_min_prob" in inspect.signature(librosa.pyin).parameters


class Links(NamedTuple):
    """Of each frame those that it is linked to, in ascending order: the parts of a compressed matrix."""

    values: Array
    columns: Array
    begins: Array

    def rows(self) -> Iterator[slice]:
        """Where each frame's links stand."""
        for begin, end in zip(self.begins[:-1].tolist(), self.begins[1:].tolist(), strict=True):
            yield slice(begin, end)

    @property
    def frames(self) -> Array:
        """The frame that each link starts from."""
        return np.repeat(np.arange(len(self.begins) - 1), np.diff(self.begins))

    def where(self, chosen: Array) -> Links:
        """The chosen ones among them."""
        begins = np.concatenate([[0], np.cumsum(chosen)])[self.begins]
        return Links(self.values[chosen], self.columns[chosen], begins)

    def matrix(self, columns: int) -> Any:
        """As a matrix of SciPy's."""
        import scipy.sparse

        shape = (len(self.begins) - 1, columns)
        return scipy.sparse.csr_matrix((self.values, self.columns, self.begins), shape=shape)


class Search(NamedTuple):
    """What is linked to what."""

    k: Any
    metric: str
    mode: str
    bandwidth: Any
    full: bool

    def check(self) -> None:
        """Decline options of which we don't know what librosa makes."""
        if self.k is not None:
            check_whole("k", self.k)
        check_choice("metric", self.metric, *_METRICS)
        check_choice("mode", self.mode, *_MODES)
        check_flag("full", self.full)
        if self.mode == "affinity":
            if self.bandwidth is None or type(self.bandwidth) is str:
                check_choice("bandwidth", self.bandwidth, None, *_BANDWIDTHS)
            else:
                check_plain("bandwidth", self.bandwidth, 1e-12)

    def nearest(self, frames: Array, others: Array | None, most: int) -> Links:
        """scikit-learn's nearest neighbours of each frame among ``others``, or among the frames but itself."""
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(n_neighbors=most, metric=self.metric, algorithm="auto")
        search.fit(frames if others is None else others)
        graph = search.kneighbors_graph(
            None if others is None else frames, mode="connectivity" if self.mode == "connectivity" else "distance"
        )
        graph.sum_duplicates()
        return Links(graph.data, graph.indices, graph.indptr)

    def nearest_of(self, links: Links, k: int) -> Links:
        """The ``k`` nearest of each frame that are not in the same place as itself; ties are broken as NumPy sorts."""
        chosen = np.ones(len(links.values), bool)
        for row in links.rows():
            if row.stop - row.start > k:
                apart = np.flatnonzero(links.values[row])
                # a row of a matrix, as librosa has it sorted
                order = np.argsort(links.values[row][apart][None])[0]
                chosen[row.start + apart[order[k:]]] = False
        return links.where(chosen)

    def weighed(self, links: Links, k: int) -> Links:
        """The links' values as the mode has them; ``links`` of distance 0 are there no more, or are negative."""
        if self.mode == "connectivity":
            return links._replace(values=links.values.astype(bool))
        if self.mode == "affinity":
            values = np.where(links.values < 0, links.values.dtype.type(0), links.values)
            scale = self._bandwidth(links._replace(values=values), k)
            return links._replace(values=np.exp(values / (-1 * scale)))
        return links

    def _bandwidth(self, links: Links, k: int) -> Any:
        """librosa's scale of distances: one, or one a link."""
        kind = self.bandwidth or "med_k_scalar"
        if not isinstance(kind, str):
            return float(kind)
        nearest = [links.values[row] for row in links.rows()]
        nearest = [np.sort(row if _OWN_COUNTS else row[row != 0])[:k] for row in nearest]
        alone = [len(row) == 0 for row in nearest]
        if all(alone) or (any(alone) and kind != "med_k_scalar"):
            raise Decline("a frame, or each, has no neighbours at a distance")
        if kind == "med_k_scalar":
            return float(np.nanmedian(np.asarray([row[-1] if len(row) else np.nan for row in nearest])))
        of_frames = np.asarray([np.mean(row) if "avg" in kind else row[-1] for row in nearest])
        own, other = (of_frames[places].astype(links.values.dtype) for places in (links.frames, links.columns))
        if kind == "mean_k_avg_and_pair":
            return (own + other + links.values) / 3
        return (own * other) ** 0.5 if kind.startswith("g") else (own + other) / 2


def _observations(data: Any, axis: int) -> Array:
    """Frames ``[T, values]``, in librosa's order of values."""
    frames = np.swapaxes(np.atleast_2d(data), axis, 0)
    return frames.reshape((len(frames), -1), order="F")


def check_frames(data: Any) -> None:
    """Take real arrays whose squares can be summed up."""
    check_array(data)
    if data.dtype.kind != "f" or not np.isfinite(energy(data)):
        raise Decline("the data are complex or not finite, or their squares overflow")


def recurrence(
    data: Array, search: Search, *, width: Any = 1, sym: Any = False, self: Any = False, axis: Any = -1
) -> Any:
    """What makes the links among ``data``'s frames, by :func:`librosa.segment.recurrence_matrix`'s arguments."""
    search.check()
    check_frames(data)
    check_whole("axis", axis, -32, 32)
    check_flag("sym", sym)
    check_flag("self", self)
    check_whole("width", width)
    axes = max(2, data.ndim)
    if not -axes <= axis < axes:
        raise Decline("the data have no such axis")
    frames = _observations(data, int(axis))
    count, width = len(frames), int(width)
    if width >= (count - 1) // 2:
        raise Decline("width is as large as half of the frames")
    k = int(2 * np.ceil(np.sqrt(count - 2 * width + 1)) if search.k is None else search.k)
    most = count if search.full and search.mode != "connectivity" else k

    def links() -> Links:
        found = search.nearest(frames, None, min(count - 1, most + 2 * width))
        if not search.full:
            found = search.nearest_of(found.where(abs(found.frames - found.columns) >= width), most)
        if self and search.mode != "distance":
            found = _with_diagonal(found, 1 if search.mode == "connectivity" else -1)
        if sym:
            both = found.matrix(count)
            both = both.minimum(both.T).tocsr()
            found = Links(both.data, both.indices, both.indptr)
        return search.weighed(found.where(found.values != 0), k)

    return links


def _with_diagonal(links: Links, value: float) -> Links:
    """Each frame linked to itself too."""
    others = links.where(links.frames != links.columns)
    own = np.arange(len(links.begins) - 1)
    values = np.concatenate([others.values, np.full(len(own), value, others.values.dtype)])
    rows, columns = np.concatenate([others.frames, own]), np.concatenate([others.columns, own])
    order = np.lexsort((columns, rows))
    return Links(values[order], columns[order], others.begins + np.arange(len(own) + 1))


def crossing(data: Array, others: Array, search: Search) -> Any:
    """What makes the links from frames to others, by :func:`librosa.segment.cross_similarity`'s arguments."""
    search.check()
    for one in (data, others):
        check_frames(one)
    if np.atleast_2d(data).shape[:-1] != np.atleast_2d(others).shape[:-1]:
        raise Decline("the two differ in other axes than the last")
    frames, references = _observations(data, -1), _observations(others, -1)
    k = int(min(len(references), 2 * np.ceil(np.sqrt(len(references)))) if search.k is None else search.k)
    most = len(frames) if search.full and search.mode != "connectivity" else k

    def links() -> Links:
        found = search.nearest(frames, references, min(len(references), most))
        if not search.full:
            found = search.nearest_of(found, most)
        return search.weighed(found.where(found.values != 0), k)

    return links
