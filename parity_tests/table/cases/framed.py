"""Frames that start anywhere, on MLX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Decision, Row, Sample, each_signal, pairwise
from ..native import lazily


def starts_of(
    length: int,
    *,
    frame_length: int,
    fps: float,
    sample_rate: float = 44100,
    origin: Any = "center",
    end: str = "normal",
) -> Any:
    """Frame by frame, as long as its sample is one of the signal's."""
    moved = {"center": 0, "past": (frame_length - 1) // 2, "future": -(frame_length // 2)}.get(origin, origin)
    hop = sample_rate / fps
    starts: list[int] = []
    while len(starts) * hop < length or (end == "extend" and len(starts) * hop <= length):
        starts.append(int(len(starts) * hop) - frame_length // 2 - moved)
    return np.array(starts, np.int64)


def frames_at(x: Any, starts: Any, n_fft: int) -> Any:
    """Frames ``[..., N, n_fft]``, sample by sample, of audio in silence."""
    places = np.asarray(starts)[:, None] + np.arange(n_fft)
    inside = (places >= 0) & (places < x.shape[-1])
    return np.where(inside, x[..., np.clip(places, 0, x.shape[-1] - 1)], x.dtype.type(0))


def spectra_at(
    x: Any, starts: Any, *, n_fft: int, window_fn: str = "hann", periodic: bool = True, zero_phase: bool = False
) -> Any:
    """SciPy's spectra in the audio's precision."""
    import scipy.fft

    a, b = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}[window_fn]
    w = a - b * np.cos(2 * np.pi * np.arange(n_fft) / (n_fft if periodic else n_fft - 1))
    frames = frames_at(x, starts, n_fft) * w.astype(x.dtype)
    half = n_fft // 2
    frames = np.concatenate([frames[..., half:], frames[..., :half]], axis=-1) if zero_phase else frames
    return np.swapaxes(scipy.fft.rfft(frames), -1, -2)


def start_samples() -> Iterator[Sample]:
    for o in pairwise(
        length=(0, 1, 4410, 44100, 12345),
        frame_length=(2048, 1023, 1),
        fps=(100, 50.5, 200),
        sample_rate=(44100, 22050, 8000),
        origin=("center", "past", "future", 7, -3),
        end=("normal", "extend"),
    ):
        yield Sample(f"{o}", (o.pop("length"),), o)


def samples() -> Iterator[Sample]:
    starts = starts_of(5000, frame_length=512, fps=90, sample_rate=8000)
    names = ("silence", "impulse", "chirp", "white_noise", "odd_length", "stereo_batch", "speech")
    yield from each_signal(lambda x: Sample("", (x, starts), {"n_fft": 512}), names)
    x = np.random.default_rng(108).standard_normal((2, 3, 3000)).astype(np.float32)
    rng = np.random.default_rng(109)
    for o in pairwise(
        starts=(np.arange(-200, 3200, 77), rng.integers(-400, 3300, 40), np.array([5]), np.array([9, 9, 3])),
        n_fft=(256, 301, 16),
        window_fn=("hann", "hamming"),
        periodic=(True, False),
        zero_phase=(False, True),
        rows=(slice(None), 0, (0, 0)),
    ):
        audio, at = x[o.pop("rows")], o.pop("starts")
        yield Sample(f"{len(at)} {o} {audio.shape}", (audio, at), o, batched=audio.ndim > 2)


ROWS = [
    Row(
        "frame_starts",
        starts_of,
        start_samples,
        "whole numbers",
        against="librosa",
        ours=lazily("frame_starts"),
        judged=Decision(),
    ),
    Row("stft_at", spectra_at, samples, "float32 transforms", against="librosa", ours=lazily("stft_at")),
]
