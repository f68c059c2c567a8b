"""Spectrograms through a filterbank of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, each_signal, pairwise
from ..native import STFT_PARAMETERS, lazily, spectrogram
from .mel import LOUD


def by_numpy(y: Any, *, filterbank: Any, output_scale: str = "linear", power: float = 1.0, **parameters: Any) -> Any:
    """The definition, of a spectrum in the audio's precision."""
    of_stft = {key: parameters[key] for key in STFT_PARAMETERS if key in parameters}
    s = spectrogram(y, power=power, **of_stft)
    projected = np.einsum("...ft,fm->...mt", s[..., : filterbank.shape[0], :], filterbank.astype(y.dtype))
    amin = parameters.get("log_amin", 1e-5)
    if output_scale == "log":
        added = parameters.get("log_mode") == "add"
        return np.log(projected + y.dtype.type(amin)) if added else np.log(np.maximum(projected, y.dtype.type(amin)))
    if output_scale == "log10_plus_one":
        return np.log1p(projected) / y.dtype.type(np.log(10))
    if output_scale == "db":
        return y.dtype.type(20 / power) * np.log10(np.maximum(projected, y.dtype.type(1e-10)))
    return projected


def bank(bins: int, filters: int) -> Any:
    """Overlapping random filters."""
    rng = np.random.default_rng(bins)
    weights = rng.uniform(0, 1, (bins, filters)).astype(np.float32)
    centres = np.linspace(0, bins, filters)
    return weights * (np.abs(np.arange(bins)[:, None] - centres) < 2 * bins / filters)


def samples() -> Iterator[Sample]:
    options = {"filterbank": bank(257, 12), "n_fft": 512, "hop_length": 128, "output_scale": "log10_plus_one"}
    yield from each_signal(lambda x: Sample("", (x,), dict(options)), LOUD)
    x = np.random.default_rng(81).standard_normal((3, 6001)).astype(np.float32)
    for o in pairwise(
        n_fft=(512, 301),
        nyquist=(True, False),
        power=(1.0, 2.0),
        output_scale=("linear", "log", "db", "log10_plus_one"),
        log_mode=("clamp", "add"),
        center=(True, False),
        center_pad_mode=("reflect", "constant"),
        periodic=(True, False),
        rows=(slice(None), 0),
    ):
        rows = o.pop("rows")
        bins = o["n_fft"] // 2 + o.pop("nyquist")
        yield Sample(f"{bins} bins {o}", (x[rows],), {"filterbank": bank(bins, 9), "hop_length": 100, **o})


ROWS = [
    Row(
        "FilteredSpectrogramTransform",
        by_numpy,
        samples,
        "sums over a float32 spectrum, and their logarithms",
        against="librosa",
        ours=lazily("FilteredSpectrogramTransform", call=True),
    )
]
