"""NumPy arrays with themselves a little later, by delays that change from sample to sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner, kernel
from .runtime.memory import advised
from .runtime.threads import share

Array = npt.NDArray[Any]


@inner
def limited(value):
    """A value in [-1, 1]; NaN stays."""
    one = type(value)(1)
    return one if value > one else -one if value < -one else value


@kernel
def flange_rows(x, delays, begins, past, gains, quadratic, y, first, last):
    """Signals ``[rows, channels, T]`` from ``first`` up to ``last``, counted through all rows.

    Args:
        past: Room for what is delayed, ``[signals, samples]``, all 0.
    """
    _, channels, length = x.shape
    back, dry, wet = gains
    size, period = past.shape[1], len(delays)
    for i in range(first, last):
        row, channel = divmod(i, channels)
        memory, now, place, delayed = past[i], 0, begins[channel], back - back
        for t in range(length):
            now = size - 1 if now == 0 else now - 1
            sample, delay = x[row, channel, t], delays[place]
            memory[now] = sample + delayed * back
            whole = np.floor(delay)
            share, at = delay - whole, now + int(whole)
            at = at - size if at >= size else at
            here = memory[at]
            at = at + 1 if at + 1 < size else 0
            before = memory[at] - here
            if quadratic:
                earlier = memory[at + 1 if at + 1 < size else 0] - here
                half = earlier * type(back)(0.5)
                delayed = here + ((half - before) * share + (before + before - half)) * share
            else:
                delayed = here + before * share
            y[row, channel, t] = limited(sample * dry + delayed * wet)
            place = place + 1 if place + 1 < period else 0


def flange(
    x: Array, delays: Array, begins: Array, size: int, gains: tuple[float, float, float], quadratic: bool
) -> Array:
    """Signals, and their past, which comes back, within [-1, 1].

    Args:
        x: float32 or float64 ``[rows, channels, T]``.
        delays: A period of them, float32, in samples from 0 to ``size - 2``.
        begins: Where in it each channel begins.
        size: Samples that are remembered.
        gains: Of what comes back, of the signal, and of its past.
        quadratic: Interpolate between three samples, not two.
    """
    signals, kind = np.ascontiguousarray(x), x.dtype.type
    y, past = advised(np.empty_like(signals)), np.zeros((x.shape[0] * x.shape[1], size), x.dtype)
    numbers = tuple(map(kind, gains))

    def work(first: int, last: int) -> None:
        flange_rows(signals, delays, begins, past, numbers, quadratic, y, first, last)

    share(work, len(past), 1, 8 * x.shape[-1], (signals, past, y))
    return y


@kernel
def echo_rows(x, delays, past, gains, y, first, last):
    """Signals ``[rows, T]`` from ``first`` up to ``last``; see :func:`flange_rows`."""
    before, decay, after = gains
    size, period = past.shape[1], len(delays)
    for row in range(first, last):
        memory, now, place = past[row], 0, 0
        for t in range(x.shape[1]):
            at = now + delays[place]
            value = x[row, t] * before + memory[at - size if at >= size else at]
            now = now + 1 if now + 1 < size else 0
            memory[now] = value * decay
            y[row, t] = limited(value * after)
            place = place + 1 if place + 1 < period else 0


def echo(x: Array, delays: Array, size: int, gains: tuple[float, float, float]) -> Array:
    """Signals with echoes of themselves, and of these, within [-1, 1].

    Args:
        x: float32 or float64 ``[rows, T]``.
        delays: A period of places in the last ``size`` samples, from 1 to ``size``, counted from the oldest.
        gains: Of the signal, of an echo, and of the result.
    """
    signals, kind = np.ascontiguousarray(x), x.dtype.type
    y, past = advised(np.empty_like(signals)), np.zeros((len(x), size), x.dtype)
    numbers = tuple(map(kind, gains))

    def work(first: int, last: int) -> None:
        echo_rows(signals, delays, past, numbers, y, first, last)

    share(work, len(past), 1, 8 * x.shape[-1], (signals, past, y))
    return y
