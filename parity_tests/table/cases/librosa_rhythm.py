"""librosa's tempi, beats and onsets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import Decision, Reject, Row, Sample, Timing, each_signal, is_librosa_1, pairwise
from .librosa_core import ACCEPTED, ROUNDING, row

NAN = np.array([1.0, np.nan, 0.5])
NOTHING = Reject("neither y nor an envelope", (), {}, "ParameterError")
SAME = "none: librosa chooses, of values that are apart by more than a rounding"
HEARD = ("white_noise", "stereo_batch", "speech", "music")


def envelope(frames: int = 700, double: bool = False, beat: float = 31.0, rows: Any = 0) -> Any:
    """Onset strengths ``[N]`` or ``[2, N]`` of steady beats and of some between, on a floor of noise."""
    rng = np.random.default_rng(110)
    strength = 0.1 * rng.random((2, frames))
    for channel, period in zip(strength, (beat, 0.8 * beat), strict=True):
        places = np.arange(rng.integers(5, 20), frames, period).astype(int)
        channel[places] += 2 + rng.random(places.size)
        channel[rng.integers(0, frames, 9)] += 0.7
    return strength[rows].astype(np.float64 if double else np.float32)


def beats(seconds: float = 6.0, sr: int = 8000) -> Any:
    """Two channels of audio: struck tones at two steady tempi, and a little noise."""
    rng, samples = np.random.default_rng(111), int(seconds * sr)
    y = 0.003 * rng.standard_normal((2, samples))
    tone = np.exp(-np.arange(sr // 4) / (0.03 * sr)) * np.sin(2 * np.pi * 300 * np.arange(sr // 4) / sr)
    for channel, bpm in zip(y, (122.0, 97.0), strict=True):
        for start in np.arange(0.1, seconds - 0.3, 60 / bpm):
            channel[int(start * sr) :][: tone.size] += tone * (0.7 + 0.3 * rng.random())
    return y.astype(np.float32)


def windowed(**options: Any) -> Iterator[dict[str, Any]]:
    """Options of local transforms of an envelope, crossed pairwise; a window given has its own length."""
    for o in pairwise(
        win_length=(384, 100, 75), center=(True, False), window=("hann", ("kaiser", 4.0), np.hamming(100)), **options
    ):
        if isinstance(o["window"], np.ndarray):
            o["win_length"] = 100
        yield o


OF_ENVELOPE = {"rows": (slice(None), 0), "double": (False, True)}


def given(o: dict[str, Any], **options: Any) -> Any:
    return envelope(double=o.pop("double"), rows=o.pop("rows"), **options)


def tempogram_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (), {"y": x, "hop_length": 128, "win_length": 48}), HEARD)
    for o in windowed(norm=(np.inf, None, 2, 1.5), **OF_ENVELOPE):
        strength = given(o)
        yield Sample(f"{o} {strength.dtype} {strength.shape}", (), {"onset_envelope": strength, **o})
    for win_length in (1, 2, 5):
        yield Sample(f"{win_length} frames", (), {"onset_envelope": envelope(30), "win_length": win_length})
    pauses = envelope() * (np.arange(700) % 500 < 60).astype(np.float32)
    yield Sample("pauses", (), {"onset_envelope": pauses, "win_length": 100})
    yield Sample("backwards", (), {"onset_envelope": envelope(rows=slice(None))[..., ::-3], "win_length": 64})
    narrow = {"onset_envelope": envelope(), "win_length": 100, "window": np.hamming(100).astype(np.float32)}
    yield Sample("a float32 window", (), narrow, "the window is a float32 array")
    yield Sample("integers", (), {"onset_envelope": np.arange(500)}, "the envelope is int64")


TEMPOGRAM_REJECTS = (
    NOTHING,
    Reject("a NaN", (), {"onset_envelope": NAN}, "ParameterError"),
    Reject("no window", (), {"onset_envelope": envelope(), "win_length": 0}, "ParameterError"),
    Reject("too short", (), {"onset_envelope": envelope(50), "center": False}, "ParameterError"),
    Reject("no such window", (), {"onset_envelope": envelope(), "window": "no such"}, "ValueError"),
    Reject("no such norm", (), {"onset_envelope": envelope(), "norm": -1}, "ParameterError"),
)


def fourier_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (), {"y": x, "hop_length": 64, "win_length": 48}), HEARD)
    for o in windowed(**OF_ENVELOPE):
        strength = given(o)
        yield Sample(f"{o} {strength.dtype} {strength.shape}", (), {"onset_envelope": strength, **o})
    yield Sample("audio of few frames", (), {"y": beats()[0], "sr": 8000})
    yield Sample("few frames", (), {"onset_envelope": envelope(100)}, "the envelope is shorter than a window")


AGGREGATES = (np.mean, np.median, None)


def prior(name: str | None) -> Any:
    """A distribution of tempi."""
    if name is None:
        return None
    import scipy.stats

    return scipy.stats.uniform(30, 300) if name == "uniform" else scipy.stats.lognorm(loc=np.log(120), scale=120, s=1)


PRIORS = (None, "uniform", "lognorm")


def undecided(options: dict[str, Any]) -> str:
    """Why librosa serves a call with such a prior."""
    return "the prior is flat somewhere" if options["prior"] == "uniform" else ""


def tempo_samples() -> Iterator[Sample]:
    for o in pairwise(
        start_bpm=(120, 90.5), std_bpm=(1.0, 0.5), ac_size=(8.0, 4), max_tempo=(320.0, None, 150), aggregate=AGGREGATES,
        prior=PRIORS, hop_length=(512, 400), sr=(22050, 16000), **OF_ENVELOPE,
    ):  # fmt: skip
        options = {**o, "prior": prior(o["prior"])}
        strength = given(options)
        yield Sample(f"{o} {strength.shape}", (), {"onset_envelope": strength, **options}, undecided(o))
    for o in pairwise(aggregate=AGGREGATES, hop_length=(512, 256), rows=(slice(None), 0)):
        yield Sample(f"audio {o}", (), {"y": beats()[o.pop("rows")], "sr": 8000, **o})
    yield Sample("a tempogram", (), {"tg": np.ones((384, 5))}, "tg is given")


def ratio_samples() -> Iterator[Sample]:
    lags = np.array([np.inf, *(60 * 22050 / (512 * np.arange(1.0, 384)))])
    for o in pairwise(
        start_bpm=(120, 90.5), max_tempo=(320.0, 150), factors=(None, np.array([2.0, 1, 0.5]), [1, 3]),
        aggregate=(None, np.median), prior=PRIORS, center=(True, False), fill_value=(0, -1.5), norm=(np.inf, None),
        double=(False, True), bpm=("theirs", "given"),
    ):  # fmt: skip
        options = {**o, "prior": prior(o["prior"])}
        strength = envelope(double=options.pop("double"))
        frames = strength.size if o["center"] else strength.size - 383
        bpm = None if options.pop("bpm") == "theirs" else np.linspace(60, 200, frames)
        given_up = undecided(o) if bpm is None else ""
        yield Sample(f"{o}", (), {"onset_envelope": strength, "bpm": bpm, **options}, given_up)
    both = {"onset_envelope": envelope(rows=slice(None)), "freqs": lags}
    yield Sample("two channels", (), both)
    yield Sample("audio", (), {"y": beats()[0], "sr": 8000, "win_length": 100})
    yield Sample("a tempogram", (), {"tg": np.random.default_rng(2).random((384, 40))})


def correlated() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"max_size": 300}), ACCEPTED)
    x = np.random.default_rng(114).standard_normal((2, 3, 30_000)).astype(np.float32)
    for o in pairwise(
        max_size=(None, 1, 60, 2000.5, 4096, 20_000), axis=(-1, 0), rows=(slice(None), (0, 0)), double=(False, True)
    ):
        signal = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        signal = np.moveaxis(signal, -1, o["axis"])
        yield Sample(f"{o} {signal.dtype} {signal.shape}", (signal,), o)
    yield Sample("more lags than samples", (x[0, 0, :1000],), {"max_size": 2000})
    for samples in (1, 2, 7, 1009, 4500):
        yield Sample(f"all lags of {samples}", (x[0, 0, :samples],))
    yield Sample("complex", (x[0] + 1j,), {"max_size": 50}, "the audio is complex")


def beat_samples() -> Iterator[Sample]:
    for o in pairwise(
        start_bpm=(120.0, 90), tightness=(100, 400.5), trim=(True, False), units=("frames", "samples", "time"),
        prior=PRIORS, hop_length=(512, 400), double=(False, True), audio=(False, True),
    ):  # fmt: skip
        options = {**o, "prior": prior(o["prior"])}
        double, audio = options.pop("double"), options.pop("audio")
        options |= {"y": beats()[0], "sr": 8000} if audio else {"onset_envelope": envelope(double=double)}
        yield Sample(f"{o}", (), options, undecided(o))
    for o in pairwise(bpm=(None, 100, np.array([[90.0], [120.0]])), trim=(True, False)):
        yield Sample(f"two channels {o}", (), {"y": beats(), "sr": 8000, "sparse": False, **o})
    yield Sample("two envelopes", (), {"onset_envelope": envelope(rows=slice(None)), "sparse": False})
    yield Sample("silence", (), {"onset_envelope": np.zeros(100)})
    yield Sample("silent audio", (), {"y": np.zeros(9000, np.float32)})
    yield Sample("a tempo", (), {"onset_envelope": envelope(), "bpm": 100}, "onset_envelope and bpm are given")


BEAT_REJECTS = (
    NOTHING,
    Reject("two channels", (), {"onset_envelope": envelope(rows=slice(None))}, "ParameterError"),
    Reject("no tempo", (), {"y": beats()[0], "start_bpm": 0}, "ParameterError"),
    Reject("no tightness", (), {"y": beats()[0], "tightness": 0}, "ParameterError"),
    Reject("no such unit", (), {"onset_envelope": envelope(), "units": "bars"}, "ParameterError"),
    Reject("a NaN", (), {"onset_envelope": np.full(500, np.nan)}, "ParameterError"),
)


def pulse_samples() -> Iterator[Sample]:
    for o in pairwise(
        win_length=(384, 301), tempo_min=(30, None, 60.5), tempo_max=(300, None, 170), hop_length=(512, 400),
        beat=(31.0, 24.0), **OF_ENVELOPE,
    ):  # fmt: skip
        label = f"{o}"
        strength = given(o, beat=o.pop("beat"))
        yield Sample(label, (), {"onset_envelope": strength, **o})
    for win_length in (100, 384):
        yield Sample(f"audio {win_length}", (), {"y": beats()[0], "sr": 8000, "win_length": win_length})
    yield Sample("audio and a prior", (), {"y": beats()[0], "sr": 8000, "prior": prior("lognorm")})
    even = {"onset_envelope": np.ones(500), "win_length": 100}
    yield Sample("of next to nothing", (), even, "of many frames, rounding decides which frequency is the strongest")
    yield Sample("few frames", (), {"onset_envelope": envelope(100)}, "win_length is more than the envelope's")


PULSE_REJECTS = (
    Reject("a NaN", (), {"onset_envelope": np.full(500, np.nan)}, "ParameterError"),
    Reject("no range", (), {"onset_envelope": envelope(), "tempo_min": 60, "tempo_max": 60}, "ParameterError"),
)


def onset_samples() -> Iterator[Sample]:
    for o in pairwise(
        backtrack=(False, True), units=("frames", "samples", "time"), normalize=(True, False), hop_length=(512, 256),
        delta=(0.07, 0.3), wait=(0, 9), channel=(0, 1),
    ):  # fmt: skip
        yield Sample(f"{o}", (), {"y": beats()[o.pop("channel")], "sr": 8000, **o})
    yield Sample("two channels", (), {"y": beats(), "sr": 8000, "sparse": False})
    yield Sample("silence", (), {"y": np.zeros(9000, np.float32)})
    yield Sample("an envelope", (), {"onset_envelope": envelope()}, "the envelope is given")


ONSET_REJECTS = (
    NOTHING,
    Reject("two channels", (), {"y": beats()}, "ParameterError"),
    Reject("no such unit", (), {"y": beats()[0], "units": "bars"}, "ParameterError"),
    Reject("backtracking of flags", (), {"y": beats()[0], "backtrack": True, "sparse": False}, "ParameterError"),
    Reject("an unknown argument", (), {"y": beats()[0], "thresh": 1}, "TypeError"),
)


def of_envelope(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    return Sample("", (), {"onset_envelope": np.resize(envelope(5000), batch * (1 + length // hop))})


def of_windows(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    # of no fewer frames than a window has
    return Sample("", (), {"onset_envelope": np.resize(envelope(5000), max(384, batch * (1 + length // hop)))})


def of_audio(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (), {"y": np.resize(beats(10.0, 22050)[0], batch * length)})


def all_lags(batch: int, length: int, _n_fft: int, _hop: int) -> Sample:
    return Sample("", (np.resize(beats(10.0, 22050)[0], batch * length),))


def rhythm(name: str, samples: Callable[[], Iterator[Sample]], why: str, **options: Any) -> Row:
    return row(name, samples, why, **{"timing": Timing(of_audio), "rejects": (NOTHING,), **options})


ROWS = [
    rhythm("feature.tempogram", tempogram_samples, ROUNDING, rejects=TEMPOGRAM_REJECTS, timing=Timing(of_envelope)),
    rhythm("feature.fourier_tempogram", fourier_samples, ROUNDING, timing=Timing(of_windows)),
    rhythm("feature.tempo", tempo_samples, SAME, judged=Decision(), timing=Timing(of_envelope)),
    rhythm("feature.tempogram_ratio", ratio_samples, ROUNDING, timing=Timing(of_envelope)),
    rhythm("autocorrelate", correlated, "librosa computes in float32", rejects=(), timing=Timing(all_lags)),
    rhythm("beat.beat_track", beat_samples, SAME, judged=Decision(), rejects=BEAT_REJECTS),
    rhythm("beat.plp", pulse_samples, ROUNDING, rejects=PULSE_REJECTS),
    rhythm("onset.onset_detect", onset_samples, SAME, judged=Decision(), rejects=ONSET_REJECTS),
]


def hybrid_samples() -> Iterator[Sample]:
    for o in windowed(**OF_ENVELOPE):
        strength = given(o)
        yield Sample(f"{o} {strength.dtype} {strength.shape}", (), {"onset_envelope": strength, **o})
    yield Sample("audio", (), {"y": beats()[0], "sr": 8000, "win_length": 60})
    yield Sample("of another kind", (), {"onset_envelope": envelope(), "kind": "cubic"}, "options of SciPy's")


def metrogram_samples() -> Iterator[Sample]:
    tempogram = np.random.default_rng(115).random((2, 90, 40))
    for o in pairwise(
        freqs=(np.linspace(10, 400, 90), 400 / np.arange(1.0, 91)),
        factors=(None, np.array([0.5, 1 / 3])),
        aggregate=(np.sum, np.mean, None),
        fill_value=(0, 0.5),
        rows=(slice(None), 0),
    ):
        values, label = tempogram[o.pop("rows")], {**o, "freqs": o["freqs"][0]}
        yield Sample(f"{label} {values.shape}", (), {"tg": values, **o})
    single = {"tg": tempogram[0].astype(np.float32), "freqs": np.linspace(10, 400, 90)}
    yield Sample("float32", (), single, "the values are not float64")


def _time_metrogram(batch: int, length: int, _n_fft: int, hop: int) -> Sample:
    tempogram = np.random.default_rng(0).random((383, min(20_000, batch * (1 + length // hop))))
    return Sample("", (), {"tg": tempogram, "freqs": 2584 / np.arange(1.0, 384)})


if is_librosa_1():
    ROWS += [
        rhythm("feature.hybrid_tempogram", hybrid_samples, ROUNDING, timing=Timing(of_envelope)),
        rhythm("feature.metrogram", metrogram_samples, ROUNDING, rejects=(), timing=Timing(_time_metrogram)),
    ]
