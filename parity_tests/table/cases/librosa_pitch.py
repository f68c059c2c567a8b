"""librosa's pitch tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import Decision, Reject, Sample, Timing, each_signal, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import ACCEPTED, row
from .librosa_feature import NO_AUDIO, magnitudes, timed

SPEECH = {"fmin": 100.0, "fmax": 500.0, "sr": 8000, "frame_length": 512}


def voice(seconds: float = 1.0, sr: int = 8000) -> Any:
    """Two voices that glide, one of them with pauses, and a little noise."""
    rng, t = np.random.default_rng(96), np.arange(int(seconds * sr)) / sr
    pitch = np.stack([140 + 30 * np.sin(3 * t), 250 * 2 ** (t / seconds)])
    phase = 2 * np.pi * np.cumsum(pitch, axis=-1) / sr
    tones = np.sum([np.sin(k * phase) / k for k in range(1, 6)], axis=0)
    tones[1] *= np.sin(20 * t) > 0
    return (tones + 0.01 * rng.standard_normal(tones.shape)).astype(np.float32)


def pyin_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), SPEECH), ACCEPTED)
    x = voice()
    for o in pairwise(
        fmin=(100, 125.5),
        fmax=(500.0, 900),
        frame_length=(512, 601),
        hop_length=(None, 100),
        n_thresholds=(100, 7),
        beta_parameters=((2, 18), [2.5, 10]),
        boltzmann_parameter=(2, 0.5),
        resolution=(0.1, 0.34, 1.0),
        max_transition_rate=(35.92, 10.0, 0),
        switch_prob=(0.01, 0, 0.5),
        no_trough_prob=(0.01, 0.5),
        fill_na=(np.nan, None, -1),
        center=(True, False),
        pad_mode=("constant", "reflect"),
        double=(False, True),
        rows=(slice(None), 0, 1),
    ):
        rows = o.pop("rows")
        signal = x[rows].astype(np.float64 if o.pop("double") else np.float32)
        yield Sample(f"{o} {signal.shape}", (signal,), {"sr": 8000, **o}, batched=rows == slice(None))
    low = {**SPEECH, "fmin": 20.0}
    yield Sample("two periods do not fit into a frame", (x[0],), low, "fmin is one of which librosa warns")
    yield Sample("a pad mode of NumPy's", (x[0],), {**SPEECH, "pad_mode": "wrap"}, "pad_mode is not one that is served")


def yin_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), SPEECH), ACCEPTED)
    x = voice()
    for o in pairwise(
        fmin=(100, 125.5),
        fmax=(500.0, 900, 4000.0),
        frame_length=(512, 601),
        hop_length=(None, 100),
        trough_threshold=(0.1, 0, 0.5, np.float64(1)),
        center=(True, False),
        pad_mode=("constant", "reflect", "edge"),
        double=(False, True),
        rows=(slice(None), 0, 1),
    ):
        rows = o.pop("rows")
        signal = x[rows].astype(np.float64 if o.pop("double") else np.float32)
        yield Sample(f"{o} {signal.shape}", (signal,), {"sr": 8000, **o}, batched=rows == slice(None))
    yield Sample("fmin is low", (x[0],), {**SPEECH, "fmin": 20.0}, "fmin is one of which librosa warns")


def tuning_samples() -> Iterator[Sample]:
    rng = np.random.default_rng(99)
    for o in pairwise(
        resolution=(0.01, 0.1, 0.3),
        bins_per_octave=(12, 24),
        size=(1, 20, 3000),
        zeros=(False, True),
        double=(False, True),
    ):
        notes = rng.integers(-30, 30, o.pop("size")) + 0.1 * rng.standard_normal()
        hz = 440 * 2 ** (notes / 12) * (1 if not o.pop("zeros") else np.arange(notes.size) % 3 != 1)
        hz = hz.astype(np.float64 if o.pop("double") else np.float32)
        yield Sample(f"{o} {hz.shape} {hz.dtype}", (hz,), o)
    yield Sample("a list", ([440.0, 450.0],), {}, "frequencies are no array")
    yield Sample("none above 0", (np.zeros(3),), {}, "librosa warns of them")


PYIN_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), SPEECH, "ParameterError"),
    Reject("no range", (white_noise(),), {"fmin": None, "fmax": None}, "ParameterError"),
    Reject("fmin above fmax", (white_noise(),), {**SPEECH, "fmin": 600.0}, "ParameterError"),
    Reject("fmin too low", (white_noise(),), {**SPEECH, "fmin": 10.0}, "ParameterError"),
    Reject("fmax too high", (white_noise(),), {**SPEECH, "fmax": 5000.0}, "ParameterError"),
    Reject("too short", (white_noise()[:100],), {**SPEECH, "center": False}, "ParameterError"),
    Reject("switch_prob above 1", (white_noise(),), {**SPEECH, "switch_prob": 1.5}, "ParameterError"),
)


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.resize(voice(10.0, 16000), (batch, length))
    options = {"fmin": 65.0, "fmax": 1000.0, "sr": 16000, "frame_length": max(n_fft, 512), "hop_length": hop}
    return Sample("", (x[0] if batch == 1 else x,), options)


PEAKY = ("chirp", "white_noise", "stereo_batch", "odd_length", "speech", "music", "dc", "silence")
SEARCHED = {"fmin": (150.0, 0), "fmax": (4000.0, 900.5, 1e6), "threshold": (0.1, 0, 0.5), "ref": (None, np.max)}


def searched(**options: Any) -> Callable[[], Iterator[Sample]]:
    """Peaks of audio, and of magnitudes given."""

    def make() -> Iterator[Sample]:
        yield from each_signal(lambda x: Sample("", (), {"y": x, "n_fft": 512, "hop_length": 128}), PEAKY)
        x = np.random.default_rng(97).standard_normal((2, 6001)).astype(np.float32)
        for o in pairwise(
            sr=(22050, 16000),
            n_fft=(512, 600),
            hop_length=(None, 100),
            center=(True, False),
            rows=(slice(None), 0),
            double=(False, True),
            **SEARCHED,
            **options,
        ):
            signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
            yield Sample(f"{o} {signal.shape}", (), {"y": signal, **o})
        for o in pairwise(order=("C", "F"), rows=(slice(None), 0), double=(False, True), **SEARCHED, **options):
            s = magnitudes(o.pop("double"), o.pop("order"))[o.pop("rows")]
            yield Sample(f"S {s.dtype} {s.strides} {o}", (), {"S": s, **o})
        yield Sample("a reference", (), {"S": s, "ref": 1.0}, "ref is given")
        yield Sample("complex", (), {"S": s.astype(complex)}, "S is no real spectrogram")
        odd = {"y": x, "n_fft": 513, "fmax": 1e6}
        yield Sample("the last bin of an odd transform", (), odd, "n_fft is odd, and fmax includes the last bin")

    return make


ROWS = [
    row(
        "piptrack",
        searched(),
        "positions and heights of parabolas through values that are rounded",
        rejects=(NO_AUDIO,),
        timing=timed(),
    ),
    row(
        "estimate_tuning",
        searched(resolution=(0.01, 0.1), bins_per_octave=(12, 24)),
        "the fullest bin of a histogram, of positions that are rounded",
        rejects=(NO_AUDIO,),
        judged=Decision(),
        timing=timed(),
    ),
    row(
        "pitch_tuning",
        tuning_samples,
        "none: deviations are calculated as librosa's are",
        judged=Decision(),
    ),
    row(
        "yin",
        yin_samples,
        "none: differences are the same to the bit",
        rejects=PYIN_REJECTS[:-1],
        timing=Timing(_time),
    ),
    row(
        "pyin",
        pyin_samples,
        "none: probabilities and the path are the same to the bit",
        rejects=PYIN_REJECTS,
        timing=Timing(_time),
    ),
]
