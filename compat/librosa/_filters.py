"""mel and chroma of librosa.filters, and librosa's own filters for spectrograms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design import banks

from ..arrays.numpy_options import check_choice, check_flag, check_number, check_plain, check_whole, is_dtype
from ..contract import settings, tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.lines import as_called_in
from ..contract.reasons import ByDesign
from ._adapter import adapter
from ._arguments import Array

_mel, _chroma = librosa.filters.mel, librosa.filters.chroma
_mel_as_called = as_called_in(librosa.feature.melspectrogram, "mel")
_MOST = 64
_banks: dict[tuple[Any, ...], Array] = {}


def check_rate(sr: Any) -> None:
    """Take sample rates."""
    check_number("sr", sr, 1e-3, 1e9)


def check_norm(norm: Any, *names: str | None) -> None:
    """Take ``names`` and orders of norms."""
    if norm is None or type(norm) is str:
        check_choice("norm", norm, *names)
    elif not (type(norm) is float and norm == math.inf):
        check_plain("norm", norm, 0.1, 100)


def check_mel(
    sr: Any,
    n_mels: Any = 128,
    fmin: Any = 0.0,
    fmax: Any = None,
    htk: Any = False,
    norm: Any = "slaney",
    dtype: Any = np.float32,
    **unknown: Any,
) -> None:
    """Take the options of mel filters of which we know what librosa makes."""
    if unknown:
        raise Decline("arguments that mlx_spectro does not know")
    check_rate(sr)
    check_whole("n_mels", n_mels)
    check_number("fmin", fmin, 0)
    if fmax is not None:
        check_number("fmax", fmax)
    check_flag("htk", htk)
    check_norm(norm, "slaney", None)
    if not is_dtype(dtype, np.float32):
        raise Decline("dtype asks for filters that are not float32")
    width = (sr / 2 if fmax is None else fmax) - fmin
    if not width > 1e-6 * n_mels:
        raise Decline("fmin and fmax are so near each other that filters hold next to no frequency")


def mel_filters(
    sr: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: Any = False,
    norm: Any = "slaney",
    dtype: Any = np.float32,
    called: Callable[..., Any] = _mel_as_called,
) -> Array:
    """librosa's own mel filters ``[bins, mels]``, as a model that was trained on them needs them.

    They are cached, unless some are empty: librosa warns of them each time that it makes them.

    Args:
        called: Makes the call, for the warning to name a line of librosa's.
    """
    key = (sr, n_fft, n_mels, fmin, fmax, bool(htk), norm, np.dtype(dtype).char)
    bank = _banks.get(key)
    if bank is None:
        options = {"n_mels": n_mels, "fmin": fmin, "fmax": fmax, "htk": htk, "norm": norm, "dtype": dtype}
        bank = np.ascontiguousarray(called(_mel, (), {"sr": sr, "n_fft": n_fft, **options}).T)
        if bank.any(axis=0).all():
            if len(_banks) >= _MOST:
                _banks.clear()
            _banks[key] = bank
    return bank


def check_chroma(
    ctroct: Any = 5.0,
    octwidth: Any = 2,
    norm: Any = 2,
    base_c: Any = True,
    dtype: Any = np.float32,
    **unknown: Any,
) -> None:
    """Take the options of chroma filters of which we know what librosa makes."""
    if unknown:
        raise Decline("arguments that mlx_spectro does not know")
    check_number("ctroct", ctroct, -100, 100)
    if octwidth is not None:
        check_number("octwidth", octwidth, 1e-3, 1e3)
    check_norm(norm, None)
    check_flag("base_c", base_c)
    if not is_dtype(dtype, np.float32):
        raise Decline("dtype asks for filters that are not float32")


def check_tuning(tuning: Any) -> None:
    """Take deviations from A440, in bins."""
    check_number("tuning", tuning, -100, 100)


@functools.lru_cache(maxsize=64)
def chroma_filters(**parameters: Any) -> Array:
    """librosa's own chroma filters ``[bins, chroma]``."""
    return np.ascontiguousarray(_chroma(**parameters).T)


def _check_matrix(dtype: Any) -> None:
    """Decline a matrix of ``dtype`` that librosa has to make."""
    if settings.route.get() == "auto":
        raise Decline(
            ByDesign(
                "filters are left to librosa, to equal those of trained models to the bit; "
                "route('ours') has us make them"
            )
        )
    if not is_dtype(dtype, np.float32, np.float64):
        raise Decline("dtype is neither float32 nor float64")


@adapter("librosa.filters.mel", tolerances.elementwise)
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
) -> Work:
    """librosa.filters.mel. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    _check_matrix(dtype)
    check_whole("n_fft", n_fft, 2)
    check_mel(sr, n_mels, fmin, fmax, htk, norm)
    fmax = sr / 2 if fmax is None else fmax
    if norm not in ("slaney", None):
        raise Decline("norm is neither 'slaney' nor None")
    hz = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sr / n_fft)
    bank = banks.mel_bank(hz, fmin, fmax, int(n_mels), norm, "htk" if htk else "slaney")
    if not bank.any(axis=0).all():
        raise Decline("some filters hold no frequency, of which librosa warns")
    return lambda: np.ascontiguousarray(bank.T, dtype)


@adapter("librosa.filters.chroma", tolerances.elementwise)
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
) -> Work:
    """librosa.filters.chroma. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    _check_matrix(dtype)
    check_rate(sr)
    check_whole("n_fft", n_fft, 2)
    check_whole("n_chroma", n_chroma)
    check_tuning(tuning)
    check_chroma(ctroct, octwidth, norm, base_c)
    options: dict[str, Any] = {"centre_octave": ctroct, "octave_width": octwidth, "norm": norm, "base_c": base_c}
    return lambda: np.ascontiguousarray(banks.chroma_bank(sr, n_fft, n_chroma, tuning, **options), dtype)
