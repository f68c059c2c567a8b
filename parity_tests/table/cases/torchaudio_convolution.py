"""torchaudio's convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise

WHY = "float32 products of spectra, of blocks here and of whole signals there; sums of products are rounded once here"
_MODES = ("full", "valid", "same")
_X = np.random.default_rng(92).standard_normal((2, 3, 4000)).astype(np.float32)
_Y = np.random.default_rng(93).standard_normal((2, 3, 2600)).astype(np.float32)
_DECAY = np.exp(-np.arange(700) / 100).astype(np.float32)


def _calls() -> Iterator[tuple[str, Any, Any, str]]:
    """Convolutions of several shapes, either the longer one."""
    for o in pairwise(
        mode=_MODES,
        length=(4000, 441, 33, 4),
        taps=(2600, 300, 33, 5, 4),
        rows=((slice(None), slice(None)), (0, 0), ((0, 0), (0, 0)), (slice(None), slice(1)), (slice(1), slice(None))),
        step=(1, 2),
        turned=(False, True),
    ):
        one, other = o["rows"]
        x, y = _X[one][..., : o["length"]], _Y[other][..., : o["taps"]][..., :: o["step"]]
        yield f"{o}", *((y, x) if o["turned"] else (x, y)), o["mode"]


def samples(direct: bool, positional: bool) -> Iterator[Sample]:
    def sample(label: str, x: Any, y: Any, mode: str, **more: Any) -> Sample:
        if positional:
            return Sample(label, (x, y, mode), **more)
        return Sample(label, (x, y), {"mode": mode}, **more)

    def with_decay(x: Any) -> Sample:
        spoiled = direct and not np.isfinite(x).all()
        untested = "transforms spoil more than the sums that have what is not finite" if spoiled else ""
        return sample("", x, np.tile(_DECAY, (*x.shape[:-1], 1)), "full", untested=untested)

    for each in each_signal(with_decay):
        # a signal of a batch has fewer axes than the batch's filters
        yield replace(each, batched=False)
    for label, x, y, mode in _calls():
        yield sample(label, x, y, mode)


def _time(**options: Any) -> Timing:
    def call(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((batch, length), np.float32)
        return Sample("", (x, rng.standard_normal((batch, length // 20), np.float32)), options)

    return Timing(call)


_row = partial(Row, why=WHY, against="torchaudio", gradient=True)
_REJECTS = (
    Reject("an unknown mode", (_X, _Y, "circular"), {}, "ValueError"),
    Reject("other axes", (_X, _Y[0]), {}, "ValueError"),
    Reject("other channels", (_X, _Y[:, :2]), {}, "ValueError"),
    Reject("no axes", (np.array(1.0), np.array(2.0)), {}, "IndexError"),
    Reject("no mode", (_X, _Y, None), {}, "ValueError"),
)
_COMPLEX = Reject("complex values", (_X + 1j * _X, _Y), {}, "RuntimeError")
_HALF = Reject("half precision", (_X.astype(np.float16), _Y.astype(np.float16)), {}, "RuntimeError")

ROWS = [
    _row(
        "torchaudio.functional.fftconvolve",
        "torchaudio.functional.fftconvolve",
        partial(samples, False, True),
        rejects=(
            *_REJECTS,
            _COMPLEX,
            Reject("half precision", (_X.astype(np.float16), _Y.astype(np.float16)), {}, "RuntimeError"),
        ),
        timing=_time(),
    ),
    _row(
        "torchaudio.functional.convolve",
        "torchaudio.functional.convolve",
        partial(samples, True, True),
        rejects=(*_REJECTS, _COMPLEX, Reject("two precisions", (_X.astype(np.float64), _Y), {}, "RuntimeError")),
        timing=_time(),
    ),
    _row(
        "torchaudio.transforms.FFTConvolve",
        "torchaudio.transforms.FFTConvolve",
        partial(samples, False, False),
        timing=_time(),
    ),
    _row(
        "torchaudio.transforms.Convolve",
        "torchaudio.transforms.Convolve",
        partial(samples, True, False),
        timing=_time(),
    ),
]
