"""torchaudio's deltas of features."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise

WHY = "float32 sums of a few differences"
MODES = ("replicate", "constant", "reflect", "circular")
_X = np.random.default_rng(91).standard_normal((2, 3, 13, 301)).astype(np.float32)


def _calls() -> Iterator[tuple[str, Any, int, str]]:
    """Calls with features of several shapes, in either memory order, longer than a window and hardly so."""
    for o in pairwise(
        win_length=(3, 4, 5, 9, 31),
        mode=MODES,
        frames=(301, 33, 16),
        rows=(slice(None), 0, (0, 0), (0, 0, 0)),
        bins_last=(False, True),
    ):
        x = _X[o["rows"]][..., : o["frames"]]
        if o["bins_last"] and x.ndim > 1:
            x = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
        yield f"{o}", x, o["win_length"], o["mode"]


def function_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,)))
    for label, x, win_length, mode in _calls():
        yield Sample(label, (x, win_length, mode))


def module_samples() -> Iterator[Sample]:
    for label, x, win_length, mode in _calls():
        yield Sample(label, (x,), {"win_length": win_length, "mode": mode}, batched=x.ndim == 4)


def _time_deltas(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    return Sample("", (np.random.default_rng(0).standard_normal((batch, 80, 1 + length // hop), np.float32),))


_row = partial(Row, why=WHY, against="torchaudio", gradient=True, timing=Timing(_time_deltas))

ROWS = [
    _row(
        "torchaudio.functional.compute_deltas",
        "torchaudio.functional.compute_deltas",
        function_samples,
        rejects=(
            Reject("a window of two", (_X,), {"win_length": 2}, "ValueError"),
            Reject("a window of a float", (_X,), {"win_length": 5.0}, "TypeError"),
            Reject("an unknown mode", (_X,), {"mode": "edge"}, "NotImplementedError"),
            Reject("mirrored more than once", (_X[..., :2],), {"mode": "reflect"}, "RuntimeError"),
            Reject("around more than once", (_X[..., :2],), {"mode": "circular", "win_length": 9}, "RuntimeError"),
            Reject("complex values", (_X[0] + 1j * _X[1],), {}, "NotImplementedError"),
            Reject("no values", (_X[..., :0],), {}, "RuntimeError"),
        ),
    ),
    _row("torchaudio.transforms.ComputeDeltas", "torchaudio.transforms.ComputeDeltas", module_samples),
]
