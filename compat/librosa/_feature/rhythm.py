"""tempogram, its relatives, and tempo of librosa.feature."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import scipy.fft

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_flag, check_number, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import window_of
from .._arguments import LARGEST, Array, check_array, check_engine, check_faintness, energy
from .._core.harmonics import interp_harmonics, numbers, rising
from .._core.spectrum import stft
from .._filters import check_norm, check_rate
from .._onset import onset_strength
from .._util import normalize

_tempo = librosa.feature.tempo
_fourier_tempogram = librosa.feature.fourier_tempogram
_tempo_frequencies, _time_to_frames = librosa.tempo_frequencies, librosa.time_to_frames
# octaves of a prior's deviation, up to which it tells apart what differs by a rounding alone
_WIDEST = 16
# of logarithms of probabilities: a million times what rounds correlations to at most 1
_APART = 1e-9
# frames of an envelope whose correlations fit into the caches
_LONGEST = 8192
_fourier_tempo_frequencies = librosa.fourier_tempo_frequencies
_FACTORS = np.array([4, 8 / 3, 3, 2, 4 / 3, 3 / 2, 1, 2 / 3, 3 / 4, 1 / 2, 1 / 3, 3 / 8, 1 / 4])


def check_envelope(envelope: Any) -> None:
    """Decline an onset envelope ``[..., N]`` that we cannot correlate."""
    check_engine()
    check_array(envelope)
    if envelope.dtype.kind != "f":
        raise Decline("the envelope is complex")
    # in which it is multiplied
    if not energy(envelope.astype(np.float64, copy=False)) < LARGEST["d"]:
        raise Decline("the envelope is not finite, or its squares overflow")
    check_faintness(envelope, ())


def envelope_of(
    y: Any, sr: Any, onset_envelope: Any, hop_length: Any, aggregate: Any = None
) -> tuple[Callable[[], Array], tuple[int, ...]]:
    """What gives the onset strength of ``y``, or ``onset_envelope`` if given, and its shape."""
    if onset_envelope is not None:
        check_envelope(onset_envelope)
        return lambda: onset_envelope, onset_envelope.shape
    if y is None:
        raise Decline("there is neither y nor onset_envelope")
    strength = onset_strength.plan(y=y, sr=sr, hop_length=hop_length, aggregate=aggregate)
    return strength, (*y.shape[:-1], 1 + y.shape[-1] // int(hop_length))


def _of_correlations(dtype: np.dtype[Any], order: float, largest: float) -> float:
    """Bound for correlations of the same numbers by transforms of ``order`` points; below 0, of audio's onsets.

    An onset strength of audio is a mean of differences of decibels. Those of magnitudes that are 1e-4 of the largest
    are off by 1e4 times a spectrum's error, which is not much less than the strength itself.
    """
    if order > 0:
        return tolerances.energy(dtype, int(order), largest)
    return 20 / math.log(10) * 1e4 * tolerances.spectrum(np.dtype(np.float32), int(-order), 1.0) * largest


def _order(given: dict[str, Any]) -> float:
    points = given["win_length"]
    return 2 * int(points) if given["onset_envelope"] is not None else -2048


@adapter("librosa.feature.tempogram", _of_correlations, order=_order)
def tempogram(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    center: bool = True,
    window: Any = "hann",
    norm: float | None = np.inf,
) -> Work:
    """librosa.feature.tempogram. Same arguments, same defaults."""
    envelope, shape = envelope_of(y, sr, onset_envelope, hop_length)
    correlations = _correlating(shape, win_length, center, window, norm)
    return lambda: correlations(envelope())


def _correlating(
    shape: tuple[int, ...], win_length: Any, center: Any, window: Any, norm: Any = np.inf
) -> Callable[[Array], Array]:
    """The tempogram of envelopes of ``shape``."""
    check_whole("win_length", win_length, 1, _LONGEST)
    check_flag("center", center)
    check_norm(norm, None)
    if norm is not None and norm < 1:
        raise Decline("norm is less than 1, and takes roots of rounding errors")
    weights = window_of(window, int(win_length), int(win_length))
    if weights.dtype != np.float64:
        raise Decline("the window is a float32 array, of which librosa's products may be float32")
    if not np.abs(weights).max() < 1e3:
        raise Decline("the window's values are large")
    if not center and shape[-1] < win_length:
        raise Decline("the envelope is shorter than a window")
    return lambda envelope: _correlations(envelope, weights, bool(center), norm)


def _correlations(envelope: Array, weights: Array, center: bool, norm: float | None) -> Array:
    lags, frames = weights.size, envelope.shape[-1]
    if center:
        widths = [*[(0, 0)] * (envelope.ndim - 1), (lags // 2,) * 2]
        envelope = np.pad(envelope, widths, mode="linear_ramp", end_values=0)
    else:
        frames -= lags - 1
    # librosa cuts off what it has padded, unless it makes something else of it
    room = lags if norm is not None else scipy.fft.next_fast_len(2 * lags - 1, True)
    values = np.empty((*envelope.shape[:-1], room, frames))[..., :lags, :]
    cpu.autocorrelations(envelope, weights, norm == np.inf, values)
    if norm is None or norm == np.inf:
        return values
    normalized: Array = normalize(values, norm=norm, axis=-2)
    return normalized


@adapter("librosa.feature.fourier_tempogram", _of_correlations, order=_order)
def fourier_tempogram(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    center: bool = True,
    window: Any = "hann",
) -> Work:
    """librosa.feature.fourier_tempogram. Same arguments, same defaults."""
    envelope, shape = envelope_of(y, sr, onset_envelope, hop_length)
    spectra = _transforming(onset_envelope, shape, sr, hop_length, win_length, center, window)
    return lambda: spectra(envelope())


def _transforming(
    given: Array | None, shape: tuple[int, ...], sr: Any, hop_length: Any, win_length: Any, center: Any, window: Any
) -> Callable[[Array], Array]:
    """The Fourier tempogram of the envelope that is given, or of one of ``shape``."""
    of_stft = {"n_fft": win_length, "hop_length": 1, "center": center, "window": window}
    if given is not None:
        planned: Work = stft.plan(given, **of_stft)
        return lambda _: planned()
    check_whole("win_length", win_length, 2)
    check_flag("center", center)
    window_of(window, int(win_length), int(win_length))
    if win_length <= shape[-1]:
        return lambda envelope: stft(envelope, **of_stft)
    # of which it warns, or which it rejects
    options = {"sr": sr, "hop_length": hop_length, "win_length": win_length, "center": center, "window": window}
    return lambda envelope: _fourier_tempogram(onset_envelope=envelope, **options)


def check_prior(prior: Any, lags: int, sr: float, hop_length: int) -> None:
    """Decline a distribution that does not tell two tempi apart: where nothing else does, rounding decides."""
    if prior is None:
        return
    levels = np.sort(prior.logpdf(_tempo_frequencies(lags, sr=sr, hop_length=hop_length)[1:]))
    if not np.diff(levels[np.isfinite(levels)]).min(initial=np.inf) > _APART:
        raise Decline("the prior is flat somewhere: then rounding may decide on a tempo")


def lags_of(ac_size: float, sr: float, hop_length: int) -> int:
    """Of so many seconds."""
    lags: int = _time_to_frames(ac_size, sr=sr, hop_length=hop_length).item()
    return lags


def _tempo_plan(given: dict[str, Any], ac_size: Any) -> Callable[[], Array]:
    sr, hop_length = given["sr"], given["hop_length"]
    check_rate(sr)
    check_whole("hop_length", hop_length)
    check_number("ac_size", ac_size, 0, 1e6)
    lags = lags_of(ac_size, sr, hop_length)
    check_prior(given["prior"], lags, sr, hop_length)
    correlations: Callable[[], Array] = tempogram.plan(
        y=given["y"], sr=sr, onset_envelope=given["onset_envelope"], hop_length=hop_length, win_length=lags
    )
    return correlations


@adapter("librosa.feature.tempo", tolerances.same)
def tempo(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    tg: Array | None = None,
    hop_length: int = 512,
    start_bpm: float = 120,
    std_bpm: float = 1.0,
    ac_size: float = 8.0,
    max_tempo: float | None = 320.0,
    aggregate: Callable[..., Any] | None = np.mean,
    prior: Any = None,
) -> Work:
    """librosa.feature.tempo. Same arguments, same defaults.

    The tempogram is ours, what is made of it librosa's.
    """
    if tg is not None:
        raise Decline("tg is given: all that is left is librosa's")
    check_number("std_bpm", std_bpm, 0, _WIDEST)
    options: dict[str, Any] = {"start_bpm": start_bpm, "std_bpm": std_bpm, "max_tempo": max_tempo}
    options |= {"aggregate": aggregate, "prior": prior, "sr": sr, "hop_length": hop_length}
    correlations = _tempo_plan(locals(), ac_size)
    return lambda: _tempo(tg=correlations(), **options)


def _of_ratios(dtype: np.dtype[Any], order: float, largest: float) -> float:
    """Bound for what is read from a tempogram, whose values reach 1 though those that are read may not."""
    return _of_correlations(dtype, order, max(1.0, largest))


def _check_frequencies(freqs: Any) -> None:
    """Decline what are no frequencies of all frames alike, or some of which librosa warns."""
    check_array(freqs)
    if freqs.ndim != 1 or freqs.dtype != np.float64:
        raise Decline("freqs are no float64 array of one axis")
    if np.isnan(freqs).any() or np.isfinite(freqs).sum() < 2 or np.unique(freqs).size < freqs.size:
        raise Decline("frequencies are not numbers, too few, or not unique")


@adapter("librosa.feature.tempogram_ratio", _of_ratios, order=_order)
def tempogram_ratio(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    tg: Array | None = None,
    bpm: Array | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    start_bpm: float = 120,
    std_bpm: float = 1.0,
    max_tempo: float | None = 320.0,
    freqs: Array | None = None,
    factors: Array | None = None,
    aggregate: Callable[..., Any] | None = None,
    prior: Any = None,
    center: bool = True,
    window: Any = "hann",
    kind: str = "linear",
    fill_value: float = 0,
    norm: float | None = np.inf,
) -> Work:
    """librosa.feature.tempogram_ratio. Same arguments, same defaults.

    The tempogram is ours, and what is read from it between its lags; the tempi are librosa's.
    """
    correlations = functools.partial(np.asarray, tg)
    if tg is None:
        correlations = tempogram.plan(
            y=y, sr=sr, onset_envelope=onset_envelope, hop_length=hop_length, win_length=win_length, center=center,
            window=window, norm=norm,
        )  # fmt: skip
    else:
        check_envelope(tg)
    check_rate(sr)
    check_whole("hop_length", hop_length)
    check_plain("fill_value", fill_value)
    if not (isinstance(kind, str) and kind == "linear"):
        raise Decline("kind is not 'linear'")
    if bpm is None:
        check_prior(prior, int(win_length) if tg is None else tg.shape[-2], sr, hop_length)
        check_number("std_bpm", std_bpm, 0, _WIDEST)
    multiples = numbers("factors", _FACTORS if factors is None else factors)
    if freqs is not None:
        _check_frequencies(freqs)
    of_tempo = {"start_bpm": start_bpm, "std_bpm": std_bpm, "max_tempo": max_tempo, "prior": prior}

    def work() -> Any:
        values = correlations()
        hz = _tempo_frequencies(sr=sr, n_bins=len(values), hop_length=hop_length) if freqs is None else freqs
        if hz.shape != values.shape[-2:-1]:
            raise Decline("there is not one frequency for each bin: of several channels, freqs has to be given")
        beats = bpm
        if beats is None:
            beats = _tempo(sr=sr, tg=values, hop_length=hop_length, aggregate=None, **of_tempo)
        at = np.multiply.outer(beats, multiples)
        if np.isfinite(hz).sum() < 2:
            raise Decline("there is a single frequency to interpolate at")
        ascending = rising(hz)
        frames = values.swapaxes(-1, -2)[..., ascending]
        ratios = cpu.interpolate_apart(frames, at, hz[ascending], float(fill_value)).swapaxes(-1, -2)
        return ratios if aggregate is None else aggregate(ratios, axis=-1)

    return work


def _of_roots(_: np.dtype[Any], order: float, largest: float) -> float:
    """Bound for roots of products with a float32 spectrum's magnitudes: no more than the root of the products' own."""
    return math.sqrt(_of_correlations(np.dtype(np.float32), order, largest**2))


def hybrid_tempogram(
    *,
    y: Array | None = None,
    sr: float = 22050,
    onset_envelope: Array | None = None,
    hop_length: int = 512,
    win_length: int = 384,
    center: bool = True,
    window: Any = "hann",
    **kwargs: Any,
) -> Work:
    """librosa.feature.hybrid_tempogram. Same arguments, same defaults."""
    if kwargs:
        raise Decline("options of SciPy's interpolation are given")
    envelope, shape = envelope_of(y, sr, onset_envelope, hop_length)
    check_rate(sr)
    check_whole("hop_length", hop_length)
    check_whole("win_length", win_length, 3, _LONGEST)
    correlations = _correlating(shape, win_length, center, window)
    spectra = _transforming(onset_envelope, shape, sr, hop_length, win_length, center, window)
    at: dict[str, Any] = {"sr": sr, "hop_length": hop_length}

    def work() -> Array:
        strength = envelope()
        spectrum = spectra(strength)
        lags = _tempo_frequencies(win_length, **at)
        hz = _fourier_tempo_frequencies(win_length=win_length, **at)
        ascending = rising(lags)
        rows = np.moveaxis(correlations(strength)[..., ascending, :], -2, 0)
        between = np.empty((len(hz), *rows.shape[1:]))
        cpu.interpolate(rows, hz, lags[ascending], 0.0, between)
        products = np.moveaxis(between, 0, -2)
        frames = min(spectrum.shape[-1], products.shape[-1])
        squares = np.abs(spectrum[..., :frames]) * np.abs(products[..., :frames])
        values: Array = np.sqrt(np.maximum(0, squares))
        return values

    return work


_PERIODS = np.array([1 / 3, 1 / 4, 1 / 5, 1 / 7])


def metrogram(
    *,
    tg: Array,
    freqs: Array,
    factors: Array | None = None,
    aggregate: Callable[..., Any] | None = np.sum,
    kind: str = "linear",
    fill_value: float = 0,
) -> Work:
    """librosa.feature.metrogram. Same arguments, same defaults.

    The tempogram at other periods is ours.
    """
    check_array(tg)
    if tg.dtype != np.float64:
        raise Decline("the values are not float64")
    periods = _PERIODS if factors is None else factors
    others = interp_harmonics.plan(tg, freqs=freqs, harmonics=periods, kind=kind, fill_value=fill_value, axis=-2)

    def work() -> Any:
        products = others() * np.expand_dims(tg, axis=-3)
        return products if aggregate is None else aggregate(products, axis=-2)

    return work


# from librosa 1.0 on
if hasattr(librosa.feature, "metrogram"):
    hybrid_tempogram = adapter("librosa.feature.hybrid_tempogram", _of_roots, order=_order)(hybrid_tempogram)
    metrogram = adapter("librosa.feature.metrogram", tolerances.sums, order=lambda given: len(given["freqs"]))(
        metrogram
    )
