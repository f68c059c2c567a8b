"""beat_track and plp of librosa.beat."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.operators import Stft
from mlx_spectro.kernels import cpu

from ..arrays.numpy_options import check_flag, check_number, check_whole
from ..contract import tolerances
from ..contract.decline import Decline
from ..contract.function import Work
from ._adapter import adapter
from ._analysis import analysis
from ._arguments import Array
from ._feature.rhythm import check_prior, envelope_of, lags_of, tempo
from ._filters import check_rate
from ._synthesis import synthesis

_beat_track, _plp, _normalize = librosa.beat.beat_track, librosa.beat.plp, librosa.util.normalize
_stft = librosa.stft
_fourier_tempo_frequencies = librosa.fourier_tempo_frequencies
# of magnitudes, within which rounding may decide, librosa's own of their logarithms included
_MARGIN = 1e-5
# of a transform's largest possible value, below which a bin is next to its rounding
_LEAST = 1e-9
_LARGEST = 1e12
_SHORTEST = 32
# seconds between two beats, at most
_LONGEST = 8.0
# frames that librosa decides on faster than it does on all
_MOST_DOUBTFUL = 64


@adapter("librosa.beat.beat_track", tolerances.same)
def beat_track(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    hop_length: int = 512,
    start_bpm: float = 120.0,
    tightness: float = 100,
    trim: bool = True,
    bpm: Any = None,
    prior: Any = None,
    units: str = "frames",
    sparse: bool = True,
) -> Work:
    """librosa.beat.beat_track. Same arguments, same defaults.

    Onset strength and tempogram are ours; what is chosen of them, and the beats, are librosa's.
    """
    if onset_envelope is not None and bpm is not None:
        raise Decline("onset_envelope and bpm are given: all that is left is librosa's")
    check_flag("sparse", sparse)
    check_rate(sr)
    check_whole("hop_length", hop_length)
    if bpm is None:
        check_prior(prior, lags_of(_LONGEST, sr, hop_length), sr, hop_length)
    envelope, shape = envelope_of(y, sr, onset_envelope, hop_length, np.median)
    if shape[-1] < 2:
        raise Decline("there is a single frame, of whose deviation NumPy warns")
    if sparse and len(shape) != 1:
        raise Decline("there are several channels, and sparse=True")
    options: dict[str, Any] = {"tightness": tightness, "trim": trim, "units": units, "sparse": sparse}
    of_tempo = {"start_bpm": start_bpm, "prior": prior, "sr": sr, "hop_length": hop_length}
    if onset_envelope is not None:
        tempo.plan(onset_envelope=onset_envelope, **of_tempo)

    def work() -> Any:
        strength, beats_per_minute = envelope(), bpm
        if bpm is None and strength.any():
            beats_per_minute = tempo(onset_envelope=strength, **of_tempo)
        return _beat_track(onset_envelope=strength, sr=sr, hop_length=hop_length, bpm=beats_per_minute, **options)

    return work


def _of_pulses(dtype: np.dtype[Any], order: float, largest: float) -> float:
    """Bound for pulses of the same frequencies, from transforms of ``order`` points; below 0, of audio's onsets.

    Of those, rounding may choose another frequency.
    """
    return tolerances.energy(dtype, int(order), largest) if order > 0 else largest


def _order(given: dict[str, Any]) -> float:
    return int(given["win_length"]) if given["onset_envelope"] is not None else -1


@adapter("librosa.beat.plp", _of_pulses, order=_order)
def plp(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    tempo_min: float | None = 30,
    tempo_max: float | None = 300,
    prior: Any = None,
) -> Work:
    """librosa.beat.plp. Same arguments, same defaults.

    Where rounding may decide which frequency of a frame is the strongest, librosa does.
    """
    check_rate(sr)
    check_whole("hop_length", hop_length)
    check_whole("win_length", win_length)
    for name, value in (("tempo_min", tempo_min), ("tempo_max", tempo_max)):
        if value is not None:
            check_number(name, value, 0)
    if tempo_min is not None and tempo_max is not None and tempo_max <= tempo_min:
        raise Decline("tempo_max is not larger than tempo_min")
    envelope, shape = envelope_of(y, sr, onset_envelope, hop_length, np.median)
    ours = prior is None and _SHORTEST <= win_length <= shape[-1]
    if onset_envelope is not None and not ours:
        raise Decline("a prior is given, or win_length is more than the envelope's or next to nothing")
    hz = _fourier_tempo_frequencies(sr=sr, hop_length=hop_length, win_length=win_length)
    low = 0 if tempo_min is None else int(np.searchsorted(hz, tempo_min))
    high = hz.size if tempo_max is None else int(np.searchsorted(hz, tempo_max, side="right"))
    options: dict[str, Any] = {"sr": sr, "hop_length": hop_length, "win_length": win_length}
    options |= {"tempo_min": tempo_min, "tempo_max": tempo_max, "prior": prior}

    def work() -> Array:
        strength = envelope()
        pulse = _pulse(strength, int(win_length), low, max(low, high)) if ours else None
        if pulse is None:
            if onset_envelope is not None:
                raise Decline("of many frames, rounding decides which frequency is the strongest")
            pulse = _plp(onset_envelope=strength, **options)
        return pulse

    return work


def _pulse(strength: Array, win_length: int, low: int, high: int) -> Array | None:
    """librosa's pulse of the strongest of the bins from ``low`` up to ``high``; None where rounding decides on one."""
    audio = analysis(strength, win_length, 1, None, "hann", True, "constant")
    largest = win_length * float(np.abs(strength).max())
    if not largest < _LARGEST:
        return None
    spectrum = audio.run(Stft(audio.framing))
    frames, bins = spectrum.shape[-2:]
    rows = spectrum.reshape(-1, bins)
    doubtful = cpu.keep_strongest(rows, low, high, _MARGIN, _LEAST * largest)
    if doubtful is None or doubtful.size > _MOST_DOUBTFUL:
        return None
    if doubtful.size:
        signals = strength.reshape(-1, strength.shape[-1])
        pieces = _frames(signals, doubtful // frames, doubtful % frames, win_length)
        rows[doubtful] = _strongest(pieces, low, high)
    inverse = synthesis((bins, frames), spectrum.dtype, win_length, 1, None, "hann", True, strength.shape[-1])
    pulse = np.empty(strength.shape, strength.dtype)
    cpu.run(inverse.op, spectrum[..., : inverse.frames, :], inverse.window, out=pulse)
    np.clip(pulse, 0, None, pulse)
    normalized: Array = _normalize(pulse, axis=-1)
    return normalized


def _frames(signals: Array, rows: Array, frames: Array, length: int) -> Array:
    """So many frames ``[N, length]`` of ``signals [rows, T]``, centred."""
    places = frames[:, None] + np.arange(length) - length // 2
    inside = (places >= 0) & (places < signals.shape[-1])
    samples: Array = signals[rows[:, None], places.clip(0, signals.shape[-1] - 1)]
    samples[~inside] = 0
    return samples


def _strongest(frames: Array, low: int, high: int) -> Array:
    """What librosa leaves of the spectra of ``frames``, in its own precision throughout: ``[N, F]``."""
    spectrum: Array = _stft(frames, n_fft=frames.shape[-1], hop_length=1, center=False)[..., 0]
    spectrum[:, :low] = spectrum[:, high:] = 0
    levels = np.log1p(1e6 * np.abs(spectrum))
    spectrum[levels < levels.max(axis=-1, keepdims=True)] = 0
    root = np.finfo(spectrum.dtype).tiny ** 0.5
    spectrum /= root + np.abs(spectrum.max(axis=-1, keepdims=True))
    return spectrum
