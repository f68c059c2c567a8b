"""mel_to_stft, mel_to_audio and mfcc_to_audio of librosa.feature.inverse."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from ...arrays.numpy_options import check_choice, check_number, check_plain, check_whole
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.lines import as_called_in
from ...contract.reasons import ByDesign
from .._adapter import adapter
from .._arguments import Array, check_array, check_engine
from .._core.griffinlim import griffinlim, iterations
from .._filters import check_mel, mel_filters
from .._nnls import check_targets, solve

_theirs = importlib.import_module("librosa.feature.inverse")
_mfcc_to_mel = _theirs.mfcc_to_mel
_mel_as_called = as_called_in(_theirs.mel_to_stft, "mel")


# that many decibels are squared in float32
_MOST_DECIBELS = 150


def _check_options(function: Any, dtype: Any, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    """Decline options that ``function`` leaves to librosa: inside a call of ours, an error or a warning of its own
    would come twice."""
    function.plan(np.broadcast_to(np.ones((), dtype), shape), **options)


def _check_draws() -> None:
    if settings.numerics.get() == "verify":
        raise Decline(ByDesign("phases are drawn at random, and a second run to compare with would draw others"))


def _plan(M: Any, sr: Any, n_fft: Any, power: Any, options: dict[str, Any]) -> Work:
    check_targets(M)
    check_whole("n_fft", n_fft, 2)
    check_plain("power", power, 1e-3, 1e3)
    if options.keys() & {"n_mels", "dtype"}:
        raise Decline("n_mels and dtype are M's own")
    check_mel(sr, M.shape[-2], **options)

    def work() -> Array:
        bank = mel_filters(sr, n_fft, M.shape[-2], dtype=M.dtype, called=_mel_as_called, **options)
        magnitudes = solve(np.ascontiguousarray(bank.T), M)
        np.power(magnitudes, 1.0 / power, out=magnitudes)
        return magnitudes

    return work


@adapter("librosa.feature.inverse.mel_to_stft", tolerances.repeated)
def mel_to_stft(M: Array, *, sr: float = 22050, n_fft: int = 2048, power: float = 2.0, **kwargs: Any) -> Work:
    """librosa.feature.inverse.mel_to_stft. Same arguments, same defaults.

    Where librosa stops, after the same steps.
    """
    return _plan(M, sr, n_fft, power, kwargs)


@adapter("librosa.feature.inverse.mel_to_audio", tolerances.iterated, order=iterations)
def mel_to_audio(
    M: Array,
    *,
    sr: float = 22050,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    power: float = 2.0,
    n_iter: int = 32,
    length: int | None = None,
    dtype: Any = np.float32,
    **kwargs: Any,
) -> Work:
    """librosa.feature.inverse.mel_to_audio. Same arguments, same defaults.

    Magnitudes are ``mel_to_stft``'s, and audio ``griffinlim``'s, from the same random numbers.
    """
    options = {
        "hop_length": hop_length, "win_length": win_length, "n_fft": n_fft, "window": window, "center": center,
        "pad_mode": pad_mode, "n_iter": n_iter, "length": length, "dtype": dtype,
    }  # fmt: skip
    _check_draws()
    magnitudes = _plan(M, sr, n_fft, power, kwargs)
    _check_options(griffinlim, M.dtype, (*M.shape[:-2], n_fft // 2 + 1, M.shape[-1]), options)
    return lambda: griffinlim(magnitudes(), **options)


@adapter("librosa.feature.inverse.mfcc_to_audio", tolerances.iterated, order=lambda given: int(given.get("n_iter", 32)))
def mfcc_to_audio(
    mfcc: Array,
    *,
    n_mels: int = 128,
    dct_type: int = 2,
    norm: Any = "ortho",
    ref: float = 1.0,
    lifter: float = 0,
    **kwargs: Any,
) -> Work:
    """librosa.feature.inverse.mfcc_to_audio. Same arguments, same defaults.

    The mel spectrogram, which takes next to no time, is librosa's.
    """
    check_engine()
    check_array(mfcc)
    check_number("lifter", lifter, 0)
    if lifter > 0:
        raise Decline("lifter is given, of which librosa may warn")
    _check_draws()
    check_whole("n_mels", n_mels, 2)
    check_choice("norm", norm, "ortho", None)
    check_plain("ref", ref, 0, 1e3)
    if type(dct_type) is not int or dct_type not in (2, 3):
        raise Decline("dct_type is neither 2 nor 3")
    if mfcc.dtype.kind != "f" or mfcc.ndim < 2:
        raise Decline("mfcc is complex, or has fewer than two axes")
    if not np.abs(mfcc).sum(axis=-2).max() * (math.sqrt(2 / n_mels) if norm else 1) < _MOST_DECIBELS:
        raise Decline("mfcc is not finite, or of so many decibels that their powers may overflow")
    _check_options(mel_to_audio, mfcc.dtype, (*mfcc.shape[:-2], int(n_mels), mfcc.shape[-1]), kwargs)
    options = {"n_mels": n_mels, "dct_type": dct_type, "norm": norm, "ref": ref}
    return lambda: mel_to_audio(_mfcc_to_mel(mfcc, **options), **kwargs)
