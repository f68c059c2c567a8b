"""cqt, vqt, pseudo_cqt, hybrid_cqt and icqt of librosa."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.design.operators import Filterbank, Stft
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_flag, check_number, check_plain, check_whole, is_dtype
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from .._adapter import adapter
from .._analysis import Analysis, framing_of, window_of
from .._arguments import LARGEST, Array, audio_energy, check_array, check_engine, energy
from .._filters import check_norm, check_rate, check_tuning
from .._synthesis import synthesis
from .pitch import estimate_tuning

_theirs = importlib.import_module("librosa.core.constantq")
_filter_fft: Any = getattr(_theirs, "__vqt_filter_fft", None)
_downsample_count: Any = getattr(_theirs, "__early_downsample_count", None)
_one_bandwidth: Any = getattr(_theirs, "__et_relative_bw", None)
_relative_bandwidth = librosa.filters._relative_bandwidth
_wavelet_lengths, _cqt_frequencies = librosa.filters.wavelet_lengths, librosa.cqt_frequencies
_interval_frequencies, _note_to_hz = librosa.interval_frequencies, librosa.note_to_hz
_abs2, _resample, _fix_length = librosa.util.abs2, librosa.resample, librosa.util.fix_length
# librosa 1.0 resamples no octave that would lose any of its frequencies
_KEEPS_OCTAVES = hasattr(_theirs, "__clip_freqs")
_LOWEST = "C1"
_RESAMPLERS = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq", "fft", "polyphase")
_INTERVALS = ("equal", "pythagorean", "ji3", "ji5", "ji7")
_TUNED = 2048
_SPARSE = 1e-3
# frames whose spectra lie in a cache while they are turned
_BLOCK = 256
# bins of a transform, and samples of a filter, are no more
_MOST_BINS, _LONGEST = 2000, 1 << 20


class Filters(NamedTuple):
    """What librosa calculates of frequencies before it knows the audio."""

    freqs: Array
    alpha: Array
    lengths: Array
    cutoff: float


class Design(NamedTuple):
    """How filters are made."""

    filter_scale: float
    norm: float | None
    sparsity: float
    window: Any
    gamma: float | None

    @classmethod
    def of(cls, filter_scale: Any, norm: Any, sparsity: Any, window: Any, gamma: Any = 0) -> Design:
        """By librosa's options; those that it rejects or warns of are declined."""
        check_number("filter_scale", filter_scale, 1e-3, 1e3)
        check_norm(norm, None)
        check_plain("sparsity", sparsity, 0, 0.99)
        if gamma is not None:
            check_number("gamma", gamma, 0, 1e6)
        if type(window) is not str:
            raise Decline("the window is no name")
        window_of(window, 16, 16)
        return cls(filter_scale, norm, sparsity, window, gamma)

    def filters(self, freqs: Array, sr: float, bins_per_octave: int) -> Filters:
        """Of ascending frequencies, those of a scale of as many notes if there is one alone."""
        if not (freqs[0] > 0 and (np.diff(freqs) > 0).all()):
            raise Decline("frequencies do not ascend")
        alpha = _one_bandwidth(bins_per_octave) if len(freqs) == 1 else _relative_bandwidth(freqs=freqs)
        return Filters(freqs, alpha, *self._lengths(freqs, alpha, sr))

    def _lengths(self, freqs: Array, alpha: Array, sr: float) -> tuple[Array, float]:
        options = {"sr": sr, "window": self.window, "filter_scale": self.filter_scale, "gamma": self.gamma}
        lengths, cutoff = _wavelet_lengths(freqs=freqs, alpha=alpha, **options)
        if not lengths.max() < _LONGEST:
            raise Decline("filters are longer than a million samples")
        return lengths, float(cutoff)

    def size(self, filters: Filters, sr: float, hop_length: int = 0) -> int:
        """Length of the transforms that some filters are applied in."""
        longest = 2.0 ** np.ceil(np.log2(self._lengths(filters.freqs, filters.alpha, sr)[0].max()))
        return int(max(longest, 2.0 ** (1 + np.ceil(np.log2(hop_length))) if hop_length else 0))

    def bank(self, filters: Filters, sr: float, dtype: Any, hop_length: int | None = None) -> Any:
        """librosa's filters, a sparse matrix ``[filters, n_fft // 2 + 1]``, to be left as it is."""
        freqs, alpha = filters.freqs.tobytes(), filters.alpha.tobytes()
        # those that are not sparse take too much memory to be kept
        make = _bank if self.sparsity >= _SPARSE else _bank.__wrapped__
        return make(self, freqs, alpha, sr, np.dtype(dtype).char, hop_length)


@functools.lru_cache(maxsize=256)
def _bank(design: Design, freqs: bytes, alpha: bytes, sr: float, dtype: str, hop_length: int | None) -> Any:
    filter_scale, norm, sparsity, window, gamma = design
    basis, *_ = _filter_fft(
        sr, np.frombuffer(freqs), filter_scale, norm, sparsity, hop_length=hop_length, window=window, gamma=gamma,
        dtype=np.dtype(dtype), alpha=np.frombuffer(alpha),
    )  # fmt: skip
    return basis


class Octave(NamedTuple):
    """Filters that are applied at one rate."""

    filters: Filters
    first: int
    """Number of the lowest filter."""
    sr: float
    scale: float
    analysis: Callable[[Array], Analysis]
    frames: int
    halved: bool
    """The audio has half as many samples from here on."""


def _check_known() -> None:
    if _filter_fft is None or _downsample_count is None or _one_bandwidth is None:
        raise Decline("this version of librosa makes filters in another way")


def _check_audio(y: Any, sr: Any, hop_length: Any, pad_mode: Any, dtype: Any) -> None:
    check_engine()
    _check_known()
    check_rate(sr)
    check_whole("hop_length", hop_length)
    if not audio_energy(y) * 4 * _LONGEST < LARGEST[y.dtype.char]:
        raise Decline("the audio is so loud that its spectrum's squares may overflow")
    check_choice("pad_mode", pad_mode, "constant", "reflect", "edge")
    if dtype is not None and not is_dtype(dtype, np.result_type(y, np.complex64)):
        raise Decline("dtype is not the result's own")


def _check_scale(fmin: Any, n_bins: Any, bins_per_octave: Any, tuning: Any) -> None:
    if fmin is not None:
        check_number("fmin", fmin, 1e-3)
    check_whole("n_bins", n_bins, 1, _MOST_BINS)
    check_whole("bins_per_octave", bins_per_octave, 1, _MOST_BINS)
    if tuning is not None:
        check_tuning(tuning)


def _lowest(fmin: Any, tuning: float, bins_per_octave: int) -> float:
    lowest: float = (_note_to_hz(_LOWEST) if fmin is None else fmin) * 2.0 ** (tuning / bins_per_octave)
    return lowest


@functools.lru_cache(maxsize=64)
def _scale(n_bins: int, lowest: float, intervals: str, bins_per_octave: int) -> Array:
    """librosa's frequencies, to be left as they are: those of just intonation take it as long as some transforms."""
    freqs: Array = _interval_frequencies(
        n_bins=n_bins, fmin=lowest, intervals=intervals, bins_per_octave=bins_per_octave, sort=True
    )
    return freqs


def _tuned(y: Array, sr: float, bins_per_octave: int, tuning: float | None, plan: Callable[[float], Work]) -> Work:
    """The work that ``plan`` makes of a tuning, which librosa estimates where none is given."""
    if tuning is not None:
        return plan(tuning)
    if y.shape[-1] < _TUNED:
        raise Decline("the signal is shorter than a frame of which librosa estimates the tuning")
    plan(0.0)
    return lambda: plan(estimate_tuning(y=y, sr=sr, bins_per_octave=bins_per_octave))()


def _analysis_of(length: int, n_fft: int, hop_length: int, pad_mode: str, window: str) -> tuple[Any, int]:
    framing = framing_of(length, n_fft, hop_length, True, pad_mode, in_parts=True)
    samples = window_of(window, n_fft, n_fft)
    return lambda y: Analysis(y, samples, framing, 0.0), framing.frames(length)


def _octaves(
    length: int, sr: float, hop_length: int, filters: Filters, design: Design, bins: int, pad_mode: str
) -> list[Octave]:
    """The octaves of so many bins, from the highest to the lowest."""
    count = len(filters.freqs)
    bins = min(bins, count)
    octaves, top, first_sr = [], count, sr
    while top > 0:
        low = max(0, top - bins)
        part = Filters(filters.freqs[low:top], filters.alpha[low:top], filters.lengths[low:top], 0.0)
        n_fft = design.size(part, sr)
        analysis, frames = _analysis_of(length, n_fft, hop_length, pad_mode, "ones")
        halved = low > 0 and hop_length % 2 == 0 and not (_KEEPS_OCTAVES and filters.freqs[low - 1] > sr / 5)
        octaves.append(Octave(part, low, sr, math.sqrt(first_sr / sr), analysis, frames, halved))
        if halved:
            hop_length, sr, length = hop_length // 2, sr / 2.0, math.ceil(length / 2)
        top = low
    return octaves


def _constant_q(
    y: Array,
    sr: Any,
    hop_length: Any,
    fmin: Any,
    n_bins: Any,
    intervals: Any,
    design: Design,
    bins_per_octave: Any,
    tuning: Any,
    scale: Any,
    pad_mode: Any,
    res_type: Any,
    dtype: Any,
) -> Work:
    _check_audio(y, sr, hop_length, pad_mode, dtype)
    _check_scale(fmin, n_bins, bins_per_octave, tuning)
    check_flag("scale", scale)
    check_choice("res_type", res_type, *_RESAMPLERS)
    check_choice("intervals", intervals, *_INTERVALS)
    n_bins, bins_per_octave, hop_length = int(n_bins), int(bins_per_octave), int(hop_length)
    kind = np.result_type(y, np.complex64)

    def plan(tuning: float) -> Work:
        lowest = _lowest(fmin, tuning, bins_per_octave)
        freqs = _scale(n_bins, lowest, intervals, bins_per_octave)
        filters = design.filters(freqs, sr, bins_per_octave)
        if not filters.cutoff <= sr / 2:
            raise Decline("filters reach beyond half the sample rate")
        octaves_needed = math.ceil(n_bins / bins_per_octave)
        early = _downsample_count(sr / 2.0, filters.cutoff, hop_length, octaves_needed)
        factor, length, rate = 2**early, y.shape[-1], sr
        if early:
            length, rate = math.ceil(length * (1.0 / factor)), sr / float(factor)
        octaves = _octaves(length, rate, hop_length // factor, filters, design, bins_per_octave, pad_mode)
        frames = min(octave.frames for octave in octaves)
        # rates are lower now, and filters as long as at the first one
        roots = np.sqrt(design.filters(freqs, rate, bins_per_octave).lengths)[:, None] if scale else None

        # of a plan that is repeated, as Griffin-Lim's, made once
        @functools.cache
        def bank_of(place: int) -> Any:
            octave = octaves[place]
            bank = design.bank(octave.filters, octave.sr, kind)
            if octave.scale != 1:
                bank = bank.copy()
                bank.data[:] = bank.data * np.float64(octave.scale)
            return bank

        def run(y: Array) -> Array:
            audio = y
            if early:
                audio = _resample(y, orig_sr=factor, target_sr=1, res_type=res_type, scale=True)
                if not scale:
                    audio *= np.sqrt(factor)
            result = np.empty((*y.shape[:-1], n_bins, frames), kind, order="F")
            for place, octave in enumerate(octaves):
                _fill(octave, audio, bank_of(place), result)
                if octave.halved:
                    audio = _resample(audio, orig_sr=2, target_sr=1, res_type=res_type, scale=True)
            if roots is not None:
                result /= roots
            return result

        return Planned(run, (y,))

    return _tuned(y, sr, bins_per_octave, tuning, plan)


def _fill(octave: Octave, y: Array, bank: Any, out: Array) -> None:
    """Write an octave's bins ``[..., bins, N]`` to where they belong among all of ``out``."""
    count, frames = bank.shape[0], out.shape[-1]
    analysis = octave.analysis(y)
    spectrum = analysis.run(Stft(analysis.framing))
    for i in np.ndindex(y.shape[:-1]):
        bins = out[(*i, slice(octave.first, octave.first + count))]
        for start in range(0, frames, _BLOCK):
            block = slice(start, min(start + _BLOCK, frames))
            bins[:, block] = bank.dot(np.ascontiguousarray(spectrum[i][block].T))


def _pseudo(
    y: Array, sr: Any, hop_length: Any, fmin: Any, n_bins: Any, design: Design, bins_per_octave: Any, tuning: Any,
    scale: Any, pad_mode: Any, dtype: Any,
) -> Work:  # fmt: skip
    """Magnitudes of one transform for all bins."""
    _check_audio(y, sr, hop_length, pad_mode, dtype)
    _check_scale(fmin, n_bins, bins_per_octave, tuning)
    check_flag("scale", scale)
    n_bins, bins_per_octave, hop_length = int(n_bins), int(bins_per_octave), int(hop_length)

    def plan(tuning: float) -> Work:
        lowest = _lowest(fmin, tuning, bins_per_octave)
        freqs = _cqt_frequencies(fmin=lowest, n_bins=n_bins, bins_per_octave=bins_per_octave)
        filters = design.filters(freqs, sr, bins_per_octave)
        if not filters.cutoff <= sr / 2:
            raise Decline("filters reach beyond half the sample rate")
        n_fft = design.size(filters, sr, hop_length)
        analysis, frames = _analysis_of(y.shape[-1], n_fft, hop_length, pad_mode, "hann")

        def work() -> Array:
            bank = design.bank(filters, sr, np.result_type(y, np.complex64), hop_length)
            result = np.empty((*y.shape[:-1], n_bins, frames), y.dtype)
            audio = analysis(y)
            audio.run(Filterbank(audio.framing), abs(bank).toarray().T, out=result.swapaxes(-1, -2))
            if scale:
                result /= np.sqrt(n_fft)
            else:
                result *= np.sqrt(filters.lengths / n_fft)[:, None]
            return result

        return work

    return _tuned(y, sr, bins_per_octave, tuning, plan)


def _hybrid(
    y: Array, sr: Any, hop_length: Any, fmin: Any, n_bins: Any, design: Design, bins_per_octave: Any, tuning: Any,
    scale: Any, pad_mode: Any, res_type: Any, dtype: Any,
) -> Work:  # fmt: skip
    """Magnitudes of one transform for those bins whose filters are short, and of a transform an octave for the rest."""
    _check_audio(y, sr, hop_length, pad_mode, dtype)
    _check_scale(fmin, n_bins, bins_per_octave, tuning)

    def plan(tuning: float) -> Work:
        lowest = _lowest(fmin, tuning, bins_per_octave)
        freqs = _cqt_frequencies(n_bins, fmin=lowest, bins_per_octave=bins_per_octave)
        lengths = design.filters(freqs, sr, bins_per_octave).lengths
        short = 2.0 ** np.ceil(np.log2(lengths)) < 2 * hop_length
        high = int(np.sum(short))
        parts: list[Work] = []
        if high:
            first = np.min(freqs[short])
            parts.append(_pseudo(y, sr, hop_length, first, high, design, bins_per_octave, 0.0, scale, pad_mode, dtype))
        if n_bins > high:
            low = _constant_q(
                y, sr, hop_length, lowest, n_bins - high, "equal", design, bins_per_octave, 0.0, scale, pad_mode,
                res_type, dtype,
            )  # fmt: skip
            parts.append(lambda: np.abs(low()))

        def work() -> Array:
            made = [part() for part in reversed(parts)]
            frames = min(one.shape[-1] for one in made)
            result = np.empty((*y.shape[:-1], n_bins, frames), y.dtype, order="F")
            np.concatenate([one[..., :frames] for one in made], axis=-2, out=result)
            return result

        return work

    return _tuned(y, sr, bins_per_octave, tuning, plan)


def of_bins(*_: Any) -> int:
    """Terms of the sums that constant-Q transforms are, for the bound of their rounding."""
    return 1024


@adapter("librosa.cqt", tolerances.spectrum, also="librosa.core", order=of_bins)
def cqt(
    y: Array,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Any = "hann",
    scale: bool = True,
    pad_mode: Any = "constant",
    res_type: str = "soxr_hq",
    dtype: Any = None,
) -> Work:
    """librosa.cqt. Same arguments, same defaults.

    Filters are librosa's own, and so is what resamples.
    """
    design = Design.of(filter_scale, norm, sparsity, window)
    return _constant_q(
        y, sr, hop_length, fmin, n_bins, "equal", design, bins_per_octave, tuning, scale, pad_mode, res_type, dtype
    )


@adapter("librosa.vqt", tolerances.spectrum, also="librosa.core", order=of_bins)
def vqt(
    y: Array,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    intervals: Any = "equal",
    gamma: float | None = None,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Any = "hann",
    scale: bool = True,
    pad_mode: Any = "constant",
    res_type: str = "soxr_hq",
    dtype: Any = None,
) -> Work:
    """librosa.vqt. Same arguments, same defaults.

    Filters are librosa's own, and so is what resamples.
    """
    design = Design.of(filter_scale, norm, sparsity, window, gamma)
    return _constant_q(
        y, sr, hop_length, fmin, n_bins, intervals, design, bins_per_octave, tuning, scale, pad_mode, res_type, dtype
    )


@adapter("librosa.pseudo_cqt", tolerances.energy, also="librosa.core", order=of_bins)
def pseudo_cqt(
    y: Array,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Any = "hann",
    scale: bool = True,
    pad_mode: Any = "constant",
    dtype: Any = None,
) -> Work:
    """librosa.pseudo_cqt. Same arguments, same defaults.

    Filters are librosa's own.
    """
    design = Design.of(filter_scale, norm, sparsity, window)
    return _pseudo(y, sr, hop_length, fmin, n_bins, design, bins_per_octave, tuning, scale, pad_mode, dtype)


@adapter("librosa.hybrid_cqt", tolerances.energy, also="librosa.core", order=of_bins)
def hybrid_cqt(
    y: Array,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float | None = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Any = "hann",
    scale: bool = True,
    pad_mode: Any = "constant",
    res_type: str = "soxr_hq",
    dtype: Any = None,
) -> Work:
    """librosa.hybrid_cqt. Same arguments, same defaults.

    Filters are librosa's own, and so is what resamples.
    """
    design = Design.of(filter_scale, norm, sparsity, window)
    return _hybrid(y, sr, hop_length, fmin, n_bins, design, bins_per_octave, tuning, scale, pad_mode, res_type, dtype)


@adapter("librosa.icqt", tolerances.of_single(tolerances.spectrum), also="librosa.core", order=of_bins)
def icqt(
    C: Array,
    *,
    sr: float = 22050,
    hop_length: int = 512,
    fmin: float | None = None,
    bins_per_octave: int = 12,
    tuning: float = 0.0,
    filter_scale: float = 1,
    norm: float | None = 1,
    sparsity: float = 0.01,
    window: Any = "hann",
    scale: bool = True,
    length: int | None = None,
    res_type: str = "soxr_hq",
    dtype: Any = None,
) -> Work:
    """librosa.icqt. Same arguments, same defaults.

    In double precision, as librosa's. Filters are librosa's own, and so is what resamples.
    """
    check_engine()
    _check_known()
    check_array(C)
    if C.dtype.kind != "c" or C.ndim < 2 or not math.isfinite(energy(C)):
        raise Decline("C is no complex spectrum, or not finite, or its squares overflow")
    check_rate(sr)
    check_whole("hop_length", hop_length)
    design = Design.of(filter_scale, norm, sparsity, window)
    _check_scale(fmin, C.shape[-2], bins_per_octave, tuning)
    check_tuning(tuning)
    check_flag("scale", scale)
    check_choice("res_type", res_type, *_RESAMPLERS)
    if length is not None:
        check_whole("length", length)
    # librosa's scales are float64, and so is all that they are multiplied with
    spectra = np.dtype(np.complex128) if scale else C.dtype
    if dtype is not None and not is_dtype(dtype, np.empty(0, spectra).real.dtype):
        raise Decline("dtype is not the result's own")
    n_bins, bins_per_octave, hop_length = C.shape[-2], int(bins_per_octave), int(hop_length)
    lowest = _lowest(fmin, tuning, bins_per_octave)
    filters = design.filters(
        _cqt_frequencies(n_bins, fmin=lowest, bins_per_octave=bins_per_octave), sr, bins_per_octave
    )
    frames = C.shape[-1]
    if length is not None:
        frames = min(frames, math.ceil((length + filters.lengths.max()) / hop_length))
    rates = [(sr, hop_length)]
    for _ in range(math.ceil(n_bins / bins_per_octave) - 1):
        rate, hop = rates[0]
        rates.insert(0, (rate * 0.5, hop // 2) if hop % 2 == 0 else (rate, hop))
    parts = []
    for i, (rate, hop) in enumerate(rates):
        part = slice(bins_per_octave * i, min(bins_per_octave * (i + 1), n_bins))
        some = Filters(filters.freqs[part], filters.alpha[part], filters.lengths[part], 0.0)
        shape = (design.size(some, rate) // 2 + 1, frames)
        inverse = synthesis(shape, spectra, None, hop, None, "ones", True, None)
        parts.append((part, some, rate, inverse))

    # of a plan that is repeated, as Griffin-Lim's, made once
    @functools.cache
    def weights_of(place: int) -> Array:
        _, some, rate, _ = parts[place]
        basis = design.bank(some, rate, np.complex64).conjugate().T.toarray()
        # rounded to float32, as librosa's
        power = 1 / np.sum(_abs2(basis), axis=0)
        power *= 2 * (len(basis) - 1) / some.lengths
        # of which double precision loses nothing to filters in single precision
        weights: Array = basis.astype(spectra) * (np.sqrt(some.lengths) * power if scale else power)
        return weights.T

    def run(C: Array) -> Array:
        y: Any = None
        for place, (part, _, rate, inverse) in enumerate(parts):
            spectrum = C[..., part, :frames].swapaxes(-1, -2) @ weights_of(place)
            octave = cpu.run(inverse.op, spectrum[..., : inverse.frames, :], inverse.window)
            octave = _resample(octave, orig_sr=1, target_sr=sr // rate, res_type=res_type, scale=False, fix=False)
            if y is None:
                y = octave
            else:
                if octave.shape[-1] > y.shape[-1]:
                    raise Decline("an octave is longer than the one below")
                y[..., : octave.shape[-1]] += octave
        result: Array = y if length is None else _fix_length(y, size=length)
        return result

    return Planned(run, (C,))
