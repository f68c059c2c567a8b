"""Convolution of signals with filters: the product of their spectra."""

from __future__ import annotations

import mlx.core as mx

from ..design.operators import Convolve, Correlate
from .apply import defines
from .fft import inverse_spectra, spectra
from .frames import pad


@defines(Convolve)
def convolve(op: Convolve, x: mx.array, y: mx.array) -> mx.array:
    """Transforms as long as the result, or longer: nothing of it comes round to its beginning."""
    op.check(x.shape)
    length = x.shape[-1] + y.shape[-1] - 1
    n_fft = 1 << (length - 1).bit_length()
    z, h = (spectra(pad(each, 0, n_fft - each.shape[-1], "constant")) for each in (x, y))
    return inverse_spectra(z * h, n_fft)[..., :length]


@defines(Correlate)
def correlate(op: Correlate, x: mx.array, y: mx.array) -> mx.array:
    """Convolution with the filter reversed, from where the whole filter is inside the signal."""
    op.check(x.shape)
    begin = y.shape[-1] - 1
    return convolve(Convolve(), x, y[..., ::-1])[..., begin : begin + op.length]
