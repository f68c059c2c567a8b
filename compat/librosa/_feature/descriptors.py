"""librosa.feature's spectral_centroid, spectral_bandwidth, spectral_rolloff, spectral_contrast, spectral_flatness."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.design import banks
from mlx_spectro.design.descriptors import DescriptorSpec
from mlx_spectro.design.operators import Describe, DescribeMagnitudes, Elementwise
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_flag, check_number, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import Analysis, check_faint_frames, lying_of, source_of
from .._arguments import Array
from .._core.decibels import DECIBEL, clipped
from .._filters import check_rate
from .._layout import memory

_centroid, _bandwidth = librosa.feature.spectral_centroid, librosa.feature.spectral_bandwidth
_rolloff, _flatness = librosa.feature.spectral_rolloff, librosa.feature.spectral_flatness
# a share of a whole, neither nothing nor all of it
_WITHIN = (1e-6, 1 - 1e-6)


class Described(NamedTuple):
    """A magnitude spectrogram, of audio or given, whose descriptors are wanted."""

    source: Analysis | Array
    hz: Array
    """Frequencies of the bins, increasing."""

    def describe(self, name: str, hz: Array | None = None, **parameters: Any) -> Array:
        """The descriptor, computed in double precision, ``[..., rows, N]``."""
        spec, hz = DescriptorSpec((name,), **parameters), self.hz if hz is None else hz
        if isinstance(self.source, Analysis):
            return self.source.run(Describe(self.source.framing, spec), hz)
        values = self.source.swapaxes(-1, -2)
        return cpu.run(DescribeMagnitudes(spec), values, hz, precise=values.dtype == np.float32)

    def ordered(self, values: Array, of_spectrogram: Callable[[Array], Array], dtype: Any = np.float64) -> Array:
        """``[..., N]`` as ``[..., 1, N]``, in the memory order that librosa's ``of_spectrogram`` gives it."""
        out = memory(of_spectrogram, *lying_of(self.source), (*values.shape[:-1], 1, values.shape[-1]), dtype)
        out[..., 0, :] = values
        return out


def described(
    y: Any,
    sr: Any,
    S: Any,
    n_fft: Any,
    hop_length: Any,
    win_length: Any,
    window: Any,
    center: Any,
    pad_mode: Any,
    freq: Any = None,
) -> Described:
    """What librosa's arguments ask for."""
    check_rate(sr)
    source, length = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    check_faint_frames(source)
    bins = length // 2 + 1
    if freq is None:
        return Described(source, np.arange(bins) * (float(sr) / length))
    if type(freq) is not np.ndarray or freq.shape != (bins,) or freq.dtype != np.float64:
        raise Decline("freq is not an array of one real frequency for each bin")
    if not (np.all(np.diff(freq) > 0) and freq[0] >= 0 and freq[-1] <= 1e15):
        raise Decline("freq does not rise from bin to bin")
    return Described(source, freq)


def _centroid_of(spectrogram: Array) -> Array:
    result: Array = _centroid(S=spectrogram)
    return result


def _bandwidth_of(spectrogram: Array) -> Array:
    result: Array = _bandwidth(S=spectrogram)
    return result


def _rolloff_of(spectrogram: Array) -> Array:
    result: Array = _rolloff(S=spectrogram)
    return result


def _flatness_of(spectrogram: Array) -> Array:
    result: Array = _flatness(S=spectrogram)
    return result


@adapter("librosa.feature.spectral_centroid", tolerances.of_single(tolerances.energy))
def spectral_centroid(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    freq: Array | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
) -> Work:
    """librosa.feature.spectral_centroid. Same arguments, same defaults.

    Of audio or of magnitudes; ``freq`` has to rise from bin to bin.
    """
    spectrum = described(y, sr, S, n_fft, hop_length, win_length, window, center, pad_mode, freq)
    return lambda: spectrum.ordered(spectrum.describe("centroid")[..., 0, :], _centroid_of)


@adapter("librosa.feature.spectral_bandwidth", tolerances.of_single(tolerances.energy))
def spectral_bandwidth(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    freq: Array | None = None,
    centroid: Array | None = None,
    norm: bool = True,
    p: float = 2,
) -> Work:
    """librosa.feature.spectral_bandwidth. Same arguments, same defaults.

    Ours for ``p`` of 1 or 2 with ``norm``, and no ``centroid`` given: both are computed at once.
    """
    if centroid is not None:
        raise Decline("centroid is given: without it, both are computed at once")
    check_flag("norm", norm)
    check_number("p", p)
    if not norm or p not in (1, 2):
        raise Decline("norm is not True, or p is neither 1 nor 2")
    spectrum = described(y, sr, S, n_fft, hop_length, win_length, window, center, pad_mode, freq)
    return lambda: spectrum.ordered(spectrum.describe("bandwidth", order=int(p))[..., 0, :], _bandwidth_of)


def _two_bins(arguments: dict[str, Any]) -> int:
    """Twice the distance of two bins in Hz, rounded up."""
    s, length = arguments["S"], arguments["n_fft"]
    length = length if s is None else 2 * (s.shape[-2] - 1)
    return math.ceil(2 * float(arguments["sr"]) / int(length))


@adapter("librosa.feature.spectral_rolloff", tolerances.decision, order=_two_bins)
def spectral_rolloff(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    freq: Array | None = None,
    roll_percent: float = 0.85,
) -> Work:
    """librosa.feature.spectral_rolloff. Same arguments, same defaults.

    A decision: librosa's bin, but for those that rounding decides.
    """
    check_plain("roll_percent", roll_percent, *_WITHIN)
    spectrum = described(y, sr, S, n_fft, hop_length, win_length, window, center, pad_mode, freq)

    def work() -> Array:
        # the number of the bin, which a float32 holds exactly
        numbers = np.arange(spectrum.hz.size, dtype=np.float64)
        bins = spectrum.describe("rolloff", hz=numbers, share=float(roll_percent))[..., 0, :]
        return spectrum.ordered(spectrum.hz[bins.astype(np.intp)], _rolloff_of)

    return work


@adapter("librosa.feature.spectral_contrast", tolerances.of_single(tolerances.elementwise))
def spectral_contrast(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    freq: Array | None = None,
    fmin: float = 200.0,
    n_bands: int = 6,
    quantile: float = 0.02,
    linear: bool = False,
) -> Work:
    """librosa.feature.spectral_contrast. Same arguments, same defaults.

    Ours over equally spaced bins, in bands of two bins or more.
    """
    if freq is not None:
        raise Decline("freq is given: equally spaced bins are served")
    check_whole("n_bands", n_bands, most=60)
    check_number("fmin", fmin, 1e-6)
    check_number("quantile", quantile, *_WITHIN)
    check_flag("linear", linear)
    spectrum = described(y, sr, S, n_fft, hop_length, win_length, window, center, pad_mode)
    edges = fmin * 2.0 ** np.arange(n_bands)
    bin_hz = spectrum.hz[1]
    if edges[-1] >= 0.5 * sr:
        raise Decline("the highest bands lie beyond half the sample rate")
    if np.diff(edges, prepend=0.0).min() < 2 * bin_hz:
        raise Decline("the lowest bands have hardly a bin: a larger n_fft or fmin is served")
    length = round(sr / bin_hz)
    bands = tuple(banks.contrast_bands(float(sr), length, int(n_bands), float(fmin), float(quantile)))
    if not DescriptorSpec((), bands=bands).in_kernels:
        raise Decline("quantile asks for more values of a band than kernels keep in order")

    def work() -> Array:
        valley, peak = np.split(spectrum.describe("contrast", bands=bands).astype(np.float64), 2, axis=-2)
        if linear:
            return np.ascontiguousarray(peak - valley)
        over, under = (clipped(cpu.run(Elementwise(DECIBEL), values), 80.0) for values in (peak, valley))
        return np.ascontiguousarray(over - under)

    return work


def _of_logarithms(dtype: np.dtype[Any], size: int, largest: float) -> float:
    """Bound for a power whose logarithm, of at most 69 (that of the least amin), was rounded, and its sum.

    ``size`` is of the transforms of audio; below 0 it is of bins that are given, whose logarithms librosa adds one
    after the other: each sum of up to as many is rounded by half a unit, and alike where values are.
    """
    roundings = 2 + max(0, -size) / 4
    return tolerances.energy(dtype, abs(size), largest) + roundings * 69 * float(np.finfo(dtype).eps) * largest


def _size(given: dict[str, Any]) -> int:
    return int(given["n_fft"]) if given["S"] is None else -int(given["S"].shape[-2])


@adapter("librosa.feature.spectral_flatness", _of_logarithms, order=_size)
def spectral_flatness(
    *,
    y: Array | None = None,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    amin: float = 1e-10,
    power: float = 2.0,
) -> Work:
    """librosa.feature.spectral_flatness. Same arguments, same defaults.

    Ours for ``power`` of 1 or 2.
    """
    check_plain("amin", amin, 1e-30)
    check_plain("power", power)
    if power not in (1, 2):
        raise Decline("power is neither 1 nor 2")
    spectrum = described(y, 1.0, S, n_fft, hop_length, win_length, window, center, pad_mode)

    def work() -> Array:
        values = spectrum.describe("flatness", power=int(power), amin=float(amin))[..., 0, :]
        return spectrum.ordered(values, _flatness_of, values.dtype)

    return work
