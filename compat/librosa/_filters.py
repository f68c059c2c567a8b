"""mel and chroma of librosa.filters, and librosa's own filters for spectrograms."""

from __future__ import annotations

import functools
import math
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design import banks

from ..contract import settings, tolerances
from ..contract.lines import as_called_in
from ..contract.reasons import ByDesign
from ..dispatch import Plan
from ._arguments import Array, serves
from ._options import choice, flag, is_dtype, number, plain, whole

_mel, _chroma = librosa.filters.mel, librosa.filters.chroma
_mel_as_called = as_called_in(librosa.feature.melspectrogram, "mel")
_MOST = 64
_kept: dict[tuple[Any, ...], Array] = {}


def rate_reason(sr: Any) -> str:
    """Why ``sr`` is no sample rate that we take; empty where it is one."""
    return number("sr", sr, 1e-3, 1e9)


def norm_reason(norm: Any, *names: str | None) -> str:
    """Why ``norm`` is neither among ``names`` nor an order of a norm that we take; empty where it is."""
    if norm is None or type(norm) is str:
        return choice("norm", norm, *names)
    return "" if type(norm) is float and norm == math.inf else plain("norm", norm, 0.1, 100)


def mel_reason(
    sr: Any,
    n_mels: Any = 128,
    fmin: Any = 0.0,
    fmax: Any = None,
    htk: Any = False,
    norm: Any = "slaney",
    dtype: Any = np.float32,
    **unknown: Any,
) -> str:
    """Why mel filters are librosa's own to make; empty where we know what it makes."""
    if unknown:
        return "arguments that mlx_spectro does not know"
    reason = (
        rate_reason(sr)
        or whole("n_mels", n_mels)
        or number("fmin", fmin, 0)
        or ("" if fmax is None else number("fmax", fmax))
        or flag("htk", htk)
        or norm_reason(norm, "slaney", None)
    )
    if reason:
        return reason
    if not is_dtype(dtype, np.float32):
        return "dtype asks for filters that are not float32"
    width = (sr / 2 if fmax is None else fmax) - fmin
    return (
        "" if width > 1e-6 * n_mels else "fmin and fmax are so near each other that filters hold next to no frequency"
    )


def mel_filters(
    sr: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: Any = False,
    norm: Any = "slaney",
    dtype: Any = np.float32,
) -> Array:
    """librosa's own mel filters ``[bins, mels]``, as a model that was trained on them needs them.

    They are kept, unless some are empty: librosa warns of them each time that it makes them.
    """
    key = (sr, n_fft, n_mels, fmin, fmax, bool(htk), norm)
    found = _kept.get(key)
    if found is None:
        options = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax, "htk": htk, "norm": norm}
        found = np.ascontiguousarray(_mel_as_called(_mel, (), {"sr": sr, "n_fft": n_fft, **options}).T)
        if found.any(axis=0).all():
            if len(_kept) >= _MOST:
                _kept.clear()
            _kept[key] = found
    return found


def chroma_reason(
    ctroct: Any = 5.0,
    octwidth: Any = 2,
    norm: Any = 2,
    base_c: Any = True,
    dtype: Any = np.float32,
    **unknown: Any,
) -> str:
    """Why chroma filters are librosa's own to make; empty where we know what it makes."""
    if unknown:
        return "arguments that mlx_spectro does not know"
    reason = (
        number("ctroct", ctroct, -100, 100)
        or ("" if octwidth is None else number("octwidth", octwidth, 1e-3, 1e3))
        or norm_reason(norm, None)
        or flag("base_c", base_c)
    )
    return reason or ("" if is_dtype(dtype, np.float32) else "dtype asks for filters that are not float32")


def tuning_reason(tuning: Any) -> str:
    """Why ``tuning`` is no deviation that we take; empty where it is one."""
    return number("tuning", tuning, -100, 100)


@functools.lru_cache(maxsize=64)
def chroma_filters(**parameters: Any) -> Array:
    """librosa's own chroma filters ``[bins, chroma]``."""
    return np.ascontiguousarray(_chroma(**parameters).T)


def _reason(dtype: Any) -> str:
    """Why librosa has to make a matrix of ``dtype``; empty where we can."""
    if settings.route.get() == "auto":
        return ByDesign(
            "filters are left to librosa, to equal those of trained models to the bit; route('ours') has us make them"
        )
    return "" if is_dtype(dtype, np.float32, np.float64) else "dtype is neither float32 nor float64"


@serves("librosa.filters.mel", tolerances.sums)
def mel(
    *,
    sr: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: Any = "slaney",
    dtype: Any = np.float32,
) -> Plan:
    """librosa.filters.mel. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    reason = _reason(dtype) or whole("n_fft", n_fft, 2) or mel_reason(sr, n_mels, fmin, fmax, htk, norm)
    if reason:
        return reason
    fmax = sr / 2 if fmax is None else fmax
    if norm not in ("slaney", None):
        return "norm is neither 'slaney' nor None"
    hz = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sr / n_fft)
    bank = banks.mel_bank(hz, fmin, fmax, int(n_mels), norm, "htk" if htk else "slaney")
    if not bank.any(axis=0).all():
        return "some filters hold no frequency, of which librosa warns"
    return lambda: np.ascontiguousarray(bank.T, dtype)


@serves("librosa.filters.chroma", tolerances.sums)
def chroma(
    *,
    sr: float,
    n_fft: int,
    n_chroma: int = 12,
    tuning: float = 0.0,
    ctroct: float = 5.0,
    octwidth: float | None = 2,
    norm: float | None = 2,
    base_c: bool = True,
    dtype: Any = np.float32,
) -> Plan:
    """librosa.filters.chroma. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    reason = (
        _reason(dtype)
        or rate_reason(sr)
        or whole("n_fft", n_fft, 2)
        or whole("n_chroma", n_chroma)
        or tuning_reason(tuning)
        or chroma_reason(ctroct, octwidth, norm, base_c)
    )
    if reason:
        return reason
    options: dict[str, Any] = {"centre_octave": ctroct, "octave_width": octwidth, "norm": norm, "base_c": base_c}
    return lambda: np.ascontiguousarray(banks.chroma_bank(sr, n_fft, n_chroma, tuning, **options), dtype)
