"""librosa's spectral features and onset strength."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..case import Decision, HeavyTail, Reject, Row, Sample, Timing, each_signal, pairwise
from ..signals import white_noise
from .librosa_core import ACCEPTED, ROUNDING, crossed, row

Samples = Callable[[], Iterator[Sample]]
# nothing can be said of the shape of a spectrum that is not a normal number
NORMAL = tuple(name for name in ACCEPTED if name != "decay_into_denormals")
# and where there is no energy but rounding's, a running sum crosses its threshold anywhere
SPREAD = tuple(name for name in NORMAL if name not in ("dc", "impulse"))
RATES = (22050, 16000)


def _short(x: Any, n_fft: int) -> str:
    return "the signal is shorter than a frame" if n_fft > x.shape[-1] else ""


def of_audio(signals: Iterable[str] = NORMAL, **options: Iterable[Any]) -> Callable[[], Iterator[Sample]]:
    """``y=`` of each signal, and options crossed with those of the STFT."""

    def make() -> Iterator[Sample]:
        small = {"n_fft": 512, "hop_length": 128}
        yield from each_signal(lambda x: Sample("", (), {"y": x, **small}, _short(x, 512)), signals)
        x = np.random.default_rng(71).standard_normal((2, 5001)).astype(np.float32)
        for o in crossed(
            pad_mode=("constant", "reflect", "edge"), rows=(slice(None), 0), double=(False, True), **options
        ):
            rows, double = o.pop("rows"), o.pop("double")
            signal = x[rows].astype(np.float64) if double else x[rows]
            twice = o["center"] and o["pad_mode"] == "reflect" and o["hop_length"] == 700
            o["hop_length"] = o["hop_length"] or 128
            yield Sample(
                f"{o}",
                (),
                {"y": signal, **o},
                "the signal is so short that it is mirrored more than once" if twice else "",
            )

    return make


def magnitudes(double: bool = False, order: str = "F") -> Any:
    """A magnitude spectrogram ``[2, 257, 40]`` as an STFT leaves it, or in another memory order."""
    parts = np.random.default_rng(72).standard_normal((2, 2, 257, 40))
    return np.array(np.hypot(*parts), np.float64 if double else np.float32, order=order)  # type: ignore[call-overload]


def given(squared: bool = False, **options: Any) -> Iterator[Sample]:
    """``S=`` in either precision and memory order, of one signal and of two."""
    for o in pairwise(double=(False, True), order=("C", "F"), rows=(slice(None), 0), **options):
        s = magnitudes(o.pop("double"), o.pop("order"))[o.pop("rows")]
        yield Sample(f"S {s.dtype} {s.strides} {o}", (), {"S": s**2 if squared else s, **o})


def both(audio: Samples, spectra: Samples) -> Samples:
    """Samples of both forms."""

    def make() -> Iterator[Sample]:
        yield from audio()
        yield from spectra()

    return make


def timed(**parameters: Any) -> Timing:
    """A batch of noise and the parameters of a call."""

    def make(batch: int, length: int, n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
        return Sample("", (), {"y": x[0] if batch == 1 else x, "n_fft": n_fft, "hop_length": hop, **parameters})

    return Timing(make)


def timed_frames(by_position: bool = False) -> Timing:
    """A batch of noise, for what has frames and no transform."""

    def make(batch: int, length: int, n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
        x = x[0] if batch == 1 else x
        options = {"frame_length": n_fft, "hop_length": hop}
        return Sample("", (x,), options) if by_position else Sample("", (), {"y": x, **options})

    return Timing(make)


def rms_samples() -> Iterator[Sample]:
    # in double precision, so that the truth is one
    double = {"dtype": np.float64}
    small = {"frame_length": 512, "hop_length": 128}
    yield from each_signal(lambda x: Sample("", (), {"y": x, **small, **double}, _short(x, 512)), ACCEPTED)
    yield from each_signal(lambda x: Sample("float32", (), {"y": x, **small}), ("white_noise", "stereo_batch"))
    x = np.random.default_rng(73).standard_normal((2, 5001)).astype(np.float32)
    for o in pairwise(
        frame_length=(2048, 601),
        hop_length=(512, 100),
        center=(True, False),
        pad_mode=("constant", "reflect", "edge"),
        rows=(slice(None), 0),
    ):
        yield Sample(f"{o}", (), {"y": x[o.pop("rows")], **o, **double})
    yield from given(frame_length=(512, 513), dtype=(np.float64,))


def crossings_samples() -> Iterator[Sample]:
    small = {"frame_length": 512, "hop_length": 128}
    yield from each_signal(lambda x: Sample("", (x,), small, _short(x, 512)), NORMAL)
    x = np.random.default_rng(74).standard_normal((2, 5001)).astype(np.float32)
    for o in pairwise(
        frame_length=(2048, 601),
        hop_length=(512, 100),
        center=(True, False),
        rows=(slice(None), 0),
        threshold=(1e-10, 0.5),
    ):
        rows = o.pop("rows")
        yield Sample(f"{o}", (x[rows],), o, batched=rows == slice(None))
    yield Sample("zero_pos", (x,), {"zero_pos": False}, "options other than a threshold")


def onset_samples(multi: bool) -> Callable[[], Iterator[Sample]]:
    def make() -> Iterator[Sample]:
        small = {"n_fft": 512, "hop_length": 128, "n_mels": 40}
        loud = ("white_noise", "odd_length", "stereo_batch", "chirp", "speech", "music")
        yield from each_signal(lambda x: Sample("", (), {"y": x, "sr": 16000, **small}), loud)
        x = np.random.default_rng(75).standard_normal((2, 8001)).astype(np.float32)
        channels = {"channels": (None, [0, 10, 40], [slice(0, 9), slice(5, 40)])} if multi else {}
        for o in pairwise(
            n_fft=(512, 1024),
            lag=(1, 2),
            max_size=(1, 3),
            detrend=(False, True),
            center=(True, False),
            aggregate=(None, np.median),
            rows=(slice(None), 0),
            double=(False, True),
            **channels,
        ):
            signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
            yield Sample(f"{o}", (), {"y": signal, "sr": 16000, "n_mels": 40, **o})
        yield Sample("a feature", (), {"y": x, "feature": _flat_feature}, "feature is given")
        yield Sample("S", (), {"S": magnitudes()}, "S is given")

    return make


def contrast_given() -> Iterator[Sample]:
    yield from given(n_bands=(4, 3))
    s = np.abs(np.random.default_rng(76).standard_normal((1025, 20))).astype(np.float32)
    yield Sample(
        "half of the bins", (), {"S": s, "quantile": 0.5}, "quantile asks for more values than kernels keep in order"
    )


def fitted_given() -> Iterator[Sample]:
    for sample in given(freq=(None, np.linspace(8000.0, 0.0, 257))):
        for order in (1, 3):
            yield replace(sample, label=f"{sample.label} of order {order}", kwargs={**sample.kwargs, "order": order})


def chromas(double: bool = False, order: str = "C", classes: int = 12) -> Any:
    """A chromagram ``[2, classes, 300]``, one of its frames silent and one faint."""
    chroma = np.random.default_rng(77).random((2, classes, 300))
    chroma[:, :, 7] = 0
    chroma[:, :, 8] *= 1e-30
    return np.array(chroma, np.float64 if double else np.float32, order=order)  # type: ignore[call-overload]


def tonnetz_samples() -> Iterator[Sample]:
    for o in pairwise(
        double=(False, True), order=("C", "F"), classes=(12, 24, 7), rows=(slice(None), 0), frames=(300, 1)
    ):
        rows, frames = o.pop("rows"), o.pop("frames")
        chroma = chromas(**o)[rows][..., :frames]
        yield Sample(f"{o} {chroma.shape} {chroma.strides}", (), {"chroma": chroma})
    yield Sample("a row of every third frame", (), {"chroma": chromas()[0, :, ::3]})
    yield Sample("negative", (), {"chroma": chromas()[0] - np.float32(0.5)}, "chroma holds negative values")
    for o in pairwise(tuning=(0.0, None), cqt_mode=("full", "hybrid"), n_octaves=(2, 1), rows=(slice(None), 0)):
        y = 0.3 * np.random.default_rng(107).standard_normal((2, 6001)).astype(np.float32)[o.pop("rows")]
        yield Sample(f"audio {o} {y.shape}", (), {"y": y, "sr": 8000, "fmin": 200.0, "hop_length": 64, **o})
    yield Sample("a norm of another kind", (), {"y": white_noise(), "norm": 1}, "norm is given")


def _time_tonnetz(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    chroma = np.random.default_rng(0).random((batch, 12, 1 + length // hop), np.float32)
    return Sample("", (), {"chroma": chroma[0] if batch == 1 else chroma})


def _flat_feature(y: Any, **_: Any) -> Any:
    """A feature as a program may hand it over."""
    return np.abs(y[..., None, ::512])


NO_AUDIO = Reject("neither y nor S", (), {}, "ParameterError")
REJECTS = (
    NO_AUDIO,
    Reject("integers", (), {"y": np.arange(5000)}, "ParameterError"),
    Reject("hop_length 0", (), {"y": white_noise(), "hop_length": 0}, "ParameterError"),
)
DESCRIBED = (*REJECTS, Reject("negative magnitudes", (), {"S": -magnitudes()}, "ParameterError"))
CROSSES = "a running sum of float32 crosses its threshold"


def feature(name: str, samples: Callable[[], Iterator[Sample]], why: str = ROUNDING, **options: Any) -> Row:
    """A function of librosa.feature."""
    return row(f"feature.{name}", samples, why, **{"timing": timed(), "rejects": REJECTS, **options})


ROWS = [
    feature(
        "melspectrogram",
        both(
            of_audio(
                ACCEPTED, n_mels=(40, 20), power=(2.0, 1.0, 1.5), htk=(False, True), fmax=(None, 7000.0), sr=RATES
            ),
            lambda: given(True, n_mels=(40, 20)),
        ),
    ),
    feature(
        "mfcc",
        both(
            of_audio(
                ("white_noise", "odd_length", "stereo_batch", "chirp", "speech", "music"),
                n_mfcc=(20, 13),
                norm=("ortho", None),
                lifter=(0, 22),
                n_mels=(40, 64),
            ),
            lambda: given(n_mfcc=(20, 13)),
        ),
    ),
    feature(
        "chroma_stft",
        both(
            of_audio(SPREAD, tuning=(0.0, 0.3), n_chroma=(12, 24), norm=(np.inf, 2, None), sr=RATES),
            lambda: given(True, tuning=(0.0, -0.2)),
        ),
        timing=None,
    ),
    Row(
        "librosa.feature.chroma_stft with its own tuning",
        "librosa.feature.chroma_stft",
        both(of_audio(("chirp", "speech", "music")), lambda: given(True)),
        "the tuning is a decision, of a hundredth of a class",
        against="librosa",
        timing=timed(),
    ),
    feature(
        "spectral_centroid",
        both(of_audio(sr=RATES), lambda: given(freq=(None, np.linspace(0.0, 8000.0, 257)))),
        rejects=DESCRIBED,
    ),
    feature(
        "spectral_bandwidth",
        both(of_audio(sr=RATES, p=(2, 1)), lambda: given(p=(2, 1))),
        rejects=DESCRIBED,
    ),
    feature(
        "spectral_rolloff",
        both(of_audio(SPREAD, sr=RATES, roll_percent=(0.85, 0.1, 0.99)), lambda: given(roll_percent=(0.85, 0.5))),
        CROSSES,
        judged=Decision("roll_percent", 0.85),
        rejects=DESCRIBED,
    ),
    feature(
        "spectral_contrast",
        both(
            of_audio(SPREAD, sr=(22050,), n_bands=(4, 3), quantile=(0.02, 0.1), linear=(False, True)),
            contrast_given,
        ),
        judged=HeavyTail(),
    ),
    feature(
        "spectral_flatness",
        both(of_audio(amin=(1e-10, 1e-3), power=(2.0, 1.0)), lambda: given(amin=(1e-10, 1e-3), power=(2.0, 1.0))),
        rejects=DESCRIBED,
    ),
    feature(
        "poly_features",
        both(of_audio(sr=RATES, order=(1, 0, 2)), fitted_given),
        "one matrix for all frames, where librosa solves for each",
        rejects=(NO_AUDIO, Reject("an order below 0", (), {"S": magnitudes()[0], "order": -1}, "ValueError")),
        timing=timed(),
    ),
    feature(
        "tonnetz",
        tonnetz_samples,
        "librosa rounds the share of each class to float32, and sums in float64",
        rejects=(
            Reject("neither y nor chroma", (), {}, "ParameterError"),
            Reject("a NaN", (), {"chroma": np.full((12, 3), np.nan, np.float32)}, "ParameterError"),
        ),
        timing=Timing(_time_tonnetz),
    ),
    feature("rms", rms_samples, rejects=(NO_AUDIO,), timing=timed_frames()),
    feature(
        "zero_crossing_rate",
        crossings_samples,
        "counts",
        judged=Decision(),
        rejects=(Reject("integers", (np.arange(5000),), {}, "ParameterError"),),
        timing=timed_frames(by_position=True),
    ),
    row("onset.onset_strength", onset_samples(False), ROUNDING, timing=timed(sr=22050)),
    row("onset.onset_strength_multi", onset_samples(True), ROUNDING, timing=timed(sr=22050)),
]
