"""Which frames a sliding window around each frame covers."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]


@functools.lru_cache(64)
def bounds(frames: int, window: int, least: int, centred: bool) -> tuple[Array, Array]:
    """Starts and ends ``[frames]`` of the windows of :class:`.operators.SlidingNormalization`; from one to the next,
    neither moves back or by more than a frame.

    Example:
        >>> starts, ends = bounds(5, 2, 3, False)
        >>> starts.tolist(), ends.tolist()
        ([0, 0, 0, 1, 2], [3, 3, 3, 4, 5])
    """
    here = np.arange(frames)
    if centred:
        starts = np.maximum(here - window // 2, 0)
        ends = starts + window
    else:
        starts = np.maximum(here - window, 0)
        ends = np.maximum(here + 1, least)
    starts = np.maximum(starts - np.maximum(ends - frames, 0), 0)
    ends = np.minimum(ends, frames)
    for each in (starts, ends):
        each.flags.writeable = False
    return starts, ends
