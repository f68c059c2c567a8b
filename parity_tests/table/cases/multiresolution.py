"""Spectrograms of several resolutions, on MLX arrays, against their definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Row, Sample, each_signal, pairwise
from ..native import lazily
from .framed import spectra_at, starts_of
from .log_banks import logarithmic


def by_definition(
    x: Any, *, sample_rate: float = 44100, fps: float = 100.0, n_fft: Any = (1024, 2048, 4096),
    bands_per_octave: Any = (3, 6, 12), mul: float = 1.0, add: float = 1.0, diff_ratio: float | None = 0.5,
    max_bins: int = 1, origin: Any = "center", **of_bank: Any,
) -> Any:  # fmt: skip
    """Resolution by resolution, in the audio's precision."""
    rows = []
    sizes = n_fft if isinstance(n_fft, tuple) else (n_fft,)
    bands = bands_per_octave if isinstance(bands_per_octave, tuple) else (bands_per_octave,) * len(sizes)
    for size, band in zip(sizes, bands, strict=True):
        starts = starts_of(x.shape[-1], frame_length=size, fps=fps, sample_rate=sample_rate, origin=origin)
        levels = np.abs(spectra_at(x, starts, n_fft=size, periodic=False))
        bank = logarithmic(x, n_fft=size, sample_rate=sample_rate, bands_per_octave=band, **of_bank)
        logs = np.log10(x.dtype.type(mul) * np.einsum("...fn,fm->...mn", levels, bank) + x.dtype.type(add))
        rows.append(logs)
        if diff_ratio is None:
            continue
        # the first sample of a window above the ratio, and how far from its middle that is
        first = next(i for i, weight in enumerate(np.hanning(size)) if weight > diff_ratio)
        lag = max(1, round((size / 2 - first) * fps / sample_rate))
        rises = np.zeros_like(logs)
        for n in range(lag, logs.shape[-1]):
            for m in range(logs.shape[-2]):
                low = max(0, m - max_bins // 2)
                before = logs[..., low : m - max_bins // 2 + max_bins, n - lag].max(axis=-1)
                rises[..., m, n] = np.maximum(logs[..., m, n] - before, 0)
        rows.append(rises)
    return np.concatenate(rows, axis=-2)


def samples() -> Iterator[Sample]:
    sizes = {"n_fft": (256, 512), "bands_per_octave": (3, 6), "sample_rate": 8000, "f_max": 3500.0}
    names = ("silence", "impulse", "white_noise", "shorter_than_a_frame", "stereo_batch", "speech")
    yield from each_signal(lambda x: Sample("", (x,), dict(sizes)), names)
    x = np.random.default_rng(111).standard_normal((2, 2, 9001)).astype(np.float32)
    yield Sample("as by default", (x[0],), batched=True)
    for o in pairwise(
        fps=(100.0, 173.3),
        n_fft=((512, 1024), 700),
        bands_per_octave=(12, 3),
        f_min=(30.0, 100.0),
        f_ref=(440.0, 415.0),
        norm=(True, False),
        mul=(1.0, 5.0),
        add=(1.0, 1e-3),
        diff_ratio=(0.5, 0.25, 0.0, None),
        max_bins=(1, 3),
        origin=("center", "past", "future"),
        rows=(slice(None), 0, (0, 0)),
    ):
        audio = x[o.pop("rows")]
        yield Sample(
            f"{o} {audio.shape}", (audio,), {**o, "sample_rate": 16000, "f_max": 7000.0}, batched=audio.ndim > 2
        )


ROWS = [
    Row(
        "multiresolution_spectrogram",
        by_definition,
        samples,
        "logarithms of float32 sums, and their differences",
        against="librosa",
        ours=lazily("multiresolution_spectrogram"),
        judged=HeavyTail(),
    )
]
