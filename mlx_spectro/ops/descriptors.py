"""Descriptors of magnitudes, defined as librosa defines them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ..design.descriptors import DescriptorSpec
from ..design.operators import Describe, DescribeMagnitudes, Spectrogram
from .apply import apply, defines
from .numerics import constant, mean, root, total

_TINY = float(np.finfo(np.float32).tiny)


@defines(Describe)
def describe(op: Describe, x: mx.array, window: mx.array, hz: npt.NDArray[Any]) -> mx.array:
    """The descriptors of the spectrogram."""
    return describe_magnitudes(DescribeMagnitudes(op.spec), apply(Spectrogram(op.framing), x, window), hz)


@defines(DescribeMagnitudes)
def describe_magnitudes(op: DescribeMagnitudes, s: mx.array, hz: npt.NDArray[Any]) -> mx.array:
    """The descriptors, one after another."""
    frequencies = constant(hz) if hz.size else mx.zeros(0)
    return mx.swapaxes(
        mx.concatenate([_DEFINITIONS[name](s, frequencies, op.spec) for name in op.spec.names], axis=-1), -1, -2
    )


def _shares(s: mx.array) -> mx.array:
    """``s [..., N, F]`` divided by its sum over the bins; a silent frame is left as it is."""
    energy = total(s)
    return s / mx.where(energy < _TINY, 1.0, energy)


def centroid(s: mx.array, hz: mx.array) -> mx.array:
    """Mean frequency ``[..., N, 1]`` of magnitudes ``s [..., N, F]``."""
    return total(_shares(s) * hz)


def bandwidth(s: mx.array, hz: mx.array, p: float) -> mx.array:
    """``p``-th-order spread ``[..., N, 1]`` of magnitudes about their centroid."""
    shares = _shares(s)
    distance = mx.abs(hz - total(shares * hz))
    moment = total(shares * (mx.square(distance) if p == 2 else mx.power(distance, p)))
    return root(moment, p)


def rolloff(s: mx.array, hz: mx.array, roll_percent: float) -> mx.array:
    """Lowest bin frequency ``[..., N, 1]`` up to which ``roll_percent`` of the magnitudes' sum lies."""
    if not s.size:  # MLX finds no largest of nothing
        return total(s)
    running = mx.cumsum(mx.stop_gradient(s), axis=-1)
    reached = mx.logical_not(running < roll_percent * running[..., -1:])
    return hz[mx.argmax(reached, axis=-1, keepdims=True)]


def extremes(s: mx.array, bands: Sequence[tuple[int, int, int]]) -> mx.array:
    """Means ``[..., N, 2 * bands]`` of each band's smallest magnitudes, and then of each band's largest."""
    valleys, peaks = [], []
    for first, last, count in bands:
        ordered = mx.sort(s[..., first:last], axis=-1)
        valleys.append(mean(ordered[..., :count]))
        peaks.append(mean(ordered[..., -count:]))
    return mx.concatenate([*valleys, *peaks], axis=-1)


def flatness(s: mx.array, amin: float, power: float) -> mx.array:
    """Geometric over arithmetic mean ``[..., N, 1]`` of magnitudes to ``power``, none below ``amin``."""
    raised = mx.maximum(mx.square(s) if power == 2 else mx.power(s, power), amin)
    # logarithms relative to the mean are small, and so is what their sum loses
    return mx.exp(mean(mx.log(raised / mean(raised))))


_DEFINITIONS: dict[str, Callable[[mx.array, mx.array, DescriptorSpec], mx.array]] = {
    "centroid": lambda s, hz, spec: centroid(s, hz),
    "bandwidth": lambda s, hz, spec: bandwidth(s, hz, spec.order),
    "rolloff": lambda s, hz, spec: rolloff(s, hz, spec.share),
    "flatness": lambda s, hz, spec: flatness(s, spec.amin, spec.power),
    "contrast": lambda s, hz, spec: extremes(s, spec.bands),
}
