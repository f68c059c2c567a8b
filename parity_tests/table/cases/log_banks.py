"""Filterbanks over bins, on MLX arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, pairwise

WHY = "weights designed in float64 and rounded once"


def _native(name: str) -> Callable[..., Any]:
    def ours(like: Any, *args: Any, **parameters: Any) -> Any:
        import mlx_spectro

        return getattr(mlx_spectro, name)(*args, **parameters)

    return ours


def corners_of(hz: Any, n_fft: int, sample_rate: float, unique: bool) -> Any:
    """The bin nearest to each frequency, the upper of two."""
    bins = [int(np.argmin(np.abs(np.arange(n_fft // 2 + 1)[::-1] * sample_rate / n_fft - f))) for f in hz]
    bins = [n_fft // 2 - k for k in bins]
    return sorted(set(bins)) if unique else bins


def triangular(like: Any, hz: Any, *, n_fft: int, sample_rate: float, norm: bool = True, unique: bool = True) -> Any:
    """Triangles between bins, bin by bin."""
    filters = []
    bins = corners_of(hz, n_fft, sample_rate, unique)
    for i in range(len(bins) - 2):
        start, centre, stop = bins[i : i + 3]
        column = np.zeros(n_fft // 2 + 1)
        if stop - start < 2:
            column[start] = 1
        for k in range(start, centre if stop - start > 1 else start):
            column[k] = (k - start) / (centre - start)
        for k in range(centre, stop if stop - start > 1 else centre):
            column[k] = (stop - k) / (stop - centre)
        filters.append(column / column.sum() if norm else column)
    return np.stack(filters, axis=1).astype(like.dtype)


def rectangular(like: Any, hz: Any, *, n_fft: int, sample_rate: float, norm: bool = True, unique: bool = True) -> Any:
    """Ones between bins."""
    bins = corners_of(hz, n_fft, sample_rate, unique)
    bank = np.zeros((n_fft // 2 + 1, len(bins) - 1))
    for i in range(len(bins) - 1):
        bank[bins[i] : bins[i + 1], i] = 1 / (bins[i + 1] - bins[i]) if norm and bins[i + 1] > bins[i] else 1
    return bank.astype(like.dtype)


def logarithmic(
    like: Any, *, bands_per_octave: int = 12, f_min: float = 30.0, f_max: float = 17000.0, f_ref: float = 440.0,
    **parameters: Any,
) -> Any:  # fmt: skip
    """Triangles between those of all bands, up and down from the reference, that lie between the limits."""
    every = [f_ref * 2 ** (i / bands_per_octave) for i in range(-20 * bands_per_octave, 20 * bands_per_octave)]
    return triangular(like, [f for f in every if f_min <= f <= f_max], **parameters)


_LIKE = np.zeros(0, np.float32)


def corner_samples() -> Iterator[Sample]:
    for o in pairwise(
        corners=(2, 3, 9, 60),
        n_fft=(64, 2048, 301),
        sample_rate=(8000, 22050.5),
        norm=(True, False),
        unique=(True, False),
    ):
        hz = np.geomspace(60, 3900, o.pop("corners") + 1)
        if len(corners_of(hz, o["n_fft"], o["sample_rate"], o["unique"])) > 2:
            yield Sample(f"{len(hz)} {o}", (_LIKE, hz.astype(np.float32)), o)


def log_samples() -> Iterator[Sample]:
    for o in pairwise(
        bands_per_octave=(3, 6, 12, 24),
        n_fft=(1024, 2048, 4096, 601),
        sample_rate=(44100, 36000),
        f_min=(30.0, 27.5),
        f_max=(17000.0, 16000.0),
        f_ref=(440.0, 432.0),
        norm=(True, False),
        unique=(True, False),
    ):
        yield Sample(f"{o}", (_LIKE,), o)


ROWS = [
    Row("triangular_fbanks", triangular, corner_samples, WHY, against="librosa", ours=_native("triangular_fbanks")),
    Row("rectangular_fbanks", rectangular, corner_samples, WHY, against="librosa", ours=_native("rectangular_fbanks")),
    Row("log_fbanks", logarithmic, log_samples, WHY, against="librosa", ours=_native("log_fbanks")),
]
