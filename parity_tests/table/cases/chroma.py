"""Chromagrams."""

from __future__ import annotations

import math
from typing import Any

from ..case import Row, Timing
from ..native import by_librosa, lazily
from .descriptors import samples, timed


def librosa_chroma(y: Any, **parameters: Any) -> Any:
    """librosa's chromagram of a float32 spectrum, with filters in the audio's precision."""
    return by_librosa("feature.chroma_stft", power=2.0)(y, dtype=y.dtype, **{"tuning": 0.0, "norm": 2, **parameters})


ROWS = [
    Row(
        "chroma_stft",
        librosa_chroma,
        samples(sample_rate=(22050, 16000), n_chroma=(12, 24), norm=(2, math.inf, 1, None), tuning=(0.0, 0.3)),
        "sums of squares over a float32 spectrum, divided by one another",
        against="librosa",
        ours=lazily("chroma_stft"),
        timing=Timing(timed()),
    )
]
