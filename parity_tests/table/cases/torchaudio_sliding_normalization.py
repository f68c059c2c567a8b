"""torchaudio's sliding-window normalization."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, pairwise

WHY = "the reference keeps sums in single precision, to which every frame adds a rounding"
_X = (np.random.default_rng(92).standard_normal((2, 3, 240, 13)) - 4).astype(np.float32)


def _samples(positional: bool) -> Iterator[Sample]:
    for o in pairwise(
        cmn_window=(600, 50, 20, 12),
        min_cmn_window=(100, 9, 15, 999),
        center=(False, True),
        norm_vars=(False, True),
        rows=((0, 0), 0, slice(None)),
        frames=(240, 40, 16),
        step=(1, 2),
    ):
        x = _X[o.pop("rows")]
        x = x[..., : o.pop("frames"), :: o.pop("step")]
        label = f"{o} {x.shape}"
        x = np.ascontiguousarray(x)
        yield Sample(label, (x, *o.values()) if positional else (x,), {} if positional else o, batched=x.ndim > 2)


def _time(**options: Any) -> Timing:
    def call(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, length // hop, 40), np.float32)
        return Sample("", (x,), options)

    return Timing(call)


_row = partial(Row, why=WHY, against="torchaudio")
ROWS = [
    _row(
        "torchaudio.functional.sliding_window_cmn",
        "torchaudio.functional.sliding_window_cmn",
        partial(_samples, True),
        rejects=(
            Reject("one axis", (_X[0, 0, 0],), {}, "ValueError"),
            Reject("signals that are no view", (_X.swapaxes(0, 1),), {}, "RuntimeError"),
            Reject("a name", (_X, "long"), {}, "TypeError"),
        ),
        timing=_time(norm_vars=True),
    ),
    _row(
        "torchaudio.transforms.SlidingWindowCmn",
        "torchaudio.transforms.SlidingWindowCmn",
        partial(_samples, False),
        timing=_time(),
    ),
]
