"""librosa's separation of spectrograms, and its masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Reject, Sample, Timing, each_signal, pairwise
from .librosa_core import ACCEPTED, row
from .librosa_feature import magnitudes
from .stft import spectrum, window

WHY = "librosa computes masks in the magnitudes' precision, each power, sum and share rounded; medians are exact"


def _spectrogram(x: Any, **options: Any) -> Sample:
    z = np.asfortranarray(spectrum(x, 512, 128, window(512), True))
    short = z.shape[-1] < 4
    return Sample("", (z,), options, "the kernel is more than eight times as long" if short else "")


def hpss_samples() -> Iterator[Sample]:
    yield from each_signal(_spectrogram, ACCEPTED)
    z = spectrum(np.random.default_rng(91).standard_normal((2, 8001)), 512, 128, window(512), True)
    for o in pairwise(
        kernel_size=(31, 17, (9, 24), [1, 2], (40, 3)),
        power=(2.0, 1, 0.5, 3.3, np.inf),
        mask=(False, True),
        margin=(1.0, (1.0, 5), [2.5, 1]),
        order=("C", "F", "apart"),
        part=("magnitudes", "spectrum"),
        double=(False, True),
        rows=(slice(None), 0, (slice(None), slice(None, 20))),
    ):
        order, part, double, rows = (o.pop(key) for key in ("order", "part", "double", "rows"))
        values = (np.abs(z) if part == "magnitudes" else z)[rows]
        precision = ("D" if double else "F") if part == "spectrum" else ("d" if double else "f")
        values = np.array(values, precision, order="C" if order == "apart" else order)
        values = values[..., ::2, ::-3] if order == "apart" else values
        yield Sample(f"{o} {values.dtype} {values.shape} {values.strides}", (values,), o)
    few = magnitudes()[0]
    yield Sample("a gap", (np.where(few > 2, few, 0),), {})
    yield Sample("a few frames", (few[:, :4],), {})
    yield Sample("fewer", (few[:, :3],), {}, "the kernel is more than eight times as long")
    yield Sample("integers", ((few * 9).astype(int),), {}, "S is int64")
    yield Sample("a margin of NumPy's", (few,), {"margin": np.float64(2)}, "margin is of type numpy.float64")
    yield Sample("a NaN", (np.where(few > 4, np.float32(np.nan), few),), {}, "S holds values that are not finite")


HPSS_REJECTS = (
    Reject("one axis", (np.ones(9, np.float32),), {}, "IndexError"),
    Reject("a margin below 1", (magnitudes(),), {"margin": 0.5}, "ParameterError"),
    Reject("power 0", (magnitudes(),), {"power": 0}, "ParameterError"),
    Reject("negative", (-magnitudes(),), {}, "ParameterError"),
    Reject("half precision", (magnitudes().astype(np.float16),), {}, "RuntimeError"),
    Reject("one size of two", (magnitudes(),), {"kernel_size": (31,)}, "IndexError"),
    Reject("kernel_size 0", (magnitudes(),), {"kernel_size": 0}, "RuntimeError"),
)


def softmask_samples() -> Iterator[Sample]:
    for o in pairwise(
        power=(1, 2.0, 0.7, np.inf), split_zeros=(False, True), order=("C", "F"), double=(False, True), rows=(0, 1)
    ):
        values = magnitudes(o.pop("double"), o.pop("order"))
        values[:, 5] = 0
        rows = o.pop("rows")
        x, ref = values[rows], values[1 - rows]
        yield Sample(f"{o} {x.dtype} {x.strides}", (x, ref), o)
    yield Sample("another order", (x, np.array(x, order="C")), {}, "X and X_ref differ in memory order")


SOFTMASK_REJECTS = (
    Reject("other shapes", (magnitudes(), magnitudes()[0]), {}, "ParameterError"),
    Reject("negative", (-magnitudes(), magnitudes()), {}, "ParameterError"),
    Reject("power below 0", (magnitudes(), magnitudes()), {"power": -1}, "ParameterError"),
)


def _time_spectrogram(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s = np.random.default_rng(0).random((batch, 1 + length // hop, n_fft // 2 + 1), np.float32)
    return Sample("", (np.swapaxes(s[0] if batch == 1 else s, -1, -2),), {})


def _time_pair(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    (s,) = _time_spectrogram(batch, length, n_fft, hop).args
    return Sample("", (s, s[..., ::-1].copy(order="K")), {"power": 2})


ROWS = [
    row("decompose.hpss", hpss_samples, WHY, rejects=HPSS_REJECTS, timing=Timing(_time_spectrogram)),
    row("util.softmask", softmask_samples, WHY, rejects=SOFTMASK_REJECTS, timing=Timing(_time_pair)),
]
