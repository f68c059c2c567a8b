"""Filters, projections and descriptors by kernels, on MLX arrays with flat rows and without gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from . import bank_table, descriptors, filters, frame_statistics, projection, tune
from .launch_mlx import Call
from .operations import frames_of
from .plan import Geometry


class Bank(NamedTuple):
    """:class:`.bank_table.Table` with its values as an MLX array."""

    values: mx.array
    filters: int
    pieces: int


def bank(matrix: npt.NDArray[np.floating], *, projected: bool = False) -> Bank:
    """Filters ``[K, filters]`` as :func:`filterbank` takes them, or :func:`project`."""
    made = bank_table.table(matrix, projection.MOST_PIECES if projected else None)
    values = mx.array(made.values)
    mx.eval(values)
    return Bank(values, made.filters, made.pieces)


@functools.lru_cache(maxsize=512)
def _filterbank(rows: int, length: int, frames: int, ending: tuple[float, ...], **options: Any) -> Call:
    named = dict(zip(filters.ENDING, ending, strict=True))
    return Call(filters.launch(rows, length, frames, ending=named, **options))


def filterbank(
    x: mx.array,
    window: mx.array,
    bank: Bank,
    *,
    kind: filters.Magnitudes,
    ending: tuple[float, ...],
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    scale: float = 1.0,
    peaked: bool = False,
) -> list[mx.array]:
    """Filtered spectrograms ``[R, N, filters]`` of signals ``[R, T]``, and if ``peaked`` each row's peak in parts.

    Args:
        bank: The filters.
        kind: ``"magnitude"`` or ``"power"``.
        ending: One of :mod:`.filters`' endings, and its numbers: :data:`.filters.ENDING`.
        x, window, hop_length, left, right, pad_mode, scale: As in :func:`stft`.
    """
    rows, length = x.shape
    frames = frames_of(length, window.size, hop_length, left, right)
    options: dict[str, Any] = {
        "filters": bank.filters,
        "pieces": bank.pieces,
        "kind": kind,
        "n_fft": window.size,
        "hop_length": hop_length,
        "left": left,
        "pad_mode": pad_mode,
        "scale": scale,
        "peaked": peaked,
    }

    def make(geometry: Geometry | None) -> Callable[[], list[mx.array]]:
        call = _filterbank(rows, length, frames, ending, geometry=geometry, **options)
        return lambda: call(x, window, bank.values)

    def first(geometry: Geometry | None) -> tune.Run:
        return lambda: make(geometry)()[0]

    return make(tune.geometry("filterbank", window.size, hop_length, rows * frames, (x, window), first))()


@functools.lru_cache(maxsize=512)
def _project(rows: int, frames: int, count: int, **options: Any) -> Call:
    return Call(projection.launch(rows, frames, count, **options))


def project(
    x: mx.array,
    bank: Bank,
    *,
    peaks: mx.array | None = None,
    top: float | None = None,
    squared: bool = False,
) -> mx.array:
    """Filters over given values ``[R, N, K]``, or over their squares.

    Args:
        bank: The filters ``[K, filters]``.
        peaks, top: Of each row numbers ``[R, P]``: no value counts as less than the largest minus ``top``.

    Returns:
        float32 ``[R, N, filters]``.
    """
    rows, frames, count = x.shape
    peaks = None if peaks is None else _few(peaks)
    parts, top = (1, None) if peaks is None else (peaks.shape[-1], top)
    options = {"filters": bank.filters, "pieces": bank.pieces, "squared": squared}
    call = _project(rows, frames, count, top=top, parts=parts, **options)
    return call(x, bank.values, x if peaks is None else peaks)[0]


@functools.lru_cache(maxsize=512)
def _clip(rows: int, size: int, top: float, parts: int, together: int) -> Call:
    return Call(projection.clip_launch(rows, size, top=top, parts=parts, together=together))


def clip(x: mx.array, peaks: mx.array, top: float) -> mx.array:
    """``x [R, ...]`` with nothing below its peak minus ``top``.

    Args:
        peaks: Numbers ``[G, P]``, the largest of each line being the peak of ``R / G`` neighbouring rows.
        top: At least 0.
    """
    peaks = _few(peaks)
    groups, parts = peaks.shape
    rows = x.shape[0]
    return _clip(rows, x.size // rows, top, parts, rows // groups)(x, peaks)[0].reshape(x.shape)


def _few(peaks: mx.array) -> mx.array:
    """Peaks in parts few enough for every threadgroup to look through."""
    return peaks if peaks.shape[-1] <= projection.MOST_PARTS else peaks.max(axis=-1, keepdims=True)


@functools.lru_cache(maxsize=512)
def _frame_number(rows: int, length: int, frames: int, number: frame_statistics.Number, **options: Any) -> Call:
    return Call(frame_statistics.launch(rows, length, frames, number, **options))


def frame_number(
    x: mx.array,
    number: frame_statistics.Number,
    *,
    size: int,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    zero: float = 1e-10,
) -> mx.array:
    """``"norm"``, or ``"crossings"`` of zero, of frames of ``size`` samples of signals ``[R, T]``.

    Args:
        zero: What lies this close to 0 is positive.
        x, hop_length, left, right, pad_mode: As in :func:`stft`.

    Returns:
        float32 ``[R, N]``.
    """
    rows, length = x.shape
    frames = frames_of(length, size, hop_length, left, right)
    options = {"size": size, "hop_length": hop_length, "left": left, "pad_mode": pad_mode, "zero": zero}
    return _frame_number(rows, length, frames, number, **options)(x)[0]


@functools.lru_cache(maxsize=512)
def _describe(rows: int, frames: int, bins: int, names: tuple[str, ...], **options: Any) -> Call:
    return Call(descriptors.launch(rows, frames, bins, names, **options))


def describe(s: mx.array, table: mx.array, names: tuple[str, ...], **options: Any) -> mx.array:
    """Descriptors of magnitudes ``[R, N, F]``.

    Args:
        table: What :func:`.descriptors.table` makes of the bins' frequencies and a contrast's bands.
        names: Which descriptors, one after another.
        options: Their parameters, as :func:`.descriptors.launch` takes them.

    Returns:
        float32 ``[R, numbers, N]``.
    """
    return _describe(*s.shape, names, **options)(s, table)[0]
