"""Kaldi's features of speech."""

from __future__ import annotations

import mlx.core as mx

from ..design.epilogues import Log
from ..design.kaldi import EPSILON, Extraction
from ..design.operators import KaldiFilterbank, KaldiSpectrogram, Project
from .apply import apply, defines
from .epilogues import follow
from .fft import spectra
from .frames import frame, pad
from .numerics import magnitude, mean, total

_LOG = Log(EPSILON)


@defines(KaldiSpectrogram)
def spectrogram(op: KaldiSpectrogram, x: mx.array, window: mx.array) -> mx.array:
    """``log |X[t, k]|^2``, at ``k = 0`` the logarithm of a frame's energy."""
    spectrum, energy = _extracted(op.extraction, x, window)
    return mx.concatenate([energy, follow(_LOG, _power(spectrum))[..., 1:]], axis=-1)


@defines(KaldiFilterbank)
def filterbank(op: KaldiFilterbank, x: mx.array, window: mx.array, bank: mx.array) -> mx.array:
    """Magnitudes to a power times the bank, and what follows."""
    spectrum, energy = _extracted(op.extraction, x, window)
    y = apply(Project(), _power(spectrum) if op.power == 2 else magnitude(spectrum), bank)
    if op.logarithmic:
        y = follow(_LOG, y)
    if op.energy:
        y = mx.concatenate([energy, y] if op.energy == "first" else [y, energy], axis=-1)
    return y


def _power(z: mx.array) -> mx.array:
    return mx.square(mx.real(z)) + mx.square(mx.imag(z))


def _extracted(how: Extraction, x: mx.array, window: mx.array) -> tuple[mx.array, mx.array]:
    """Spectra ``[..., N, F]`` of the frames, and the logarithms ``[..., N, 1]`` of their energies."""
    frames = frame(x, how.framing)
    if how.remove_mean:
        frames = frames - mean(frames)
    before = mx.concatenate([frames[..., :1], frames[..., :-1]], axis=-1)
    shaped = (frames - how.preemphasis * before) * window
    energy = total(mx.square(frames if how.raw_energy else shaped))
    filled = pad(shaped, 0, how.n_fft - shaped.shape[-1], "constant")
    return spectra(filled), mx.maximum(follow(_LOG, energy), how.least)
