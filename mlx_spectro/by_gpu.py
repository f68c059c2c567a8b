"""The operators by GPU kernels, which take flat rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from . import kernels
from .cpu import Wanted
from .geometry import Framing, overlap_length


def serves(n_fft: int) -> bool:
    """Whether fused kernels transform frames of ``n_fft`` samples here."""
    return kernels.why_not(n_fft) is None


def _by_rows(x: mx.array, axes: int, function: Callable[[mx.array], mx.array]) -> mx.array:
    """``function`` of ``x`` with all but its last ``axes`` axes made one."""
    if x.ndim == axes + 1:
        return function(x)
    lead, own = x.shape[:-axes], x.shape[-axes:]
    y = function(x.reshape(math.prod(lead), *own))
    return y.reshape(*lead, *y.shape[1:])


def stft(x: mx.array, window: mx.array, framing: Framing, scale: float) -> mx.array:
    """One-sided spectrum ``[..., N, F]`` of audio ``[..., T]``."""
    return _by_rows(x, 1, lambda rows: kernels.stft(rows, window, scale=scale, **framing.padding))


def stft_adjoint(g: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Transpose of :func:`stft`."""
    return _by_rows(
        g, 2, lambda rows: kernels.stft_adjoint(rows, window, length=length, scale=scale, **framing.padding)
    )


def istft(z: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Audio ``[..., length]`` of a one-sided spectrum ``[..., N, F]``."""
    return _by_rows(z, 2, lambda rows: kernels.istft(rows, window, length=length, scale=scale, **framing.cut))


def synthesis(frames: mx.array, window: mx.array, framing: Framing, length: int, scale: float) -> mx.array:
    """Audio ``[..., length]`` of inverse transforms ``[..., N, n_fft]``: windowed, overlapped, over the envelope."""
    options = {**framing.cut, "scale": scale, "length": length, "weigh": True, "divide": True}
    return _by_rows(frames, 2, lambda rows: kernels.overlap_add(rows, window, **options))


def overlap_add(frames: mx.array, hop_length: int) -> mx.array:
    """Sum of frames ``[..., N, n_fft]`` placed ``hop_length`` samples apart."""
    length = overlap_length(frames.shape[-2], frames.shape[-1], hop_length)
    return _by_rows(frames, 2, lambda rows: kernels.overlap_add(rows, hop_length=hop_length, length=length))


def istft_adjoint(g: mx.array, window: mx.array, framing: Framing, scale: float, frames: int) -> mx.array:
    """Transpose of :func:`istft`."""
    return _by_rows(g, 1, lambda rows: kernels.istft_adjoint(rows, window, frames=frames, scale=scale, **framing.cut))


@functools.lru_cache(maxsize=128)
def _table(bank: _ByIdentity, transposed: bool = False) -> mx.array:
    matrix = np.array(bank.array)
    table = mx.array(kernels.table(matrix.T if transposed else matrix))
    mx.eval(table)
    return table


class _ByIdentity:
    """An array as the key of a cache: looking at its values would wait for the GPU at every call."""

    def __init__(self, array: mx.array) -> None:
        self.array = array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.array is other.array

    def __hash__(self) -> int:
        return id(self.array)


def _ended(ending: tuple[Any, ...] | None) -> tuple[float, ...]:
    """An ending as the kernel takes it."""
    if ending is None:
        return (0, 0.0, 1.0, 0.0)
    if ending[0] == "log":
        _, amin, added = ending
        return (2 if added else 1, amin, 1.0, 0.0)
    _, multiplier, amin, reference = ending
    return (3, amin, multiplier / math.log(10), multiplier * math.log10(max(reference, amin)))


def filterbank(
    x: mx.array, window: mx.array, framing: Framing, scale: float, power: float, bank: mx.array, ending: Any
) -> mx.array | None:
    """Filtered spectrogram ``[..., N, filters]``; None where no kernel takes magnitudes to that power."""
    if power not in (1.0, 2.0):
        return None
    options = {
        **framing.padding,
        "scale": scale,
        "kind": "power" if power == 2.0 else "magnitude",
        "ending": _ended(ending),
    }
    table, filters = _table(_ByIdentity(bank)), bank.shape[1]
    return _by_rows(x, 1, lambda rows: kernels.filterbank(rows, window, table, filters=filters, **options))


def project(s: mx.array, bank: mx.array, *, transposed: bool = False, top_db: float | None = None) -> mx.array | None:
    """``s [..., N, F] @ bank [F, filters]``, or by its transpose; None where the values of a frame are too many.

    With ``top_db``, no value counts as less than the largest of its last two axes minus it.
    """
    if not kernels.projects(s.shape[-1]):
        return None
    filters = bank.shape[0 if transposed else 1]
    table = _table(_ByIdentity(bank), transposed)

    def project(rows: mx.array) -> mx.array:
        peaks = None if top_db is None else rows.max(axis=(-2, -1))
        return kernels.project(rows, table, filters=filters, peaks=peaks, top=top_db)

    return _by_rows(s, 2, project)


def spectrogram(x: mx.array, window: mx.array, framing: Framing, scale: float, power: float) -> mx.array | None:
    """Magnitudes ``[..., N, F]`` to ``power``; None where no kernel ends in them."""
    if power not in (1.0, 2.0):
        return None
    options = {**framing.padding, "scale": scale, "kind": "power" if power == 2.0 else "magnitude"}
    return _by_rows(x, 1, lambda rows: kernels.stft(rows, window, **options))


@functools.lru_cache(maxsize=32)
def _descriptor_table(hz: bytes, bands: Sequence[tuple[int, int, int]]) -> mx.array:
    table = mx.array(kernels.descriptor_table(np.frombuffer(hz, np.float32), bands))
    mx.eval(table)
    return table


def describe(x: mx.array, window: mx.array, framing: Framing, wanted: Wanted) -> mx.array | None:
    """Descriptors ``[..., rows, N]`` of audio ``[..., T]``; None where no kernel transforms its frames."""
    s = spectrogram(x, window, framing, 1.0, 1.0) if serves(framing.n_fft) else None
    return None if s is None else describe_given(s, wanted)


def describe_given(s: mx.array, wanted: Wanted) -> mx.array | None:
    """Descriptors ``[..., rows, N]`` of magnitudes ``s [..., N, F]``; None where those of a frame are too many."""
    if not kernels.describes(s.shape[-1]):
        return None
    names, bands = tuple(wanted.names), tuple(wanted.bands)
    options = {name: getattr(wanted, name) for name in ("order", "share", "power", "amin")}
    table = _descriptor_table(np.asarray(wanted.hz, np.float32).tobytes(), bands)
    return _by_rows(s, 2, lambda rows: kernels.describe(rows, table, names, bands=len(bands), **options))
