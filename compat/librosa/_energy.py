"""rms and zero_crossing_rate of librosa.feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlx_spectro import cpu

from .. import limits
from ..dispatch import Plan
from ..reasons import REJECTED
from ._serving import (
    Array,
    audio_reason,
    engine_reason,
    framing_of,
    is_int,
    is_number,
    magnitudes_reason,
    serves,
)


@serves("librosa.feature.rms", limits.of_single(limits.sums))
def rms(
    *,
    y: Array | None = None,
    S: Array | None = None,
    frame_length: int = 2048,
    hop_length: int = 512,
    center: bool = True,
    pad_mode: Any = "constant",
    dtype: Any = np.float32,
) -> Plan:
    if np.dtype(dtype) not in (np.float32, np.float64):
        return f"a result of dtype {np.dtype(dtype)}"
    if y is None:
        return _rms_of_magnitudes(S, frame_length, dtype)
    reason = engine_reason() or audio_reason(y)
    if reason:
        return reason
    framing = framing_of(y.shape[-1], frame_length, hop_length, center, pad_mode)
    if isinstance(framing, str):
        return framing

    def work() -> Array:
        audio = y.astype(np.result_type(y, dtype), copy=False)
        energy = cpu.frame_energy(audio, frame_length=framing.n_fft, **framing.padding)
        return np.sqrt(energy / frame_length)[..., None, :].astype(dtype, copy=False)

    return work


def _rms_of_magnitudes(s: Any, frame_length: Any, dtype: Any) -> Plan:
    reason = magnitudes_reason(s)
    if reason:
        return reason
    if not is_int(frame_length, 1) or s.shape[-2] != frame_length // 2 + 1:
        return REJECTED
    # by Parseval's theorem; the bins between 0 Hz and half the sample rate stand for their mirror images too
    weights = np.full((s.shape[-2], 1), 2.0 / frame_length**2)
    weights[0] /= 2
    if frame_length % 2 == 0:
        weights[-1] /= 2

    def work() -> Array:
        power = np.square(s, dtype=np.result_type(s, dtype))
        total = cpu.project(power.swapaxes(-1, -2), weights, precise=power.dtype == np.float32).swapaxes(-1, -2)
        result: Array = np.sqrt(total).astype(dtype, order="C" if s.flags.c_contiguous else "F")
        return result

    return work


@serves("librosa.feature.zero_crossing_rate", limits.sums)
def zero_crossing_rate(
    y: Array, *, frame_length: int = 2048, hop_length: int = 512, center: bool = True, **kwargs: Any
) -> Plan:
    reason = engine_reason() or audio_reason(y)
    if reason:
        return reason
    if not kwargs.keys() <= {"threshold"} or not is_number(kwargs.get("threshold", 1e-10)):
        return "crossings counted otherwise"
    framing = framing_of(y.shape[-1], frame_length, hop_length, center, "edge")
    if isinstance(framing, str):
        return framing
    threshold = float(kwargs.get("threshold", 1e-10))

    def work() -> Array:
        found = cpu.frame_crossings(y, frame_length=framing.n_fft, zero=threshold, **framing.padding)
        return np.array((found.astype(np.float64) / frame_length)[..., None, :])

    return work
