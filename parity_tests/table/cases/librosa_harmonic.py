"""librosa's harmonics of spectrograms, and reassigned spectrograms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Reject, Sample, Timing, each_signal, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import ACCEPTED, crossed, row, time_audio

WHY = "librosa subtracts neighbouring values in their own precision, we in double precision"
_LINEAR = "the interpolation is not linear"


def _hz(bins: int) -> Any:
    return np.linspace(0, 4000, bins)


def _spectrograms() -> Any:
    return np.abs(np.random.default_rng(120).standard_normal((2, 65, 31))).astype(np.float32)


def _placed(x: Any, o: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A spectrogram as ``o`` says, and what is left of its options."""
    values = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
    order = o.pop("order")
    values = values[..., ::-2] if order == "apart" else np.asarray(values, order=order)
    return values, o


_FALLING = {"freqs": _hz(65)[::-1].copy(), "harmonics": [0.5, 2]}


def interpolated() -> Iterator[Sample]:
    x = _spectrograms()
    for o in pairwise(
        harmonics=([1, 2, 3], (0.5, 1.0), np.array([1.5, 40.0]), np.array([2, 3])),
        fill_value=(0, -1.5, np.nan),
        axis=(-2, -1, 1, 0),
        order=("C", "F", "apart"),
        double=(False, True),
        rows=(slice(None), 0),
    ):
        values, options = _placed(x, dict(o))
        axis = options["axis"]
        yield Sample(f"{o}", (values,), {**options, "freqs": _hz(values.shape[axis])})
    of_frames = {"freqs": np.broadcast_to(_hz(65)[:, None], x[0].shape).copy(), "harmonics": [1, 2]}
    yield Sample("frequencies of each frame", (x[0],), of_frames, "freqs are not the same for all frames")
    yield Sample("cubic", (x[0],), {"freqs": _hz(65), "harmonics": [1, 2], "kind": "cubic"}, _LINEAR)
    yield Sample("from high to low", (x,), _FALLING)


def saliences() -> Iterator[Sample]:
    x = _spectrograms()
    for o in pairwise(
        harmonics=([1, 2, 3], (0.5, 1.0, 1.5)),
        weights=(None, [1.0, 0.5, 0.25], (1, 2, 3)),
        aggregate=(None, np.average),
        filter_peaks=(True, False),
        fill_value=(np.nan, 0),
        axis=(-2, -1),
        order=("C", "F", "apart"),
        double=(False, True),
        rows=(slice(None), 0),
    ):
        values, options = _placed(x, dict(o))
        yield Sample(f"{o}", (values,), {**options, "freqs": _hz(values.shape[options["axis"]])})
    of_most = {"freqs": _hz(65), "harmonics": [1, 2], "aggregate": np.max}
    yield Sample("the largest", (x[0],), of_most, "aggregate is not np.average")
    yield Sample("from high to low", (x,), _FALLING, "freqs does not rise")


def of_fundamentals() -> Iterator[Sample]:
    x = _spectrograms()
    f0 = np.random.default_rng(121).uniform(50, 4500, (2, 31))
    f0[:, 3] = np.nan
    for o in pairwise(
        harmonics=([1, 2, 3], (0.5, 1.0), np.array([1.0, 40.0])),
        fill_value=(0, -1.5, np.nan),
        order=("C", "F", "apart"),
        shared=(False, True),
        double=(False, True),
        rows=(slice(None), 0),
    ):
        values, options = _placed(x, dict(o))
        of = f0[0] if options.pop("shared") or values.ndim == 2 else f0
        of = of[..., ::-2] if o["order"] == "apart" else of
        yield Sample(f"{o}", (values,), {**options, "f0": of, "freqs": _hz(65)})
    yield Sample("from high to low", (x,), {**_FALLING, "f0": f0})


HARMONIC_REJECTS = (
    Reject("frequencies of other bins", (_spectrograms()[0],), {"freqs": _hz(9), "harmonics": [1]}, "ParameterError"),
)
F0_REJECTS = (
    Reject(
        "frequencies of other bins", (_spectrograms()[0],), {"freqs": _hz(9), "f0": np.ones(31), "harmonics": [1]},
        "ParameterError",
    ),
)  # fmt: skip


def moved() -> Iterator[Sample]:
    # of a constant or an impulse, many bins are but rounding, or 0
    names = [name for name in ACCEPTED if name not in ("dc", "impulse", "chirp", "decay_into_denormals")]

    def of(x: Any) -> Sample:
        short = "the signal is shorter than a frame" if x.shape[-1] < 512 else ""
        return Sample("", (x,), {"n_fft": 512, "ref_power": 1e-4}, short)

    yield from each_signal(of, names)
    x = np.random.default_rng(122).standard_normal((2, 5001)).astype(np.float32)
    for o in crossed(
        pad_mode=("constant", "reflect"),
        sr=(22050, 8000.0),
        reassign=("both", "frequencies", "times"),
        ref_power=(1e-3, 1, np.median),
        fill_nan=(False, True),
        clip=(True, False),
        double=(False, True),
        rows=(slice(None), 0),
    ):
        y = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        label, what = f"{o} {y.shape} {y.dtype}", o.pop("reassign")
        o |= {"reassign_frequencies": what != "times", "reassign_times": what != "frequencies"}
        yield Sample(label, (y,), o)
    yield Sample("constant", (np.full(5000, 0.5, np.float32),), {}, "bins are 0, of which librosa warns")
    yield Sample("a spectrum", (x,), {"S": np.ones((2, 1025, 10), np.complex64)}, "S is given")


MOVED_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {}, "ParameterError"),
    Reject("a power below 0", (white_noise(),), {"ref_power": -1}, "ParameterError"),
    Reject(
        "nothing", (white_noise(),), {"reassign_frequencies": False, "reassign_times": False}, "ParameterError"
    ),
)  # fmt: skip


def _time_harmonics(fundamentals: bool = False) -> Callable[[int, int, int, int], Sample]:
    def make(batch: int, length: int, n_fft: int, hop: int) -> Sample:
        frames, bins = 1 + length // hop, n_fft // 2 + 1
        x = np.random.default_rng(0).random((batch, frames, bins), np.float32).swapaxes(-1, -2)
        f0 = {"f0": np.full(frames, 200.0)} if fundamentals else {}
        return Sample("", (x[0] if batch == 1 else x,), {"freqs": _hz(bins), "harmonics": [0.5, 1, 2, 3], **f0})

    return make


ROWS = [
    row("interp_harmonics", interpolated, WHY, rejects=HARMONIC_REJECTS, timing=Timing(_time_harmonics())),
    row("salience", saliences, WHY, rejects=HARMONIC_REJECTS, timing=Timing(_time_harmonics())),
    row("f0_harmonics", of_fundamentals, WHY, rejects=F0_REJECTS, timing=Timing(_time_harmonics(True))),
    row(
        "reassigned_spectrogram",
        moved,
        "quotients of spectra that are rounded once, where librosa rounds quotients too",
        rejects=MOVED_REJECTS,
        judged=HeavyTail(),
        timing=Timing(time_audio),
    ),
]
