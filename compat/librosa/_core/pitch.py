"""yin, pyin, piptrack, pitch_tuning and estimate_tuning of librosa."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import librosa
import numpy as np
from librosa.core import pitch

from mlx_spectro.design.operators import Spectrogram
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_flag, check_number, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.lines import as_called_in, at_callers_line
from .._adapter import adapter
from .._analysis import Analysis, check_faint_frames, source_of
from .._arguments import LARGEST, Array, audio_energy, check_array, check_engine, check_size
from .._filters import check_rate
from .._layout import lying, memory

_frame, _pitch_tuning, _hz_to_octs = librosa.util.frame, librosa.pitch_tuning, librosa.hz_to_octs
_tuning_as_called = as_called_in(librosa.estimate_tuning, "pitch_tuning")
_transition_local, _transition_loop = librosa.sequence.transition_local, librosa.sequence.transition_loop
_autocorrelate, _piptrack = librosa.autocorrelate, librosa.piptrack
# from librosa 1.0 on, magnitudes of magnitudes are no copy: results of a memory map are of its class
_KEEPS_MAPS = "iscomplexobj" in inspect.unwrap(_piptrack).__code__.co_names
# of a version that computes differences as 0.11 does
_KNOWN = hasattr(pitch, "_cumulative_mean_normalized_difference")

# librosa 1.0 has done away with one, and prunes transitions by the other: https://github.com/librosa/librosa/pull/2007
_PARAMETERS, _OF_YIN = (inspect.signature(function).parameters for function in (librosa.pyin, librosa.yin))
_UNSAID, _UNSAID_OF_YIN = (
    parameters["win_length"].default if "win_length" in parameters else object()
    for parameters in (_PARAMETERS, _OF_YIN)
)
_LEAST_PROBABILITY = _PARAMETERS["transition_min_prob"].default if "transition_min_prob" in _PARAMETERS else None
_PAD_MODES = frozenset(("constant", "reflect", "edge"))
# librosa numbers states in 16 bits
_MOST_STATES = 2**16 - 1
_LARGEST_TABLE = 1_000_000
_LEAST = 20_000
_FEW = 1000
# frames whose spectra lie in a cache at once
_BLOCK = 64
_TINY = float(np.finfo(np.float64).tiny)


class Periods(NamedTuple):
    """Frames of audio, and the periods that are looked for in them."""

    y: Array
    frame_length: int
    hop_length: int
    pad_mode: str | None
    """None where frames are not centred."""
    shortest: int
    longest: int

    def differences(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Of each signal the place among the leading axes, and its frames' differences, equal to librosa's."""
        y = self.y
        if self.pad_mode is not None:
            half = self.frame_length // 2
            y = np.pad(y, [(0, 0)] * (y.ndim - 1) + [(half, half)], mode=self.pad_mode)  # type: ignore[call-overload]
        frames = _frame(y, frame_length=self.frame_length, hop_length=self.hop_length).swapaxes(-1, -2)
        for i in np.ndindex(frames.shape[:-2]):
            blocks = [self._of_block(frames[i][first : first + _BLOCK]) for first in range(0, frames.shape[-2], _BLOCK)]
            yield i, cpu.Differences(*map(np.concatenate, zip(*blocks, strict=True)))

    def _of_block(self, frames: Array) -> Any:
        # librosa's own, for a decision between two almost equal numbers hangs on each of their bits
        products = _autocorrelate(frames, max_size=self.longest + 1, axis=-1)
        return cpu.Differences.of(np.square(frames[:, : self.longest]), products, self.shortest, self.longest)

    @property
    def frames(self) -> int:
        """Frames of the audio."""
        samples = self.y.shape[-1] + (0 if self.pad_mode is None else self.frame_length // 2 * 2)
        return 1 + (int(samples) - self.frame_length) // self.hop_length


def periods_of(
    y: Any, fmin: Any, fmax: Any, sr: Any, frame_length: Any, hop_length: Any, center: Any, pad_mode: Any
) -> Periods:
    """The periods that librosa's arguments ask for; what it rejects or warns of is declined."""
    if not _KNOWN:
        raise Decline("this version of librosa computes differences in another way")
    check_engine()
    for name, value in (("fmin", fmin), ("fmax", fmax), ("sr", sr)):
        check_number(name, value, 1e-3)
    check_whole("frame_length", frame_length, 4)
    check_flag("center", center)
    hop_length = frame_length // 4 if hop_length is None else hop_length
    check_whole("hop_length", hop_length)
    frame_length, hop_length = int(frame_length), int(hop_length)
    if not (fmin < fmax <= sr / 2 and sr / fmin < frame_length // 2):
        raise Decline("fmin and fmax are none that librosa takes without a word")
    if center and not (isinstance(pad_mode, str) and pad_mode in _PAD_MODES):
        raise Decline("pad_mode is not 'constant', 'reflect' or 'edge'")
    if not audio_energy(y) * 2 * frame_length < LARGEST[y.dtype.char]:
        raise Decline("the audio is so loud that its spectrum's squares may overflow")
    if y.shape[-1] + (frame_length // 2 * 2 if center else 0) < frame_length:
        raise Decline("the signal is shorter than a frame")
    shortest, longest = int(np.floor(sr / fmax)), min(int(np.ceil(sr / fmin)), frame_length - 1)
    if longest - shortest < 2:
        raise Decline("fmin and fmax are so close that two periods lie between them")
    return Periods(y, frame_length, hop_length, str(pad_mode) if center else None, shortest, longest)


@functools.lru_cache(maxsize=16)
def _thresholds(count: int, parameters: tuple[float, float]) -> tuple[Array, Array]:
    """librosa's thresholds, and their probabilities."""
    import scipy.stats  # which librosa 1.0 imports as late

    bounds = np.linspace(0, 1, count + 1)
    return bounds[1:], np.diff(scipy.stats.beta.cdf(bounds, *parameters))


@functools.lru_cache(maxsize=4)
def _bands(states: int, width: int, switch: float, least: float | None) -> Any:
    """librosa's transitions between so many pitches, voiced and unvoiced."""
    moves = _transition_local(states, width, window="triangle", wrap=False)
    switches = _transition_loop(2, 1 - switch)
    own, other = (np.log(switches[0, i] * moves + _TINY) for i in range(2))
    beyond = float(np.log(_TINY))
    if least:
        threshold = np.log(least + _TINY)
        for table in (own, other):
            table[table < threshold] = -np.inf
        if np.isneginf(np.maximum(own.max(axis=0), other.max(axis=0))).any():
            raise Decline("transition_min_prob leaves a state that nothing leads to")
        beyond = beyond if beyond >= threshold else -math.inf
    rows, columns = np.nonzero(moves)
    return cpu.Bands.of(own, other, int(np.abs(rows - columns).max()), beyond)


class Model(NamedTuple):
    """What pitches are, and how likely one follows another."""

    fmin: float
    bins_per_semitone: int
    pitches: int
    width: int
    """Of the pitches that may follow one."""
    switch: float
    least: float | None
    thresholds: Array
    weights: Array
    boltzmann: float
    no_trough: float

    def path(self, differences: Any, shortest: int, sr: float) -> tuple[Array, Array]:
        """States ``[N]``, the voiced ones first, and how likely each frame is voiced."""
        probabilities = cpu.trough_probabilities(
            differences.values, self.thresholds, self.weights, self.boltzmann, self.no_trough
        )
        frames, periods = np.nonzero(probabilities)
        candidates = sr / ((shortest + periods) + differences.shifts[frames, periods])
        places = 12 * self.bins_per_semitone * np.log2(candidates / self.fmin)
        places = np.clip(np.round(places), 0, self.pitches).astype(int)
        # what is too high ends among the unvoiced states, which are overwritten
        observed = np.zeros((self.pitches + 1, len(probabilities)))
        observed[places, frames] = probabilities[frames, periods]
        observed = observed[: self.pitches]
        voiced = np.clip(np.sum(observed, axis=0), 0, 1)
        if observed.max() > 1:
            raise Decline("a probability is more than 1")
        bands = _bands(self.pitches, self.width, self.switch, self.least)
        unvoiced = np.log((1 - voiced) / self.pitches + _TINY)
        start = float(np.log(1 / (2 * self.pitches) + _TINY))
        return bands.likeliest_path(np.log(observed.T + _TINY), unvoiced, start), voiced


def _check_win_length(win_length: Any) -> None:
    if win_length is not _UNSAID and win_length is not _UNSAID_OF_YIN:
        raise Decline("win_length is given, of which librosa warns")


def _check_least(least: Any) -> None:
    if least is not None and least is not _LEAST_PROBABILITY:
        check_plain("transition_min_prob", least, 0, 1)


# librosa warns in the name of its caller's caller
@adapter("librosa.yin", tolerances.probabilities, also="librosa.core", theirs=at_callers_line(librosa.yin, 2))
def yin(
    y: Array,
    *,
    fmin: float,
    fmax: float,
    sr: float = 22050,
    frame_length: int = 2048,
    win_length: Any = _UNSAID_OF_YIN,
    hop_length: int | None = None,
    trough_threshold: float = 0.1,
    center: bool = True,
    pad_mode: Any = "constant",
) -> Work:
    """librosa.yin. Same arguments, same defaults.

    The autocorrelation is librosa's, and what is made of it equal to librosa's.
    """
    _check_win_length(win_length)
    periods = periods_of(y, fmin, fmax, sr, frame_length, hop_length, center, pad_mode)
    check_number("trough_threshold", trough_threshold)

    def work() -> Array:
        f0 = np.empty((*y.shape[:-1], periods.frames))
        for i, differences in periods.differences():
            places = differences.troughs(trough_threshold)
            f0[i] = sr / (periods.shortest + places + differences.shifts[np.arange(places.size), places])
        return f0

    return work


@adapter("librosa.pyin", tolerances.probabilities, also="librosa.core", theirs=at_callers_line(librosa.pyin, 2))
def pyin(
    y: Array,
    *,
    fmin: float,
    fmax: float,
    sr: float = 22050,
    frame_length: int = 2048,
    win_length: Any = _UNSAID,
    hop_length: int | None = None,
    n_thresholds: int = 100,
    beta_parameters: Any = (2, 18),
    boltzmann_parameter: float = 2,
    resolution: float = 0.1,
    max_transition_rate: float = 35.92,
    switch_prob: float = 0.01,
    no_trough_prob: float = 0.01,
    fill_na: float | None = np.nan,
    center: bool = True,
    pad_mode: Any = "constant",
    transition_min_prob: float | None = _LEAST_PROBABILITY,
) -> Work:
    """librosa.pyin. Same arguments, same defaults.

    The autocorrelation is librosa's, and differences, probabilities and the path are equal to librosa's.
    """
    _check_win_length(win_length)
    periods = periods_of(y, fmin, fmax, sr, frame_length, hop_length, center, pad_mode)
    check_whole("n_thresholds", n_thresholds, 1, 10_000)
    if type(beta_parameters) not in (tuple, list) or len(beta_parameters) < 2:
        raise Decline("beta_parameters are no two numbers")
    for value in beta_parameters[:2]:
        check_plain("beta_parameters", value, 1e-3)
    check_plain("boltzmann_parameter", boltzmann_parameter, 1e-3, 1e3)
    check_plain("resolution", resolution, 1e-3)
    check_plain("max_transition_rate", max_transition_rate, 0)
    check_plain("switch_prob", switch_prob, 0, 1)
    check_plain("no_trough_prob", no_trough_prob, 0, 1)
    if fill_na is not None and type(fill_na) not in (int, float):
        raise Decline("fill_na is not a number")
    _check_least(transition_min_prob)
    bins_per_semitone = math.ceil(1.0 / resolution)
    pitches = int(np.floor(12 * bins_per_semitone * np.log2(fmax / fmin))) + 1
    width = round(max_transition_rate * 12 * periods.hop_length / sr) * bins_per_semitone + 1
    if not (pitches > 1 and 2 * pitches <= _MOST_STATES and width <= pitches and pitches * width <= _LARGEST_TABLE):
        raise Decline("resolution and max_transition_rate ask for too few pitches, or for a large table")
    thresholds, weights = _thresholds(int(n_thresholds), tuple(beta_parameters[:2]))
    model = Model(
        fmin, bins_per_semitone, pitches, width, switch_prob, transition_min_prob, thresholds, weights,
        boltzmann_parameter, no_trough_prob,
    )  # fmt: skip

    def work() -> tuple[Array, Array, Array]:
        shape = (*y.shape[:-1], periods.frames)
        states, voiced = np.empty(shape, np.uint16), np.empty(shape)
        for i, differences in periods.differences():
            states[i], voiced[i] = model.path(differences, periods.shortest, sr)
        f0 = (fmin * 2 ** (np.arange(pitches) / (12 * bins_per_semitone)))[states % pitches]
        is_voiced = states < pitches
        if fill_na is not None:
            f0[~is_voiced] = fill_na
        return f0, is_voiced, voiced

    return work


def peaks_of(s: Array, sr: float, n_fft: int, fmin: float = 150.0, fmax: float = 4000.0, threshold: float = 0.1) -> Any:
    """Of magnitudes ``s [..., F, N]``, what librosa takes for peaks."""
    hz = np.fft.rfftfreq(n_fft, 1.0 / sr)
    low, high = np.searchsorted(hz, (fmin, min(fmax, float(sr) / 2)))
    rows = s.swapaxes(-1, -2).reshape(-1, s.shape[-2])
    return cpu.spectral_peaks(rows, max(1, low), min(high, s.shape[-2] - 1), threshold)


def tuning_of(
    s: Array, sr: float, n_fft: int, *, resolution: float = 0.01, bins_per_octave: int = 12, **searched: float
) -> float:
    """librosa's estimate of the deviation from A440, in bins, from the louder half of the peaks of ``s [..., F, N]``.

    Args:
        searched: Options of :func:`peaks_of`.
    """
    peaks = peaks_of(s, sr, n_fft, **searched)
    loud = peaks.heights >= np.median(peaks.heights) if peaks.heights.size else slice(0)
    pitches = (peaks.positions[loud] * float(sr) / n_fft).astype(s.dtype)
    if not (pitches.size and pitches.min() > 0):
        options = {"resolution": resolution, "bins_per_octave": bins_per_octave}
        deviation: float = _tuning_as_called(_pitch_tuning, (pitches,), options)
        return deviation
    return _likeliest_deviation(pitches, resolution, bins_per_octave)


def _likeliest_deviation(pitches: Array, resolution: float, bins_per_octave: int) -> float:
    """librosa's histogram of the deviations from A440 of ``pitches``, in Hz, all above 0; its fullest bin's edge."""
    edges = np.linspace(-0.5, 0.5, int(np.ceil(1.0 / resolution)) + 1)
    deviation: float = edges[np.argmax(cpu.deviations(bins_per_octave * _hz_to_octs(pitches), edges))]
    return deviation


@adapter("librosa.pitch_tuning", tolerances.decision, also="librosa.core", order=lambda given: given["resolution"])
def pitch_tuning(frequencies: Array, *, resolution: float = 0.01, bins_per_octave: int = 12) -> Work:
    """librosa.pitch_tuning. Same arguments, same defaults.

    Ours under ``route("auto")`` where frequencies are many.
    """
    check_engine()
    check_plain("resolution", resolution, 1e-6, 1)
    check_plain("bins_per_octave", bins_per_octave, 1e-3)
    check_array(frequencies)
    if frequencies.dtype.kind != "f" or not (math.isfinite(frequencies.max()) and frequencies.max() > 0):
        raise Decline("the frequencies are complex, not finite, or none is above 0")
    check_size(frequencies.size, _FEW)
    return lambda: _likeliest_deviation(frequencies[frequencies > 0], resolution, bins_per_octave)


def _magnitudes(source: Analysis | Array) -> Array:
    """``[..., F, N]``"""
    if isinstance(source, Analysis):
        return source.run(Spectrogram(source.framing)).swapaxes(-1, -2)
    return np.asarray(source)


def _check_search(sr: Any, fmin: Any, fmax: Any, threshold: Any, ref: Any) -> dict[str, float]:
    """Options of :func:`peaks_of`."""
    check_rate(sr)
    check_number("fmin", fmin)
    check_number("fmax", fmax)
    check_plain("threshold", threshold, 0)
    if ref is not None and ref is not np.max:
        raise Decline("ref is given: the largest magnitude of a frame is served")
    return {"fmin": fmin, "fmax": fmax, "threshold": threshold}


def _check_last_bin(n_fft: int, sr: float, fmax: float) -> None:
    if n_fft % 2 and fmax > sr / 2 * (1 - 1 / n_fft):
        raise Decline("n_fft is odd, and fmax includes the last bin, which has no neighbour above")


def _pitches_of(S: Array) -> Array:
    pitches: Array = _piptrack(S=S)[0]
    return pitches


@adapter("librosa.piptrack", tolerances.peaks, also="librosa.core")
def piptrack(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int | None = 2048,
    hop_length: int | None = None,
    fmin: float = 150.0,
    fmax: float = 4000.0,
    threshold: float = 0.1,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    ref: Any = None,
) -> Work:
    """librosa.piptrack. Same arguments, same defaults."""
    searched = _check_search(sr, fmin, fmax, threshold, ref)
    source, length = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    check_faint_frames(source)
    _check_last_bin(length, sr, fmax)

    def work() -> tuple[Array, Array]:
        s = _magnitudes(source)
        peaks = peaks_of(s, sr, length, **searched)
        *lead, frames = np.unravel_index(peaks.frames, (*s.shape[:-2], s.shape[-1]))
        if isinstance(source, Analysis):
            like = np.empty(s.shape, s.dtype, "F")
        else:
            how = lying(s)
            like = s if how.order else memory(_pitches_of, how, s.dtype, s.shape, s.dtype)
        pitches, heights = np.zeros_like(like), np.zeros_like(like)
        if _KEEPS_MAPS and type(S) is np.memmap and not s.min() < 0:
            pitches, heights = pitches.view(np.memmap), heights.view(np.memmap)
        pitches[(*lead, peaks.bins, frames)] = peaks.positions * float(sr) / length
        heights[(*lead, peaks.bins, frames)] = peaks.heights
        return pitches, heights

    return work


@adapter("librosa.estimate_tuning", tolerances.decision, also="librosa.core", order=lambda given: given["resolution"])
def estimate_tuning(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int | None = 2048,
    resolution: float = 0.01,
    bins_per_octave: int = 12,
    **kwargs: Any,
) -> Work:
    """librosa.estimate_tuning. Same arguments, same defaults.

    Ours under ``route("auto")`` where magnitudes given are many.
    """
    check_plain("resolution", resolution, 1e-6, 1)
    check_whole("bins_per_octave", bins_per_octave)
    return _plan_tuning(y, sr, S, n_fft, resolution, bins_per_octave, **kwargs)


def _plan_tuning(
    y: Any,
    sr: Any,
    S: Any,
    n_fft: Any,
    resolution: float,
    bins_per_octave: int,
    hop_length: Any = None,
    fmin: Any = 150.0,
    fmax: Any = 4000.0,
    threshold: Any = 0.1,
    win_length: Any = None,
    window: Any = "hann",
    center: Any = True,
    pad_mode: Any = "constant",
    ref: Any = None,
    **unknown: Any,
) -> Work:
    if unknown:
        raise Decline("arguments that mlx_spectro does not know")
    searched = _check_search(sr, fmin, fmax, threshold, ref)
    source, length = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    check_faint_frames(source)
    _check_last_bin(length, sr, fmax)
    if not isinstance(source, Analysis):
        check_size(source.size, _LEAST)
    step, bins = resolution, bins_per_octave
    return lambda: tuning_of(_magnitudes(source), sr, length, resolution=step, bins_per_octave=bins, **searched)
