"""Spectrograms of NumPy arrays, filtered or not, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import Filterbank, Spectrogram
from .measurement import measure, to_out

Array = npt.NDArray[Any]


def spectrogram(op: Spectrogram, x: Array, window: Array, *, out: Array | None, precise: bool) -> Array:
    """Magnitudes ``[..., N, F]`` to a power, to ``out`` of either memory order."""
    half = measure(x, window, op.framing, op.scale, op.power, precise, out if op.onesided else None)
    if op.onesided:
        return half
    return to_out(np.concatenate([half, half[..., (window.size - 1) // 2 : 0 : -1]], axis=-1), out)


def filterbank(op: Filterbank, x: Array, window: Array, bank: Array, *, out: Array | None, precise: bool) -> Array:
    """Filtered spectrogram ``[..., N, filters]``, to ``out`` of either memory order.

    Zeros at a filter's ends cost nothing.
    """
    return measure(x, window, op.framing, op.scale, op.power, precise, out, bank, op.epilogue)


RUN = {Spectrogram: spectrogram, Filterbank: filterbank}
