"""The operators by GPU kernels, which take flat rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import mlx.core as mx
import numpy as np

from ..design.framing import Framing, overlap_length
from ..design.logarithms import reference_level
from ..kernels import gpu
from ..kernels.cpu import Wanted


def serves(n_fft: int) -> bool:
    """Whether fused kernels transform frames of ``n_fft`` samples here."""
    return gpu.why_not(n_fft) is None


def _by_rows(x: mx.array, axes: int, function: Callable[[mx.array], mx.array]) -> mx.array:
    """``function`` of ``x`` with all but its last ``axes`` axes made one."""
    if x.ndim == axes + 1:
        return function(x)
    lead, own = x.shape[:-axes], x.shape[-axes:]
    y = function(x.reshape(math.prod(lead), *own))
    return y.reshape(*lead, *y.shape[1:])


def stft(x: mx.array, window: mx.array, framing: Framing, scale: float) -> mx.array:
    """One-sided spectrum ``[..., N, F]`` of audio ``[..., T]``."""
    return _by_rows(x, 1, lambda rows: gpu.stft(rows, window, scale=scale, **framing.padding))


def stft_adjoint(g: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Transpose of :func:`stft`."""
    return _by_rows(g, 2, lambda rows: gpu.stft_adjoint(rows, window, length=length, scale=scale, **framing.padding))


def power_adjoint(z: mx.array, g: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Gradient ``[..., length]`` of a power spectrogram at the spectrum ``z``, given the spectrogram's own, ``g``."""
    spectra, gain = (y.reshape(-1, *y.shape[-2:]) for y in (z, g))
    options = {**framing.padding, "length": length, "scale": 2 * scale, "gain": gain}
    return gpu.stft_adjoint(spectra, window, **options).reshape(*z.shape[:-2], length)


def istft(z: mx.array, window: mx.array, framing: Framing, scale: float, length: int) -> mx.array:
    """Audio ``[..., length]`` of a one-sided spectrum ``[..., N, F]``."""
    return _by_rows(z, 2, lambda rows: gpu.istft(rows, window, length=length, scale=scale, **framing.cut))


def synthesis(frames: mx.array, window: mx.array, framing: Framing, length: int, scale: float) -> mx.array:
    """Audio ``[..., length]`` of inverse transforms ``[..., N, n_fft]``: windowed, overlapped, over the envelope."""
    options = {**framing.cut, "scale": scale, "length": length, "weigh": True, "divide": True}
    return _by_rows(frames, 2, lambda rows: gpu.overlap_add(rows, window, **options))


def overlap_add(frames: mx.array, hop_length: int) -> mx.array:
    """Sum of frames ``[..., N, n_fft]`` placed ``hop_length`` samples apart."""
    length = overlap_length(frames.shape[-2], frames.shape[-1], hop_length)
    return _by_rows(frames, 2, lambda rows: gpu.overlap_add(rows, hop_length=hop_length, length=length))


def istft_adjoint(g: mx.array, window: mx.array, framing: Framing, scale: float, frames: int) -> mx.array:
    """Transpose of :func:`istft`."""
    return _by_rows(g, 1, lambda rows: gpu.istft_adjoint(rows, window, frames=frames, scale=scale, **framing.cut))


@functools.lru_cache(maxsize=128)
def _bank(matrix: _ByIdentity, *, projected: bool = True, transposed: bool = False) -> gpu.Bank:
    dense = np.array(matrix.array)
    return gpu.bank(dense.T if transposed else dense, projected=projected)


def _fits(matrix: mx.array) -> bool:
    """Whether a kernel finds its way in a bank's table, where places are float32 numbers."""
    return matrix.size <= 1 << 23


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
        return (0, 0.0, 1.0, 0.0, 0.0, 0.0)
    if ending[0] == "log":
        _, amin, added = ending
        return (2 if added else 1, amin, 1.0, 0.0, 0.0, 0.0)
    _, multiplier, amin, reference = ending
    level = reference_level(reference, amin, np.finfo(np.float32))
    return (3, amin, multiplier, multiplier * level.logarithm, level.low, level.high)


class _Filters(NamedTuple):
    """A filterbank's call, but for the audio."""

    window: mx.array
    framing: Framing
    scale: float
    power: float
    bank: mx.array
    ending: Any

    @property
    def served(self) -> bool:
        """Whether a kernel takes magnitudes to that power, and the bank."""
        return self.power in (1.0, 2.0) and _fits(self.bank)

    def __call__(self, rows: mx.array, *, peaked: bool = False) -> list[mx.array]:
        """Filtered spectrograms ``[R, N, filters]``, and if ``peaked`` the rows' peaks in parts ``[R, P]``."""
        return gpu.filterbank(
            rows,
            self.window,
            _bank(_ByIdentity(self.bank), projected=False),
            kind="power" if self.power == 2.0 else "magnitude",
            ending=_ended(self.ending),
            scale=self.scale,
            peaked=peaked,
            **self.framing.padding,
        )


def filterbank(
    x: mx.array,
    window: mx.array,
    framing: Framing,
    scale: float,
    power: float,
    bank: mx.array,
    ending: Any,
    *,
    top_db: float | None = None,
    packed: bool = False,
) -> mx.array | None:
    """Filtered spectrogram ``[..., N, filters]``; None where no kernel takes magnitudes to that power, or the bank.

    With ``top_db``, nothing is less than its peak minus it: of an example or, ``packed``, of its last batch axis.
    """
    filters = _Filters(window, framing, scale, power, bank, ending)
    if not filters.served:
        return None
    together = x.shape[-2] if packed and x.ndim > 1 else 1

    def clipped(rows: mx.array) -> mx.array:
        y, peaks = filters(rows, peaked=True)
        return gpu.clip(y, peaks.reshape(-1, together * peaks.shape[-1]), cast(float, top_db))

    return _by_rows(x, 1, clipped if top_db is not None else lambda rows: filters(rows)[0])


def cepstrum(
    x: mx.array,
    window: mx.array,
    framing: Framing,
    scale: float,
    power: float,
    bank: mx.array,
    ending: Any,
    basis: mx.array,
    top_db: float | None,
) -> mx.array | None:
    """:func:`filterbank` clipped ``top_db`` below each example's peak, ``@ basis [filters, M]``: two launches."""
    filters = _Filters(window, framing, scale, power, bank, ending)
    if not (filters.served and gpu.projects(basis.shape[0]) and _fits(basis)):
        return None
    table = _bank(_ByIdentity(basis))

    def project(rows: mx.array) -> mx.array:
        if top_db is None:
            return gpu.project(filters(rows)[0], table)
        y, peaks = filters(rows, peaked=True)
        return gpu.project(y, table, peaks=peaks, top=top_db)

    return _by_rows(x, 1, project)


def project(
    s: mx.array, bank: mx.array, *, transposed: bool = False, top_db: float | None = None, squared: bool = False
) -> mx.array | None:
    """``s [..., N, F]``, or its squares, ``@ bank [F, filters]``, or by its transpose.

    None where the values of a frame or the weights are too many. With ``top_db``, no value counts as less than the
    largest of its last two axes minus it.
    """
    if not (gpu.projects(s.shape[-1]) and _fits(bank)):
        return None
    table = _bank(_ByIdentity(bank), transposed=transposed)

    def project(rows: mx.array) -> mx.array:
        peaks = None if top_db is None else rows.max(axis=(-2, -1))[:, None]
        return gpu.project(rows, table, peaks=peaks, top=top_db, squared=squared)

    return _by_rows(s, 2, project)


def spectrogram(x: mx.array, window: mx.array, framing: Framing, scale: float, power: float) -> mx.array | None:
    """Magnitudes ``[..., N, F]`` to ``power``; None where no kernel ends in them."""
    if power not in (1.0, 2.0):
        return None
    options = {**framing.padding, "scale": scale, "kind": "power" if power == 2.0 else "magnitude"}
    return _by_rows(x, 1, lambda rows: gpu.stft(rows, window, **options))


@functools.lru_cache(maxsize=32)
def _descriptor_table(hz: bytes, bands: Sequence[tuple[int, int, int]]) -> mx.array:
    table = mx.array(gpu.descriptor_table(np.frombuffer(hz, np.float32), bands))
    mx.eval(table)
    return table


def describe(x: mx.array, window: mx.array, framing: Framing, wanted: Wanted) -> mx.array | None:
    """Descriptors ``[..., rows, N]`` of audio ``[..., T]``; None where no kernel transforms its frames."""
    s = spectrogram(x, window, framing, 1.0, 1.0) if serves(framing.n_fft) else None
    return None if s is None else describe_given(s, wanted)


def describe_given(s: mx.array, wanted: Wanted) -> mx.array | None:
    """Descriptors ``[..., rows, N]`` of magnitudes ``s [..., N, F]``; None where those of a frame are too many."""
    if not gpu.describes(s.shape[-1]):
        return None
    names, bands = tuple(wanted.names), tuple(wanted.bands)
    options = {name: getattr(wanted, name) for name in ("order", "share", "power", "amin")}
    table = _descriptor_table(np.asarray(wanted.hz, np.float32).tobytes(), bands)
    return _by_rows(s, 2, lambda rows: gpu.describe(rows, table, names, bands=len(bands), **options))


def frame_number(x: mx.array, framing: Framing, name: Any) -> mx.array:
    """``"norm"`` or ``"crossings"`` ``[..., N]`` of the frames of audio ``[..., T]``."""
    return _by_rows(x, 1, lambda rows: gpu.frame_number(rows, name, size=framing.n_fft, **framing.padding))
