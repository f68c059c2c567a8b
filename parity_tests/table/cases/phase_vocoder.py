"""Spectra and audio at another speed, on MLX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Row, Sample, each_signal, pairwise
from ..native import frames_of, lazily
from .stft import spectrum, window

WHY = (
    "a product of as many directions as there are frames, each rounded; a direction takes a rounding over the bin's "
    "magnitude, which may be anything"
)
_Z = np.random.default_rng(105).standard_normal((2, 2, 3, 33, 20)).astype(np.float32)


def _unit(z: Any) -> Any:
    return np.exp(1j * np.angle(z)).astype(z.dtype)


def vocoded(z: Any, *, rate: float) -> Any:
    """Magnitudes between frames, and a running product of directions, in the precision of ``z [..., F, N]``."""
    times = np.arange(0, z.shape[-1], rate)
    here = times.astype(int)
    part = (times - here).astype(z.real.dtype)
    silent = np.pad(z, [(0, 0)] * (z.ndim - 1) + [(0, 2)])
    now, then = silent[..., here], silent[..., here + 1]
    turns = np.concatenate([_unit(now[..., :1]), (_unit(then) * _unit(now).conj())[..., :-1]], axis=-1)
    return (np.abs(now) * (1 - part) + np.abs(then) * part) * np.cumprod(turns, axis=-1)


def stretched(x: Any, *, rate: float, n_fft: int, hop_length: int, **parameters: Any) -> Any:
    """Audio by way of SciPy's transform in its precision, and windowed overlap-add over the squares of windows."""
    import scipy.fft

    w, pad_mode = window(n_fft).astype(x.dtype), parameters.get("center_pad_mode", "constant")
    frames = scipy.fft.rfft(frames_of(x, n_fft, hop_length, True, pad_mode) * w)
    z = vocoded(np.swapaxes(frames, -1, -2), rate=rate)
    back = scipy.fft.irfft(np.swapaxes(z, -1, -2), n=n_fft) * w
    length = round(x.shape[-1] / rate)
    count = back.shape[-2]
    total = max(n_fft + hop_length * (count - 1), n_fft // 2 + length)
    y, squares = np.zeros((*x.shape[:-1], total), x.dtype), np.zeros(total)
    for i in range(count):
        y[..., i * hop_length : i * hop_length + n_fft] += back[..., i, :]
        squares[i * hop_length : i * hop_length + n_fft] += w.astype(np.float64) ** 2
    safe = np.where(squares < 1e-11, np.inf, squares).astype(x.dtype)
    return (y / safe)[..., n_fft // 2 : n_fft // 2 + length]


def samples() -> Iterator[Sample]:
    names = ("impulse", "white_noise", "odd_length", "stereo_batch", "speech", "music")
    w = window(256)
    yield from each_signal(lambda x: Sample("", (spectrum(x, 256, 64, w, True),), {"rate": 0.8}), names)
    z = (_Z[0] + 1j * _Z[1]).astype(np.complex64)
    for rate in (0.3, 0.75, 1, 1.3, 2.0, 30.0):
        for rows in (slice(None), 0, (0, 0)):
            yield Sample(f"{rate} {z[rows].shape}", (z[rows],), {"rate": rate}, batched=z[rows].ndim > 3)


def audio_samples() -> Iterator[Sample]:
    sizes = {"n_fft": 256, "hop_length": 64}
    names = ("white_noise", "odd_length", "stereo_batch", "speech", "music")
    yield from each_signal(lambda x: Sample("", (x,), {"rate": 1.25, **sizes}), names)
    x = np.random.default_rng(106).standard_normal((2, 3, 4000)).astype(np.float32)
    for o in pairwise(
        rate=(0.5, 0.9, 1.0, 2.0),
        n_fft=(256, 301),
        hop_length=(64, 100),
        center_pad_mode=("constant", "reflect"),
        rows=(slice(None), 0, (0, 0)),
    ):
        audio = x[o.pop("rows")]
        yield Sample(f"{o} {audio.shape}", (audio,), o, batched=audio.ndim > 2)


ROWS = [
    Row(
        "phase_vocoder",
        vocoded,
        samples,
        WHY,
        against="librosa",
        ours=lazily("phase_vocoder"),
        judged=HeavyTail(),
    ),
    Row(
        "time_stretch",
        stretched,
        audio_samples,
        WHY,
        against="librosa",
        ours=lazily("time_stretch"),
        judged=HeavyTail(),
    ),
]
