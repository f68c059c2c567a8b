"""Magnitudes of frames in NumPy arrays, smoothed over time and less an estimate of noise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .runtime.compile import kernel

Array = npt.NDArray[Any]


class Noise(NamedTuple):
    """How noise is estimated and taken away."""

    reduction: float
    """How much of its power is taken away."""
    rising: float
    falling: float
    """By how much its estimate stays as it was, where the power is above it, and where it is not."""


@kernel
def clean_frames(magnitudes, kept, booting, noise, window, smooth, power, y):
    """See :func:`clean`."""
    reduction, rising, falling = noise
    zero = reduction - reduction
    one = type(reduction)(1)
    signals, frames, bins = magnitudes.shape
    for signal in range(signals):
        for n in range(frames):
            for k in range(bins):
                value = smooth[signal, k] * kept[n] + magnitudes[signal, n, k] * (one - kept[n])
                smooth[signal, k] = value
                value = value * value
                before = power[signal, k]
                held = zero if n < booting else rising if value > before else falling
                power[signal, k] = before * held + value * (one - held)
                value -= reduction * power[signal, k]
                # NaN stays
                y[signal, n, k] = zero if value <= zero else np.sqrt(value) * window[k]


def clean(
    magnitudes: Array, kept: Array, booting: int, noise: Noise, window: Array, state: tuple[Array, Array]
) -> Array:
    """Smooth magnitudes, take away noise, and multiply by a window, in single precision.

    Args:
        magnitudes: float32 ``[signals, frames, bins]``.
        kept: What of the frame before stays in each, ``[frames]``.
        booting: How many frames are noise.
        window: ``[bins]``.
        state: Smoothed magnitudes and noise's power ``[signals, bins]`` of the frames before; overwritten.

    Returns:
        float32 ``[signals, frames, bins]``.
    """
    numbers, y = tuple(map(np.float32, noise)), np.empty_like(magnitudes)
    clean_frames(magnitudes, kept.astype(np.float32), booting, numbers, window, *state, y)
    return y
