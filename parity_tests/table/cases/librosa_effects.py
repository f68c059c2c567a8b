"""librosa's separation of audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import Decision, Reject, Sample, Timing, each_signal, is_librosa_1, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import ACCEPTED, row, time_audio

WHY = "masks of magnitudes that differ by an STFT's rounding, times a spectrum that does"
SEPARABLE = ("silence", "chirp", "white_noise", "stereo_batch", "odd_length", "speech", "music")


def separated(masks: bool = False) -> Callable[[], Iterator[Sample]]:
    def make() -> Iterator[Sample]:
        small = {"n_fft": 512, "hop_length": 128}
        yield from each_signal(lambda x: Sample("", (x,), small), SEPARABLE)
        x = np.random.default_rng(92).standard_normal((2, 9001)).astype(np.float32)
        for o in pairwise(
            kernel_size=(31, (9, 24)),
            power=(2.0, 1, 3.3),
            margin=(1.0, (1.0, 5)),
            n_fft=(512, 600),
            hop_length=(None, 100),
            win_length=(None, 400),
            window=("hann", "none of these"),
            center=(True, False),
            pad_mode=("constant", "reflect"),
            double=(False, True),
            rows=(slice(None), 0),
        ):
            # an uncentred inverse divides by next to nothing, where a window begins at 0
            o["center"] = o["center"] or o["win_length"] is None
            signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
            yield Sample(f"{o} {signal.shape}", (signal,), o)
        yield Sample("shorter than a frame", (x[0, :1000],), {}, "the signal is shorter than a frame")

    return make


def emphasised() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {}, _single(x)), ACCEPTED)
    x = np.random.default_rng(93).standard_normal((3, 2, 9001)).astype(np.float32)
    for o in pairwise(
        coef=(0.97, 0, 1, 0.5),
        zi=(None, 0.5, "array"),
        return_zf=(False, True),
        double=(False, True),
        rows=((0, 0), 1, slice(None)),
        order=("C", "F", "apart"),
    ):
        signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        order = o.pop("order")
        signal = signal[..., ::-2] if order == "apart" else np.asarray(signal, order=order)
        # a number is the state of a single row
        if o["zi"] == "array" or (o["zi"] and signal.ndim > 1):
            o["zi"] = np.full((*signal.shape[:-1], 1), 0.25)
        yield Sample(f"{o} {signal.dtype} {signal.strides}", (signal,), o)
    yield Sample("a single sample", (x[0, 0, :1],), {"zi": 0.5}, "there is a single sample")


def _single(x: Any) -> str:
    return "" if x.shape[-1] > 1 else "there is a single sample"


def _time_emphasis(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x[0] if batch == 1 else x,), {})


# of a batch, librosa makes one choice
SINGLE = tuple(name for name in ACCEPTED if name != "stereo_batch")


def quiet() -> Iterator[Sample]:
    """Audio that is loud here and there, of one channel and of several."""
    yield from each_signal(_of_frames, SINGLE)
    rng = np.random.default_rng(94)
    levels = np.repeat(10.0 ** -np.array([9, 1, 0, 5, 2, 1, 6, 0, 3, 9]), 1200)
    x = rng.standard_normal((2, 2, 12000)) * levels
    for o in pairwise(
        top_db=(60, 20.5, 90),
        ref=(np.max, 0.3, 1, np.median),
        frame_length=(512, 300),
        hop_length=(512, 101),
        aggregate=(np.max, np.min),
        double=(False, True),
        rows=((0, 0), 1, slice(None)),
        order=("C", "F"),
    ):
        signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32, order=o.pop("order"))
        yield Sample(f"{o} {signal.dtype} {signal.strides}", (signal,), o, _of_channels(signal))
    yield Sample("louder than the reference", (x[0, 0],), {"top_db": -3, "ref": 0.1}, "top_db is not between 0.001")
    mean = {"aggregate": np.mean}
    yield Sample("a mean of decibels", (x[0],), mean, "channels are put together otherwise than by their maxima")
    yield Sample("a reference of the program's", (x[0, 0],), {"ref": flattened}, "ref is of type function")


def _of_frames(x: Any) -> Sample:
    short = "the signal is shorter than a frame" if x.shape[-1] < 512 else ""
    return Sample("", (x,), {"frame_length": 512}, short or _of_channels(x))


def _of_channels(x: Any) -> str:
    return "channels are put together otherwise" if x.ndim > 1 and is_librosa_1() else ""


def flattened(x: Any, **_: Any) -> Any:
    """A reference for decibels as a program may have it."""
    return np.max(x) / 2


REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {}, "ParameterError"),
    Reject("a list", ([0.0] * 5000,), {}, "ParameterError"),
    Reject("a margin below 1", (white_noise(),), {"margin": 0.5}, "ParameterError"),
    Reject("hop_length 0", (white_noise(),), {"hop_length": 0}, "ParameterError"),
)


ROWS = [
    *(
        row(f"effects.{name}", separated(), WHY, rejects=REJECTS, timing=Timing(time_audio))
        for name in ("hpss", "harmonic", "percussive")
    ),
    *(
        row(
            f"effects.{name}",
            emphasised,
            "librosa computes in the audio's precision, we round once",
            rejects=(Reject("a list", ([0.0] * 5000,), {}, "AttributeError"),),
            timing=Timing(_time_emphasis),
        )
        for name in ("preemphasis", "deemphasis")
    ),
    *(
        row(
            f"effects.{name}",
            quiet,
            "amplitudes are compared, whose decibels librosa rounds to float32",
            rejects=(Reject("a list", ([0.0] * 5000,), {}, "ParameterError" if is_librosa_1() else "AttributeError"),),
            timing=Timing(_time_emphasis),
            judged=Decision("top_db", 60.0),
        )
        for name in ("trim", "split")
    ),
]
