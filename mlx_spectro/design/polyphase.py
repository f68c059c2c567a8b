"""Filters of as many phases as there are results a period: their transposes."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Transpose(NamedTuple):
    """Where a polyphase filter's transpose, a polyphase filter too, has its weights from."""

    reach: int
    places: npt.NDArray[np.int64]
    """In the filter's weights, flat: ``[orig, 2 * reach + 1]``."""
    there: npt.NDArray[np.bool_]
    """Whether there is such a weight; otherwise it is 0."""


@functools.lru_cache(32)
def transpose(orig: int, new: int, reach: int) -> Transpose:
    """The transpose of the filter of ``Resample(orig, new, reach)``, one of phases ``orig`` at ``orig / new``.

    Example:
        >>> transpose(2, 1, 0)  # every second sample: back to where it came from
        Transpose(reach=1, places=array([[0, 0, 0],
               [0, 0, 0]]), there=array([[False,  True, False],
               [False, False, False]]))
    """
    back = -(-(reach + 1) * new // orig)
    sample = np.arange(orig)[:, None]
    result = sample * new // orig + np.arange(-back, back + 1)
    tap = sample - result * orig // new + reach
    there = (tap >= 0) & (tap <= 2 * reach)
    return Transpose(back, np.where(there, result % new * (2 * reach + 1) + tap, 0), there)


def transposed_weights(weights: npt.NDArray[Any], orig: int, new: int, reach: int) -> npt.NDArray[Any]:
    """The weights ``[orig, taps]`` of the transpose of a filter with ``weights [new, 2 * reach + 1]``."""
    _, places, there = transpose(orig, new, reach)
    return np.where(there, np.take(weights, places), weights.dtype.type(0))


def windowed_sinc(
    orig: int, new: int, lowpass_filter_width: int, rolloff: float, beta: float | None = None
) -> tuple[int, npt.NDArray[np.float64]]:
    """Reach and weights ``[new, 2 * reach + 1]`` of a low-pass filter for ``Resample(orig, new, reach)``.

    Args:
        lowpass_filter_width: Zero crossings of the sinc on each side, where its window ends.
        rolloff: Its cutoff frequency, in shares of half the lower rate.
        beta: Shape of a Kaiser window; None for Hann's.

    Example:
        >>> reach, weights = windowed_sinc(2, 1, 6, 1.0)
        >>> reach, weights.shape, float(weights.sum().round(2))
        (12, (1, 25), 1.0)
    """
    # in zero crossings a period of orig samples, and of new results
    cutoff = min(orig, new) * rolloff
    reach = int(np.ceil(lowpass_filter_width * orig / cutoff))
    phase = np.arange(new)[:, None]
    # of a sample from a result, in periods: of whole numbers, so that no digit is lost
    distance = (phase * orig // new + np.arange(-reach, reach + 1)) * new - phase * orig
    crossings = np.clip(distance / (orig * new) * cutoff, -lowpass_filter_width, lowpass_filter_width)
    share = crossings / lowpass_filter_width
    window = np.cos(np.pi / 2 * share) ** 2
    if beta is not None:
        window = np.i0(beta * np.sqrt(1 - share**2)) / np.i0(beta)
    return reach, np.sinc(crossings) * window * (cutoff / orig)
