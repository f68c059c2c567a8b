"""Kaldi's features on NumPy arrays, in double precision, sample by sample as they are described."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro.design.operators import KaldiFilterbank, KaldiSpectrogram

Array = npt.NDArray[Any]
_LEAST = float(np.finfo(np.float32).eps)


def features(op: KaldiSpectrogram, x: Array, window: Array, bank: Array | None = None) -> Array:
    """What ``op`` makes of audio ``[..., T]``."""
    how, framing, x = op.extraction, op.extraction.framing, x.astype(np.float64)
    # mirrored with the edge sample at either end, by as much as any frame may reach
    reach = framing.n_fft + framing.hop_length
    extended = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(reach, reach)], mode="symmetric")
    first = reach - framing.left + framing.hop_length * np.arange(framing.frames(x.shape[-1]))
    frames = extended[..., first[:, None] + np.arange(framing.n_fft)]
    if how.remove_mean:
        frames = frames - frames.mean(axis=-1, keepdims=True)
    shaped = frames.copy()
    shaped[..., 1:] -= how.preemphasis * frames[..., :-1]
    shaped[..., 0] -= how.preemphasis * frames[..., 0]
    shaped *= window
    energy = np.square(frames if how.raw_energy else shaped).sum(axis=-1, keepdims=True)
    energy = np.maximum(np.log(np.maximum(energy, _LEAST)), how.least)
    magnitudes = np.abs(np.fft.rfft(shaped, how.n_fft))
    if not isinstance(op, KaldiFilterbank):
        return np.concatenate([energy, np.log(np.maximum(magnitudes**2, _LEAST))[..., 1:]], axis=-1)
    assert bank is not None
    y: Array = magnitudes**op.power @ bank
    if op.logarithmic:
        y = np.log(np.maximum(y, _LEAST))
    parts = {"": [y], "first": [energy, y], "last": [y, energy]}[op.energy]
    return np.concatenate(parts, axis=-1)
