"""Spectral centroid, bandwidth, rolloff, contrast and flatness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..case import Decision, HeavyTail, Row, Sample, Timing, each_signal, pairwise
from ..native import by_librosa, lazily

SUMS = "sums over a float32 spectrum"
# librosa mirrors a short signal more than once, which torch, and we, refuse
# and of an impulse, which has no contrast, librosa's is rounding
SIGNALS = ("silence", "dc", "chirp", "white_noise", "odd_length", "stereo_batch", "non_contiguous_view")
RECORDINGS = ("speech", "music")


def samples(**options: Iterable[Any]) -> Callable[[], Iterator[Sample]]:
    """Every signal, then ``options`` crossed pairwise with those of the STFT."""

    def make() -> Iterator[Sample]:
        small = {"n_fft": 512, "hop_length": 128, "center_pad_mode": "constant"}
        yield from each_signal(lambda x: Sample("", (x,), dict(small)), SIGNALS + RECORDINGS)
        x = np.random.default_rng(21).standard_normal((4, 6001)).astype(np.float32)
        crossed = {
            "n_fft": (2048, 600, 513),
            "hop_length": (512, 100),
            "center": (True, False),
            "center_pad_mode": ("constant", "reflect", "symmetric"),
            "window_fn": ("hann", "hamming"),
            "rows": (slice(None), 0),
            **options,
        }
        for o in pairwise(**crossed):
            rows = o.pop("rows")
            yield Sample(f"{o}", (x[rows],), o, batched=rows == slice(None))

    return make


def timed(**parameters: Any) -> Callable[[int, int, int, int], Sample]:
    """A batch of noise and the parameters of a native call."""

    def make(batch: int, length: int, n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
        return Sample("", (x,), {"n_fft": n_fft, "hop_length": hop, "center_pad_mode": "constant", **parameters})

    return make


def row(name: str, why: str = SUMS, judged: Decision | HeavyTail | None = None, **options: Iterable[Any]) -> Row:
    """A native descriptor against librosa's of the same name."""
    return Row(
        name,
        by_librosa(f"feature.{name}"),
        samples(**options),
        why,
        against="librosa",
        ours=lazily(name),
        judged=judged,
        timing=Timing(timed()),
    )


RATES = (22050, 16000)
CROSSES = "a running sum of float32 crosses its threshold"
LOGARITHMS = "logarithms of sums over a float32 spectrum"
ROWS = [
    row("spectral_centroid", sample_rate=RATES),
    row("spectral_bandwidth", sample_rate=RATES, p=(2.0, 1.0, 3.5)),
    row("spectral_rolloff", CROSSES, Decision("roll_percent", 0.85), sample_rate=RATES, roll_percent=(0.85, 0.1, 0.99)),
    row("spectral_contrast", LOGARITHMS, HeavyTail(), n_bands=(6, 3), quantile=(0.02, 0.3)),
    row("spectral_flatness", LOGARITHMS, amin=(1e-10, 1e-3), power=(2.0, 1.0)),
]
