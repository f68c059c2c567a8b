"""Root mean square and zero crossings of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Decision, Row, Sample, Timing, each_signal, pairwise
from ..native import frames_of, lazily

ALL_BUT_NAN = (
    "silence", "impulse", "dc", "chirp", "white_noise", "decay_into_denormals", "odd_length", "shorter_than_a_frame",
    "stereo_batch", "non_contiguous_view", "speech", "music",
)  # fmt: skip


def _rms(y: Any, **parameters: Any) -> Any:
    import librosa

    return librosa.feature.rms(y=y, dtype=y.dtype, **{"pad_mode": "reflect", **parameters})


def _zero_crossing_rate(
    y: Any, *, frame_length: int = 2048, hop_length: int = 512, center: bool = True, pad_mode: str = "reflect"
) -> Any:
    """librosa's zero crossings of frames with any padding: its own function knows but one."""
    import librosa

    frames = frames_of(y, frame_length, hop_length, center, pad_mode)
    return librosa.zero_crossings(frames, pad=False).mean(axis=-1)[..., None, :]


def samples(crossed: Any) -> Any:
    """Every signal, then the parameters crossed pairwise."""

    def make() -> Iterator[Sample]:
        yield from each_signal(lambda x: Sample("", (x,), {"frame_length": 512, "hop_length": 128}), ALL_BUT_NAN)
        x = np.random.default_rng(51).standard_normal((4, 6001)).astype(np.float32)
        for o in pairwise(
            frame_length=(2048, 601),
            hop_length=(512, 1000),
            center=(True, False),
            pad_mode=crossed,
            rows=(slice(None), 0),
        ):
            rows = o.pop("rows")
            yield Sample(f"{o}", (x[rows],), o, batched=rows == slice(None))

    return make


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x,), {"frame_length": n_fft, "hop_length": hop, "pad_mode": "constant"})


ROWS = [
    Row(
        "rms",
        _rms,
        samples(("reflect", "constant", "edge", "wrap", "symmetric")),
        "means of squares in float32",
        against="librosa",
        ours=lazily("rms"),
        timing=Timing(_time),
    ),
    Row(
        "zero_crossing_rate",
        _zero_crossing_rate,
        samples(("reflect", "replicate", "symmetric")),
        "counts, divided by a length",
        against="librosa",
        ours=lazily("zero_crossing_rate"),
        judged=Decision(),
        timing=Timing(_time),
    ),
]
