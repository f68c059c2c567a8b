"""torchaudio's phase vocoder, and what it does to audio."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise
from .stft import spectrum, window

WHY = "torchaudio sums phases in float32, up to thousands of radians, and their errors: we turn bins by products"
# at these rates frames are at the same times in either precision; others are tested with torchaudio's own times
RATES = (1.25, 0.75, 2.0, 0.5, 1)
# two transforms in float32 have no phase in common where a bin is nothing but rounding
AUDIO = ("white_noise", "odd_length", "speech", "music", "non_contiguous_view")


def _advance(bins: int, hop: int) -> Any:
    return np.linspace(0, math.pi * hop, bins, dtype=np.float32)[:, None]


def _spectra() -> Iterator[tuple[dict[str, Any], Any]]:
    """Options, and spectra of several shapes, in either memory order."""
    z = spectrum(np.random.default_rng(93).standard_normal((6, 5001)), 400, 100, window(400), True)
    z = z.astype(np.complex64).reshape(2, 3, *z.shape[-2:])
    z[..., 5, 3:5] = 0, -0.0
    for o in pairwise(
        rate=RATES, bins=(201, 17, 1), frames=(51, 8, 1), rows=(slice(None), 0, (0, 0)), bins_last=(True, False)
    ):
        x = z[o["rows"]][..., : o["bins"], : o["frames"]]
        x = np.ascontiguousarray(x)
        yield o, np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if o["bins_last"] else x


def function_samples() -> Iterator[Sample]:
    def of(x: Any) -> Sample:
        return Sample("", (spectrum(x, 512, 128, window(512), True), 1.25, _advance(257, 128)))

    yield from each_signal(of)
    for o, x in _spectra():
        yield Sample(f"{o}", (x, o["rate"], _advance(x.shape[-2], 100)), batched=x.ndim > 3)


def module_samples() -> Iterator[Sample]:
    for o, x in _spectra():
        yield Sample(f"{o}", (x,), {"n_freq": x.shape[-2], "hop_length": 100, "fixed_rate": o["rate"]})


def shift_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x, 16000, 12)), AUDIO)
    x = np.random.default_rng(94).standard_normal((2, 3, 4001)).astype(np.float32)
    for o in pairwise(
        n_steps=(12, -12, 4, 0),
        bins_per_octave=(12, 24),
        n_fft=(512, 400),
        win_length=(None, 300),
        hop_length=(None, 90),
        rows=(slice(None), 0, (0, 0)),
    ):
        # at other rates, of which few have a divisor in common with the shifted one, torchaudio takes a second
        yield Sample(f"{o}", (x[o.pop("rows")], 1200, o.pop("n_steps")), o)


def shift_module_samples() -> Iterator[Sample]:
    for sample in shift_samples():
        audio, rate, steps = sample.args
        yield Sample(sample.label, (audio,), {"sample_rate": rate, "n_steps": steps, **sample.kwargs})


def _time_vocoder(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    parts = np.random.default_rng(0).standard_normal((2, batch, 1 + length // hop, n_fft // 2 + 1), np.float32)
    z = (parts[0] + 1j * parts[1]).swapaxes(-1, -2)
    return Sample("", (z, 1.2, _advance(n_fft // 2 + 1, hop)))


def _time_module(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    z, rate, _ = _time_vocoder(batch, length, n_fft, hop).args
    return Sample("", (z,), {"n_freq": n_fft // 2 + 1, "hop_length": hop, "fixed_rate": rate})


def _time_shift(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x, 16000, 4), {"n_fft": n_fft, "hop_length": hop})


def _time_shift_module(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    sample = _time_shift(batch, length, n_fft, hop)
    return Sample("", sample.args[:1], {"sample_rate": 16000, "n_steps": 4, **sample.kwargs})


_Z, _X = np.ones((2, 9, 7), np.complex64), np.ones((2, 4000), np.float32)
_row = partial(Row, why=WHY, against="torchaudio")

ROWS = [
    _row(
        "torchaudio.functional.phase_vocoder",
        "torchaudio.functional.phase_vocoder",
        function_samples,
        timing=Timing(_time_vocoder),
        rejects=(
            Reject("a rate of 0", (_Z, 0.0, _advance(9, 4)), {}, "RuntimeError"),
            Reject("a rate below 0", (_Z, -1.0, _advance(9, 4)), {}, "RuntimeError"),
            Reject("phases of other bins", (_Z, 1.5, _advance(8, 4)), {}, "RuntimeError"),
            Reject("no phases", (_Z, 1.5), {}, "TypeError"),
            Reject("one axis", (_Z[0, 0], 1.5, _advance(9, 4)), {}, "RuntimeError"),
        ),
    ),
    _row(
        "torchaudio.transforms.TimeStretch",
        "torchaudio.transforms.TimeStretch",
        module_samples,
        timing=Timing(_time_module),
        rejects=(Reject("no rate", (_Z,), {"n_freq": 9}, "ValueError"),),
    ),
    _row(
        "torchaudio.functional.pitch_shift",
        "torchaudio.functional.pitch_shift",
        shift_samples,
        timing=Timing(_time_shift),
        rejects=(
            Reject("bins_per_octave 0", (_X, 16000, 4), {"bins_per_octave": 0}, "ZeroDivisionError"),
            Reject("too short", (_X[:, :100], 16000, 4), {}, "RuntimeError"),
            Reject("hop_length 0", (_X, 16000, 4), {"hop_length": 0}, "RuntimeError"),
        ),
    ),
    _row(
        "torchaudio.transforms.PitchShift",
        "torchaudio.transforms.PitchShift",
        shift_module_samples,
        timing=Timing(_time_shift_module),
    ),
]
