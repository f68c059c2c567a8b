"""Magnitudes of frames, of audio or given, and what is made of them in one go: filters, epilogues, descriptors."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...design.descriptors import DescriptorSpec
from ...design.epilogues import Decibels, Epilogue, Log, Root
from ...design.framing import Framing
from . import numpy_fallback
from .descriptor_bodies import BANDWIDTH, CENTROID, CONTRAST, FLATNESS, ROLLOFF
from .epilogues import amounts
from .frames import PAD_MODES
from .magnitudes import DECIBEL, LINEAR, LOG, ROOT, measured_frames, projected_frames
from .plan import NAMES, Setting, setting
from .runtime.layout import aligned_rows, ready
from .runtime.memory import address_of, address_to_write, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES
from .sparse_bank import NO_BANK, sparse

Array = npt.NDArray[Any]
# what is described, as bits, and in this order
BITS = {
    "centroid": CENTROID,
    "bandwidth": BANDWIDTH,
    "rolloff": ROLLOFF,
    "flatness": FLATNESS,
    "contrast": CONTRAST,
}
# of no descriptors: their bits, the bins' frequencies, exponents, numbers and bands
_UNDESCRIBED = {number.__name__: (0, 0, (0, 0), (number(0), number(0)), (0, 0)) for number in (np.float32, np.float64)}


class _Finish(NamedTuple):
    """What the kernels make of magnitudes, as they take it."""

    values: int
    """Numbers a frame."""
    described: tuple[Any, ...]
    bank: tuple[int, int, int]
    ending: tuple[int, int]
    amounts: tuple[Any, ...]
    scratch: tuple[int, ...]
    """Bytes of the magnitudes, what is made of them, a vector, rows to put out, and the extremes."""
    row_bytes: int
    weights: int
    """Multiplications a frame."""
    keep: Any
    """What the addresses above point into."""

    def at(self, extremes: int) -> tuple[Any, ...]:
        """``described``, with scratch memory for the extremes."""
        return (*self.described, extremes)


@functools.lru_cache(maxsize=64)
def _numbers_of(epilogue: Epilogue | None, number: type) -> tuple[tuple[int, int], tuple[Any, ...]]:
    """``ending`` and ``amounts`` of the kernels."""
    if isinstance(epilogue, Decibels):
        return (DECIBEL, 0), amounts(epilogue, number)
    amin, kind, added = 0.0, LINEAR, False
    if isinstance(epilogue, Log):
        amin, kind, added = epilogue.amin, LOG, epilogue.added
    elif isinstance(epilogue, Root):
        kind = ROOT
    elif epilogue is not None:
        raise NotImplementedError(f"host kernels have no {type(epilogue).__name__}")
    return (kind, int(added)), tuple(map(number, (amin, 0, 0, 0, 0)))


def _finish(
    layout: Setting,
    bins: int,
    bank: Array | None,
    epilogue: Epilogue | None,
    spec: DescriptorSpec | None,
    hz: Array | None,
) -> _Finish:
    number, size, step = layout.real.dtype.type, layout.layout[3], VECTOR_BYTES
    described, filters, values, weights, extremes = _UNDESCRIBED[NAMES[layout.real.dtype]], NO_BANK, bins, 0, 0
    keep: Any = None
    if spec is not None:
        hz = np.ascontiguousarray(hz, number)
        table = np.array(spec.bands, np.int64).reshape(-1, 3)
        bits, values = sum(BITS[name] for name in spec.names), numbers_of(spec)
        squared, numbers = (int(spec.order == 2), int(spec.power == 2)), (number(spec.share), number(spec.amin))
        described = (bits, address_of(hz), squared, numbers, (len(table), address_of(table)))
        extremes, keep = int(table[:, 2].max(initial=0)), (hz, table)
    elif bank is not None:
        keep = sparse(bank, NAMES[layout.real.dtype])
        values, filters, weights = keep.filters, keep.at, keep.weights
    row_bytes = padded(size * (max(values, bins) + CHUNK))
    # a chunk more, which is written, and not read
    block = (max(values, bins) + CHUNK) * step
    return _Finish(
        values,
        described,
        filters,
        *_numbers_of(epilogue, number),
        (block, block, step, layout.lanes * row_bytes, (2 + 2 * extremes) * step),
        row_bytes,
        weights,
        keep,
    )


def numbers_of(spec: DescriptorSpec) -> int:
    """Numbers a frame that kernels put out: a flatness is two, its logarithm's mean and the mean."""
    return spec.rows + ("flatness" in spec.names)


def measure(
    x: Array,
    window: Array,
    framing: Framing,
    scale: float,
    power: float,
    precise: bool,
    out: Array | None = None,
    bank: Array | None = None,
    epilogue: Epilogue | None = None,
    spec: DescriptorSpec | None = None,
    hz: Array | None = None,
) -> Array:
    """Magnitudes of ``x``'s frames to ``power``, or what is made of them, ``[..., N, values]``."""
    length, stored = x.shape[-1], NAMES[x.dtype]
    framing.check(length)
    layout = setting(framing.n_fft, "float64" if precise else stored, stored)
    if layout is None or power not in (1.0, 2.0):
        values = _magnitudes(x, window, framing, scale, power, precise, layout)
        return measure_given(values, precise, out, bank, epilogue, spec, hz)
    frames = framing.frames(length)
    finish = _finish(layout, layout.bins, bank, epilogue, spec, hz)
    target, (out_row_bytes, value_bytes, frame_bytes) = ready(out, (*x.shape[:-1], frames, finish.values), stored)
    rows = aligned_rows(x)
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length, framing.left, PAD_MODES[framing.pad_mode])
    weights = window.astype(layout.real.dtype) * (0.5 * scale if layout.packed else scale)
    edge = layout.real.dtype.type(2.0 if layout.packed else 1.0)
    samples, to, squared = address_of(weights), address_to_write(target), int(power == 2.0)

    def work(first: int, last: int) -> None:
        copies, z, temporary, block, filtered, spoiled, lines, extremes, _memory = workspace.pieces(
            (*layout.forward_scratch[:3], *finish.scratch)
        )
        scratch = (copies, layout.frame_bytes, z, temporary, block, filtered, spoiled, lines, finish.row_bytes)
        measured_frames(
            layout.real, layout.stored, squared, edge, signal, frames, framing.hop_length, first, last, samples,
            layout.layout, layout.forward, finish.at(extremes), finish.bank, finish.ending, finish.amounts, scratch,
            to, out_row_bytes, value_bytes, frame_bytes,
        )  # fmt: skip

    share(work, rows.shape[0] * frames, layout.lanes, framing.n_fft, (rows, weights, target))
    return to_out(target, out)


@numpy_fallback.quietly
def _magnitudes(
    x: Array, window: Array, framing: Framing, scale: float, power: float, precise: bool, layout: Setting | None
) -> Array:
    if layout is not None:
        magnitudes = measure(x, window, framing, scale, 1.0, precise)
    else:
        kind = np.complex128 if precise else np.result_type(x, np.complex64)
        z = np.empty((*x.shape[:-1], framing.frames(x.shape[-1]), framing.n_fft // 2 + 1), kind)
        numpy_fallback.stft(x, window * scale, framing, z, precise)
        magnitudes = np.abs(z).astype(x.dtype, copy=False)
    return magnitudes if power == 1.0 else magnitudes**power


def measure_given(
    s: Array,
    precise: bool,
    out: Array | None = None,
    bank: Array | None = None,
    epilogue: Epilogue | None = None,
    spec: DescriptorSpec | None = None,
    hz: Array | None = None,
    squared: bool = False,
) -> Array:
    """What is made of given magnitudes ``s [..., N, F]`` of any strides, or of their squares."""
    if bank is None and spec is None and epilogue is None and not squared:
        return to_out(s, out)
    stored = NAMES[s.dtype]
    layout = setting(1024, "float64" if precise else stored, stored)  # for its types; nothing is transformed
    assert layout is not None
    frames, bins = s.shape[-2:]
    finish = _finish(layout, bins, bank, epilogue, spec, hz)
    target, (out_row_bytes, value_bytes, frame_bytes) = ready(out, (*s.shape[:-1], finish.values), stored)
    stack = s if s.ndim == 3 else s.reshape(-1, *s.shape[-2:])
    stack = stack if stack.flags.aligned else stack.copy()
    values = (address_of(stack), stack.strides[0], stack.strides[2], stack.strides[1])
    shape = (layout.lanes, layout.layout[3], layout.layout[5], VECTOR_BYTES)
    to = address_to_write(target)

    def work(first: int, last: int) -> None:
        sizes = (finish.scratch[3], *finish.scratch)
        copies, block, filtered, spoiled, lines, extremes, _memory = workspace.pieces(sizes)
        projected_frames(
            layout.real, layout.stored, values, int(squared), frames, bins, first, last, finish.at(extremes),
            finish.bank, finish.ending, finish.amounts, (copies, block, filtered, spoiled, lines, finish.row_bytes),
            shape, to, out_row_bytes, value_bytes, frame_bytes,
        )  # fmt: skip

    # so many multiplications take as long as one sample of a transform
    share(work, stack.shape[0] * frames, layout.lanes, bins + finish.weights // 16, (stack, target))
    return to_out(target, out)


def to_out(result: Array, out: Array | None) -> Array:
    if out is None or out is result:
        return result
    out[...] = result
    return out
