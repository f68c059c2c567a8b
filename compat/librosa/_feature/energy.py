"""rms and zero_crossing_rate of librosa.feature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from mlx_spectro.design.epilogues import Root
from mlx_spectro.design.operators import FrameStatistic, ProjectPower
from mlx_spectro.kernels import cpu

from ...arrays.numpy_options import check_flag, check_number, check_plain, check_whole, is_dtype
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import framing_of
from .._arguments import Array, audio_energy, check_engine, check_faintness, check_magnitudes
from .._layout import lying, memory

_rms, _frame = librosa.feature.rms, librosa.util.frame


def _check_framing(frame_length: Any, hop_length: Any, center: Any) -> None:
    check_whole("frame_length", frame_length)
    check_whole("hop_length", hop_length)
    check_flag("center", center)


@adapter("librosa.feature.rms", tolerances.of_single(tolerances.sums))
def rms(
    *,
    y: Array | None = None,
    S: Array | None = None,
    frame_length: int = 2048,
    hop_length: int = 512,
    center: bool = True,
    pad_mode: Any = "constant",
    dtype: Any = np.float32,
) -> Work:
    """librosa.feature.rms. Same arguments, same defaults.

    Of audio, or of magnitudes by Parseval's theorem, where ``frame_length`` is that of their bins.
    """
    if not is_dtype(dtype, np.float32, np.float64):
        raise Decline("dtype is neither float32 nor float64")
    if y is None:
        return _rms_of_magnitudes(S, frame_length, dtype)
    check_engine()
    _check_framing(frame_length, hop_length, center)
    if audio_energy(y) > float(np.finfo(dtype).max):
        raise Decline("the audio's squares overflow")
    framing = framing_of(y.shape[-1], frame_length, hop_length, center, pad_mode)

    def work() -> Array:
        audio = y.astype(np.result_type(y, dtype), copy=False)
        norms = cpu.run(FrameStatistic(framing, "norm"), audio)
        norms /= math.sqrt(frame_length)
        return _as_frames(norms, _rms_centred if center else _rms_uncentred, y, dtype)

    return work


def _as_frames(values: Array, of_audio: Callable[[Array], Array], y: Array, dtype: Any) -> Array:
    """``[..., N]`` as ``[..., 1, N]`` in ``dtype``, in the memory order that librosa's ``of_audio`` gives it."""
    shape = (*values.shape[:-1], 1, values.shape[-1])
    out = memory(of_audio, lying(y), y.dtype, shape, dtype)
    out[..., 0, :] = values
    return out


def _rms_centred(y: Array) -> Array:
    result: Array = _rms(y=y, frame_length=2, hop_length=1)
    return result


def _rms_uncentred(y: Array) -> Array:
    result: Array = _rms(y=y, frame_length=2, hop_length=1, center=False)
    return result


def _rms_of(spectrogram: Array) -> Array:
    result: Array = _rms(S=spectrogram, frame_length=2 * spectrogram.shape[-2] - 2)
    return result


def _crossings_uncentred(y: Array) -> Array:
    # librosa's own function would be compiled first, for seconds
    result: Array = np.zeros_like(_frame(y, frame_length=2, hop_length=1), bool).mean(axis=-2, keepdims=True)
    return result


def _crossings_centred(y: Array) -> Array:
    return _crossings_uncentred(np.pad(y, [(0, 0)] * (y.ndim - 1) + [(1, 1)], mode="edge"))


def _rms_of_magnitudes(s: Any, frame_length: Any, dtype: Any) -> Work:
    # one of NumPy's integers decides the result's dtype
    check_plain("frame_length", frame_length)
    check_whole("frame_length", frame_length)
    check_magnitudes(s, dtype)
    if s.shape[-2] != frame_length // 2 + 1:
        raise Decline("frame_length is not that of the spectrogram's bins")
    # by Parseval's theorem; the bins between 0 Hz and half the sample rate stand for their mirror images too
    weights = np.full((s.shape[-2], 1), 2.0 / frame_length**2)
    weights[0] /= 2
    if frame_length % 2 == 0:
        weights[-1] /= 2

    def work() -> Array:
        values = s.astype(np.result_type(s, dtype), copy=False).swapaxes(-1, -2)
        precise = values.dtype == np.float32
        roots = cpu.run(ProjectPower(2, Root()), values, weights, precise=precise).swapaxes(-1, -2)
        out = memory(_rms_of, lying(s), s.dtype, roots.shape, dtype)
        out[...] = roots
        return out

    return work


@adapter("librosa.feature.zero_crossing_rate", tolerances.sums)
def zero_crossing_rate(
    y: Array, *, frame_length: int = 2048, hop_length: int = 512, center: bool = True, **kwargs: Any
) -> Work:
    """librosa.feature.zero_crossing_rate. Same arguments, same defaults.

    Of the options of ``zero_crossings``, ``threshold`` is ours.
    """
    threshold = kwargs.get("threshold", 1e-10)
    check_engine()
    # librosa sets the axis itself
    if not kwargs.keys() <= {"threshold", "axis"}:
        raise Decline("options of zero_crossings other than a threshold")
    check_number("threshold", threshold, 0)
    _check_framing(frame_length, hop_length, center)
    audio_energy(y)
    if threshold < 1e-30:
        check_faintness(y, ())
    framing = framing_of(y.shape[-1], frame_length, hop_length, center, "edge")

    def work() -> Array:
        crossings = cpu.run(FrameStatistic(framing, "crossings", float(threshold)), y)
        rates = np.divide(crossings, frame_length, dtype=np.float64)
        return _as_frames(rates, _crossings_centred if center else _crossings_uncentred, y, np.float64)

    return work
