"""torchaudio's noise at a ratio."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ..case import Reject, Row, Sample, Timing, pairwise

WHY = "none: torchaudio's operations on the same values"
_RNG = np.random.default_rng(150)
_X, _NOISE = (_RNG.standard_normal((2, 3, 901)).astype(np.float32) for _ in range(2))
_SNR = _RNG.uniform(-10, 30, (2, 3)).astype(np.float32)
_LENGTHS = np.array([[901, 300, 1], [0, 900, 2000]])


def _samples() -> Iterator[Sample]:
    for o in pairwise(rows=(slice(None), 0, (0, 1)), counted=(False, True), length=(901, 40), silent=(False, True)):
        x, noise = (np.ascontiguousarray(y[o["rows"]][..., : o["length"]]) for y in (_X, _NOISE))
        noise = 0 * noise if o["silent"] else noise
        lengths = (np.asarray(_LENGTHS[o["rows"]]),) if o["counted"] else ()
        yield Sample(f"{o}", (x, noise, np.asarray(_SNR[o["rows"]]), *lengths))
    yield Sample("ratios for all", (_X, _NOISE, _SNR[:1]), {}, "snr is not of the waveform's shape")


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    rng = np.random.default_rng(0)
    x, noise = (rng.standard_normal((batch, length), np.float32) for _ in range(2))
    return Sample("", (x, noise, np.full(batch, 10, np.float32), rng.integers(length // 2, length + 1, batch)))


_row = partial(Row, samples=_samples, why=WHY, against="torchaudio", host=True)
ROWS = [
    _row(
        "torchaudio.functional.add_noise",
        "torchaudio.functional.add_noise",
        rejects=(
            Reject("another length", (_X, _NOISE[..., :9], _SNR), {}, "ValueError"),
            Reject("one ratio", (_X, _NOISE, np.float32(3).reshape(1)), {}, "ValueError"),
            Reject("lengths of samples", (_X, _NOISE, _SNR, _LENGTHS[..., None]), {}, "ValueError"),
        ),
        timing=Timing(_time),
    ),
    _row("torchaudio.transforms.AddNoise", "torchaudio.transforms.AddNoise", timing=Timing(_time)),
]
