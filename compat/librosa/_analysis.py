"""The STFT that librosa's arguments ask for, and spectrograms: of audio, or given."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Operator, Spectrogram
from mlx_spectro.kernels import cpu

from ..arrays.numpy_options import check_flag, check_whole
from ..contract.decline import Decline
from ._arguments import LARGEST, Array, audio_energy, check_engine, check_faintness, check_magnitudes
from ._layout import Lying, in_order, lying

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
_NAMES = frozenset((str, int, float))
_LARGEST_PARAMETER = 1e3
# windows of side lobes that are down by so many decibels, of which SciPy warns below the least
_CHEBYSHEV, _LEAST_ATTENUATION = ("chebwin", "cheb"), 45
# of so many values, one is looked at
_SOME = 16
_get_window, _pad_center = librosa.filters.get_window, librosa.util.pad_center


def window_of(window: Any, win_length: int, n_fft: int) -> Array:
    """librosa's own window in the middle of ``n_fft`` samples."""
    parts = window if type(window) is tuple else (window,)
    if all(type(part) in _NAMES for part in parts):
        return _named_window(window, win_length, n_fft)
    if not (callable(window) or type(window) in (list, np.ndarray)):
        raise Decline("the window is neither a name, nor a number, nor an array")
    return _window(window, win_length, n_fft)


def faintest_of(window: Any, win_length: int, n_fft: int, samples: Array) -> float:
    """Of :func:`window_of`'s ``samples`` the smallest that is not 0, over the largest."""
    has_samples = callable(window) or type(window) in (list, np.ndarray)
    return _faintest(samples) if has_samples else _named_faintest(window, win_length, n_fft)


@functools.lru_cache(maxsize=64)
def _named_faintest(window: Any, win_length: int, n_fft: int) -> float:
    return _faintest(_named_window(window, win_length, n_fft))


def _faintest(samples: Any) -> float:
    sizes = np.abs(samples)
    return float(sizes.min(initial=np.inf, where=sizes > 0) / (sizes.max(initial=0) or 1))


def _window(window: Any, win_length: int, n_fft: int) -> Array:
    samples: Array = _pad_center(_get_window(window, win_length, fftbins=True), size=n_fft)
    if type(samples) is not np.ndarray or samples.ndim != 1 or samples.dtype.char not in "fd":
        raise Decline("the window is an array that is neither float32 nor float64")
    if not np.isfinite(samples).all():
        raise Decline("the window is not finite")
    return samples


@functools.lru_cache(maxsize=64)
def _named_window(window: Any, win_length: int, n_fft: int) -> Array:
    name, *parameters = window if type(window) is tuple else (window,)
    for part in (name, *parameters):
        try:
            # SciPy takes a number's name for the number, and warns of what it makes of a large one
            if not abs(float(part)) < _LARGEST_PARAMETER:
                raise Decline("a parameter of the window is out of range")
        except ValueError:
            continue
    if name in _CHEBYSHEV and not all(type(part) is not str and part >= _LEAST_ATTENUATION for part in parameters):
        raise Decline("SciPy warns of such a window at each call")
    return _window(window, win_length, n_fft)


class Analysis(NamedTuple):
    """A transform of audio as librosa frames it."""

    y: Array
    window: Array
    framing: Framing
    energy: float
    """Sum of the audio's squares."""

    def run(self, op: Operator, *weights: Array, out: Array | None = None) -> Array:
        """Compute what takes the audio, its window and other weights: float32 audio in double precision."""
        return cpu.run(op, self.y, self.window, *weights, out=out, precise=self.y.dtype == np.float32)

    def power_spectrogram(self) -> Array:
        """Squared magnitudes ``[..., F, N]``, a frame's bins side by side."""
        return self.run(Spectrogram(self.framing, power=2.0)).swapaxes(-1, -2)

    def overflows(self, power: float = 2.0) -> bool:
        """Whether magnitudes to ``power`` may be beyond what their dtype holds."""
        # by Schwarz's inequality; a window's largest value is next to 1
        square = self.energy * self.framing.n_fft
        return not square < LARGEST[self.y.dtype.char] ** min(1.0, 2.0 / power)

    @property
    def lying(self) -> Lying:
        """How librosa's spectrogram of the audio lies in memory."""
        return in_order("F", (*self.y.shape[:-1], self.framing.n_fft // 2 + 1, self.frames))

    @property
    def frames(self) -> int:
        """Frames of the audio."""
        return self.framing.frames(self.y.shape[-1])


def lying_of(source: Analysis | Array) -> tuple[Lying, np.dtype[Any]]:
    """How librosa's spectrogram lies in memory, and its dtype."""
    return (source.lying, source.y.dtype) if isinstance(source, Analysis) else (lying(source), source.dtype)


def framing_of(length: int, size: int, hop_length: int, center: Any, pad_mode: Any, in_parts: bool = False) -> Framing:
    """librosa's frames of a signal of ``length`` samples.

    Args:
        in_parts: librosa pads the signal's two ends apart, as it does for its STFT.
    """
    size, hop_length = int(size), int(hop_length)
    if size > length:
        raise Decline("the signal is shorter than a frame")
    if not center:
        return Framing(size, hop_length)
    if not isinstance(pad_mode, str) or pad_mode not in _PAD_MODES:
        raise Decline("pad_mode is not 'constant', 'reflect' or 'edge'")
    half = size // 2
    if pad_mode == "reflect":
        # few samples may be left at the end, which librosa then mirrors more than once
        tail = length - ((length + half - size) // hop_length + 1) * hop_length + half
        if (min(length, tail) if in_parts else length) <= half:
            raise Decline("the signal is so short that pad_mode='reflect' mirrors it more than once")
    return Framing(size, hop_length, half, half, _PAD_MODES[pad_mode])


def analysis(y: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: Any) -> Analysis:
    """The STFT that librosa's arguments ask for."""
    check_engine()
    # of one sample, librosa has nothing to mirror
    check_whole("n_fft", n_fft, 2)
    check_flag("center", center)
    if win_length is not None:
        check_whole("win_length", win_length)
    n_fft = int(n_fft)
    win_length = n_fft if win_length is None else int(win_length)
    hop_length = win_length // 4 if hop_length is None else hop_length
    check_whole("hop_length", hop_length)
    total = audio_energy(y)
    framing = framing_of(y.shape[-1], n_fft, hop_length, center, pad_mode, in_parts=True)
    return Analysis(y, window_of(window, win_length, n_fft), framing, total)


def check_faint_frames(source: Analysis | Array) -> None:
    """Decline audio or magnitudes with frames of which kernels have too few digits for shares of their sums.

    All of such a frame is faint, and so is what is looked at of it.
    """
    if isinstance(source, Analysis):
        check_faintness(source.y[..., ::_SOME], ())
    else:
        check_faintness(source[..., ::_SOME, :], ())


def source_of(
    y: Any, S: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: Any
) -> tuple[Analysis | Array, int]:
    """The spectrogram of ``y``, or ``S`` if given, and its transform length as librosa takes it."""
    if S is None:
        source = analysis(y, n_fft, hop_length, win_length, window, center, pad_mode)
        if source.overflows():
            raise Decline("the audio is so loud that its powers may overflow")
        return source, int(n_fft)
    check_magnitudes(S)
    if n_fft is not None:
        check_whole("n_fft", n_fft)
    fits = n_fft is not None and n_fft // 2 + 1 == S.shape[-2]
    return S, int(n_fft) if fits else 2 * (S.shape[-2] - 1)
