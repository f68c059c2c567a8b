"""Spectrograms of NumPy arrays, and what is made of them in one go: filters, logarithms, descriptors."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlx_spectro.design.framing import Framing

from ...design.descriptors import Wanted
from . import levels, numpy_fallback
from .descriptors import BANDWIDTH, CENTROID, CONTRAST, FLATNESS, ROLLOFF
from .frames import PAD_MODES
from .magnitudes import DECIBEL, LINEAR, LOG, ROOT, measured_frames, projected_frames
from .plan import NAMES, Setting, setting
from .runtime.layout import aligned_rows, ready
from .runtime.memory import address_of, address_to_write, padded, workspace
from .runtime.threads import share
from .runtime.vector import CHUNK, VECTOR_BYTES
from .sparse_bank import NO_BANK, sparse

Array = npt.NDArray[Any]
# None for values as they are; ("root",) for their square roots; ("log", amin, added) for log(max(x, amin)), or of
# x + amin if added; ("db", multiplier, amin, reference) for multiplier * log10(max(x, amin) / max(reference, amin))
Ending = tuple[Any, ...] | None
_BITS = {
    "centroid": CENTROID,
    "bandwidth": BANDWIDTH,
    "rolloff": ROLLOFF,
    "flatness": FLATNESS,
    "contrast": CONTRAST,
}
# of no descriptors: their bits, the bins' frequencies, exponents, numbers and bands
_UNDESCRIBED = {number.__name__: (0, 0, (0, 0), (number(0), number(0)), (0, 0)) for number in (np.float32, np.float64)}


class _Made(NamedTuple):
    """What the kernels make of magnitudes, as they take it."""

    values: int
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
def _taken(ending: Ending, number: type) -> tuple[tuple[int, int], tuple[Any, ...]]:
    """``ending`` and ``amounts`` of the kernels."""
    name, *numbers = ending or ("",)
    if name == "db":
        multiplier, amin, reference = numbers
        return (DECIBEL, 0), levels.amounts(multiplier, amin, reference, number)
    amin, added = numbers or (0.0, False)
    return ({"": LINEAR, "root": ROOT, "log": LOG}[name], int(added)), tuple(map(number, (amin, 0, 0, 0, 0)))


def _made(found: Setting, bins: int, bank: Array | None, ending: Ending, wanted: Wanted | None) -> _Made:
    number, size, step = found.real.dtype.type, found.layout[3], VECTOR_BYTES
    described, filters, values, weights, extremes = _UNDESCRIBED[NAMES[found.real.dtype]], NO_BANK, bins, 0, 0
    keep: Any = None
    if wanted is not None:
        hz = np.ascontiguousarray(wanted.hz, number)
        table = np.array(wanted.bands, np.int64).reshape(-1, 3)
        bits, values = sum(_BITS[name] for name in wanted.names), wanted.numbers
        squared, numbers = (int(wanted.order == 2), int(wanted.power == 2)), (number(wanted.share), number(wanted.amin))
        described = (bits, address_of(hz), squared, numbers, (len(table), address_of(table)))
        extremes, keep = int(table[:, 2].max(initial=0)), (hz, table)
    elif bank is not None:
        keep = sparse(bank, NAMES[found.real.dtype])
        values, filters, weights = keep.filters, keep.at, keep.weights
    row_bytes = padded(size * (max(values, bins) + CHUNK))
    # a chunk more, which is written, and not read
    block = (max(values, bins) + CHUNK) * step
    return _Made(
        values,
        described,
        filters,
        *_taken(ending, number),
        (block, block, step, found.lanes * row_bytes, (2 + 2 * extremes) * step),
        row_bytes,
        weights,
        keep,
    )


def _measure(
    x: Array,
    window: Array,
    framing: Framing,
    scale: float,
    power: float,
    precise: bool,
    out: Array | None = None,
    bank: Array | None = None,
    ending: Ending = None,
    wanted: Wanted | None = None,
) -> Array:
    """Magnitudes of ``x``'s frames to ``power``, or what is made of them, ``[..., N, values]``."""
    length, stored = x.shape[-1], NAMES[x.dtype]
    framing.check(length)
    found = setting(framing.n_fft, "float64" if precise else stored, stored)
    if found is None or power not in (1.0, 2.0):
        values = _magnitudes(x, window, framing, scale, power, precise, found)
        return _measure_given(values, precise, out, bank, ending, wanted)
    frames = framing.frames(length)
    made = _made(found, found.bins, bank, ending, wanted)
    target, (out_row_bytes, value_bytes, frame_bytes) = ready(out, (*x.shape[:-1], frames, made.values), stored)
    rows = aligned_rows(x)
    signal = (address_of(rows), rows.strides[0], rows.strides[1], length, framing.left, PAD_MODES[framing.pad_mode])
    weights = window.astype(found.real.dtype) * (0.5 * scale if found.packed else scale)
    edge = found.real.dtype.type(2.0 if found.packed else 1.0)
    samples, to, squared = address_of(weights), address_to_write(target), int(power == 2.0)

    def work(first: int, last: int) -> None:
        copies, z, temporary, block, filtered, spoiled, lines, extremes, _memory = workspace.pieces(
            (*found.forward_scratch[:3], *made.scratch)
        )
        scratch = (copies, found.frame_bytes, z, temporary, block, filtered, spoiled, lines, made.row_bytes)
        measured_frames(
            found.real, found.stored, squared, edge, signal, frames, framing.hop_length, first, last, samples,
            found.layout, found.forward, made.at(extremes), made.bank, made.ending, made.amounts, scratch,
            to, out_row_bytes, value_bytes, frame_bytes,
        )  # fmt: skip

    share(work, rows.shape[0] * frames, found.lanes, framing.n_fft, (rows, weights, target))
    return _given(target, out)


@numpy_fallback.quietly
def _magnitudes(
    x: Array, window: Array, framing: Framing, scale: float, power: float, precise: bool, found: Setting | None
) -> Array:
    if found is not None:
        magnitudes = _measure(x, window, framing, scale, 1.0, precise)
    else:
        kind = np.complex128 if precise else np.result_type(x, np.complex64)
        z = np.empty((*x.shape[:-1], framing.frames(x.shape[-1]), framing.n_fft // 2 + 1), kind)
        numpy_fallback.stft(x, window * scale, framing, z, precise)
        magnitudes = np.abs(z).astype(x.dtype, copy=False)
    return magnitudes if power == 1.0 else magnitudes**power


def _measure_given(
    s: Array,
    precise: bool,
    out: Array | None = None,
    bank: Array | None = None,
    ending: Ending = None,
    wanted: Wanted | None = None,
    squared: bool = False,
) -> Array:
    """What is made of given magnitudes ``s [..., N, F]`` of any strides, or of their squares."""
    if bank is None and wanted is None and ending is None and not squared:
        return _given(s, out)
    stored = NAMES[s.dtype]
    found = setting(1024, "float64" if precise else stored, stored)  # for its types; nothing is transformed
    assert found is not None
    frames, bins = s.shape[-2:]
    made = _made(found, bins, bank, ending, wanted)
    target, (out_row_bytes, value_bytes, frame_bytes) = ready(out, (*s.shape[:-1], made.values), stored)
    stack = s if s.ndim == 3 else s.reshape(-1, *s.shape[-2:])
    stack = stack if stack.flags.aligned else stack.copy()
    values = (address_of(stack), stack.strides[0], stack.strides[2], stack.strides[1])
    shape = (found.lanes, found.layout[3], found.layout[5], VECTOR_BYTES)
    to = address_to_write(target)

    def work(first: int, last: int) -> None:
        sizes = (made.scratch[3], *made.scratch)
        copies, block, filtered, spoiled, lines, extremes, _memory = workspace.pieces(sizes)
        projected_frames(
            found.real, found.stored, values, int(squared), frames, bins, first, last, made.at(extremes), made.bank,
            made.ending, made.amounts, (copies, block, filtered, spoiled, lines, made.row_bytes), shape,
            to, out_row_bytes, value_bytes, frame_bytes,
        )  # fmt: skip

    # so many multiplications take as long as one sample of a transform
    share(work, stack.shape[0] * frames, found.lanes, bins + made.weights // 16, (stack, target))
    return _given(target, out)


def _given(result: Array, out: Array | None) -> Array:
    if out is None or out is result:
        return result
    out[...] = result
    return out


def spectrogram(
    x: Array,
    window: Array,
    *,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    scale: float = 1.0,
    onesided: bool = True,
    power: float = 1.0,
    precise: bool = False,
    out: Array | None = None,
) -> Array:
    """Magnitudes ``[..., N, F]`` of :func:`.host.stft`, to ``power``. ``out`` may have either memory order."""
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    half = _measure(x, window, framing, scale, power, precise, out if onesided else None)
    if onesided:
        return half
    return _given(np.concatenate([half, half[..., (window.size - 1) // 2 : 0 : -1]], axis=-1), out)


def filterbank(
    x: Array,
    window: Array,
    bank: Array,
    *,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    scale: float = 1.0,
    power: float = 2.0,
    ending: Ending = None,
    precise: bool = False,
    out: Array | None = None,
) -> Array:
    """Filtered spectrogram ``[..., N, filters]``: the spectrogram to ``power`` times ``bank [F, filters]``.

    Args:
        x, window, hop_length, left, right, pad_mode, scale, precise: As in :func:`.host.stft`.
        bank: Filters; zeros at a filter's ends cost nothing.
        power: Exponent of the magnitudes.
        ending: ``None``; ``("root",)``; ``("log", amin, added)`` for ``log(max(x, amin))``, or ``log(x + amin)`` if
            ``added``; or ``("db", multiplier, amin, reference)`` for
            ``multiplier * log10(max(x, amin) / max(reference, amin))``.
        out: Where to put the result, in either memory order.
    """
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    return _measure(x, window, framing, scale, power, precise, out, bank, ending)


def project(
    s: Array,
    bank: Array,
    *,
    squared: bool = False,
    ending: Ending = None,
    precise: bool = False,
    out: Array | None = None,
) -> Array:
    """Values ``s [..., N, F]`` of any strides, or their squares, times ``bank [F, filters]``, and their ending."""
    return _measure_given(s, precise, out, bank, ending, squared=squared)


def describe(
    x: Array,
    window: Array,
    wanted: Wanted,
    *,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    precise: bool = False,
) -> dict[str, Array]:
    """The wanted descriptors of the magnitudes of ``x``'s frames, by name, each ``[..., N]``.

    ``"contrast"`` is two, ``"valley"`` and ``"peak"``, each ``[..., bands, N]``, as magnitudes.
    """
    framing = Framing(window.size, hop_length, left, right, pad_mode)
    frames = framing.frames(x.shape[-1])
    memory = np.empty((*x.shape[:-1], wanted.numbers, frames), NAMES[x.dtype])
    return _named(_measure(x, window, framing, 1.0, 1.0, precise, memory.swapaxes(-1, -2), wanted=wanted), wanted)


def describe_given(s: Array, wanted: Wanted, *, precise: bool = False) -> dict[str, Array]:
    """:func:`describe` of given magnitudes ``s [..., N, F]`` of any strides."""
    memory = np.empty((*s.shape[:-2], wanted.numbers, s.shape[-2]), s.dtype)
    return _named(_measure_given(s, precise, memory.swapaxes(-1, -2), wanted=wanted), wanted)


@numpy_fallback.quietly
def _named(numbers: Array, wanted: Wanted) -> dict[str, Array]:
    found, i = {}, 0
    rows = numbers.swapaxes(-1, -2)
    for name in sorted(wanted.names, key=_BITS.__getitem__):
        if name == "contrast":
            end = i + 2 * len(wanted.bands)
            found["valley"], found["peak"] = rows[..., i:end:2, :], rows[..., i + 1 : end : 2, :]
        elif name == "flatness":
            found[name] = np.exp(rows[..., i, :]) / rows[..., i + 1, :]
            i += 1
        else:
            found[name] = rows[..., i, :]
        i += 1
    return found
