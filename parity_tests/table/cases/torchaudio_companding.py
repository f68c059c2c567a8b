"""torchaudio's companding."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Decision, Reject, Row, Sample, Timing, each_signal, pairwise
from .torchaudio_effects import FINITE

_CODES = np.random.default_rng(140).integers(0, 256, (2, 3, 901))
_ROWS = (slice(None), 0, (0, 0))
_CHANNELS = (256, 16, 101, 2)


def _encoded(module: bool) -> Iterator[Sample]:
    yield from each_signal(lambda x: _call(module, "", np.clip(x, -1, 1), 256), FINITE)
    x = np.clip(0.4 * np.random.default_rng(141).standard_normal((2, 3, 901)), -1, 1)
    for o in pairwise(channels=_CHANNELS, double=(False, True), rows=_ROWS):
        values = x[o["rows"]].astype(np.float64 if o["double"] else np.float32)
        yield _call(module, f"{o}", values, o["channels"])
    yield _call(module, "beyond 1", 2 * x, 256, "there are values beyond 1")
    yield _call(module, "many codes", x, 65536, "quantization_channels is above 256")


def _decoded(module: bool) -> Iterator[Sample]:
    for o in pairwise(channels=(*_CHANNELS, 65536), kind=(np.int64, np.int32, np.int16, np.uint8), rows=_ROWS):
        yield _call(module, f"{o}", (_CODES[o["rows"]] % o["channels"]).astype(o["kind"]), o["channels"])
    yield _call(module, "codes beyond", _CODES, 101, "there are codes beyond quantization_channels")
    yield _call(module, "real numbers", _CODES / 2, 256, "codes are whole numbers")


def _call(module: bool, label: str, x: Any, channels: int, untested: str = "") -> Sample:
    if module:
        return Sample(label, (x,), {"quantization_channels": channels}, untested)
    return Sample(label, (x, channels), {}, untested)


def _time_values(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = 0.3 * np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (np.clip(x, -1, 1), 256))


def _time_codes(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", (np.random.default_rng(0).integers(0, 256, (batch, length)), 256))


_row = partial(Row, against="torchaudio", host=True)
_WHOLE = (
    Reject("no number of codes", (_CODES, None), {}, "TypeError"),
    Reject("a number as text", (_CODES, "256"), {}, "TypeError"),
)
_ENCODE, _DECODE = "none: the numbers at which codes change are torchaudio's own", "none: torchaudio decodes each code"
ROWS = [
    _row(
        "torchaudio.functional.mu_law_encoding",
        "torchaudio.functional.mu_law_encoding",
        partial(_encoded, False),
        _ENCODE,
        judged=Decision(),
        rejects=_WHOLE,
        timing=Timing(_time_values),
    ),
    _row(
        "torchaudio.functional.mu_law_decoding",
        "torchaudio.functional.mu_law_decoding",
        partial(_decoded, False),
        _DECODE,
        rejects=_WHOLE,
        timing=Timing(_time_codes),
    ),
    _row(
        "torchaudio.transforms.MuLawEncoding",
        "torchaudio.transforms.MuLawEncoding",
        partial(_encoded, True),
        _ENCODE,
        judged=Decision(),
    ),
    _row(
        "torchaudio.transforms.MuLawDecoding",
        "torchaudio.transforms.MuLawDecoding",
        partial(_decoded, True),
        _DECODE,
    ),
]
