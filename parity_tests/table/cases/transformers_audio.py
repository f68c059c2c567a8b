"""transformers' spectrograms, under its feature extractors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, pairwise
from ..signals import nan_in_the_middle

WHY = "transformers rounds spectra to complex64 before it takes magnitudes, ours are rounded at the end"
KALDI = {"preemphasis": 0.97, "remove_dc_offset": True}


def _noise(samples: int) -> Any:
    return (0.1 * np.random.default_rng(5).standard_normal(samples)).astype(np.float32)


def _window(length: int) -> Any:
    return np.hanning(length + 1)[:-1]


def _bank(bins: int, filters: int) -> Any:
    """Triangles over equal ranges of frequencies."""
    places = np.arange(bins)[:, None] * (filters + 1) / (bins - 1)
    return np.maximum(0.0, 1 - abs(places - 1 - np.arange(filters)))


def _options() -> Iterator[tuple[str, dict[str, Any], str]]:
    for o in pairwise(
        fft_length=(None, 512),
        power=(1.0, 2.0, None),
        center=(True, False),
        pad_mode=("reflect", "constant", "edge"),
        log_mel=(None, "log", "log10", "dB"),
        filters=(None, 20),
        changed=(False, True),
        db_range=(None, 60.0),
        mel_floor=(1e-10, 1.2e-7),
        dtype=(np.float32, np.float64),
    ):
        filters, changed, power = o.pop("filters"), o.pop("changed"), o["power"]
        label = f"{o} {filters} {changed}"
        if power is None and (filters or o["log_mel"]):
            continue
        if filters:
            o["mel_filters"] = _bank((o["fft_length"] or 400) // 2 + 1, filters)
        if changed:
            o |= KALDI
        untested = ""
        if changed and not filters:
            untested = "frames are changed before their transform, and no filters given"
        elif o["log_mel"] in ("log", "log10") and not filters:
            untested = "logarithms are taken of what may be 0"
        yield label, o, untested


def _samples(call: Callable[[Any], Any]) -> Iterator[Sample]:
    x = call(_noise(8000))
    frames = {"window": _window(400), "frame_length": 400, "hop_length": 160}
    for label, options, untested in _options():
        yield Sample(label, (x,), {**frames, **options}, untested)
    yield Sample("an odd number of samples a frame", (x,), {**frames, "window": _window(301), "frame_length": 301})
    yield Sample("double precision", (call(_noise(8000).astype(np.float64)),), frames)
    yield Sample("whole numbers", (call((10_000 * _noise(8000)).astype(np.int16)),), frames)
    yield Sample("all frequencies", (x,), {**frames, "onesided": False}, "onesided is not True")
    spoiled = call(nan_in_the_middle().reshape(-1)[:8000])
    yield Sample("not a number", (spoiled,), frames, "the audio is not finite, or its squares overflow")


def spectrogram_samples() -> Iterator[Sample]:
    yield from _samples(lambda x: x)


def batch_samples() -> Iterator[Sample]:
    yield from _samples(lambda x: [x, x[:3001], x[1000:6000]])


def _timing(batch: int, samples: int, n_fft: int, hop: int) -> Sample:
    x, bank = _noise(batch * samples), _bank(n_fft // 2 + 1, 80)
    options = {"window": _window(n_fft), "frame_length": n_fft, "hop_length": hop, "power": 2.0, "mel_filters": bank}
    return Sample("", (x,), {**options, "log_mel": "log10"})


_NOISE = _noise(8000)
_FRAMES = {"frame_length": 400, "hop_length": 160}
REJECTS = [
    ("a window of another length", (_window(300),), _FRAMES),
    ("frames longer than their transform", (_window(400),), {**_FRAMES, "fft_length": 256}),
    ("no hop", (_window(400),), {"frame_length": 400, "hop_length": 0}),
    ("a logarithm by another name", (_window(400),), {**_FRAMES, "mel_filters": _bank(201, 8), "log_mel": "log2"}),
]


def _row(name: str, samples: Callable[[], Iterator[Sample]], call: Callable[[Any], Any], timing: Timing | None) -> Row:
    rejects = tuple(Reject(label, (call(_NOISE), *args), kwargs, "ValueError") for label, args, kwargs in REJECTS)
    dotted = f"transformers.audio_utils.{name}"
    return Row(dotted, dotted, samples, WHY, against="transformers", rejects=rejects, timing=timing)


ROWS = [
    _row("spectrogram", spectrogram_samples, lambda x: x, Timing(_timing)),
    _row("spectrogram_batch", batch_samples, lambda x: [x, x[:3001]], None),
]
