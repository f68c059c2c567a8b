"""librosa's STFT and its inverse, decibels, and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from ..case import HeavyTail, Reject, Row, Sample, Timing, each_signal, pairwise
from ..signals import SIGNALS, nan_in_the_middle, white_noise
from .stft import spectrum, window

ROUNDING = "librosa computes in float64 too, and rounds once"
SINGLE = "librosa computes in float32"
# librosa rejects NaN
ACCEPTED = tuple(name for name in SIGNALS if name != "nan_in_the_middle")


def flattop(length: int) -> Any:
    """A window as a program may hand it over: a function of its length."""
    import scipy.signal

    return scipy.signal.get_window("flattop", length)


def _audio(x: Any, label: str = "", **options: Any) -> Sample:
    short = options["n_fft"] > x.shape[-1]
    return Sample(label, (x,), options, "the signal is shorter than a frame" if short else "")


WINDOWS = {
    "n_fft": (512, 600, 513),
    "hop_length": (None, 100, 700),
    "win_length": (None, 400),
    "window": ("hann", ("kaiser", 4.0), 8.6, flattop, np.hamming(400)),
    "center": (True, False),
}


def crossed(**options: Any) -> Iterator[dict[str, Any]]:
    """The options of librosa's STFT and others, crossed pairwise; a window given has its own length."""
    for o in pairwise(**WINDOWS, **options):
        if isinstance(o["window"], np.ndarray):
            o["win_length"] = 400
        if o["win_length"]:
            o["hop_length"] = min(o["hop_length"] or 100, 400)
        if o.get("pad_mode") == "reflect" and o["hop_length"] == 700:
            o["hop_length"] = 256  # of mirrored samples, librosa makes other frames where few lie in the last one
        yield o


def stft_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: _audio(x, n_fft=512), ACCEPTED)
    x = np.random.default_rng(61).standard_normal((2, 3, 5001)).astype(np.float32)
    for o in crossed(
        pad_mode=("constant", "reflect", "edge"),
        rows=(slice(None), 0, (0, 0)),
        double=(False, True),
    ):
        rows, double = o.pop("rows"), o.pop("double")
        signal = x[rows].astype(np.float64) if double else x[rows]
        yield Sample(f"{o}", (signal,), o, batched=rows != (0, 0))
    long_hop = {"n_fft": 512, "hop_length": 700, "pad_mode": "reflect"}
    yield Sample(
        "mirrored, a long hop", (x[..., :4861],), long_hop, "the signal is so short that it is mirrored more than once"
    )
    yield Sample("a pad mode of NumPy's", (x,), {"pad_mode": "symmetric"}, "pad_mode is not one that is served")
    yield Sample("a result of another dtype", (x,), {"dtype": np.complex128}, "dtype asks for complex128")


STFT_REJECTS = (
    Reject("a NaN", (nan_in_the_middle(),), {}, "ParameterError"),
    Reject("integers", (np.arange(5000),), {}, "ParameterError"),
    Reject("a list", ([0.0] * 5000,), {}, "ParameterError"),
    Reject("hop_length 0", (white_noise(),), {"hop_length": 0}, "ParameterError"),
    Reject("n_fft 0", (white_noise(),), {"n_fft": 0}, "ValueError"),
    Reject("a window too long", (white_noise(),), {"n_fft": 512, "win_length": 600}, "ParameterError"),
    Reject("an unknown window", (white_noise(),), {"window": "no such"}, "ValueError"),
    Reject("wrap padding", (white_noise(),), {"pad_mode": "wrap"}, "ParameterError"),
    Reject("no room", (white_noise(),), {"out": np.zeros((3, 3), np.complex64)}, "ParameterError"),
    Reject("a frame too long", (white_noise()[:100],), {"center": False}, "ParameterError"),
    Reject("an unknown argument", (white_noise(),), {"fft_size": 512}, "TypeError"),
)


def istft_samples() -> Iterator[Sample]:
    def of(x: Any) -> Sample:
        return Sample("", (spectrum(x, 512, 128, window(512), True),), {"length": x.shape[-1]})

    names = ("silence", "impulse", "dc", "chirp", "white_noise", "stereo_batch", "odd_length", "speech", "music")
    yield from each_signal(of, names)
    x = np.random.default_rng(62).standard_normal((2, 4001)).astype(np.float32)
    for o in pairwise(
        n_fft=(512, 600, 513),
        overlap=(0.25, 0.5, 0.3),
        window=("hann", "hamming", flattop),
        center=(True, False),
        length=(None, 3000, 9000),
        rows=(slice(None), 0),
        double=(False, True),
    ):
        n_fft, named = o["n_fft"], o["window"]
        hop = int(n_fft * o["overlap"])
        # an uncentred inverse divides by next to nothing where its window begins at 0
        named = "hamming" if not o["center"] else named
        z = spectrum(x, n_fft, hop, window(n_fft), o["center"])[o["rows"]]
        z = z.astype(np.complex128) if o["double"] else z
        options = {"n_fft": n_fft, "hop_length": hop, "window": named, "center": o["center"], "length": o["length"]}
        yield Sample(f"{options}", (z,), options, batched=o["rows"] == slice(None))


ISTFT_REJECTS = (
    Reject("no room", (np.ones((257, 9), np.complex64),), {"out": np.zeros(3, np.float32)}, "ParameterError"),
    Reject("a window too long", (np.ones((257, 9), np.complex64),), {"win_length": 600}, "ParameterError"),
)


def _complex(rng: Any, *shape: int) -> Any:
    parts = rng.standard_normal((2, *shape)).astype(np.float32)
    return parts[0] + 1j * parts[1]


def magphase_samples() -> Iterator[Sample]:
    rng = np.random.default_rng(63)
    orders: tuple[Literal["C", "F"], ...] = ("C", "F")
    for power in (1, 2, 0.5):
        for order in orders:
            z = np.array(_complex(rng, 3, 257, 41), order=order)
            z[..., 7, 5] = 0
            yield Sample(f"order {order}, power {power}", (z,), {"power": power})
    yield Sample("double", (z.astype(np.complex128),), {}, "D is complex128")


def peak(s: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """A reference for decibels: the largest value."""
    return np.max(s, axis=axis, keepdims=keepdims)


def decibel_samples(squared: bool) -> Callable[[], Iterator[Sample]]:
    def make() -> Iterator[Sample]:
        rng = np.random.default_rng(64)
        x = np.abs(_complex(rng, 2, 3, 129, 41)) * np.exp(4 * rng.standard_normal(41)).astype(np.float32)
        x[0, 0, 5, 3] = 0
        for o in pairwise(
            ref=(1.0, 0.3, peak),
            amin=(1e-10, 1e-3),
            top_db=(80.0, 30.0, None),
            order=("C", "F"),
            double=(False, True),
            rows=((0, 0), (0, 0, 0), slice(None)),
        ):
            values = np.array(x[o.pop("rows")], np.float64 if o.pop("double") else np.float32, order=o.pop("order"))
            yield Sample(f"{o} {values.shape}", (values**2 if squared else values,), o)
        yield Sample("complex", (_complex(rng, 129, 41),), {}, "S is complex")
        yield Sample("a list", ([1.0, 2.0],), {}, "no array")

    return make


DECIBEL_REJECTS = (
    Reject("amin 0", (np.ones((9, 9), np.float32),), {"amin": 0}, "ParameterError"),
    Reject("top_db below 0", (np.ones((9, 9), np.float32),), {"top_db": -1}, "ParameterError"),
)


def inverse_decibel_samples() -> Iterator[Sample]:
    x = np.random.default_rng(65).uniform(-80, 20, (2, 129, 41)).astype(np.float32)
    for o in pairwise(ref=(1.0, 2.5), double=(False, True), rows=(slice(None), 0)):
        values = x[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        yield Sample(f"{o} {values.dtype}", (values,), o)


def mel_samples() -> Iterator[Sample]:
    for o in pairwise(
        sr=(22050, 16000),
        n_fft=(2048, 512, 601),
        n_mels=(40, 20),
        fmin=(0.0, 50.0),
        fmax=(None, 7000.0),
        htk=(False, True),
        norm=("slaney", None),
        dtype=(np.float32, np.float64),
    ):
        yield Sample(f"{o}", (), o)
    yield Sample(
        "empty filters", (), {"sr": 22050, "n_fft": 256}, "some filters hold no frequency, of which librosa warns"
    )
    yield Sample("another norm", (), {"sr": 22050, "n_fft": 2048, "norm": 2.0}, "norm is neither 'slaney' nor None")


def chroma_samples() -> Iterator[Sample]:
    for o in pairwise(
        sr=(22050, 16000),
        n_fft=(2048, 600),
        n_chroma=(12, 24),
        tuning=(0.0, 0.3),
        ctroct=(5.0, 4.5),
        octwidth=(2, None),
        norm=(2, 1, np.inf, None),
        base_c=(True, False),
        dtype=(np.float32, np.float64),
    ):
        yield Sample(f"{o}", (), o)


def time_audio(batch: int, length: int, n_fft: int, hop: int, **options: Any) -> Sample:
    """A call with noise, for a benchmark."""
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x[0] if batch == 1 else x,), {"n_fft": n_fft, "hop_length": hop, **options})


def _time_istft(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    z = _complex(np.random.default_rng(0), batch, n_fft // 2 + 1, 1 + length // hop)
    return Sample("", (np.asfortranarray(z[0] if batch == 1 else z),), {"hop_length": hop, "length": length})


def _time_decibel(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    s = np.random.default_rng(0).random((batch, 1 + length // hop, n_fft // 2 + 1), np.float32)
    return Sample("", (np.swapaxes(s, -1, -2),), {})


def row(name: str, samples: Callable[[], Iterator[Sample]], why: str, **options: Any) -> Row:
    """An adapter against the librosa function in whose place it stands."""
    return Row(f"librosa.{name}", f"librosa.{name}", samples, why, against="librosa", **options)


ROWS = [
    row("stft", stft_samples, ROUNDING, rejects=STFT_REJECTS, timing=Timing(time_audio), transform=True),
    row(
        "istft",
        istft_samples,
        ROUNDING,
        rejects=ISTFT_REJECTS,
        timing=Timing(_time_istft),
        transform=True,
        # of frames that are not centred, the first and last samples are divided by next to nothing
        judged=HeavyTail(),
    ),
    row("magphase", magphase_samples, SINGLE),
    row("power_to_db", decibel_samples(True), SINGLE, rejects=DECIBEL_REJECTS, timing=Timing(_time_decibel)),
    row("amplitude_to_db", decibel_samples(False), SINGLE, rejects=DECIBEL_REJECTS),
    row("db_to_power", inverse_decibel_samples, SINGLE),
    row("db_to_amplitude", inverse_decibel_samples, SINGLE),
    row("filters.mel", mel_samples, ROUNDING),
    row("filters.chroma", chroma_samples, ROUNDING),
]
