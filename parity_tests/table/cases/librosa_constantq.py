"""librosa's constant-Q transforms, and the chromagrams that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Reject, Sample, Timing, each_signal, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import ACCEPTED, ROUNDING, row
from .librosa_griffinlim import seeded
from .torchaudio_griffinlim import WHY as FROM_PHASES

SCALE = {"sr": 8000, "fmin": 200.0, "n_bins": 30, "hop_length": 64}
_SHORT = "the signal is shorter than a frame"
WHY = "none but float64's: spectra are rounded once, as librosa's, and filters are librosa's own"
OF_BANK = "librosa sums magnitudes that it has rounded"


def _short(x: Any) -> str:
    return _SHORT if x.shape[-1] < 2048 else ""


def _options(**more: Any) -> Iterator[dict[str, Any]]:
    yield from pairwise(
        sr=(8000, 11025.0),
        fmin=(200.0, 110),
        n_bins=(30, 24, 7, 1),
        bins_per_octave=(12, 24),
        hop_length=(64, 96, 128),
        tuning=(0.0, 0.3, None),
        filter_scale=(1, 0.5),
        norm=(1, 2, None, np.inf),
        sparsity=(0.01, 0, 0.1),
        window=("hann", "hamming"),
        scale=(True, False),
        pad_mode=("constant", "reflect", "edge"),
        double=(False, True),
        rows=(slice(None), 0),
        **more,
    )


def of_audio(**more: Any) -> Callable[[], Iterator[Sample]]:
    """Transforms of the named signals, and of noise with all options."""

    def make() -> Iterator[Sample]:
        yield from each_signal(lambda x: Sample("", (x,), SCALE, _short(x)), ACCEPTED)
        x = np.random.default_rng(104).standard_normal((2, 6001)).astype(np.float32)
        for o in _options(**more):
            rows = o.pop("rows")
            y = x[rows].astype(np.float64 if o.pop("double") else np.float32)
            batched = rows == slice(None) and o["tuning"] is not None
            yield Sample(f"{o} {y.shape} {y.dtype}", (y,), o, batched=batched)
        low = {"sr": 8000, "fmin": 40.0, "n_bins": 12, "hop_length": 512}
        yield Sample("low", (np.tile(x, 4),), low)
        yield Sample("low and not scaled", (np.tile(x, 4),), {**low, "scale": False})
        yield Sample("another dtype", (x,), {**SCALE, "dtype": np.complex128}, "dtype is not the result's own")
        yield Sample("a window of a function", (x,), {**SCALE, "window": np.hanning}, "the window is no name")

    return make


def inverse_samples() -> Iterator[Sample]:
    rng = np.random.default_rng(105)
    for o in pairwise(
        bins=(30, 24, 7, 1),
        frames=(60, 61),
        fmin=(200.0, 110),
        hop_length=(64, 96),
        bins_per_octave=(12, 24),
        tuning=(0.0, 0.3),
        norm=(1, 2, None),
        scale=(True, False),
        length=(None, 3000, 5000),
        double=(False, True),
        lead=((), (2,)),
    ):
        shape = (*o.pop("lead"), o.pop("bins"), o.pop("frames"))
        z = rng.standard_normal((2, *shape))
        c = (z[0] + 1j * z[1]).astype(np.complex128 if o.pop("double") else np.complex64)
        if o["length"] is None:
            del o["length"]
        yield Sample(f"{o} {shape} {c.dtype}", (c,), {"sr": 8000, **o}, batched=len(shape) > 2)
    yield Sample("real", (np.abs(c),), {"sr": 8000, "fmin": 200.0}, "C is no complex spectrum")


def chroma_samples(**more: Any) -> Callable[[], Iterator[Sample]]:
    """Chromagrams of audio."""

    def make() -> Iterator[Sample]:
        few = {"sr": 8000, "fmin": 200.0, "n_octaves": 2, "hop_length": 64}
        first = {name: values[0] for name, values in more.items() if name == "intervals"}
        names = ("white_noise", "chirp", "odd_length", "stereo_batch", "speech", "music")
        yield from each_signal(lambda x: Sample("", (), {"y": x, **few, **first}, _short(x)), names)
        x = np.random.default_rng(106).standard_normal((2, 6001)).astype(np.float32)
        for o in pairwise(n_octaves=(2, 1), hop_length=(64, 128), rows=(slice(None), 0), double=(False, True), **more):
            y = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
            yield Sample(f"{o} {y.shape} {y.dtype}", (), {"y": y, "sr": 8000, "fmin": 200.0, **o})

    return make


OF_CQT = {"tuning": (0.0, None, -0.2), "bins_per_octave": (36, 12), "cqt_mode": ("full", "hybrid")}
REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), SCALE, "ParameterError"),
    Reject("beyond half the rate", (white_noise(),), {**SCALE, "n_bins": 60}, "ParameterError"),
    Reject("an unknown pad mode", (white_noise(),), {**SCALE, "pad_mode": "wrong"}, "ValueError"),
)
_NO_AUDIO = (Reject("no audio", (), {}, "ParameterError"),)


def _time(**options: Any) -> Timing:
    def make(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, max(length, 22050)), np.float32)
        return Sample("", (x[0] if batch == 1 else x,), {"hop_length": 64 * max(1, hop // 64), **options})

    return Timing(make)


def _time_inverse(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    z = np.random.default_rng(0).standard_normal((batch, 84, max(length, 22050) // hop), np.float32)
    return Sample("", (z.astype(np.complex64)[0] if batch == 1 else z.astype(np.complex64),), {"hop_length": hop})


def _time_chroma(**options: Any) -> Timing:
    make = _time().sample

    def of_audio(*sizes: int) -> Sample:
        given = make(*sizes)
        return Sample("", (), {"y": given.args[0], **given.kwargs, **options})

    return Timing(of_audio)


def rebuilt() -> Iterator[Sample]:
    """Signals of magnitudes, after a few iterations; ``hop_length`` is one that all octaves share."""
    x = np.random.default_rng(106).standard_normal((2, 24, 60))
    for o in pairwise(
        n_iter=(1, 2, 0),
        momentum=(0.99, 0, 1),
        init=("random", None),
        scale=(True, False),
        norm=(1, None),
        double=(False, True),
        rows=(slice(None), 0),
    ):
        c = np.abs(x[o.pop("rows")]).astype(np.float64 if o.pop("double") else np.float32)
        options = {**o, "sr": 8000, "fmin": 200.0, "hop_length": 64, **seeded(6)}
        yield Sample(f"{o} {c.shape} {c.dtype}", (c,), options, batched=c.ndim > 2 and o["init"] is None)
    yield Sample("complex", (c.astype(np.complex64),), {"sr": 8000, "fmin": 200.0, **seeded(6)}, "C is complex")


def _time_rebuilt(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    c = np.random.default_rng(0).random((batch, 84, max(length, 22050) // hop), np.float32)
    return Sample("", (c[0] if batch == 1 else c,), {"hop_length": hop, "n_iter": 2, **seeded(0)})


_RESAMPLED = {"res_type": ("soxr_hq", "soxr_lq", "polyphase")}
ROWS = [
    row("cqt", of_audio(**_RESAMPLED), WHY, rejects=REJECTS, timing=_time()),
    row(
        "vqt",
        of_audio(gamma=(None, 0, 20.0), intervals=("equal", "ji3", "pythagorean"), **_RESAMPLED),
        WHY,
        rejects=REJECTS,
        timing=_time(),
    ),
    row("pseudo_cqt", of_audio(), OF_BANK, rejects=REJECTS[:1], timing=_time()),
    row("hybrid_cqt", of_audio(**_RESAMPLED), OF_BANK, rejects=REJECTS[:1], timing=_time()),
    row("icqt", inverse_samples, "librosa computes in float64", timing=Timing(_time_inverse)),
    row(
        "griffinlim_cqt",
        rebuilt,
        FROM_PHASES,
        rejects=(Reject("a momentum below 0", (np.ones((24, 60)),), {"momentum": -0.1}, "ParameterError"),),
        judged=HeavyTail(),
        timing=Timing(_time_rebuilt),
    ),
    row(
        "feature.chroma_cqt",
        chroma_samples(**OF_CQT, norm=(np.inf, 1, None), threshold=(0.0, 0.2)),
        ROUNDING,
        rejects=_NO_AUDIO,
        timing=_time_chroma(),
    ),
    row(
        "feature.chroma_cens",
        chroma_samples(**OF_CQT, win_len_smooth=(41, None), norm=(2, None)),
        "none: what is counted is the same",
        rejects=_NO_AUDIO,
        timing=_time_chroma(),
    ),
    row(
        "feature.chroma_vqt",
        chroma_samples(intervals=("ji5", "equal", "ji3"), bins_per_octave=(12, 24), gamma=(0, 10.0)),
        ROUNDING,
        timing=_time_chroma(intervals="ji5"),
    ),
]
