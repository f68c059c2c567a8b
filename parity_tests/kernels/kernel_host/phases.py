"""The phase vocoder and Griffin-Lim as their papers have them, in double precision. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def vocoded(z: Array, frames: Array, fractions: Array) -> Array:
    """By angles, their differences and the sums of these: ``[..., M, F]`` of ``z [..., N, F]``."""
    silent = np.concatenate([z, np.zeros_like(z[..., :1, :])], axis=-2).astype(np.complex128)
    start, end, low, high = (silent[..., np.minimum(row, z.shape[-2]), :] for row in frames)
    turns = np.angle(end) - np.angle(start)
    phase = np.concatenate([np.angle(start[..., :1, :]), turns[..., :-1, :]], axis=-2).cumsum(axis=-2)
    part = fractions.astype(np.float64)[:, None]
    result: Array = ((1 - part) * np.abs(low) + part * np.abs(high)) * np.exp(1j * phase)
    return result


def steps(count: int, rate: float) -> tuple[Array, Array]:
    """Frames and fractions of a spectrum of ``count`` frames at a rate."""
    times = np.arange(0, count, rate)
    here = times.astype(np.int64)
    return np.stack([here, here + 1] * 2), times - here


def rebuilt(op: Any, magnitudes: Array, start: Array, stft: Any, istft: Any) -> Array:
    """Audio of magnitudes ``[..., N, F]`` after an operator's iterations, by given transforms."""
    z, before = start, 0.0
    for _ in range(op.iterations):
        new = stft(istft(z))
        change = new - op.momentum * before
        z, before = magnitudes * change / (np.abs(change) + op.eps), new
    audio: Array = istft(z)
    return audio
