"""torchaudio's Griffin-Lim, from phases of 0: its random numbers are tested apart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import HeavyTail, Reject, Row, Sample, Timing, each_signal, pairwise
from ..signals import SIGNALS
from .stft import spectrum, window

WHY = (
    "a bin's phase takes a rounding over the bin's magnitude, which may be anything, and each iteration enlarges it: "
    "four are compared, and of more how near they come to the magnitudes"
)

# mirrored by half a frame, the shortest is too short
ENOUGH = [name for name in SIGNALS if name != "shorter_than_a_frame"]


def powers(x: Any, n_fft: int, hop: int, power: float = 2.0) -> Any:
    """Magnitudes to a power, frames first in memory as a spectrogram has them."""
    return (np.abs(spectrum(x, n_fft, hop, window(n_fft), True)) ** power).astype(np.float32)


def _calls() -> Iterator[tuple[dict[str, Any], Any]]:
    x = np.random.default_rng(95).standard_normal((6, 4000)).astype(np.float32)
    for o in pairwise(
        n_fft=(400, 512, 255, 74),
        win_length=(None, 0.7),
        overlap=(0.25, 0.5),
        power=(2.0, 1.0, 1.5),
        n_iter=(1, 4, 0),
        momentum=(0.99, 0.0, 0.5),
        length=(None, 30),
        rows=(slice(None), 0, (0, 0)),
        bins_last=(True, False),
    ):
        n_fft, more = o["n_fft"], o.pop("length")
        win_length = int(n_fft * (o.pop("win_length") or 1))
        hop = int(win_length * o.pop("overlap"))
        s = powers(x, n_fft, hop, o["power"])
        s = s.reshape(2, 3, *s.shape[-2:])[o.pop("rows")]
        s = s if o.pop("bins_last") else np.ascontiguousarray(s)
        length = None if more is None else hop * (s.shape[-1] - 1) + hop // 2
        yield o | {"hop_length": hop, "win_length": win_length, "length": length, "rand_init": False}, s


def function_samples() -> Iterator[Sample]:
    def of(x: Any) -> Sample:
        return Sample("", (powers(x, 512, 128), window(512), 512, 128, 512, 2.0, 2, 0.99, None, False))

    yield from each_signal(of, ENOUGH)
    for o, s in _calls():
        yield Sample(f"{o}", (s,), {"window": window(o["win_length"]), **o}, batched=s.ndim > 3)


def module_samples() -> Iterator[Sample]:
    for o, s in _calls():
        yield Sample(f"{o}", (s,), o)


def _time(batch: int, length: int, n_fft: int, hop: int) -> tuple[Any, dict[str, Any]]:
    s = np.random.default_rng(0).chisquare(2, (batch, 1 + length // hop, n_fft // 2 + 1)).astype(np.float32)
    options = {"n_fft": n_fft, "hop_length": hop, "power": 2.0, "n_iter": 32, "momentum": 0.99}
    return s.swapaxes(-1, -2), options | {"length": None, "rand_init": True, "win_length": n_fft}


def _time_function(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s, options = _time(batch, length, n_fft, hop)
    return Sample("", (s,), {"window": window(n_fft), **options})


def _time_module(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s, options = _time(batch, length, n_fft, hop)
    return Sample("", (s,), options)


_S = np.ones((33, 12), np.float32)
_GIVEN = {"window": window(64), "n_fft": 64, "hop_length": 16, "win_length": 64, "power": 2.0, "n_iter": 2}
_GIVEN |= {"momentum": 0.99, "length": None, "rand_init": False}
_row = partial(Row, why=WHY, against="torchaudio", judged=HeavyTail())

ROWS = [
    _row(
        "torchaudio.functional.griffinlim",
        "torchaudio.functional.griffinlim",
        function_samples,
        timing=Timing(_time_function),
        rejects=(
            Reject("a momentum of 1", (_S,), _GIVEN | {"momentum": 1.0}, "ValueError"),
            Reject("a momentum below 0", (_S,), _GIVEN | {"momentum": -0.1}, "ValueError"),
            Reject("a power of 0", (_S,), _GIVEN | {"power": 0}, "ZeroDivisionError"),
            Reject("other bins", (_S,), _GIVEN | {"n_fft": 66}, "RuntimeError"),
            Reject("a window of another length", (_S,), _GIVEN | {"win_length": 60}, "RuntimeError"),
            Reject("a length of other frames", (_S,), _GIVEN | {"length": 200}, "RuntimeError"),
            Reject("too few frames", (_S[:, :2],), _GIVEN, "RuntimeError"),
        ),
    ),
    _row(
        "torchaudio.transforms.GriffinLim",
        "torchaudio.transforms.GriffinLim",
        module_samples,
        timing=Timing(_time_module),
    ),
]
