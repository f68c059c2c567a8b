"""torchaudio's resampling and changes of speed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise

WHY = "float32 sums of some dozen terms, with the reference's own weights"
RATES = ((3, 1), (1, 3), (44100, 16000), (16000, 22050), (11, 10), (1000, 1001), (8, 8))
_X = np.random.default_rng(92).standard_normal((2, 3, 4000)).astype(np.float32)
_LENGTHS = np.array([4000, 17, 1])


def _calls(**more: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Calls between many rates with audio of several shapes, longer and shorter than a filter."""
    for o in pairwise(
        rates=RATES,
        lowpass_filter_width=(6, 16, 1),
        rolloff=(0.99, 0.85),
        kind=(("sinc_interp_hann", None), ("sinc_interp_kaiser", None), ("sinc_interp_kaiser", 14.0)),
        samples=(4000, 441, 33, 1),
        rows=(slice(None), 0, (0, 0)),
        step=(1, -1),
    ):
        x = np.ascontiguousarray(_X[o["rows"]][..., : o["samples"]][..., :: o["step"]])
        method, beta = o["kind"]
        names = ("lowpass_filter_width", "rolloff")
        options = {name: o[name] for name in names} | {"resampling_method": method, "beta": beta}
        yield x, dict(zip(("orig_freq", "new_freq"), o["rates"], strict=True)) | options


def function_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x, 44100, 16000)))
    for orig, new in RATES:
        yield Sample(f"{orig} to {new}", (_X, orig, new), batched=True)
    for x, options in _calls():
        yield Sample(f"{options}, {x.shape}", (x,), options)


def module_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"orig_freq": 16000, "new_freq": 22050}))
    for x, options in _calls():
        yield Sample(f"{options}, {x.shape}", (x,), options)


def speed_samples() -> Iterator[Sample]:
    for factor in (0.9, 1.1, 1.0, 0.333, np.float64(1.25)):
        for x, lengths in (
            (_X, np.stack([_LENGTHS, _LENGTHS])),
            (_X[0], _LENGTHS.astype(np.float32)),
            (_X[0, 0], _LENGTHS[0]),
        ):
            yield Sample(f"{factor} {x.shape}", (x, 16000, factor, np.asarray(lengths)))


def speed_module_samples() -> Iterator[Sample]:
    for sample in speed_samples():
        x, orig, factor, lengths = sample.args
        yield Sample(sample.label, (x, lengths), {"orig_freq": orig, "factor": factor})


def perturbed_samples() -> Iterator[Sample]:
    """Of one factor only: the others are drawn."""
    for sample in speed_samples():
        x, orig, factor, lengths = sample.args
        yield Sample(sample.label, (x, lengths), {"orig_freq": orig, "factors": (factor,)})


def _audio(batch: int, length: int) -> Any:
    return np.random.default_rng(0).standard_normal((batch, length), np.float32)


def _time_function(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (_audio(batch, length), 44100, 16000))


def _time_module(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (_audio(batch, length),), {"orig_freq": 16000, "new_freq": 22050})


def _time_speed(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (_audio(batch, length), 16000, 1.1))


def _time_speed_module(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (_audio(batch, length),), {"orig_freq": 16000, "factor": 1.1})


def _time_perturbed(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (_audio(batch, length),), {"orig_freq": 16000, "factors": (0.9,)})


_row = partial(Row, why=WHY, against="torchaudio")
_REJECTS = (
    Reject("a rate of a fraction", (_X, 16000.5, 8000), {}, "Exception"),
    Reject("a rate of zero", (_X, 16000, 0), {}, "ValueError"),
    Reject("a negative rate", (_X, -16000, 8000), {}, "ValueError"),
    Reject("a filter without width", (_X, 3, 2), {"lowpass_filter_width": 0}, "ValueError"),
    Reject("an unknown method", (_X, 3, 2), {"resampling_method": "linear"}, "ValueError"),
    Reject("integers", (_X.astype(np.int32), 3, 2), {}, "TypeError"),
    Reject("complex values", (_X[0] + 1j * _X[1], 3, 2), {}, "NotImplementedError"),
    Reject("no samples", (_X[..., :0], 3, 2), {}, "RuntimeError"),
    Reject("axes that are not one", (_X.swapaxes(0, 1), 3, 2), {}, "RuntimeError"),
)

ROWS = [
    _row(
        "torchaudio.functional.resample",
        "torchaudio.functional.resample",
        function_samples,
        rejects=_REJECTS,
        gradient=True,
        timing=Timing(_time_function),
    ),
    _row(
        "torchaudio.transforms.Resample",
        "torchaudio.transforms.Resample",
        module_samples,
        gradient=True,
        timing=Timing(_time_module),
    ),
    _row(
        "torchaudio.functional.speed",
        "torchaudio.functional.speed",
        speed_samples,
        rejects=(
            Reject("a factor of zero", (_X, 16000, 0.0), {}, "ValueError"),
            Reject("an infinite factor", (_X, 16000, float("inf")), {}, "OverflowError"),
            Reject("a rate of zero", (_X, 0, 1.1), {}, "ZeroDivisionError"),
        ),
        timing=Timing(_time_speed),
    ),
    _row(
        "torchaudio.transforms.Speed",
        "torchaudio.transforms.Speed",
        speed_module_samples,
        timing=Timing(_time_speed_module),
    ),
    _row(
        "torchaudio.transforms.SpeedPerturbation",
        "torchaudio.transforms.SpeedPerturbation",
        perturbed_samples,
        timing=Timing(_time_perturbed),
    ),
]
