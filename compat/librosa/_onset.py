"""onset_strength, onset_strength_multi and onset_detect of librosa.onset."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np

from mlx_spectro.kernels import cpu

from ..arrays.numpy_options import check_whole
from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.reasons import BySize
from ._adapter import adapter
from ._arguments import Array
from ._feature.mel import mel_plan
from ._filters import check_rate

_strength, _multi = librosa.onset.onset_strength, librosa.onset.onset_strength_multi
# values that a network puts in order faster than NumPy finds the one in the middle
_MOST_IN_ORDER = 512
_detect = librosa.onset.onset_detect


def _median(values: Array, axis: int) -> Array:
    """``np.median(values, axis)`` of finite ones."""
    rows = np.moveaxis(values, axis, 0)
    if not 0 < len(rows) <= _MOST_IN_ORDER:
        result: Array = np.median(values, axis=axis)
        return result
    return cpu.medians_of_columns(rows.reshape(len(rows), -1)).reshape(rows.shape[1:])


def _plan(theirs: Any, y: Any, sr: Any, S: Any, n_fft: Any, hop_length: Any, feature: Any, options: Any) -> Work:
    """librosa's differences of our decibels."""
    if S is not None:
        raise Decline("S is given: the onset strength of audio, y, is served")
    if feature is not None:
        raise Decline("feature is given: that of librosa's mel spectrogram is served")
    of_onset, of_mel = options
    check_rate(sr)
    check_whole("hop_length", hop_length)
    check_whole("lag", of_onset["lag"])
    check_whole("max_size", of_onset["max_size"])
    of_mel.setdefault("fmax", 0.5 * sr)
    mel = mel_plan(y, sr, n_fft=n_fft, hop_length=hop_length, **of_mel)
    ref = of_onset["ref"]
    if ref is not None and np.shape(ref) != (*mel.shape[:-2], mel.shape[-1], mel.shape[-2]):
        raise Decline("ref has another shape than the spectrogram")

    if of_onset["aggregate"] is np.median:
        of_onset["aggregate"] = _median

    def work() -> Array:
        result: Array = theirs(S=mel.decibels(), sr=sr, n_fft=n_fft, hop_length=hop_length, **of_onset)
        return result

    return work


@adapter("librosa.onset.onset_strength", tolerances.of_single(tolerances.cepstrum))
def onset_strength(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    lag: int = 1,
    max_size: int = 1,
    ref: Array | None = None,
    detrend: bool = False,
    center: bool = True,
    feature: Any = None,
    aggregate: Any = None,
    **kwargs: Any,
) -> Work:
    """librosa.onset.onset_strength. Same arguments, same defaults.

    The decibels of the audio's mel spectrogram are ours, their differences librosa's.
    """
    of_onset = {"lag": lag, "max_size": max_size, "ref": ref, "detrend": detrend, "center": center}
    of_onset |= {"aggregate": aggregate}
    n_fft, hop_length = kwargs.pop("n_fft", 2048), kwargs.pop("hop_length", 512)
    return _plan(_strength, y, sr, S, n_fft, hop_length, feature, (of_onset, kwargs))


@adapter("librosa.onset.onset_strength_multi", tolerances.of_single(tolerances.cepstrum))
def onset_strength_multi(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    lag: int = 1,
    max_size: int = 1,
    ref: Array | None = None,
    detrend: bool = False,
    center: bool = True,
    feature: Any = None,
    aggregate: Any = None,
    channels: Any = None,
    **kwargs: Any,
) -> Work:
    """librosa.onset.onset_strength_multi. Same arguments, same defaults.

    The decibels of the audio's mel spectrogram are ours, their differences librosa's.
    """
    of_onset = {"lag": lag, "max_size": max_size, "ref": ref, "detrend": detrend, "center": center}
    of_onset |= {"aggregate": aggregate, "channels": channels}
    return _plan(_multi, y, sr, S, n_fft, hop_length, feature, (of_onset, kwargs))


@adapter("librosa.onset.onset_detect", tolerances.same)
def onset_detect(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    hop_length: int = 512,
    backtrack: bool = False,
    energy: Array | None = None,
    units: str = "frames",
    normalize: bool = True,
    sparse: bool = True,
    **kwargs: Any,
) -> Work:
    """librosa.onset.onset_detect. Same arguments, same defaults.

    The onset strength of audio is ours, and librosa picks its peaks.
    """
    if onset_envelope is not None:
        raise Decline(BySize("the envelope is given, and librosa picks its peaks as fast"))
    options: dict[str, Any] = {"backtrack": backtrack, "energy": energy, "units": units}
    options |= {"normalize": normalize, "sparse": sparse}
    strength = onset_strength.plan(y=y, sr=sr, hop_length=hop_length)
    return lambda: _detect(onset_envelope=strength(), sr=sr, hop_length=hop_length, **options, **kwargs)
