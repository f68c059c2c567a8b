"""How far our result may be from a reference's: what ``numerics("verify")`` and the parity suite hold a call to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

# (dtype, length of the transforms or sums, or what else a call is of, largest value) -> bound of |ours - theirs|
Limit = Callable[[Any, Any, float], float]


def spectrum(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound of ``|ours - theirs|`` for a transform of ``n_fft`` points and what is linear in it.

    Each of two FFTs is within about ``eps * log2(n_fft)`` of the truth, relative to its largest values (N. J. Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2); one doubling more is for window and scale.
    """
    return 2 * float(np.finfo(dtype).eps) * (1 + math.log2(max(n_fft, 2))) * largest


def energy(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound for magnitudes to a power of at most 4: a relative error grows by the power."""
    return 4 * spectrum(dtype, n_fft, largest)


def of_single(limit: Limit) -> Limit:
    """``limit`` where a result of double precision is made of a float32 spectrum."""
    return lambda _, size, largest: limit(np.dtype(np.float32), size, largest)


def decision(_: np.dtype[Any], step: int, largest: float) -> float:
    """Bound for a choice among values ``step`` apart: rounding may move it to the next one."""
    return float(step)


def peaks(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound for tops of parabolas through peaks: each shift is a quotient of differences of a spectrum's values.

    A peak that stands out by a hundredth of the largest value moves by a hundred times their relative error.
    """
    return 100 * spectrum(dtype, n_fft, largest)


def sums(dtype: np.dtype[Any], terms: int, largest: float) -> float:
    """Bound for sums of so many terms of one sign, and for filters over so many frequencies: each is rounded."""
    return 4 * float(np.finfo(dtype).eps) * terms * largest


def of_given(dtype: np.dtype[Any], largest_given: float, _: float) -> float:
    """Bound for sums of a few products of what is given, which may be much larger than its sums: each is rounded.

    ``largest_given`` is the largest of them, times the precision of what is given over that of the result.
    """
    return 4 * float(np.finfo(dtype).eps) * largest_given


def elementwise(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for logarithms and powers of single values: ``10 ** y`` takes ``y ln 10`` times ``y``'s relative error."""
    return 64 * float(np.finfo(dtype).eps) * largest


def resonant(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for energies of what has gone through narrow filters in double precision, which are rounded once.

    Poles that lie a thousandth from the unit circle multiply a rounding by a thousand, once forth and once back, and by
    fewer than sixteen for a few sections and a square.
    """
    return (float(np.finfo(dtype).eps) + 16e6 * float(np.finfo(np.float64).eps)) * largest


def same(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for what is computed of the same numbers in the same order: none."""
    return 0.0


def masked(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for values times soft masks of the same numbers.

    Of a mask, a power and a phase no more than eight results are rounded, by half a unit, and a power by a whole one:
    within 8 eps of each other. Hard masks are the same.
    """
    return 0.0 if dtype.kind not in "fc" else 8 * float(np.finfo(dtype).eps) * largest


def probabilities(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for sums of a few hundred probabilities in double precision, and for what is chosen by them: the same."""
    return 1e-12 * largest if dtype.kind in "fc" else 0.0


def repeated(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Bound for what repeats a reference's steps by its own functions.

    A square and a few sums are all that may be rounded otherwise, in double precision, and the result once.
    """
    return 2 * float(np.finfo(dtype).eps) * largest


def designed(dtype: np.dtype[Any], units: float, _: float) -> float:
    """Bound for numbers that two designs have calculated in ``dtype``, each off by up to ``units`` of its precision."""
    return 2 * float(np.finfo(dtype).eps) * units


def cepstrum(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound for orthonormal combinations of at most ``n_fft`` decibels that reach 80 below their maximum.

    There a magnitude is 1e-4 of the largest, so that its relative error is 1e4 times that of :func:`spectrum`.
    """
    decibels = 20 / math.log(10) * 1e4 * spectrum(dtype, n_fft, 1.0)
    return decibels * math.sqrt(2 * n_fft)


def reassigned(_: np.dtype[Any], relative: float, largest: float) -> float:
    """Bound for places to which energy is moved, by quotients of bins of two spectra, each rounded.

    ``relative`` is the bound of the largest such quotient's error, over the largest place.
    """
    return min(1.0, relative) * largest


def phases(dtype: np.dtype[Any], order: int, largest: float) -> float:
    """Bound for values whose phases a reference sums up, of as many radians as there are samples, and a few times that.

    Each of a sum's frames rounds it by half a unit; ``order`` is samples times frames. What is turned by an angle is
    moved by no more than that, and by no more than twice itself.
    """
    return min(2.0, 2 * float(np.finfo(dtype).eps) * order) * largest


def iterated(dtype: np.dtype[Any], iterations: int, largest: float) -> float:
    """Bound for what as many iterations of Griffin and Lim's make of a rounding.

    A bin's phase takes a rounding over the bin's magnitude, and of a million bins one is a thousand times smaller than
    they mostly are. Each iteration passes on what the one before has added, and adds as much. In the end it is no more
    than another signal.
    """
    return min(2.0, 1024 * float(np.finfo(dtype).eps) * 2.0 ** min(iterations, 64)) * largest
