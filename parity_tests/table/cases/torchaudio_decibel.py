"""torchaudio's decibels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ..case import Reject, Row, Sample, pairwise
from .decibel import spectrogram

WHY = "two float32 logarithms"
# gradients, and the values that torch's own operations serve, are torch's to compute
_SHAPES = ((40, 30), (3, 40, 30), (2, 3, 40, 30))


def decibel_samples() -> Iterator[Sample]:
    for o in pairwise(
        shape=_SHAPES,
        multiplier=(10.0, 20),
        amin=(1e-10, 1e-5),
        db_multiplier=(0.0, -0.5, 2.0),
        top_db=(None, 80.0, 20),
        bins_last=(False, True),
    ):
        x = spectrogram(61, *o["shape"])
        x = np.swapaxes(x.swapaxes(-1, -2).copy(), -1, -2) if o["bins_last"] else x
        yield Sample(f"{o}", (x, o["multiplier"], o["amin"], o["db_multiplier"], o["top_db"]))
    loud = spectrogram(61, 40, 30)
    loud[3, 4] = np.nan
    yield Sample("a NaN", (loud, 10.0, 1e-10, 0.0, 80.0))
    yield Sample(
        "a reference below amin",
        (loud, 10.0, 1e-3, -5.0),
        untested="the reference is below amin, where torchaudio does not clamp it",
    )
    yield Sample("one axis", (loud[0], 10.0, 1e-10, 0.0), untested="fewer than two axes")


def amplitude_samples() -> Iterator[Sample]:
    rng = np.random.default_rng(62)
    for o in pairwise(shape=_SHAPES, ref=(1.0, 0.3, 2), power=(1.0, 0.5, 2)):
        x = rng.uniform(-100, 20, o["shape"]).astype(np.float32)
        yield Sample(f"{o}", (x, o["ref"], o["power"]))


def module_samples() -> Iterator[Sample]:
    for o in pairwise(shape=_SHAPES, stype=("power", "magnitude"), top_db=(None, 80.0, 20)):
        yield Sample(f"{o}", (spectrogram(63, *o.pop("shape")),), o)


_X = np.ones((4, 5), np.float32)
_row = partial(Row, why=WHY, against="torchaudio")

ROWS = [
    _row(
        "torchaudio.functional.amplitude_to_DB",
        "torchaudio.functional.amplitude_to_DB",
        decibel_samples,
        rejects=(
            Reject("one axis to clip", (_X[0], 10.0, 1e-10, 0.0, 80.0), {}, "IndexError"),
            Reject("arguments missing", (_X, 10.0), {}, "TypeError"),
        ),
    ),
    _row(
        "torchaudio.functional.DB_to_amplitude",
        "torchaudio.functional.DB_to_amplitude",
        amplitude_samples,
        rejects=(Reject("arguments missing", (_X,), {}, "TypeError"),),
    ),
    _row("torchaudio.transforms.AmplitudeToDB", "torchaudio.transforms.AmplitudeToDB", module_samples),
]
