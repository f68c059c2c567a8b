"""melspectrogram, mfcc and chroma_stft of librosa.feature."""

from __future__ import annotations

import functools
from typing import Any

import librosa
import numpy as np

from mlx_spectro import banks, cpu

from .. import limits
from ..dispatch import Plan
from ..reasons import REJECTED
from ._decibel import DECIBEL, clipped
from ._designs import chroma_filters, mel_filters
from ._serving import (
    Analysis,
    Array,
    array_reason,
    engine_reason,
    is_int,
    is_number,
    serves,
    source_of,
    transposed,
)

_normalize, _pitch_tuning = librosa.util.normalize, librosa.pitch_tuning
_MEL_OPTIONS = frozenset(("n_mels", "fmin", "fmax", "htk", "norm", "dtype"))
_CHROMA_OPTIONS = frozenset(("ctroct", "octwidth", "norm", "base_c", "dtype"))


class Filtered:
    """A power spectrogram, of audio or given, and the filters over it."""

    def __init__(self, source: Analysis | Array, bank: Array, power: float) -> None:
        self.source, self.bank, self.power = source, bank, power
        if isinstance(source, Analysis):
            self.shape = (*source.y.shape[:-1], source.frames, bank.shape[1])
            self.dtype = source.y.dtype
        else:
            self.shape = (*source.shape[:-2], source.shape[-1], bank.shape[1])
            self.dtype = source.dtype

    def fill(self, out: Array, ending: Any = None) -> Array:
        """Filtered values ``[..., N, filters]``, in double precision inside, to ``out``."""
        if isinstance(self.source, Analysis):
            options = {"power": self.power, "ending": ending, **self.source.options}
            return cpu.filterbank(self.source.y, self.source.window, self.bank, out=out, **options)
        values = self.source.swapaxes(-1, -2)
        return cpu.project(values, self.bank, ending=ending, precise=self.dtype == np.float32, out=out)

    def filters_first(self) -> Array:
        """Memory for ``[..., N, filters]`` that has the filters' axis outermost, as librosa's product leaves it."""
        *lead, frames, filters = self.shape
        memory = np.empty((filters, *lead, frames), self.dtype)
        return np.moveaxis(memory, 0, -1)

    def decibels(self) -> Array:
        """Filtered values ``[..., filters, N]`` as power_to_db makes them, at most 80 dB below their maximum."""
        return clipped(self.fill(self.filters_first(), DECIBEL).swapaxes(-1, -2), 80.0)


def mel_plan(
    y: Any,
    sr: Any,
    S: Any = None,
    n_fft: Any = 2048,
    hop_length: Any = 512,
    win_length: Any = None,
    window: Any = "hann",
    center: Any = True,
    pad_mode: Any = "constant",
    power: Any = 2.0,
    **kwargs: Any,
) -> Filtered | str:
    """The mel spectrogram that librosa's arguments ask for, or why we cannot serve it."""
    if kwargs.keys() - _MEL_OPTIONS or not (is_number(sr) and is_number(power) and power > 0):
        return REJECTED
    if kwargs.get("dtype", np.float32) is not np.float32:
        return "filters of another dtype"
    found = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    if isinstance(found, str):
        return found
    source, length = found
    return Filtered(source, mel_filters(sr=sr, n_fft=length, **kwargs), float(power))


@serves("librosa.feature.melspectrogram", limits.energy)
def melspectrogram(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    power: float = 2.0,
    **kwargs: Any,
) -> Plan:
    found = mel_plan(y, sr, S, n_fft, hop_length, win_length, window, center, pad_mode, power, **kwargs)
    if isinstance(found, str):
        return found
    return lambda: found.fill(found.filters_first()).swapaxes(-1, -2)


@functools.lru_cache(maxsize=32)
def _dct(n_mfcc: int, n_mels: int, norm: str | None, lifter: float) -> Array:
    """DCT-II, and the liftering of its results, ``[n_mels, n_mfcc]``."""
    basis = banks.dct_basis(n_mfcc, n_mels, norm).T
    if lifter > 0:
        # a sinusoidal lifter, as librosa applies it
        basis = basis * (1 + (lifter / 2) * np.sin(np.pi * np.arange(1, 1 + n_mfcc) / lifter))
    return np.ascontiguousarray(basis)


@serves("librosa.feature.mfcc", limits.cepstrum)
def mfcc(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_mfcc: int = 20,
    dct_type: int = 2,
    norm: Any = "ortho",
    lifter: float = 0,
    mel_norm: Any = "slaney",
    **kwargs: Any,
) -> Plan:
    if not (is_int(n_mfcc, 1) and is_number(lifter) and lifter >= 0):
        return REJECTED
    if dct_type != 2 or norm not in ("ortho", None):
        return "a cosine transform that is not ours"
    found = _decibels_of(y, sr, S, mel_norm, kwargs)
    if isinstance(found, str):
        return found
    mels = found.shape[-1] if isinstance(found, Filtered) else found.shape[-2]
    if lifter > 0 and n_mfcc > mels:
        return REJECTED
    basis = _dct(min(int(n_mfcc), mels), mels, norm, float(lifter))

    def work() -> Array:
        values = (found.decibels() if isinstance(found, Filtered) else found).swapaxes(-1, -2)
        out = transposed((*values.shape[:-1], basis.shape[1]), values.dtype)
        return cpu.project(values, basis, precise=values.dtype == np.float32, out=out).swapaxes(-1, -2)

    return work


def _decibels_of(y: Any, sr: Any, S: Any, mel_norm: Any, options: dict[str, Any]) -> Filtered | Array | str:
    """The decibels that cepstra are made of: given, or of the mel spectrogram of ``y``."""
    if S is None:
        return mel_plan(y, sr, norm=mel_norm, **options)
    reason = engine_reason() or array_reason(S)
    if reason or options or S.dtype.kind != "f" or S.ndim < 2:
        return reason or REJECTED
    given: Array = S
    return given


def _tuning(s: Array, sr: float, bins_per_octave: int) -> float:
    """librosa's estimate of the deviation from A440, from the peaks of ``s [..., F, N]`` between 150 and 4000 Hz."""
    hz = np.arange(s.shape[-2]) * (float(sr) / (2 * (s.shape[-2] - 1)))
    low, high = np.searchsorted(hz, (150.0, min(4000.0, float(sr) / 2)))
    low, high = max(1, low), min(high, s.shape[-2] - 1)
    positions, heights = cpu.spectral_peaks(s.swapaxes(-1, -2).reshape(-1, s.shape[-2]), low, high, 0.1)
    loud = heights >= np.median(heights) if heights.size else slice(0)
    pitches = (positions[loud] * hz[1]).astype(s.dtype)
    deviation: float = _pitch_tuning(pitches, bins_per_octave=bins_per_octave)
    return deviation


@serves("librosa.feature.chroma_stft", limits.energy)
def chroma_stft(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    norm: float | None = np.inf,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    tuning: float | None = None,
    n_chroma: int = 12,
    **kwargs: Any,
) -> Plan:
    if kwargs.keys() - _CHROMA_OPTIONS or not (is_number(sr) and is_int(n_chroma, 1)):
        return REJECTED
    if kwargs.get("dtype", np.float32) is not np.float32:
        return "filters of another dtype"
    found = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    if isinstance(found, str):
        return found
    source, length = found
    if not (tuning is None or is_number(tuning)):
        return REJECTED

    def work() -> Array:
        spectrum, deviation = source, tuning
        if deviation is None:
            # two things are made of the spectrum
            spectrum = source.power_spectrogram() if isinstance(source, Analysis) else source
            deviation = _tuning(spectrum, sr, n_chroma)
        bank = chroma_filters(sr=sr, n_fft=length, tuning=deviation, n_chroma=n_chroma, **kwargs)
        filtered = Filtered(spectrum, bank, 2.0)
        raw = filtered.fill(np.empty(filtered.shape, filtered.dtype)).swapaxes(-1, -2)
        return _normalize(raw, norm=norm, axis=-2)

    return work
