"""Frequencies and times to which the energy of spectra in NumPy arrays is moved."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner, kernel
from .runtime.memory import advised
from .runtime.threads import share

Array = npt.NDArray[Any]
# what is told of a spectrum: that a magnitude is as good as the least, and that there is a division by 0
NEAR, DIVIDES = 1, 2


@inner
def placed(value, otherwise, fills, clips, most):
    """A place, from 0 to ``most`` if it is clipped; ``otherwise`` for NaN, if ``fills``."""
    if math.isnan(value) and fills:
        value = otherwise
    if clips and value < 0:
        return 0.0
    return most if clips and value > most else value


@kernel
def move_energy(z, changes, delays, magnitudes, least, margin, hz, seconds, numbers, flags, first, last, places, times):
    """Places of the frames from ``first`` up to ``last``, ``[frames, bins]``; tells what there is to know of them.

    Args:
        changes, delays: Spectra by the window's derivative, and by the window times time.
        hz, seconds: Places of bins, and of frames.
        numbers: ``(Hz for a change, seconds for a delay, largest frequency, largest time)``.
        flags: Whether there are places, whether there are times, whether NaN is filled, and whether places are clipped.
    """
    in_frequency, in_time, fills, clips = flags
    per_change, per_delay, most_hz, most_seconds = numbers
    told = 0
    for frame in range(first, last):
        for k in range(z.shape[1]):
            re, im = np.float64(z[frame, k].real), np.float64(z[frame, k].imag)
            energy = re * re + im * im
            here, shown = magnitudes[frame, k], math.nan
            if here <= least + margin:
                if here >= least - margin:
                    told |= 1
                if re == 0 and im == 0 and (
                    (in_frequency and changes[frame, k] != 0) or (in_time and delays[frame, k] != 0)
                ):  # fmt: skip
                    told |= 2
            if in_frequency:
                if here >= least:
                    change = changes[frame, k]
                    shown = hz[k] - per_change * (np.float64(change.imag) * re - np.float64(change.real) * im) / energy
                places[frame, k] = placed(shown, hz[k], fills, clips, most_hz)
                shown = math.nan
            if in_time:
                if here >= least:
                    delay = delays[frame, k]
                    moved = (np.float64(delay.real) * re + np.float64(delay.imag) * im) / energy
                    shown = seconds[frame] + per_delay * moved
                times[frame, k] = placed(shown, seconds[frame], fills, clips, most_seconds)
    return told


def reassigned(
    z: Array,
    changes: Array | None,
    delays: Array | None,
    magnitudes: Array,
    least: float,
    hz: Array,
    seconds: Array,
    numbers: tuple[float, float, float, float],
    fills: bool,
    clips: bool,
) -> tuple[Array | None, Array | None, int]:
    """Frequencies and times ``[N, F]`` of the bins of ``z [N, F]``, and :data:`NEAR` or :data:`DIVIDES` where it is so.

    See P. Flandrin, F. Auger and É. Chassande-Mottin, "Time-frequency reassignment: from principles to algorithms",
    in Applications in Time-Frequency Signal Processing, 2002.

    Args:
        changes: The spectrum by the window's derivative; None where no frequencies are wanted.
        delays: The spectrum by the window times time in samples; None where no times are wanted.
        magnitudes: Of ``z``; those below ``least`` have no place.
        hz: ``[F]``.
        seconds: ``[N]``.
        numbers: ``(Hz for a change, seconds for a delay, largest frequency, largest time)``.
        fills: Whether what has no place stays where it is; else it is NaN.
        clips: Whether places are no less than 0 and no more than the largest.
    """
    places, times = (None if one is None else advised(np.empty(z.shape)) for one in (changes, delays))
    spare, margin = np.empty((1, 1)), 4 * float(np.finfo(z.dtype).eps) * least
    spectra = [z if one is None else one for one in (changes, delays)]
    targets = [spare if one is None else one for one in (places, times)]
    flags, told = (changes is not None, delays is not None, fills, clips), list[int]()

    def work(first: int, last: int) -> None:
        more = move_energy(
            z, *spectra, magnitudes, least, margin, hz, seconds, numbers, flags, first, last, *targets
        )  # fmt: skip
        told.append(more)

    share(work, len(z), 1, 8 * z.shape[1], (z, spectra, magnitudes, targets))
    return places, times, functools.reduce(operator.or_, told)
