"""Pre-emphasis and its inverse, on MLX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, each_signal
from ..native import lazily


def deemphasis_by_torchaudio(x: Any, coeff: float = 0.97) -> Any:
    """torchaudio's filter, whose deemphasis would clamp."""
    import torch
    from torchaudio.functional import lfilter

    a, b = (torch.tensor(values, dtype=x.dtype) for values in ((1.0, -coeff), (1.0, 0.0)))
    return lfilter(x, a, b, clamp=False)


def samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,)))
    x = np.random.default_rng(102).standard_normal((2, 3, 4000)).astype(np.float32)
    for coeff in (0.97, 0.5, 0.0, -0.9):
        for rows in (slice(None), 0, (0, 0)):
            yield Sample(f"{coeff} {x[rows].shape}", (x[rows],), {"coeff": coeff}, batched=x[rows].ndim > 2)


ROWS = [
    Row(
        "preemphasis",
        "torchaudio.functional.preemphasis",
        samples,
        "a float32 product and a difference",
        against="torchaudio",
        ours=lazily("preemphasis"),
        gradient=True,
    ),
    Row(
        "deemphasis",
        deemphasis_by_torchaudio,
        samples,
        "a recursion in double precision, rounded once",
        against="torchaudio",
        ours=lazily("deemphasis"),
        gradient=True,
    ),
]
