"""The squared-window envelope that an inverse STFT divides by. NumPy only, in float64."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from .framing import overlap_length
from .quiet import quietly

# below this, torch.istft calls the overlap of a window zero: https://github.com/pytorch/pytorch/issues/91309
FLOOR = 1e-11


def envelope(window: npt.NDArray[np.floating], hop_length: int, frames: int) -> npt.NDArray[np.float64]:
    """Sum ``[overlap_length]`` of the squares of ``frames`` windows placed ``hop_length`` samples apart."""
    shifts = -(-window.size // hop_length)
    square = np.zeros(shifts * hop_length)
    with quietly():
        square[: window.size] = window.astype(np.float64) ** 2
    total = np.zeros((frames + shifts - 1, hop_length))
    for k, part in enumerate(square.reshape(shifts, hop_length)):
        total[k : k + frames] += part
    return total.reshape(-1)[: overlap_length(frames, window.size, hop_length)]


def inverse_envelope(
    window: npt.NDArray[np.floating], hop_length: int, frames: int, left: int, length: int, floor: float = FLOOR
) -> npt.NDArray[np.float64]:
    """``1 / envelope`` over up to ``length`` samples after ``left``; 0 where the envelope is below ``floor``."""
    divisor = envelope(window, hop_length, frames)[left : left + length]
    return np.divide(1.0, divisor, where=divisor >= floor, out=np.zeros_like(divisor))


def smallest(
    window: npt.NDArray[np.floating], hop_length: int, frames: int, left: int, length: int, above: float = -1.0
) -> float:
    """Smallest envelope ``above`` a number over up to ``length`` samples after ``left``; infinite where there are none.

    Between the first and the last windows the envelope repeats every hop, so only a few frames are looked at.
    """
    covering = -(-window.size // hop_length)
    repeats = max(0, frames - 3 * covering)
    steady = covering * hop_length
    end = min(left + length, overlap_length(frames, window.size, hop_length))
    end = max(end - repeats * hop_length, min(end, steady + hop_length))
    return _smallest(window.tobytes(), window.dtype.str, hop_length, frames - repeats, min(left, steady), end, above)


@functools.lru_cache(maxsize=256)
def _smallest(window: bytes, dtype: str, hop_length: int, frames: int, start: int, end: int, above: float) -> float:
    part = envelope(np.frombuffer(window, dtype), hop_length, frames)[start:end]
    return float(part.min(initial=np.inf, where=part > above))
