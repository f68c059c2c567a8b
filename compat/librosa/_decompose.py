"""hpss and nn_filter of librosa.decompose."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro.design.operators import Medians
from mlx_spectro.kernels import cpu

from ..arrays.kinds import is_plain
from ..arrays.numpy_options import check_exponent, check_flag, check_plain, check_whole
from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ._adapter import adapter
from ._arguments import LARGEST, Array, check_array, check_engine, energy
from ._neighbours import Links, Search, check_frames, recurrence


class Separation(NamedTuple):
    """How magnitudes are separated; of pairs, the harmonic part's comes first."""

    kernel_sizes: tuple[int, int]
    power: float
    margins: tuple[float, float]
    mask: bool

    def check(self, shape: tuple[int, ...]) -> None:
        """Decline what is so short that SciPy, which librosa filters with, reads beyond its mirrored values."""
        if any(size // 2 >= 4 * length for size, length in zip(self.kernel_sizes, shape[:-3:-1], strict=True)):
            raise Decline("a kernel is more than eight times as long as the spectrogram")

    def of(self, s: Array) -> tuple[Array, Array]:
        """The parts, or their masks, of a spectrogram whose magnitudes can be squared."""
        magnitudes = np.abs(s) if s.dtype.kind == "c" else s
        along_time, along_frequency = self.kernel_sizes
        harmonic = cpu.run(Medians(along_time, -1), magnitudes)
        percussive = cpu.run(Medians(along_frequency, -2), magnitudes)
        # what both filters find empty is shared, unless a margin leaves a residual
        empty = 0.5 if max(self.margins) == 1 else 0.0
        return cpu.softmasks(harmonic, percussive, self.power, self.margins, None if self.mask else s, empty)


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if type(value) not in (tuple, list):
        return value, value
    if len(value) < 2:
        raise Decline(f"{name} has fewer than two values")
    return value[0], value[1]


def separation(kernel_size: Any, power: Any, mask: Any, margin: Any) -> Separation:
    """The separation that librosa's options ask for."""
    sizes, margins = _pair("kernel_size", kernel_size), _pair("margin", margin)
    for size in sizes:
        check_whole("kernel_size", size)
    for least in margins:
        check_plain("margin", least, 1)
    check_flag("mask", mask)
    check_exponent(power)
    return Separation((int(sizes[0]), int(sizes[1])), power, margins, bool(mask))


@adapter("librosa.decompose.hpss", tolerances.masked)
def hpss(S: Array, *, kernel_size: Any = 31, power: float = 2.0, mask: bool = False, margin: Any = 1.0) -> Work:
    """librosa.decompose.hpss. Same arguments, same defaults.

    The medians are librosa's to the bit.
    """
    check_engine()
    options = separation(kernel_size, power, mask, margin)
    check_array(S)
    if S.ndim < 2:
        raise Decline("S has fewer than two axes")
    options.check(S.shape)
    if S.dtype.kind == "c":
        if not math.isfinite(energy(S)):
            raise Decline("the spectrum holds values that are not finite, or whose squares overflow")
    elif not (S.min() >= 0 and float(S.max()) * max(options.margins) < LARGEST[S.dtype.char]):
        raise Decline("S holds values that are negative, not finite, or too large for the margin")
    return lambda: options.of(np.asarray(S))


_GRAPH = {"k": None, "metric": "euclidean", "mode": "connectivity", "bandwidth": None, "full": False}
_RULES = {"width": 1, "sym": False, "self": False}


def _given(rec: Any, count: int) -> Links:
    """The links of a matrix that a program has."""
    import scipy.sparse

    if scipy.sparse.issparse(rec):
        if rec.format != "csc":  # which the versions of librosa read otherwise
            raise Decline("rec is sparse, and not compressed by columns")
        matrix = rec
    elif is_plain(rec) and rec.ndim == 2 and rec.dtype.kind in "bf":
        matrix = scipy.sparse.csc_matrix(rec)
    else:
        raise Decline("rec is no matrix of numbers")
    if matrix.shape != (count, count):
        raise Decline("rec has another shape than librosa takes")
    return Links(matrix.data, matrix.indices, matrix.indptr)


@adapter("librosa.decompose.nn_filter", tolerances.sums, order=lambda given: int(given["S"].shape[given["axis"]]))
def nn_filter(S: Array, *, rec: Any = None, aggregate: Any = None, axis: int = -1, **kwargs: Any) -> Work:
    """librosa.decompose.nn_filter. Same arguments, same defaults.

    Means and medians are ours; each takes the neighbours that librosa has.
    """
    check_engine()
    if aggregate is not None and aggregate is not np.mean and aggregate is not np.median:
        raise Decline("the aggregate is neither np.mean nor np.median")
    check_whole("axis", axis, -32, 32)
    check_frames(S)
    if not -S.ndim <= axis < S.ndim or (S.ndim < 2 and rec is None):
        raise Decline("S has no such axis, or only one")
    frames = S.swapaxes(0, int(axis))
    if rec is None:
        options = {name: kwargs.pop(name, default) for name, default in _GRAPH.items()}
        rules = {name: kwargs.pop(name, default) for name, default in _RULES.items()}
        if kwargs.keys() - {"sparse"}:
            raise Decline("arguments that mlx_spectro does not know")
        links = recurrence(S, Search(**options), **rules, axis=axis)
    elif kwargs:
        raise Decline("rec is given, and options of another one")
    else:
        matrix = _given(rec, len(frames))
        links = lambda: matrix  # noqa: E731 - as the other, it makes them when it is called

    def work() -> Array:
        _, chosen, begins = links()
        kind = "median" if aggregate is np.median else "mean"
        values = cpu.aggregates(frames.reshape(len(frames), -1), chosen, begins, kind)
        result = np.empty_like(frames)
        result[...] = values.reshape(frames.shape)
        return result.swapaxes(0, int(axis))

    return work
