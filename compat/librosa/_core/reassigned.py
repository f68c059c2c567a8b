"""reassigned_spectrogram of librosa."""

from __future__ import annotations

import inspect
import math
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.operators import Stft
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_flag, check_plain, is_dtype
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.lines import as_called_in
from .._adapter import adapter
from .._analysis import Analysis, analysis
from .._arguments import Array
from .._filters import check_rate

_stft, _gradient = librosa.stft, librosa.util.cyclic_gradient
_fft_frequencies, _frames_to_time = librosa.fft_frequencies, librosa.frames_to_time
_less_as_called = as_called_in(librosa.reassigned_spectrogram, "less")
# what librosa's own is made of, which a program may put functions of its own in place of
_theirs = inspect.unwrap(librosa.reassigned_spectrogram).__globals__
_PARTS = {name: _theirs[name] for name in ("__reassign_frequencies", "__reassign_times")}
# NumPy warns of a comparison of some values alone whose result has no memory of its own
_WARNS = ("where",) in inspect.unwrap(librosa.reassigned_spectrogram).__code__.co_consts
# beside the largest one, a magnitude that is mostly what transforms in double precision have rounded
_FAINT = 1e-9
# one that is all rounding, and may be 0 in librosa's transform, by which librosa divides and warns
_NOTHING = 1e-12


def _warn() -> None:
    """Have NumPy warn of how librosa compares."""
    _less_as_called(np.less, (np.ones(1), 1.0), {"where": np.ones(1, bool)})


def _by_time(window: Array) -> Array:
    """A window times the time from its middle, in samples."""
    half = window.size // 2
    times = np.arange(-half, half + 1) if window.size % 2 else np.arange(0.5 - half, half)
    weighed: Array = window * times
    return weighed


def _audio(given: dict[str, Any]) -> Analysis:
    names = ("y", "n_fft", "hop_length", "win_length", "window", "center", "pad_mode")
    return analysis(*(given[name] for name in names))


def _error(given: dict[str, Any]) -> float:
    """How far rounding moves what has the least energy that is moved at all, over how far anything may be moved."""
    audio, ref_power = _audio(given), given["ref_power"]
    dtype = np.result_type(audio.y, np.complex64)
    if callable(ref_power):
        ref_power = ref_power(np.abs(audio.run(Stft(audio.framing)).swapaxes(-1, -2)) ** 2)
    # by Schwarz's inequality, and by the places' largest, half the rate and the audio's length
    norms = [float(np.linalg.norm(w)) for w in (_gradient(audio.window), _by_time(audio.window))]
    quotient = norms[0] / math.pi + norms[1] / audio.y.shape[-1]
    least = math.sqrt(float(ref_power)) or math.inf
    eps = float(np.finfo(dtype).eps)
    return float(8 * eps * (1 + quotient * math.sqrt(audio.energy) / least))


@adapter("librosa.reassigned_spectrogram", tolerances.reassigned, also="librosa.core", order=_error)
def reassigned_spectrogram(
    y: Array,
    *,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    reassign_frequencies: bool = True,
    reassign_times: bool = True,
    ref_power: Any = 1e-6,
    fill_nan: bool = False,
    clip: bool = True,
    dtype: Any = None,
    pad_mode: Any = "constant",
) -> Work:
    """librosa.reassigned_spectrogram. Same arguments, same defaults.

    Of audio. The spectrum is librosa's where a magnitude is as good as the least that is moved, or as 0: a rounding
    decides.
    """
    if S is not None:
        raise Decline("S is given: the spectrogram of audio, y, is served")
    if any(_theirs[name] is not part for name, part in _PARTS.items()):
        raise Decline("functions of librosa's that it is made of are the program's own")
    for name, flag in (
        ("reassign_frequencies", reassign_frequencies), ("reassign_times", reassign_times), ("fill_nan", fill_nan),
        ("clip", clip),
    ):  # fmt: skip
        check_flag(name, flag)
    if not (reassign_frequencies or reassign_times):
        raise Decline("nothing is to be reassigned")
    if not callable(ref_power):
        check_plain("ref_power", ref_power, 0)
    check_rate(sr)
    audio = _audio(locals())
    if dtype is not None and not is_dtype(dtype, np.result_type(y, np.complex64)):
        raise Decline("dtype is not the result's own")
    if audio.overflows():
        raise Decline("the audio is so loud that its powers may overflow")
    framing, bins, lead = audio.framing, audio.framing.n_fft // 2 + 1, y.shape[:-1]
    padding = None if center else framing.n_fft
    hz = _fft_frequencies(sr=sr, n_fft=framing.n_fft)
    seconds = _frames_to_time(np.arange(audio.frames), sr=sr, hop_length=framing.hop_length, n_fft=padding)
    numbers = (0.5 * float(sr) / math.pi, 1 / float(sr), float(sr) / 2, y.shape[-1] / float(sr))

    def spectrum(weights: Array) -> Array:
        rows: Array = audio._replace(window=weights).run(Stft(framing)).reshape(-1, bins)
        return rows

    def in_order(values: Array) -> Array:
        """``[frames, bins]`` as librosa's spectrogram lies in memory."""
        result: Array = values.reshape(*lead, audio.frames, bins).swapaxes(-1, -2)
        return np.asfortranarray(result) if lead else result

    def work() -> tuple[Array, Array, Array]:
        changes = spectrum(_gradient(audio.window)) if reassign_frequencies else None
        delays = spectrum(_by_time(audio.window)) if reassign_times else None
        everywhere = np.tile(seconds, math.prod(lead))

        def moved(z: Array) -> tuple[Any, ...]:
            magnitudes = np.abs(in_order(z))
            rows = np.ascontiguousarray(magnitudes.swapaxes(-1, -2)).reshape(z.shape)
            least = _least(ref_power, magnitudes)
            flags = bool(fill_nan), bool(clip)
            return magnitudes, *cpu.reassigned(z, changes, delays, rows, least, hz, everywhere, numbers, *flags)

        magnitudes, freqs, times, told = moved(spectrum(audio.window))
        if told & cpu.NEAR or _has_nothing(magnitudes):
            options: dict[str, Any] = {"n_fft": framing.n_fft, "hop_length": framing.hop_length, "window": audio.window}
            theirs = _stft(y, **options, center=center, pad_mode=pad_mode)
            magnitudes, freqs, times, told = moved(np.ascontiguousarray(theirs.swapaxes(-1, -2)).reshape(-1, bins))
        if told & cpu.DIVIDES:
            raise Decline("bins of the spectrum are 0 where others are not, of which librosa warns")
        if _WARNS:
            _warn()
        shape = magnitudes.shape
        return (
            np.broadcast_to(hz[:, np.newaxis], shape) if freqs is None else in_order(freqs),
            np.broadcast_to(seconds, shape) if times is None else in_order(times),
            magnitudes,
        )

    return work


def _has_nothing(magnitudes: Array) -> bool:
    """Whether some magnitudes are next to 0 beside the largest, as those of a constant are."""
    least = magnitudes.min(initial=np.inf, where=magnitudes > 0)
    return bool(least < _NOTHING * float(magnitudes.max()))


def _least(ref_power: Any, magnitudes: Array) -> float:
    """The least magnitude that is moved, as librosa compares with it."""
    power = ref_power(magnitudes**2) if callable(ref_power) else ref_power
    if type(power) not in (int, float, np.float32, np.float64) or not 0 <= power < math.inf:
        raise Decline("ref_power is no number, or below 0")
    root = power**0.5
    least = float(magnitudes.dtype.type(root) if type(root) is float else root)
    if not least >= _FAINT * float(magnitudes.max()):
        raise Decline("ref_power is so small that what is only rounded would be moved")
    return least
