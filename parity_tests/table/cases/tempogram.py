"""Tempograms, on MLX arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, pairwise
from ..native import frames_of, lazily


def by_scipy(
    envelope: Any, *, win_length: int = 384, window_fn: str = "hann", center: bool = True, norm: float | None = np.inf
) -> Any:
    """librosa's tempogram by SciPy's transforms in the envelope's precision; librosa's are in double precision."""
    import librosa
    import scipy.fft

    name = {"rect": "ones"}.get(window_fn, window_fn)
    if envelope.dtype == np.float64:
        options: dict[str, Any] = {"win_length": win_length, "window": name, "center": center, "norm": norm}
        return librosa.feature.tempogram(onset_envelope=envelope, **options)
    count = envelope.shape[-1]
    if center:
        widths = [(0, 0)] * (envelope.ndim - 1) + [(win_length // 2, win_length // 2)]
        envelope = np.pad(envelope, widths, mode="linear_ramp", end_values=0)
    window = np.float32(librosa.filters.get_window(name, win_length))
    frames = frames_of(envelope, win_length, 1, False, "constant")[..., :count, :] * window
    n_fft = scipy.fft.next_fast_len(2 * win_length - 1, real=True)
    z = scipy.fft.rfft(frames, n_fft)
    products = scipy.fft.irfft(librosa.util.abs2(z), n_fft)[..., :win_length]
    return librosa.util.normalize(np.swapaxes(products, -1, -2), norm=norm, axis=-2)


def samples() -> Iterator[Sample]:
    rng = np.random.default_rng(112)
    strength = rng.chisquare(1, (2, 3, 500)).astype(np.float32)
    strength[..., ::40] += 8
    yield Sample("of silence", (np.zeros(500, np.float32),))
    for o in pairwise(
        win_length=(384, 100, 65, 1),
        window_fn=("hann", "hamming", "rect"),
        center=(True, False),
        norm=(math.inf, 2, None),
        rows=(slice(None), 0, (0, 0)),
    ):
        envelope = strength[o.pop("rows")]
        yield Sample(f"{o} {envelope.shape}", (envelope,), o, batched=envelope.ndim > 2)
    yield Sample("shorter than its window", (strength[0, :, :50],), {"win_length": 120}, batched=True)


ROWS = [
    Row(
        "tempogram",
        by_scipy,
        samples,
        "sums of products by way of float32 transforms, over their largest",
        against="librosa",
        ours=lazily("tempogram"),
    )
]
