"""poly_features of librosa.feature."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from mlx_spectro.design import banks
from mlx_spectro.design.operators import Project, Spectrogram
from mlx_spectro.kernels import cpu

from ...arrays.kinds import is_plain
from ...arrays.numpy_options import check_whole
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._adapter import adapter
from .._analysis import Analysis, source_of
from .._arguments import Array, energy
from .._filters import check_rate

# powers of frequencies up to this one are apart enough for a basis; most of them are not at higher ones
_HIGHEST = 8
# of a frequency, for the square of such a power
_LARGEST = 1e15
_LARGEST_CONDITION = 1e4


@functools.lru_cache(maxsize=16)
def _basis(hz: bytes, order: int) -> Array:
    basis, condition = banks.polynomial_basis(np.frombuffer(hz), order)
    if not condition < _LARGEST_CONDITION:
        raise Decline("powers of the frequencies are next to multiples of each other")
    return np.ascontiguousarray(basis)


def _frequencies(freq: Any, sr: Any, length: int) -> Array:
    bins = length // 2 + 1
    if freq is None:
        return np.fft.rfftfreq(length, 1.0 / sr)
    if not (is_plain(freq) and freq.shape == (bins,) and freq.dtype == np.float64):
        raise Decline("freq is not an array of one frequency for each bin")
    if not 1 / _LARGEST < np.abs(freq).max() < _LARGEST:
        raise Decline("freq is not finite, or so small or large that its powers are not")
    return np.ascontiguousarray(freq)


def _largest(given: dict[str, Any]) -> float:
    """By Schwarz's inequality, what a coefficient's terms add up to, in float32's precision or the spectrogram's."""
    names = ("y", "S", "n_fft", "hop_length", "win_length", "window", "center", "pad_mode")
    source, length = source_of(*(given[name] for name in names))
    total = source.energy * source.framing.n_fft if isinstance(source, Analysis) else energy(source)
    dtype = source.y.dtype if isinstance(source, Analysis) else source.dtype
    basis = _basis(_frequencies(given["freq"], given["sr"], length).tobytes(), int(given["order"]))
    double = float(np.finfo(dtype).eps / np.finfo(np.float64).eps) if isinstance(source, Analysis) else len(basis)
    return double * math.sqrt(total) * float(np.linalg.norm(basis, axis=0).max()) * (1 + math.log2(length))


@adapter("librosa.feature.poly_features", tolerances.of_given, order=_largest)
def poly_features(
    *,
    y: Array | None = None,
    sr: float = 22050,
    S: Array | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Any = "hann",
    center: bool = True,
    pad_mode: Any = "constant",
    order: int = 1,
    freq: Array | None = None,
) -> Work:
    """librosa.feature.poly_features. Same arguments, same defaults.

    One basis for all frames, whose frequencies have to be the same.
    """
    check_rate(sr)
    check_whole("order", order, 0, _HIGHEST)
    source, length = source_of(y, S, n_fft, hop_length, win_length, window, center, pad_mode)
    basis = _basis(_frequencies(freq, sr, length).tobytes(), int(order))

    def work() -> Array:
        if isinstance(source, Analysis):
            magnitudes = source.run(Spectrogram(source.framing, power=1.0))
        else:
            magnitudes = source.swapaxes(-1, -2)
        fitted = cpu.run(Project(), magnitudes.astype(np.float64, copy=False), basis)
        return np.ascontiguousarray(fitted.swapaxes(-1, -2))

    return work
