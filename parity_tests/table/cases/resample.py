"""Audio at another rate, on MLX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, Timing, each_signal, pairwise
from ..native import lazily


def by_torchaudio(x: Any, *, window_fn: str = "hann", beta: float | None = None, **parameters: Any) -> Any:
    """torchaudio's resample called with native parameters."""
    import torchaudio

    method = f"sinc_interp_{window_fn}"
    return torchaudio.functional.resample(x, resampling_method=method, beta=beta, **parameters)


def samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"orig_freq": 44100, "new_freq": 16000}))
    x = np.random.default_rng(101).standard_normal((2, 3, 4000)).astype(np.float32)
    for o in pairwise(
        rates=((3, 1), (1, 3), (44100, 16000), (16000, 22050), (11, 10), (1000, 1001), (8, 8)),
        lowpass_filter_width=(6, 16, 1),
        rolloff=(0.99, 0.85),
        kind=({}, {"window_fn": "kaiser"}, {"window_fn": "kaiser", "beta": 6.0}),
        samples=(4000, 441, 33, 1),
        rows=(slice(None), 0, (0, 0)),
    ):
        rates = dict(zip(("orig_freq", "new_freq"), o["rates"], strict=True))
        names = ("lowpass_filter_width", "rolloff")
        audio = x[o["rows"]][..., : o["samples"]]
        yield Sample(f"{o}", (audio,), rates | o["kind"] | {name: o[name] for name in names}, batched=audio.ndim == 3)


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length)).astype(np.float32)
    return Sample("44100 to 16000", (x,), {"orig_freq": 44100, "new_freq": 16000})


ROWS = [
    Row(
        "resample",
        by_torchaudio,
        samples,
        "float32 sums of some dozen terms; weights are designed in float64, torchaudio's in float32",
        against="torchaudio",
        ours=lazily("resample"),
        gradient=True,
        timing=Timing(_time),
    )
]
