"""Decibels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, pairwise
from ..native import lazily


def spectrogram(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    """A power spectrogram of noise over 140 dB, with an empty corner."""
    rng = np.random.default_rng(seed)
    s = (rng.chisquare(2, shape) * 10 ** rng.uniform(-12, 2, shape)).astype(np.float32)
    s[..., :2, :3] = 0
    return s


def torchaudio_db(
    x: Any,
    *,
    stype: str = "power",
    top_db: float | None = 80.0,
    amin: float = 1e-10,
    ref_value: float = 1.0,
    mode: str = "torchaudio_compat",
) -> Any:
    """torchaudio's amplitude_to_DB called with native parameters."""
    import torch
    from torchaudio.functional import amplitude_to_DB

    if mode == "per_example" and x.dim() > 2:
        return torch.stack(
            [torchaudio_db(one, stype=stype, top_db=top_db, amin=amin, ref_value=ref_value) for one in x]
        )
    multiplier = 10.0 if stype == "power" else 20.0
    return amplitude_to_DB(x, multiplier, amin, math.log10(max(amin, ref_value)), top_db)


def samples() -> Iterator[Sample]:
    for o in pairwise(
        shape=((40, 30), (3, 40, 30), (2, 3, 40, 30)),
        stype=("power", "magnitude"),
        top_db=(80.0, None, 20.0),
        amin=(1e-10, 1e-5),
        ref_value=(1.0, 0.3, 1e-12),
        mode=("torchaudio_compat", "per_example"),
    ):
        shape = o.pop("shape")
        if not (o["mode"] == "per_example" and len(shape) == 4):
            yield Sample(f"{shape} {o}", (spectrogram(1, *shape),), o)


ROWS = [
    Row(
        "amplitude_to_db",
        torchaudio_db,
        samples,
        "two float32 logarithms",
        against="torchaudio",
        ours=lazily("amplitude_to_db"),
        gradient=True,
    )
]
