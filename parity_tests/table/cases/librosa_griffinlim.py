"""librosa's Griffin-Lim."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Reject, Row, Sample, Timing, each_signal, pairwise
from .torchaudio_griffinlim import ENOUGH, WHY, powers


def seeded(seed: int) -> dict[str, int]:
    """The argument that random numbers come from, which from librosa 1.0 on has another name."""
    import librosa

    return {"rng" if "rng" in inspect.signature(librosa.griffinlim).parameters else "random_state": seed}


def samples() -> Iterator[Sample]:
    def of(x: Any) -> Sample:
        return Sample("", (powers(x, 512, 128, 1.0),), {"n_iter": 2, "hop_length": 128, **seeded(3)})

    # of a batch, random numbers are others than of each signal alone
    yield from each_signal(of, [name for name in ENOUGH if name != "stereo_batch"])
    x = np.random.default_rng(98).standard_normal((6, 4000)).astype(np.float32)
    for o in pairwise(
        n_fft=(400, 512, 255, 74),
        win_length=(None, 0.7),
        overlap=(0.25, 0.5),
        window=("hann", "hamming"),
        pad_mode=("constant", "reflect", "edge"),
        n_iter=(1, 4, 0),
        momentum=(0.99, 0, 1),
        init=("random", None),
        length=(None, 30),
        center=(True, False),
        rows=(slice(None), 0, (0, 0)),
        order=("bins last", "C"),
        double=(False, True),
    ):
        label, n_fft, longer = f"{o}", o["n_fft"], o.pop("length")
        win_length = int(n_fft * (o.pop("win_length") or 1))
        hop = int(win_length * o.pop("overlap"))
        s = powers(x, n_fft, hop, 1.0)
        s = s.reshape(2, 3, *s.shape[-2:])[o.pop("rows")]
        s = s if o.pop("order") == "bins last" else np.ascontiguousarray(s)
        s = s.astype(np.float64) if o.pop("double") else s
        # an uncentred inverse divides by next to nothing where its window begins at 0
        o["window"] = o["window"] if o["center"] else "hamming"
        if longer and o["center"]:
            o["length"] = hop * (s.shape[-1] - 1) + hop // 2
        options = {**o, "hop_length": hop, "win_length": win_length, **seeded(5)}
        yield Sample(label, (s,), options, batched=s.ndim > 2 and o["init"] is None)


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s = np.sqrt(np.random.default_rng(0).chisquare(2, (batch, 1 + length // hop, n_fft // 2 + 1)))
    s = s.astype(np.float32).swapaxes(-1, -2)
    return Sample("", (s[0] if batch == 1 else s,), {"hop_length": hop, **seeded(0)})


_S = np.ones((33, 12), np.float32)

ROWS = [
    Row(
        "librosa.griffinlim",
        "librosa.griffinlim",
        samples,
        WHY,
        against="librosa",
        judged=HeavyTail(),
        timing=Timing(_time),
        rejects=(
            Reject("a momentum below 0", (_S,), {"momentum": -0.1}, "ParameterError"),
            Reject("an unknown start", (_S,), {"init": "zeros"}, "ParameterError"),
            Reject("a NaN", (_S * np.float32(np.nan),), {}, "ParameterError"),
            Reject("a length of other frames", (_S,), {"length": 500}, "ValueError"),
            Reject("an unknown pad mode", (_S,), {"pad_mode": "wrap"}, "ParameterError"),
        ),
    )
]
