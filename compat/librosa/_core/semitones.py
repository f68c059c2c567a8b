"""iirt of librosa."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import librosa
import numpy as np

from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_choice, check_flag, check_plain, check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._arguments import LARGEST, Array, audio_energy, check_engine
from .._filters import check_rate

_filterbank, _resample = librosa.filters.semitone_filterbank, librosa.resample
_RESAMPLERS = ("soxr_vhq", "soxr_hq", "soxr_mq", "soxr_lq", "soxr_qq")
_PAD_MODES = "constant", "reflect", "edge"
# samples that SciPy mirrors at either end, for a cascade of so many sections
_MIRRORED = 3 * (2 * 4 + 1)


class _Bank(NamedTuple):
    """Filters for signals of one rate."""

    rate: float
    places: Array
    """Among the filters of all rates."""
    sections: Array
    """``[filters, 4, 6]``."""
    memories: Array
    """``[filters, 4, 2]``, of 1 for ever."""


@functools.lru_cache(maxsize=8)
def _banks(tuning: float) -> tuple[_Bank, ...]:
    """librosa's filters of semitones, by the rates that they are for."""
    import scipy.signal

    cascades, rates = _filterbank(tuning=tuning, flayout="sos")
    # of fewer sections, or of what is 0 in one, SciPy mirrors fewer samples
    if not all(one.shape == (4, 6) and one[:, [2, 5]].all() for one in cascades):
        raise Decline("a filter for this tuning is not of eighth order")
    sections, banks = np.asarray(cascades), []
    for rate in np.unique(rates):
        places = np.flatnonzero(rates == rate)
        memories = np.stack([scipy.signal.sosfilt_zi(one) for one in sections[places]])
        banks.append(_Bank(float(rate), places, sections[places], memories))
    return tuple(banks)


class _Windows(NamedTuple):
    """Where librosa looks at a signal of another rate."""

    factor: float
    begins: Array
    width: int


def _windows(length: int, factor: float, win_length: int, hop_length: int, frames: int) -> _Windows:
    hop, width = hop_length / factor, round(win_length / factor)
    begins = np.arange(0, length - width, hop)
    if len(begins) < frames:
        # as many zeros follow the signal as one frame needs
        begins = np.arange(0, int(np.ceil(frames * hop)), hop)
    if width < 1 or len(begins) < frames:
        raise Decline("frames are shorter than a sample of the lowest rate, or fewer there than of the audio")
    return _Windows(factor, np.round(begins).astype(np.int64)[:frames], width)


def _mirrored(y: Array) -> Array:
    """``y [..., T]`` as double precision ``[rows, T]`` with SciPy's odd extension at both ends."""
    rows = np.asarray(y, np.float64).reshape(-1, y.shape[-1])
    left = 2 * rows[:, :1] - rows[:, _MIRRORED:0:-1]
    right = 2 * rows[:, -1:] - rows[:, -2 : -_MIRRORED - 2 : -1]
    return np.concatenate([left, rows, right], axis=-1)


@adapter("librosa.iirt", tolerances.resonant, also="librosa.core")
def iirt(
    y: Array,
    *,
    sr: float = 22050,
    win_length: int = 2048,
    hop_length: int | None = None,
    center: bool = True,
    tuning: float = 0.0,
    pad_mode: Any = "constant",
    flayout: str = "sos",
    res_type: str = "soxr_hq",
    **kwargs: Any,
) -> Work:
    """librosa.iirt. Same arguments, same defaults.

    Filters and signals of other rates are librosa's; of what is filtered, forth and back, energies alone are kept.
    """
    check_engine()
    if kwargs:
        raise Decline("frequencies or rates of filters are given: librosa's own are served")
    check_rate(sr)
    check_whole("win_length", win_length, 2)
    hop_length = win_length // 4 if hop_length is None else hop_length
    check_whole("hop_length", hop_length)
    check_flag("center", center)
    check_plain("tuning", tuning, -100, 100)
    check_choice("flayout", flayout, "sos")
    check_choice("res_type", res_type, *_RESAMPLERS)
    if not audio_energy(y) < LARGEST[y.dtype.char] / 64:
        raise Decline("the audio is so loud that its energies may overflow")
    if center:
        check_choice("pad_mode", pad_mode, *_PAD_MODES)
        half = int(win_length) // 2
        if pad_mode == "reflect" and half >= y.shape[-1]:
            raise Decline("the audio is so short that pad_mode='reflect' mirrors it more than once")
        y = np.pad(y, [(0, 0)] * (y.ndim - 1) + [(half, half)], mode=pad_mode)
    frames = 1 + (y.shape[-1] - win_length) // hop_length
    if frames < 1:
        raise Decline("the audio is shorter than a frame")
    banks = _banks(float(tuning))

    def work() -> Array:
        filters = sum(len(bank.places) for bank in banks)
        result = np.empty_like(y, shape=(*y.shape[:-1], filters, frames))
        for bank in banks:
            signal = _resample(y, orig_sr=sr, target_sr=bank.rate, res_type=res_type)
            if signal.shape[-1] <= _MIRRORED:
                raise Decline("the audio is so short that too little is left of it at the lowest rate")
            factor, begins, width = _windows(signal.shape[-1], sr / bank.rate, win_length, hop_length, frames)
            sums = cpu.energies(_mirrored(signal), bank.sections, bank.memories, begins + _MIRRORED, width, _MIRRORED)
            result[..., bank.places, :] = factor * sums.reshape(*y.shape[:-1], *sums.shape[-2:])
        return result

    return work
