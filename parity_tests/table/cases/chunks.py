"""Overlap-add of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, pairwise
from ..native import lazily
from .stft import window


def by_torch(
    frames: Any, step: int, total_samples: int | None = None, window: Any = None, *, normalized: bool = True
) -> Any:
    """Chunks added one by one."""
    import torch

    chunks, samples = frames.shape[0], frames.shape[-1]
    covered = (chunks - 1) * step + samples
    weights = torch.ones(samples, dtype=frames.dtype) if window is None else window
    y, sums = frames.new_zeros(*frames.shape[1:-1], covered), frames.new_zeros(covered)
    for i, chunk in enumerate(frames):
        y[..., i * step : i * step + samples] += chunk * weights
        sums[i * step : i * step + samples] += weights
    if normalized:
        y = y * torch.where(sums < 1e-11, 0.0, 1 / sums)
    total = covered if total_samples is None else total_samples
    return torch.nn.functional.pad(y, (0, max(0, total - covered)))[..., :total]


def samples() -> Iterator[Sample]:
    rng = np.random.default_rng(91)
    for o in pairwise(
        shape=((5, 1024), (8, 2, 500), (1, 4, 2, 300), (40, 2, 64)),
        overlap=(0.0, 0.25, 0.5, 0.75, -0.5),
        total=(None, 0.5, 1.2),
        weighted=(False, True),
        normalized=(True, False),
    ):
        samples = o["shape"][-1]
        step = int(samples * (1 - o["overlap"]))
        covered = (o["shape"][0] - 1) * step + samples
        total = None if o["total"] is None else int(covered * o["total"])
        weights = window(samples) if o["weighted"] else None
        frames = rng.standard_normal(o["shape"]).astype(np.float32)
        yield Sample(f"{o}", (frames, step, total, weights), {"normalized": o["normalized"]})


ROWS = [
    Row(
        "waveform_overlap_add",
        by_torch,
        samples,
        "sums of few float32 terms in one order or another",
        ours=lazily("waveform_overlap_add"),
        gradient=True,
    )
]
