"""librosa's phase vocoder, and what it does to audio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, is_librosa_1, pairwise
from ..signals import nan_in_the_middle, white_noise
from .librosa_core import time_audio
from .stft import spectrum, window

WHY = "librosa sums phases in float32, up to a million of radians, and their errors: we turn bins by products"
RATES = (1.25, 1.2, 0.7, 3, 1.0)
AUDIO = ("silence", "impulse", "dc", "chirp", "white_noise", "odd_length", "stereo_batch", "speech", "music")


def vocoder_samples() -> Iterator[Sample]:
    def of(x: Any) -> Sample:
        return Sample("", (spectrum(x, 512, 128, window(512), True),), {"rate": 1.2})

    yield from each_signal(of)
    z = spectrum(np.random.default_rng(96).standard_normal((6, 5001)), 400, 100, window(400), True)
    z = z.astype(np.complex64).reshape(2, 3, *z.shape[-2:])
    z[..., 5, 3:5] = 0, -0.0
    for o in pairwise(
        rate=RATES,
        bins=(201, 17, 2),
        frames=(51, 8, 3),
        rows=(slice(None), 0, (0, 0)),
        order=("bins last", "C", "F", "every second"),
        double=(False, True),
    ):
        x = z[o["rows"]][..., : o["bins"], : o["frames"]].astype(np.complex128 if o["double"] else np.complex64)
        if o["order"] == "bins last":
            x = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
        else:
            x = np.repeat(x, 2, axis=-1)[..., ::2] if o["order"] == "every second" else np.array(x, order=o["order"])
        yield Sample(f"{o}", (x,), {"rate": o["rate"]}, batched=x.ndim > 3)
    if is_librosa_1():
        for times in (np.linspace(0, 50.9, 80), np.array([0.0, 0.0, 3.5, 3.5, 50.0, 50.5]), np.zeros(1)):
            yield Sample(f"{times.size} times", (z[0, 0],), {"t_out": times})
    else:
        yield Sample("a framing", (z[0],), {"rate": 1.3, "hop_length": 120, "n_fft": 401})


def _audio(**more: Any) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Audio with silence in it, and a framing."""
    y = np.random.default_rng(97).standard_normal((2, 3, 9001)).astype(np.float32)
    y[..., 3000:6000] = 0
    for o in pairwise(
        n_fft=(512, 400, 301),
        hop_length=(None, 80),
        win_length=(None, 300),
        window=("hann", ("kaiser", 4.0)),
        rows=(slice(None), 0, (0, 0)),
        double=(False, True),
        **more,
    ):
        yield f"{o}", y[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32), o


def stretch_samples() -> Iterator[Sample]:
    yield from each_signal(lambda y: Sample("", (y,), {"rate": 1.2}), AUDIO)
    for label, y, o in _audio(rate=RATES):
        yield Sample(label, (y,), o, batched=y.ndim > 1)


def shift_samples() -> Iterator[Sample]:
    yield from each_signal(lambda y: Sample("", (y,), {"sr": 16000, "n_steps": 4}), AUDIO)
    for label, y, o in _audio(
        n_steps=(4, -3.5, 0), bins_per_octave=(12, 24), res_type=("soxr_hq", "soxr_qq"), scale=(False, True)
    ):
        yield Sample(label, (y,), {"sr": 22050, **o})


def _time_vocoder(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    parts = np.random.default_rng(0).standard_normal((2, batch, 1 + length // hop, n_fft // 2 + 1), np.float32)
    z = (parts[0] + 1j * parts[1]).swapaxes(-1, -2)
    return Sample("", (z[0] if batch == 1 else z,), {"rate": 1.2})


def _row(name: str, samples: Any, rejects: tuple[Reject, ...], timing: Any) -> Row:
    return Row(
        f"librosa.{name}", f"librosa.{name}", samples, WHY, against="librosa", rejects=rejects, timing=Timing(timing)
    )


_Z, _SHIFT = np.ones((33, 9), np.complex64), {"sr": 8000, "n_steps": 1}

ROWS = [
    _row(
        "phase_vocoder",
        vocoder_samples,
        (
            Reject("no spectrum", (), {"rate": 2.0}, "TypeError"),
            Reject("one axis", (_Z[0],), {"rate": 2.0, "n_fft": None, "nothing": 1}, "TypeError"),
            Reject("an unknown argument", (_Z,), {"rate": 2.0, "speed": 2.0}, "TypeError"),
        ),
        _time_vocoder,
    ),
    _row(
        "effects.time_stretch",
        stretch_samples,
        (
            Reject("a rate of 0", (white_noise(),), {"rate": 0}, "ParameterError"),
            Reject("a rate below 0", (white_noise(),), {"rate": -1.0}, "ParameterError"),
            Reject("a NaN", (nan_in_the_middle(),), {"rate": 2.0}, "ParameterError"),
            Reject("an unknown argument", (white_noise(),), {"rate": 2.0, "speed": 2.0}, "TypeError"),
        ),
        lambda *sizes: time_audio(*sizes, rate=1.2),
    ),
    _row(
        "effects.pitch_shift",
        shift_samples,
        (
            Reject("bins_per_octave 0", (white_noise(),), _SHIFT | {"bins_per_octave": 0}, "ParameterError"),
            Reject("a NaN", (nan_in_the_middle(),), _SHIFT, "ParameterError"),
        ),
        lambda *sizes: time_audio(*sizes, sr=22050, n_steps=4),
    ),
]
