"""Calls of librosa and of what stands in for it, and all in which a program can tell the two apart."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro import compat
from mlx_spectro.compat.contract.adapter import adapters

from ..table import measure
from ..table.case import OURS, find

# decibels of up to this many are subtracted from each other, each rounded
DECIBELS = 100.0
OF_DECIBELS = ("librosa.power_to_db", "librosa.amplitude_to_db", "librosa.feature.spectral_contrast")

_RNG = np.random.default_rng(83)
AUDIO = _RNG.standard_normal(400).astype(np.float32)
MAGNITUDES = np.abs(_RNG.standard_normal((33, 9))).astype(np.float32)
SPECTRUM = (MAGNITUDES * np.exp(1j * _RNG.standard_normal((33, 9)))).astype(np.complex64)

FEATURES = _RNG.standard_normal((24, 40)).astype(np.float32)

# struck tones, and what is heard of them
STRUCK = (0.01 * _RNG.standard_normal(4000)).astype(np.float32)
STRUCK[np.arange(300, 3900, 600)[:, None] + np.arange(100)] += np.sin(np.arange(100, dtype=np.float32))
ENVELOPE = (0.2 * _RNG.random(120)).astype(np.float32)
ENVELOPE[7::23] += 3

_FRAMES = {"n_fft": 64, "hop_length": 16}
_RATE = {"sr": 8000}
PITCHED = {**_RATE, "fmin": 300.0, "fmax": 1000.0, "frame_length": 64}
_OF_STFT = ("n_fft", "hop_length", "win_length", "window", "center", "pad_mode")
_OF_STRETCH = ("n_fft", "hop_length", "win_length", "window", "center", "pad_mode", "length", "dtype")
_OF_MEL = ("n_mels", "fmin", "fmax", "htk", "norm", "dtype")


# the argument that random numbers come from, which from librosa 1.0 on has another name
SEED = "rng" if "rng" in inspect.signature(find("librosa.griffinlim")).parameters else "random_state"


class Base(NamedTuple):
    """A call that we serve, and options that its signature does not show."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    more: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        given = [key for key in ("y", "S", "chroma", "onset_envelope") if key in self.kwargs]
        return " ".join([self.name.removeprefix("librosa."), *given])

    def options(self) -> list[str]:
        """Names of its parameters, but for its arrays."""
        shown = inspect.signature(find(self.name)).parameters.values()
        arrays = {"y", "mfcc", "S", "stft_matrix", "D", "S_db", "chroma", "X", "X_ref", "frequencies"}
        arrays |= {"lag", "A", "B", "M", "C", "V", "data", "data_ref", "R", "onset_envelope", "x", "f0", "freqs"}
        names = [p.name for p in shown if p.kind is not p.VAR_KEYWORD and p.name not in arrays]
        return list(dict.fromkeys([*names, *self.more]))


def bases() -> Iterator[Base]:
    """A call of every function, with audio and with a spectrogram where it takes either."""
    yield Base("librosa.stft", (AUDIO,), _FRAMES)
    yield Base("librosa.istft", (SPECTRUM,), {"hop_length": 16})
    yield Base("librosa.phase_vocoder", (SPECTRUM,), {"rate": 1.5})
    yield Base("librosa.griffinlim", (MAGNITUDES,), {"hop_length": 16, "n_iter": 1, SEED: 0})
    yield Base("librosa.effects.time_stretch", (AUDIO,), {"rate": 1.5, **_FRAMES}, _OF_STRETCH)
    shifted = {"n_steps": 2, **_RATE, **_FRAMES}
    yield Base("librosa.effects.pitch_shift", (AUDIO,), shifted, _OF_STRETCH)
    yield Base("librosa.magphase", (SPECTRUM,), {})
    for name in ("power_to_db", "amplitude_to_db", "db_to_power", "db_to_amplitude"):
        yield Base(f"librosa.{name}", (MAGNITUDES,), {})
    yield Base("librosa.filters.mel", (), {**_RATE, "n_fft": 128, "n_mels": 4})
    yield Base("librosa.filters.chroma", (), {**_RATE, "n_fft": 64})
    audio, spectrogram = {"y": AUDIO, **_RATE, **_FRAMES}, {"S": MAGNITUDES, **_RATE}
    few = {"n_mels": 4}
    of_mfcc = tuple(name for name in _OF_MEL if name != "norm")
    yield Base("librosa.feature.melspectrogram", (), audio | few, _OF_MEL)
    yield Base("librosa.feature.melspectrogram", (), spectrogram | few, _OF_MEL)
    yield Base("librosa.feature.mfcc", (), audio | few | {"n_mfcc": 3}, (*_OF_STFT, "power", *of_mfcc))
    yield Base("librosa.feature.mfcc", (), spectrogram | {"n_mfcc": 3}, ("n_fft", "window", "power", "n_mels"))
    of_chroma = ("ctroct", "octwidth", "base_c", "dtype")
    yield Base("librosa.feature.chroma_stft", (), audio | {"tuning": 0.0}, of_chroma)
    yield Base("librosa.feature.chroma_stft", (), spectrogram, of_chroma)
    yield Base("librosa.feature.tonnetz", (), {"chroma": MAGNITUDES}, ("n_chroma", "norm"))
    for name in ("onset_strength", "onset_strength_multi"):
        yield Base(f"librosa.onset.{name}", (), audio | few, (*_OF_STFT, "power", *_OF_MEL))
    for name in ("centroid", "bandwidth", "rolloff"):
        yield Base(f"librosa.feature.spectral_{name}", (), audio)
        yield Base(f"librosa.feature.spectral_{name}", (), spectrogram)
    yield Base("librosa.feature.spectral_contrast", (), audio | {"n_fft": 128, "n_bands": 2})
    yield Base("librosa.feature.spectral_contrast", (), spectrogram | {"sr": 4000, "n_bands": 2})
    yield Base("librosa.feature.spectral_flatness", (), {"y": AUDIO, **_FRAMES})
    yield Base("librosa.feature.spectral_flatness", (), {"S": MAGNITUDES})
    framed = {"frame_length": 64, "hop_length": 16}
    yield Base("librosa.feature.rms", (), {"y": AUDIO, **framed})
    yield Base("librosa.feature.rms", (), {"S": MAGNITUDES, "frame_length": 64})
    yield Base("librosa.feature.zero_crossing_rate", (AUDIO,), framed, ("axis",))
    yield Base("librosa.pyin", (AUDIO,), {**PITCHED, "resolution": 0.3})
    yield Base("librosa.lpc", (AUDIO,), {"order": 3})
    yield Base("librosa.iirt", (np.tile(AUDIO, 4),), {"win_length": 256}, ("center_freqs", "sample_rates"))
    yield Base("librosa.yin", (AUDIO,), PITCHED)
    yield Base("librosa.pitch_tuning", (100 + 100 * MAGNITUDES.ravel(),), {})
    # a window of one sample has a flat spectrum, whose peaks are its rounding's
    yield Base("librosa.piptrack", (), spectrogram)
    yield Base("librosa.estimate_tuning", (), spectrogram, ("fmin", "fmax", "threshold", "ref", "center"))
    for name, args in (("recurrence_matrix", (FEATURES,)), ("cross_similarity", (FEATURES, FEATURES[:, 1:20]))):
        yield Base(f"librosa.segment.{name}", args, {"mode": "affinity"})
    yield Base("librosa.segment.path_enhance", (FEATURES[:, :24] ** 2, 5), {"n_filters": 2}, ("mode", "cval", "origin"))
    for name in ("trim", "split"):
        yield Base(f"librosa.effects.{name}", (AUDIO,), {"frame_length": 64, "hop_length": 16, "top_db": 3.3})
    for name in ("recurrence_to_lag", "lag_to_recurrence"):
        yield Base(f"librosa.segment.{name}", (FEATURES[:, :24],), {})
    of_graph = ("k", "width", "metric", "sym", "mode", "bandwidth", "self", "full", "sparse")
    yield Base("librosa.decompose.nn_filter", (FEATURES,), {}, of_graph)
    yield Base("librosa.decompose.hpss", (MAGNITUDES,), {})
    yield Base("librosa.util.softmask", (MAGNITUDES, MAGNITUDES[::-1]), {})
    yield Base("librosa.util.normalize", (MAGNITUDES,), {})
    yield Base("librosa.util.nnls", (MAGNITUDES[:4], MAGNITUDES[4:8]), {})
    yield Base("librosa.feature.inverse.mel_to_stft", (MAGNITUDES[:4],), {**_RATE, "n_fft": 64}, _OF_MEL)
    few_mels = {**_RATE, "n_fft": 64, "n_iter": 1}
    yield Base("librosa.feature.inverse.mel_to_audio", (MAGNITUDES[:4],), few_mels, _OF_MEL)
    of_audio = ("sr", "n_fft", "power", "n_iter", "length")
    yield Base("librosa.feature.inverse.mfcc_to_audio", (MAGNITUDES[:3],), few_mels | {"n_mels": 4}, of_audio)
    # at a low rate, filters of what people pass for a frequency or a length are not long; of two octaves
    octaves_of = {"sr": 800, "fmin": 20.0, "hop_length": 64}
    constant_q = {**octaves_of, "n_bins": 14}
    tone = np.tile(AUDIO, 8)
    for name in ("cqt", "vqt", "pseudo_cqt", "hybrid_cqt"):
        yield Base(f"librosa.{name}", (tone,), constant_q)
    octaves = np.tile(SPECTRUM[:14], 4)
    yield Base("librosa.icqt", (octaves,), octaves_of)
    few_octaves = {"y": tone, **octaves_of, "n_octaves": 2}
    for name in ("chroma_cqt", "chroma_cens"):
        yield Base(f"librosa.feature.{name}", (), {**few_octaves, "bins_per_octave": 12, "tuning": 0.0})
    yield Base("librosa.feature.chroma_vqt", (), {**few_octaves, "intervals": "equal"})
    of_tonnetz = ("hop_length", "tuning", "norm", "threshold", "n_chroma", "window", "cqt_mode")
    yield Base("librosa.feature.tonnetz", (), {**few_octaves, "bins_per_octave": 12, "tuning": 0.0}, of_tonnetz)
    magnitudes = np.abs(octaves)
    yield Base("librosa.griffinlim_cqt", (magnitudes,), {**octaves_of, "n_iter": 1, SEED: 0})
    hz = {"freqs": np.linspace(0, 4000, 33), "harmonics": [1, 2]}
    yield Base("librosa.interp_harmonics", (MAGNITUDES,), hz)
    yield Base("librosa.salience", (MAGNITUDES,), hz)
    yield Base("librosa.f0_harmonics", (MAGNITUDES,), {**hz, "f0": np.linspace(100, 3000, 9)})
    yield Base("librosa.reassigned_spectrogram", (AUDIO,), _FRAMES)
    yield Base("librosa.pcen", (MAGNITUDES,), {})
    yield Base("librosa.mu_compress", (AUDIO / 8,), {})
    yield Base("librosa.mu_expand", (np.arange(-90, 90),), {})
    yield Base("librosa.resample", (AUDIO,), {"orig_sr": 3, "target_sr": 2, "res_type": "polyphase"})
    yield Base("librosa.feature.poly_features", (), audio)
    yield Base("librosa.feature.poly_features", (), spectrogram)
    for name in ("preemphasis", "deemphasis"):
        yield Base(f"librosa.effects.{name}", (AUDIO,), {})
    for name in ("hpss", "harmonic", "percussive"):
        yield Base(f"librosa.effects.{name}", (AUDIO,), _FRAMES)
    yield from rhythm_bases()


def rhythm_bases() -> Iterator[Base]:
    """Calls of what is made of onset envelopes, given and of audio."""
    audio = {"y": STRUCK, **_RATE, "hop_length": 64}
    envelope = {"onset_envelope": ENVELOPE}
    local = {"win_length": 40}
    yield Base("librosa.feature.tempogram_ratio", (), {"onset_envelope": ENVELOPE[:60], "win_length": 20})
    for name in ("tempogram", "fourier_tempogram"):
        yield Base(f"librosa.feature.{name}", (), envelope | local)
        yield Base(f"librosa.feature.{name}", (), audio | local)
    yield Base("librosa.feature.tempo", (), envelope | {"sr": 8000})
    yield Base("librosa.feature.tempo", (), audio)
    yield Base("librosa.autocorrelate", (STRUCK,), {"max_size": 300})
    yield Base("librosa.autocorrelate", (STRUCK,), {})
    if hasattr(find("librosa.feature"), "metrogram"):
        yield Base("librosa.feature.hybrid_tempogram", (), envelope | local)
        yield Base("librosa.feature.hybrid_tempogram", (), audio | local)
        tempi = np.linspace(5.0, 200.0, 24)
        yield Base("librosa.feature.metrogram", (), {"tg": FEATURES.astype(np.float64), "freqs": tempi})
    yield Base("librosa.beat.beat_track", (), envelope | {"sr": 8000})
    yield Base("librosa.beat.beat_track", (), audio)
    yield Base("librosa.beat.plp", (), envelope | local)
    yield Base("librosa.beat.plp", (), audio | local)
    yield Base("librosa.onset.onset_detect", (), audio, ("pre_max", "post_avg", "delta", "wait"))


class Outcome(NamedTuple):
    """What a call returned or raised, and what it warned of."""

    result: Any
    warnings: list[tuple[type[Warning], str, str, int]]
    """Category, text, file and line."""


def outcome(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    """Call a function; whatever does so, does so from this line."""
    # what librosa finds out of a window it keeps, and warns of once; and what is given as an array, it may count down
    kept = find("librosa.filters").WINDOW_BANDWIDTHS
    known = dict(kept)
    kwargs = {
        key: value.copy() if isinstance(value, np.ndarray) and not value.ndim else value
        for key, value in kwargs.items()
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - which one, is what is compared
            result = error
    kept.clear()
    kept.update(known)
    said = [(w.category, str(w.message), w.filename, w.lineno) for w in caught]
    # librosa 1.0 says that by chance, of memory that it has not written to yet
    return Outcome(result, [one for one in said if "encountered in cast" not in one[1]])


def told_apart(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """In what our call and librosa's differ; empty where a program cannot tell."""
    compat.reset()
    mine, theirs = (outcome(find(prefix + name), args, kwargs) for prefix in (OURS, ""))
    reasons = [record.reason for record in compat.report() if record.reason]
    raised = isinstance(theirs.result, Exception)
    if not raised and any("rejects" in reason for reason in reasons):
        return f"is accepted, and recorded as {reasons}"
    if mine.warnings != theirs.warnings:
        return f"warns {mine.warnings}, not {theirs.warnings}"
    if raised or isinstance(mine.result, Exception):
        same = type(mine.result) is type(theirs.result) and str(mine.result) == str(theirs.result)
        return "" if same else f"is {mine.result!r}, not {theirs.result!r}"
    if type(mine.result) is not type(theirs.result):
        return f"is of {type(mine.result)}, not {type(theirs.result)}"
    if isinstance(theirs.result, float):
        return "" if mine.result == theirs.result else f"is {mine.result}, not {theirs.result}"
    if hasattr(theirs.result, "toarray"):
        return "" if reasons and (mine.result != theirs.result).nnz == 0 else "is another sparse matrix"
    pairs = [(mine.result, theirs.result)]
    if isinstance(theirs.result, tuple):
        pairs = list(zip(mine.result, theirs.result, strict=True))

    def limit(dtype: np.dtype[Any], largest: float) -> float:
        if reasons:
            return 0.0
        function = adapters[name].function
        if name in OF_DECIBELS:
            largest = max(largest, DECIBELS)
        elif name == "librosa.istft":
            # of frames, whose rounding this is, a result may hold the quiet part
            largest = max(largest, float(np.abs(np.fft.irfft(args[0], axis=-2)).max(initial=0)))
        return function.limit(dtype, function.order(*args, **kwargs), largest)

    apart = next(filter(None, (_arrays_apart(a, b, limit) for a, b in pairs)), "")
    return f"{apart}, recorded as {reasons}" if apart and reasons else apart


def _arrays_apart(a: Any, b: Any, limit: Callable[[Any, float], float]) -> str:
    if not hasattr(b, "dtype"):  # a number, as it was given
        return "" if (type(a), repr(a)) == (type(b), repr(b)) else f"is {a!r}, not {b!r}"
    kinds = [(type(x), x.dtype, x.shape) for x in (a, b)]
    if kinds[0] != kinds[1]:
        return f"is {kinds[0]}, not {kinds[1]}"
    lies = [(x.flags.c_contiguous, x.flags.f_contiguous, x.flags.writeable, measure.long_strides(x)) for x in (a, b)]
    if lies[0] != lies[1]:
        return f"lies {lies[0]}, not {lies[1]}"
    if b.dtype.kind not in "fc":
        return "" if np.array_equal(a, b) else "differs"
    finite = np.isfinite(b)
    if not np.array_equal(np.isfinite(a), finite):
        return "has NaN or infinity elsewhere"
    apart, largest = (
        float(np.abs(x[finite]).max(initial=0)) for x in (np.where(finite, a, 0) - np.where(finite, b, 0), b)
    )
    return "" if apart <= limit(b.dtype, largest) else f"differs by {apart}, largest {largest}"
