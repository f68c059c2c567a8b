"""The inverse envelope as the compiled kernels read it."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlx_spectro import envelope
from mlx_spectro.geometry import overlap_length

from .memory import address_of

Array = npt.NDArray[Any]
Inverse = tuple[int, int, int]
UNDIVIDED: Inverse = (0, 0, 0)


class Divided(NamedTuple):
    """The inverse envelope of so many frames that all others repeat some of theirs."""

    factors: Array
    covering: int
    compact: int

    def at(self) -> Inverse:
        return (address_of(self.factors), self.covering, self.compact)


def inverse_envelope(window: Array, hop_length: int, frames: int, real: str, floor: float = envelope.FLOOR) -> Divided:
    covering = -(-window.size // hop_length)
    compact = min(frames, 3 * covering)
    return _cached_inverse_envelope(window.tobytes(), window.dtype.str, hop_length, covering, compact, real, floor)


@functools.lru_cache(maxsize=32)
def _cached_inverse_envelope(
    window: bytes, kind: str, hop_length: int, covering: int, compact: int, real: str, floor: float
) -> Divided:
    samples = np.frombuffer(window, kind)
    total = overlap_length(compact, samples.size, hop_length)
    inverse = envelope.inverse_envelope(samples, hop_length, compact, 0, total, floor)
    return Divided(inverse.astype(real), covering, compact)
