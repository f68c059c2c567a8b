"""The inverse envelope as the compiled kernels read it."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlx_spectro.design import envelope
from mlx_spectro.design.framing import overlap_length

from .runtime.memory import address_of

Array = npt.NDArray[Any]


class Inverse(NamedTuple):
    """The inverse envelope of so many frames that all others repeat some of theirs."""

    at: tuple[int, int, int]
    """What compiled code takes: where it lies, or 0 for none, the frames that cover a sample, and so many frames."""
    scale: float
    """What windows that are rounded anyway are multiplied by, so that its own values are 1 in the middle, which rounds
    nothing where windows overlap to a constant."""
    keep: Any
    """What the address points into."""


UNDIVIDED = Inverse((0, 0, 0), 1.0, None)


def inverse_envelope(window: Array, hop_length: int, frames: int, real: str, floor: float = envelope.FLOOR) -> Inverse:
    return inverse_of(window.tobytes(), window.dtype, hop_length, frames, real, floor)


def inverse_of(
    window: bytes, kind: np.dtype[Any], hop_length: int, frames: int, real: str, floor: float = envelope.FLOOR
) -> Inverse:
    """:func:`inverse_envelope` of a window of a ``kind``."""
    covering = -(-len(window) // kind.itemsize // hop_length)
    return _inverse_of(window, kind, hop_length, covering, min(frames, 3 * covering), real, floor)


@functools.lru_cache(maxsize=32)
def _inverse_of(
    window: bytes, kind: np.dtype[Any], hop_length: int, covering: int, compact: int, real: str, floor: float
) -> Inverse:
    samples = np.frombuffer(window, kind)
    total = overlap_length(compact, samples.size, hop_length)
    exact = envelope.inverse_envelope(samples, hop_length, compact, 0, total, floor)
    # where as many windows overlap as can, however many there are: of part of the frames it is as of all
    (middle,) = envelope.inverse_envelope(samples, hop_length, covering + 1, covering * hop_length, 1, floor).tolist()
    # a window of the precision that is computed in, divided by a power of two, is exact as it is
    rounded = samples.dtype != real or samples.size & (samples.size - 1)
    scale = middle if rounded and 0 < middle < np.inf else 1.0
    factors = (exact / scale).astype(real)
    return Inverse((address_of(factors), covering, compact), scale, factors)
