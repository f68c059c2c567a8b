"""trim and split of librosa.effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays.numpy_options import check_number, check_plain
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import Array
from .._core.decibels import BY_SPECTRUM
from .._feature.energy import rms

# what librosa takes no smaller amplitudes for than
_SMALLEST = 1e-5
# decibels that amplitudes in single precision tell apart
_LEAST_BELOW = 1e-3
# of channels whose decibels are compared, those whose amplitudes may be as well
_AGGREGATES = (np.max, np.min)
_OF_ALL = (np.max, np.min, np.median, np.mean)


def _order(arguments: dict[str, Any]) -> int:
    return int(arguments["hop_length"])


def _loud(y: Any, top_db: Any, ref: Any, frame_length: Any, hop_length: Any, aggregate: Any) -> Callable[[], Array]:
    """What tells which frames are no more than ``top_db`` below ``ref``."""
    check_plain("top_db", top_db, _LEAST_BELOW)
    if not any(ref is one for one in _OF_ALL):
        check_number("ref", ref)
    energies = rms.plan(y=y, frame_length=frame_length, hop_length=hop_length)
    if y.ndim > 1 and (BY_SPECTRUM or not any(aggregate is one for one in _AGGREGATES)):
        raise Decline("channels are put together otherwise than by their maxima or minima")

    def work() -> Array:
        amplitudes = energies()[..., 0, :]
        reference = ref(amplitudes) if callable(ref) else abs(ref)
        if y.ndim > 1:
            amplitudes = aggregate(amplitudes, axis=tuple(range(y.ndim - 1)))
        loud: Array = np.maximum(amplitudes, _SMALLEST) > max(float(reference), _SMALLEST) * 10 ** (-top_db / 20)
        return loud

    return work


@adapter("librosa.effects.trim", tolerances.decision, order=_order)
def trim(
    y: Array,
    *,
    top_db: float = 60,
    ref: Any = np.max,
    frame_length: int = 2048,
    hop_length: int = 512,
    aggregate: Any = np.max,
) -> Work:
    """librosa.effects.trim. Same arguments, same defaults.

    Amplitudes are compared, and not their decibels.
    """
    loud = _loud(y, top_db, ref, frame_length, hop_length, aggregate)

    def work() -> tuple[Array, Array]:
        frames, step = np.flatnonzero(loud()), int(hop_length)
        start = end = 0
        if frames.size:
            start, end = int(frames[0]) * step, min(y.shape[-1], int(frames[-1] + 1) * step)
        return y[..., start:end], np.asarray([start, end])

    return work


@adapter("librosa.effects.split", tolerances.decision, order=_order)
def split(
    y: Array,
    *,
    top_db: float = 60,
    ref: Any = np.max,
    frame_length: int = 2048,
    hop_length: int = 512,
    aggregate: Any = np.max,
) -> Work:
    """librosa.effects.split. Same arguments, same defaults.

    Amplitudes are compared, and not their decibels.
    """
    loud = _loud(y, top_db, ref, frame_length, hop_length, aggregate)

    def work() -> Array:
        between_silence = np.concatenate([[False], loud(), [False]])
        changes = np.flatnonzero(between_silence[1:] != between_silence[:-1])
        edges = np.minimum(changes * hop_length, y.shape[-1])
        return edges.reshape(-1, 2)

    return work
