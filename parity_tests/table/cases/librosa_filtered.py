"""librosa's linear prediction, and its filters of semitones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..case import Reject, Sample, Timing, each_signal, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import row
from .librosa_pitch import voice


def lpc_samples() -> Iterator[Sample]:
    yield from each_signal(
        lambda x: Sample("", (x,), {"order": 8}),
        ("silence", "white_noise", "stereo_batch", "odd_length", "speech", "music"),
    )
    x = np.random.default_rng(94).standard_normal((4, 3, 700)).astype(np.float32)
    x[1] = np.cumsum(x[1], axis=-1)
    for o in pairwise(order=(1, 2, 7, 30), axis=(-1, 0, 1), layout=("C", "F", "apart"), rows=(0, 1, slice(None))):
        signal = x[o.pop("rows")]
        layout, axis = o.pop("layout"), o["axis"]
        signal = np.ascontiguousarray(signal.swapaxes(-1, axis))
        signal = np.repeat(signal, 2, axis=axis)[::-1] if layout == "apart" else np.asarray(signal, order=layout)
        yield Sample(f"{o} {signal.shape} {layout}", (signal,), o)
    yield Sample("of voices", (voice(),), {"order": 12})
    yield Sample("float64", (x.astype(np.float64),), {"order": 8}, "the audio is float64")
    yield Sample("few samples", (x[0, 0, :9],), {"order": 8}, "too few samples for the order")


LPC_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {"order": 4}, "ParameterError"),
    Reject("order 0", (white_noise(),), {"order": 0}, "ParameterError"),
    Reject("order 2.5", (white_noise(),), {"order": 2.5}, "ParameterError"),
    Reject("integers", (np.arange(5000),), {"order": 4}, "ParameterError"),
)


def iirt_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"win_length": 512}), ("white_noise", "stereo_batch", "music"))
    x = np.random.default_rng(95).standard_normal((2, 3, 9001)).astype(np.float32)
    for o in pairwise(
        sr=(22050, 16000.0),
        win_length=(2048, 1001),
        hop_length=(None, 300, 3000),
        center=(True, False),
        tuning=(0.0, 0.2),
        pad_mode=("constant", "reflect", "edge"),
        res_type=("soxr_hq", "soxr_qq"),
        double=(False, True),
        rows=((0, 0), 0, slice(None)),
    ):
        signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        yield Sample(f"{o} {signal.dtype} {signal.shape}", (signal,), o)
    yield Sample("a tuning of more sections", (x[0],), {"tuning": 0.3}, "a filter is not of eighth order")
    yield Sample("other coefficients", (x[0],), {"flayout": "ba"}, "flayout is not 'sos'")
    yield Sample("resampled otherwise", (x[0],), {"res_type": "polyphase"}, "res_type is not one of soxr's")


IIRT_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {}, "ParameterError"),
    Reject("no such layout", (white_noise(),), {"flayout": "zpk"}, "ParameterError"),
    Reject("hop_length 0", (white_noise(),), {"hop_length": 0}, "ZeroDivisionError"),
    Reject("a few samples", (white_noise()[:100],), {"center": False, "win_length": 50}, "ValueError"),
)


def _time_frames(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    frames = np.random.default_rng(0).standard_normal((batch, n_fft, max(1, length // hop)), np.float32)
    return Sample("", (frames,), {"order": 16, "axis": 1})


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x[0] if batch == 1 else x,), {"win_length": n_fft, "hop_length": hop})


ROWS = [
    row("lpc", lpc_samples, "librosa sums in float32", rejects=LPC_REJECTS, timing=Timing(_time_frames)),
    row(
        "iirt",
        iirt_samples,
        "filters of the same audio at other rates, in double precision",
        rejects=IIRT_REJECTS,
        timing=Timing(_time),
    ),
]
