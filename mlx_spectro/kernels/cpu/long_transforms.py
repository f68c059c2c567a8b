"""Transforms of long signals, by short ones of many rows at once.

Of ``n1 n2`` samples as a matrix: transforms of its columns, turned by angles that are products of row and column, and
transforms of its rows. See D. H. Bailey, "FFTs in external or hierarchical memory", The Journal of Supercomputing,
1990.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .runtime.compile import inner, kernel
from .runtime.threads import share

Array = npt.NDArray[Any]
# columns whose turns are products of one and of the first ones
_NEAR = 32
# turns that lie side by side; others are products of one of these and of one of as many apart
_FINE = 1024


@functools.lru_cache(maxsize=16)
def _turns(n: int) -> tuple[Array, Array]:
    """Cosines and sines ``[:, 2]`` of the first of ``n`` parts of a turn, and of every so many of them."""
    parts = np.arange(_FINE), np.arange(0, n, _FINE)
    fine, coarse = (np.exp(2j * np.pi / n * part).view(np.float64).reshape(-1, 2) for part in parts)
    return fine, coarse


@inner
def turn_of(fine, coarse, part):
    """Cosine and sine of a part of a turn."""
    a, b = coarse[part // len(fine), 0], coarse[part // len(fine), 1]
    c, d = fine[part % len(fine), 0], fine[part % len(fine), 1]
    return a * c - b * d, a * d + b * c


@kernel
def turn_rows(parts, n, sign, turns, near, first, last):
    """Turn the rows from ``first`` up to ``last`` of complex ``parts [rows, columns, 2]``; see :func:`turn`."""
    fine, coarse = turns
    re, im = np.empty(near), np.empty(near)
    for row in range(first, last):
        for k in range(near):
            re[k], im[k] = turn_of(fine, coarse, (row * k) % n)
        for begin in range(0, parts.shape[1], near):
            a, b = turn_of(fine, coarse, (row * begin) % n)
            for k in range(min(near, parts.shape[1] - begin)):
                c, d = a * re[k] - b * im[k], sign * (a * im[k] + b * re[k])
                x, y = np.float64(parts[row, begin + k, 0]), np.float64(parts[row, begin + k, 1])
                parts[row, begin + k, 0] = x * c - y * d
                parts[row, begin + k, 1] = x * d + y * c


def turn(z: Array, n: int, sign: float) -> None:
    """Multiply ``z [rows, columns]``, complex and in C's order, in place by ``exp(sign 2 pi i row column / n)``."""
    parts, turns = z.view(z.real.dtype).reshape(*z.shape, 2), _turns(n)
    share(lambda first, last: turn_rows(parts, n, sign, turns, _NEAR, first, last), len(z), 1, 4 * z.shape[1], z)


@functools.lru_cache(maxsize=64)
def sides(n: int) -> tuple[int, int]:
    """Two whole numbers, as near to each other as may be and the larger one first, whose product is ``n``."""
    side = math.isqrt(n)
    while n % side:
        side -= 1
    return n // side, side


def long_autocorrelation(x: Array, n: int, transforms: Any) -> Array:
    """The circular autocorrelation ``[n]`` of ``x [T]`` and of ``n - T`` zeros.

    Args:
        x: float32 or float64, the precision of the result.
        n: Of small prime factors.
        transforms: What has ``rfft``, ``irfft``, ``fft`` and ``ifft`` of all rows along an axis, as ``scipy.fft`` has.
    """
    rows, columns = sides(n)
    padded = np.zeros(n, x.dtype)
    padded[: x.size] = x
    spectrum = transforms.rfft(padded.reshape(rows, columns), axis=0)
    turn(spectrum, n, -1.0)
    # bin k + rows * l is in row k and column l; those of other rows are the conjugates of these
    spectrum = transforms.fft(spectrum, axis=1, overwrite_x=True)
    products = transforms.ifft(spectrum.real**2 + spectrum.imag**2, axis=1)
    turn(products, n, 1.0)
    result: Array = transforms.irfft(products, rows, axis=0, overwrite_x=True).ravel()
    return result
