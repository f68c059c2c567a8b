"""Which samples frames hold; the matrices that slopes, resampled and filtered audio are products with. NumPy only."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mlx_spectro.design.operators import Resample, ResampleAdjoint

_NUMPY_MODES: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def positions(length: int, left: int, right: int, mode: str) -> npt.NDArray[np.int64]:
    """Where each sample of the extended signal comes from; -1 for zeros."""
    if mode == "constant":
        return np.pad(np.arange(length), (left, right), constant_values=-1)
    return np.pad(np.arange(length), (left, right), mode=_NUMPY_MODES[mode])


def starts(frames: int, n_fft: int, hop: int) -> npt.NDArray[np.int64]:
    """Sample ``[frames, n_fft]`` of the extended signal that each place of each frame holds."""
    return np.arange(frames)[:, None] * hop + np.arange(n_fft)


def slopes(length: int, reach: int, mode: str, magnitudes: bool = False) -> npt.NDArray[np.float64]:
    """The matrix ``[length, length]`` of slopes: its product with a column of values is theirs.

    ``magnitudes``: of distances, so that products are the sums of their terms' magnitudes.
    """
    where, distance = positions(length, reach, reach, mode), np.arange(-reach, reach + 1)
    matrix = np.zeros((length, length + 1))  # what comes from nowhere goes to the last column
    places = np.arange(length)[:, None], where[starts(length, distance.size, 1)]
    np.add.at(matrix, places, np.abs(distance) if magnitudes else distance)
    return matrix[:, :-1] / np.sum(distance**2)


def resampling(length: int, op: Resample, weights: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The matrix ``[results, length]`` of :class:`Resample`, with its ``weights [new, 2 * reach + 1]``."""
    (results,) = op.shape((length,))
    matrix = np.zeros((results, length))
    for n in range(results):
        for tap in range(-op.reach, op.reach + 1):
            sample = n * op.orig // op.new + tap
            if 0 <= sample < length:
                matrix[n, sample] = weights[n % op.new, op.reach + tap]
    return matrix


def resampling_spoils(op: Resample | ResampleAdjoint, bad: npt.NDArray[np.bool_], results: int) -> npt.NDArray[Any]:
    """Which ``[rows, results]`` are not finite where ``bad`` values of the argument are not."""
    spoiled = np.zeros((len(bad), results), bool)
    for row, at in np.argwhere(bad):
        if isinstance(op, Resample):
            frames = range(max(0, (at - op.reach - op.orig) // op.orig + 1), (at + op.reach) // op.orig + 1)
            for frame in frames:
                spoiled[row, frame * op.new : (frame + 1) * op.new] = True
        else:
            begin = at // op.new * op.orig
            spoiled[row, max(0, begin - op.reach) : begin + op.orig + op.reach] = True
    return spoiled


def response(length: int, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The first samples of a recursive filter's impulse response."""
    h = np.zeros(length)
    for t in range(length):
        earlier = range(1, min(t, a.size - 1) + 1)
        h[t] = ((b[t] if t < b.size else 0.0) - sum(a[k] * h[t - k] for k in earlier)) / a[0]
    return h


def recursion(length: int, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The matrix ``[length, length]`` of a recursive filter: its product with a column of samples is their result."""
    h, matrix = response(length, a, b), np.zeros((length, length))
    for t in range(length):
        matrix[t, : t + 1] = h[t::-1]
    return matrix


def convolution(length: int, response: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The matrix ``[length + taps - 1, length]`` of a convolution."""
    matrix = np.zeros((length + response.size - 1, length))
    for n in range(length):
        matrix[n : n + response.size, n] = response
    return matrix


def medians(x: npt.NDArray[Any], size: int, axis: int) -> npt.NDArray[Any]:
    """Medians of windows of ``size`` values, from ``size // 2`` before each on, of an axis that is mirrored."""
    rows = np.moveaxis(x, axis, -1)
    padded = np.pad(rows, [(0, 0)] * (x.ndim - 1) + [(size // 2, size - 1 - size // 2)], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)
    return np.moveaxis(np.sort(windows, axis=-1)[..., size // 2], -1, axis)
