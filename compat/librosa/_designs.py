"""mel and chroma of librosa.filters, and librosa's own filters for spectrograms."""

from __future__ import annotations

import functools
from typing import Any

import librosa
import numpy as np

from mlx_spectro import banks

from .. import limits, modes
from ..dispatch import Plan
from ..reasons import REJECTED, ByDesign
from ._serving import Array, is_int, is_number, serves

_mel, _chroma = librosa.filters.mel, librosa.filters.chroma


@functools.lru_cache(maxsize=64)
def mel_filters(**parameters: Any) -> Array:
    """librosa's own mel filters ``[bins, mels]``, as a model that was trained on them needs them."""
    return np.ascontiguousarray(_mel(**parameters).T)


@functools.lru_cache(maxsize=64)
def chroma_filters(**parameters: Any) -> Array:
    """librosa's own chroma filters ``[bins, chroma]``."""
    return np.ascontiguousarray(_chroma(**parameters).T)


def _reason(*sizes: Any, dtype: Any) -> str:
    """Why librosa has to make a matrix of these sizes; empty where we can."""
    if modes.route.get() == "auto":
        return ByDesign("models hold librosa's own rounding")
    if np.dtype(dtype) not in (np.float32, np.float64):
        return f"dtype {np.dtype(dtype)}"
    return "" if all(is_int(size, 1) for size in sizes) else REJECTED


@serves("librosa.filters.mel", limits.sums)
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
    fmax = sr / 2 if fmax is None and is_number(sr) else fmax
    reason = _reason(n_fft, n_mels, dtype=dtype)
    if reason:
        return reason
    if not (is_number(sr) and is_number(fmin) and is_number(fmax) and fmax is not None and 0 <= fmin < fmax):
        return REJECTED
    if norm not in ("slaney", None):
        return "a norm that is not ours"
    hz = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sr / n_fft)
    bank = banks.mel_bank(hz, fmin, fmax, int(n_mels), norm, "htk" if htk else "slaney")
    if not bank.any(axis=0).all():
        return "librosa warns of empty filters"
    return lambda: np.ascontiguousarray(bank.T, dtype)


@serves("librosa.filters.chroma", limits.sums)
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
    reason = _reason(n_fft, n_chroma, dtype=dtype)
    if reason:
        return reason
    if not (is_number(sr) and is_number(tuning) and is_number(ctroct) and (norm is None or is_number(norm))):
        return REJECTED
    if norm is not None and norm <= 0:
        return "a norm that is not ours"
    options: dict[str, Any] = {"centre_octave": ctroct, "octave_width": octwidth, "norm": norm, "base_c": base_c}
    return lambda: np.ascontiguousarray(banks.chroma_bank(sr, n_fft, n_chroma, tuning, **options), dtype)
