"""librosa's companding, resampling by SciPy's filter, and normalization, by norms and by a channel's energy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Reject, Sample, Timing, each_signal, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import ACCEPTED, row

_AS_FAST = "librosa is as fast for values that are not quantized"
_TRANSFORMS = "SciPy's transforms of the whole signal, which are compiled, are 79 to 96 % of it"


def _laid(values: Any, order: str) -> Any:
    return values[..., ::-2] if order == "apart" else np.asarray(values, order=order)  # type: ignore[call-overload]


def compressed() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (np.clip(x, -1, 1),)), ACCEPTED)
    x = np.clip(0.4 * np.random.default_rng(130).standard_normal((2, 3, 1001)), -1, 1)
    for o in pairwise(
        mu=(255, 255.0, 15, 100.5, 1),
        order=("C", "F", "apart"),
        double=(False, True),
        rows=(slice(None), (0, 0)),
    ):
        values = x[o["rows"]].astype(np.float64 if o["double"] else np.float32)
        yield Sample(f"{o}", (_laid(values, o["order"]),), {"mu": o["mu"]})
    yield Sample("not quantized", (x,), {"quantize": False}, _AS_FAST)


def expanded() -> Iterator[Sample]:
    x = np.random.default_rng(131).integers(-8, 8, (2, 3, 1001))
    for o in pairwise(
        mu=(255, 255.0, 15, 100.5),
        order=("C", "F", "apart"),
        kind=(np.int64, np.int32, np.int16, np.int8),
        rows=(slice(None), (0, 0)),
    ):
        yield Sample(f"{o}", (_laid(x[o["rows"]].astype(o["kind"]), o["order"]),), {"mu": o["mu"]})
    yield Sample("not quantized", (np.linspace(-1, 1, 9),), {"quantize": False}, _AS_FAST)
    yield Sample("real numbers", (np.linspace(-9, 9, 19),), {}, "x is no array of whole numbers")


def resampled() -> Iterator[Sample]:
    rates = {"orig_sr": 22050, "target_sr": 16000, "res_type": "polyphase"}
    yield from each_signal(lambda x: Sample("", (x,), rates), ACCEPTED)
    x = np.random.default_rng(132).standard_normal((2, 3, 2001)).astype(np.float32)
    for o in pairwise(
        orig_sr=(22050, 16000, 48000.0, 11025),
        target_sr=(44100, 8000.0, 32000, 8001),
        fix=(True, False),
        scale=(False, True),
        axis=(-1, 0),
        order=("C", "F", "apart"),
        double=(False, True),
        rows=((0, 0), 0, slice(None)),
    ):
        values = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        label, values = f"{o} {values.shape} {values.dtype}", _laid(values, o.pop("order"))
        if o["axis"] == 0:
            values = np.moveaxis(values, -1, 0)
        yield Sample(label, (values,), {**o, "res_type": "polyphase"})
    yield Sample("SoXR", (x[0],), {"orig_sr": 22050, "target_sr": 16000}, "SoXR resamples, which is compiled")
    yield Sample("FFT", (x[0],), {**rates, "res_type": "fft"}, _TRANSFORMS)
    yield Sample("equal rates", (x[0],), {**rates, "target_sr": 22050}, "the rates are equal")


RESAMPLE_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {"orig_sr": 2, "target_sr": 1, "res_type": "polyphase"}, "ParameterError"),
    Reject("integers", (np.arange(99),), {"orig_sr": 2, "target_sr": 1, "res_type": "polyphase"}, "ParameterError"),
    Reject("a rate that is not whole", (white_noise(),), {"orig_sr": 2.5, "target_sr": 1, "res_type": "polyphase"},
           "ParameterError"),
)  # fmt: skip


_X = np.ones((9, 9), np.float32)
COMPRESS_REJECTS = (
    Reject("beyond 1", (2 * _X,), {}, "ParameterError"),
    Reject("mu 0", (_X,), {"mu": 0}, "ParameterError"),
)
EXPAND_REJECTS = (
    Reject("beyond mu", (np.array([[300]]),), {}, "ParameterError"),
    Reject("mu 0", (np.array([[3]]),), {"mu": 0}, "ParameterError"),
)


def _audio(batch: int, length: int) -> Any:
    x = np.clip(0.3 * np.random.default_rng(0).standard_normal((batch, length), np.float32), -1, 1)
    return x[0] if batch == 1 else x


def _time_values(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", (_audio(batch, length),), {})


def _time_codes(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", ((100 * _audio(batch, length)).astype(np.int64),), {})


def _time_resample(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    return Sample("", (_audio(batch, length),), {"orig_sr": 22050, "target_sr": 16000, "res_type": "polyphase"})


def channel_energies() -> Iterator[Sample]:
    rng = np.random.default_rng(134)
    x = rng.chisquare(2, (2, 24, 61)) * np.exp(6 * rng.standard_normal((24, 1)))
    x[..., 3] = 0
    for o in pairwise(
        gain=(0.98, 0, 0.5),
        bias=(2, 10.0),
        power=(0.5, 1, 2.5),
        time_constant=(0.4, 0.06),
        eps=(1e-6, 1e-9),
        b=(None, 0.3, 1),
        axis=(-1, 0, 1),
        order=("C", "F", "apart"),
        double=(False, True),
        rows=(slice(None), 0),
    ):
        values = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        label, values = f"{o} {values.shape} {values.dtype}", _laid(values, o.pop("order"))
        yield Sample(label, (values,), o)
    yield Sample("integers", (x[0].astype(int),), {}, "S is no real array")
    yield Sample("a maximum of channels", (x[0],), {"max_size": 3}, "max_size is not 1")
    yield Sample("a state", (x[0],), {"return_zf": True}, "a state is asked for")


CHANNEL_REJECTS = (
    Reject("a gain below 0", (np.ones((9, 9)),), {"gain": -1}, "ParameterError"),
    Reject("eps 0", (np.ones((9, 9)),), {"eps": 0}, "ParameterError"),
    Reject("a coefficient above 1", (np.ones((9, 9)),), {"b": 2}, "ParameterError"),
)


def _time_energies(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s = np.random.default_rng(0).random((batch, 128, 1 + length // hop), np.float32)
    return Sample("", (s[0] if batch == 1 else s,), {})


def normalized() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"axis": -1}), ACCEPTED)
    x = np.random.default_rng(135).standard_normal((3, 90, 71))
    # below the threshold along one axis or another; some of nothing
    x[1] *= 1e-3
    x[:, 4], x[:, :, 9] = 0, 1e-42
    for o in pairwise(
        norm=(np.inf, -np.inf, 0, 1, 2, 2.5, 0.5),
        axis=(0, -1, 1, None),
        threshold=(None, 0.05, 2),
        fill=(None, False, True),
        order=("C", "F", "apart"),
        double=(False, True),
        rows=(slice(None), 0, (slice(None), slice(None, 2))),
    ):
        if o["norm"] == 0 and o["fill"]:
            o["fill"] = None
        values = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        label, values = f"{o} {values.shape} {values.dtype}", _laid(values, o.pop("order"))
        yield Sample(label, (values,), o)
    yield Sample("no norm", (x,), {"norm": None}, "norm is None")
    yield Sample("complex", (x[0] + 1j,), {}, "S is complex")
    yield Sample("integers", (np.arange(90),), {}, "S is int64")


NORMALIZE_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {}, "ParameterError"),
    Reject("no such norm", (white_noise(),), {"norm": -1}, "ParameterError"),
    Reject("a threshold of 0", (white_noise(),), {"threshold": 0}, "ParameterError"),
    Reject("no such fill", (white_noise(),), {"fill": 2}, "ParameterError"),
    Reject("a count to fill", (white_noise(),), {"norm": 0, "fill": True}, "ParameterError"),
    Reject("no such axis", (white_noise(),), {"axis": 1}, "AxisError"),
)


SAME = "none: the numbers at which librosa's codes change are librosa's own"

ROWS = [
    row(
        "pcen",
        channel_energies,
        "logarithms and exponentials of double precision, each right to about a unit in its last place",
        rejects=CHANNEL_REJECTS,
        timing=Timing(_time_energies),
    ),
    row(
        "util.normalize",
        normalized,
        "sums of powers in another order; a largest magnitude is the same, and so is a quotient",
        rejects=NORMALIZE_REJECTS,
        timing=Timing(_time_values),
    ),
    row("mu_compress", compressed, SAME, rejects=COMPRESS_REJECTS, timing=Timing(_time_values)),
    row("mu_expand", expanded, "none: librosa expands each code", rejects=EXPAND_REJECTS, timing=Timing(_time_codes)),
    row(
        "resample",
        resampled,
        "sums of the same products in another order",
        rejects=RESAMPLE_REJECTS,
        timing=Timing(_time_resample),
    ),
]
