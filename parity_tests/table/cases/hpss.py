"""Harmonic and percussive parts, on MLX arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..case import Row, Sample, Timing, each_signal, pairwise
from ..native import lazily, spectrogram


def samples() -> Iterator[Sample]:
    names = ("silence", "impulse", "chirp", "white_noise", "odd_length", "stereo_batch", "speech", "music")
    yield from each_signal(lambda x: Sample("", (spectrogram(x, n_fft=256, hop_length=128),)), names)
    rng = np.random.default_rng(103)
    levels = rng.chisquare(2, (2, 3, 65, 40)).astype(np.float32)
    levels[..., 3:40, 5:9] = 0
    phases = np.exp(2j * np.pi * rng.random(levels.shape))
    for o in pairwise(
        kernel_size=(31, (17, 5), 4),
        power=(2.0, 1.0, 0.7, math.inf),
        margin=(1.0, (1.5, 3.0), 2.0),
        mask=(False, True),
        rows=(slice(None), 0, (0, 0)),
        phased=(False, True),
    ):
        rows = o.pop("rows")
        s = levels * phases if o.pop("phased") else levels
        s = s[rows].astype(np.complex64 if np.iscomplexobj(s) else np.float32)
        yield Sample(f"{o} {s.dtype}{s.shape}", (s,), o, batched=s.ndim > 3)


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s = np.random.default_rng(0).chisquare(2, (batch, n_fft // 2 + 1, 1 + length // hop)).astype(np.float32)
    return Sample("", (s,))


ROWS = [
    Row(
        "hpss",
        "librosa.decompose.hpss",
        samples,
        "medians are equal; masks are quotients of float32 powers",
        against="librosa",
        ours=lazily("hpss"),
        timing=Timing(_time),
    )
]
