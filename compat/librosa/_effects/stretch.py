"""time_stretch and pitch_shift of librosa.effects."""

from __future__ import annotations

import math
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.operators import Stft
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_flag, check_number, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from ...contract.lines import as_called_in
from .._adapter import adapter
from .._analysis import analysis
from .._arguments import Array
from .._core.phase_vocoder import OF_TIMES, check_rate_of, steps, times_at
from .._filters import check_rate
from .._synthesis import synthesis

_stft, _phase_vocoder = librosa.stft, librosa.phase_vocoder
_resample, _fix_length = librosa.resample, librosa.util.fix_length
_OF_STFT = {"n_fft": 2048, "hop_length": None, "win_length": None, "window": "hann", "center": True}
_SOXR = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq")
# of bins that are smaller beside the largest, two transforms in double precision have no phase in common; of those that
# are 0 one may have 0 and another -0, which is half a turn
_FAINT = 1e-12

_call_there = as_called_in(librosa.effects.time_stretch, "phase_vocoder")


def _warn() -> None:
    """Have librosa warn of how its time_stretch calls its own phase_vocoder."""
    options = {"rate": 1.0, "hop_length": None, "n_fft": None}
    _call_there(_phase_vocoder, (np.ones((2, 2), np.complex64),), options)


def order(arguments: dict[str, Any]) -> int:
    """Samples of audio, times how many frames it is stretched to: what :func:`tolerances.phases` depends on."""
    samples = int(arguments["y"].shape[-1])
    hop = arguments.get("hop_length") or int(arguments.get("win_length") or arguments.get("n_fft") or 2048) // 4
    rate = arguments["rate"] if "rate" in arguments else _rate(arguments["n_steps"], arguments["bins_per_octave"])
    return math.ceil(samples * (1 + samples // max(1, int(hop))) / max(1e-3, min(1.0, float(rate))))


def _rate(n_steps: Any, bins_per_octave: Any) -> float:
    """How many times faster audio is to be, for its pitch to be shifted when it is resampled to its length."""
    rate: float = 2.0 ** (-float(n_steps) / int(bins_per_octave))
    return rate


def _stretch(y: Any, rate: Any, options: dict[str, Any]) -> Work:
    """The work of stretching audio by the inverse of ``rate``."""
    if options.keys() - _OF_STFT.keys():
        raise Decline("arguments that mlx_spectro does not know")
    given = _OF_STFT | options
    audio = analysis(y, **given, pad_mode="constant")
    check_rate_of(rate)
    times, spectra = times_at(rate, audio.frames), np.result_type(y, np.complex64)
    length = round(y.shape[-1] / rate)
    if length < 1:
        raise Decline("nothing is left of the audio")
    given["n_fft"] = options.get("n_fft")
    shape = (audio.framing.n_fft // 2 + 1, times.size)
    inverse = synthesis(shape, spectra, **given, length=length)

    def work() -> Array:
        if OF_TIMES:
            bind()
            _warn()
        z = audio.run(Stft(audio.framing))
        if cpu.faintest(z) < _FAINT:
            z = np.ascontiguousarray(_stft(y, **options).swapaxes(-1, -2))
        stretched = steps(times[: inverse.frames], audio.frames).run(z)
        return cpu.run(inverse.op, stretched, inverse.window)

    return work


@adapter("librosa.effects.time_stretch", tolerances.phases, order=order)
def time_stretch(y: Array, *, rate: float, **kwargs: Any) -> Work:
    """librosa.effects.time_stretch. Same arguments, same defaults.

    Of audio with bins that are next to nothing, as silence and a constant have, the spectrum is librosa's: what phases
    such bins have is its transform's rounding.
    """
    return _stretch(y, rate, kwargs)


@adapter("librosa.effects.pitch_shift", tolerances.phases, order=order)
def pitch_shift(
    y: Array,
    *,
    sr: float,
    n_steps: float,
    bins_per_octave: int = 12,
    res_type: str = "soxr_hq",
    scale: bool = False,
    **kwargs: Any,
) -> Work:
    """librosa.effects.pitch_shift. Same arguments, same defaults.

    Stretched by us, and resampled by librosa.
    """
    check_rate(sr)
    check_number("n_steps", n_steps, -1000, 1000)
    check_whole("bins_per_octave", bins_per_octave)
    check_choice("res_type", res_type, *_SOXR)
    check_flag("scale", scale)
    rate = _rate(n_steps, bins_per_octave)
    stretch = _stretch(y, rate, kwargs)
    options: dict[str, Any] = {"orig_sr": float(sr) / rate, "target_sr": sr, "res_type": res_type, "scale": scale}

    def work() -> Array:
        shifted: Array = _fix_length(_resample(stretch(), **options), size=y.shape[-1])
        return shifted

    return work
