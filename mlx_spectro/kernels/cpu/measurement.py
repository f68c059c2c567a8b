"""Magnitudes of frames, of audio or given, and what is made of them in one go: filters, epilogues, descriptors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...design.descriptors import DescriptorSpec
from ...design.epilogues import Decibels, Epilogue, Log, Root
from ...design.framing import Framing
from ...design.quiet import quietly
from . import numpy_fallback
from .descriptor_bodies import BANDWIDTH, CENTROID, CONTRAST, FLATNESS, ROLLOFF
from .epilogues import amounts
from .frames import PAD_MODES
from .magnitudes import DECIBEL, LINEAR, LOG, ROOT, measured_frames, projected_frames
from .plan import NAMES, Setting, setting
from .runtime.layout import aligned_rows, ready
from .runtime.memory import address_of, address_to_write, padded, side_by_side, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES
from .sparse_bank import NO_BANK, SparseBank, sparse, sparse_of
from .weights import Recent, scaled, windows_scaled

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


class Finish(NamedTuple):
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
    bank: SparseBank | None,
    epilogue: Epilogue | None,
    spec: DescriptorSpec | None = None,
    hz: Array | None = None,
) -> Finish:
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
        keep, values, filters, weights = bank, bank.filters, bank.at, bank.weights
    # a chunk more, which is written, and not read
    block, row_bytes = (max(values, bins) + CHUNK) * step, padded(size * (max(values, bins) + CHUNK))
    return Finish(
        values,
        described,
        filters,
        *_numbers_of(epilogue, number),
        (block, block, step, layout.lanes * row_bytes, (2 + 2 * extremes) * step),
        row_bytes,
        weights,
        keep,
    )


_finishes = Recent(32)


def finishing(
    layout: Setting, bins: int, kind: np.dtype[Any] | None = None, epilogue: Epilogue | None = None
) -> Callable[..., Finish]:
    """What makes ``Finish`` of a bank of a ``kind``, by its bytes; of no bank, where there is no kind."""
    if kind is None:
        finish = _finish(layout, bins, None, epilogue)
        return lambda: finish
    real = NAMES[layout.real.dtype]
    options = kind, bins, epilogue, real, NAMES[layout.stored.dtype]

    def make(bank: bytes, *_: Any) -> Finish:
        return _finish(layout, bins, sparse_of(bank, kind, bins, real), epilogue)

    return lambda bank: _finishes.of(bank, options, make)


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
    filters = None if bank is None else sparse(bank, NAMES[layout.real.dtype])
    finish = _finish(layout, layout.bins, filters, epilogue, spec, hz)
    target, steps = ready(out, (*x.shape[:-1], framing.frames(length), finish.values), stored)
    rows = aligned_rows(x)
    transform = Measurement(layout, window.dtype, framing, scale, power, rows.shape, rows.strides, steps)
    transform(address_of(rows), window.tobytes(), finish, address_to_write(target), (rows, target))
    return to_out(target, out)


class Measurement:
    """Magnitudes of signals that lie alike in memory, made ready: what is left to say is where they lie."""

    def __init__(
        self,
        layout: Setting,
        window: np.dtype[Any],
        framing: Framing,
        scale: float,
        power: float,
        rows: tuple[int, ...],
        strides: tuple[int, ...],
        steps: tuple[int, int, int],
    ) -> None:
        self._layout, self._framing, self._frames = layout, framing, framing.frames(rows[1])
        self._weights = window, 0.5 * scale if layout.packed else scale, layout.real.dtype
        self._edge = layout.real.dtype.type(2.0 if layout.packed else 1.0)
        self._signal = (*strides, rows[1], framing.left, PAD_MODES[framing.pad_mode])
        self._squared, self._steps, self._count = int(power == 2.0), steps, rows[0] * self._frames

    def __call__(self, address: int, window: bytes, finish: Finish, target: int, held: Any) -> None:
        """Transform the signals at ``address``, to ``target``; ``held`` is what both live as long as."""
        layout, frames, hop = self._layout, self._frames, self._framing.hop_length
        weights, samples = windows_scaled.of(window, self._weights, scaled)
        signal = (address, *self._signal)

        def work(first: int, last: int) -> None:
            copies, z, temporary, block, filtered, spoiled, lines, extremes, _memory = workspace.pieces(
                (*layout.forward_scratch[:3], *finish.scratch)
            )
            scratch = (copies, layout.frame_bytes, z, temporary, block, filtered, spoiled, lines, finish.row_bytes)
            measured_frames(
                layout.real, layout.stored, self._squared, self._edge, signal, frames, hop, first, last, samples,
                layout.layout, layout.forward, finish.at(extremes), finish.bank, finish.ending, finish.amounts,
                scratch, target, *self._steps,
            )  # fmt: skip

        share(work, self._count, layout.lanes, self._framing.n_fft, (held, weights, finish))


@quietly()
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
    layout, bins = types_of(stored, precise), s.shape[-1]
    filters = None if bank is None else sparse(bank, NAMES[layout.real.dtype])
    finish = _finish(layout, bins, filters, epilogue, spec, hz)
    target, steps = ready(out, (*s.shape[:-1], finish.values), stored)
    stack = s if s.ndim == 3 else s.reshape(-1, *s.shape[-2:])
    stack = stack if stack.flags.aligned else stack.copy()
    projection = Projection(layout, stack.shape, stack.strides, steps, squared)
    projection(address_of(stack), finish, address_to_write(target), (stack, target))
    return to_out(target, out)


class Projection:
    """What is made of given values ``[rows, N, F]`` that lie alike in memory, made ready."""

    def __init__(
        self,
        layout: Setting,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        steps: tuple[int, int, int],
        squared: bool = False,
    ) -> None:
        self._layout, (rows, self._frames, self._bins) = layout, shape
        self._block = side_by_side(rows, strides, layout.layout[3])
        self._count = -(-rows // self._block) * self._frames
        self._source = rows, self._block, strides[0], strides[2], strides[1]
        self._steps, self._squared = steps, int(squared)
        self._shape = (layout.lanes, layout.layout[3], layout.layout[5], VECTOR_BYTES)

    def __call__(self, address: int, finish: Finish, target: int, held: Any) -> None:
        """Take the values at ``address``, to ``target``; ``held`` is what both live as long as."""
        layout, frames, bins = self._layout, self._frames, self._bins
        values = (address, *self._source)

        def work(first: int, last: int) -> None:
            sizes = (finish.scratch[3], *finish.scratch)
            copies, block, filtered, spoiled, lines, extremes, _memory = workspace.pieces(sizes)
            projected_frames(
                layout.real, layout.stored, values, self._squared, frames, bins, first, last, finish.at(extremes),
                finish.bank, finish.ending, finish.amounts,
                (copies, block, filtered, spoiled, lines, finish.row_bytes), self._shape, target, *self._steps,
            )  # fmt: skip

        # so many multiplications take as long as one sample of a transform
        share(work, self._count, layout.lanes, self._block * (bins + finish.weights // 16), (held, finish))


def types_of(stored: str, precise: bool = False) -> Setting:
    """The types that kernels compute in, where nothing is transformed."""
    layout = setting(1024, "float64" if precise else stored, stored)
    assert layout is not None
    return layout


def to_out(result: Array, out: Array | None) -> Array:
    if out is None or out is result:
        return result
    out[...] = result
    return out
