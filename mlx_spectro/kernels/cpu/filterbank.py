"""Spectrograms of NumPy arrays, filtered or not, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import Filterbank, Spectrogram
from .measurement import Measurement, finishing, measure, to_out
from .plan import NAMES, setting
from .runtime.layout import Layout

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


def prepare(op: Spectrogram | Filterbank, x: Layout, window: Layout, *bank: Layout) -> Any:
    """Magnitudes of signals that lie alike, filtered or not, to spectrograms in C order."""
    rows, stored, framing = x.folded(1), NAMES[x.kind], op.framing
    layout = setting(framing.n_fft, stored, stored)
    if layout is None or rows is None or op.power not in (1, 2) or not getattr(op, "onesided", True):
        return None
    framing.check(x.shape[-1])
    if isinstance(op, Filterbank):
        values, finish = bank[0].shape[1], finishing(layout, layout.bins, bank[0].kind, op.epilogue)
    else:
        values, finish = layout.bins, finishing(layout, layout.bins)
    frame_bytes = values * x.kind.itemsize
    steps = framing.frames(x.shape[-1]) * frame_bytes, x.kind.itemsize, frame_bytes
    measure = Measurement(layout, window.kind, framing, op.scale, op.power, rows.shape, rows.strides, steps)

    def run(address: int, weights: tuple[bytes, ...], out: int, held: Any) -> None:
        measure(address, weights[0], finish(*weights[1:]), out, held)

    return run


RUN = {Spectrogram: spectrogram, Filterbank: filterbank}
PREPARE = {Spectrogram: prepare, Filterbank: prepare}
