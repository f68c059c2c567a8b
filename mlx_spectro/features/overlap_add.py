"""Overlap-add of the chunks that a model makes of a waveform."""

from __future__ import annotations

import mlx.core as mx

from .. import _check
from ..design.envelope import FLOOR
from ..design.framing import overlap_length
from ..design.operators import OverlapAdd
from ..ops.apply import apply
from ..ops.frames import pad
from . import _inputs


def waveform_overlap_add(
    frames: mx.array,
    step: int,
    total_samples: int | None = None,
    window: mx.array | None = None,
    *,
    normalized: bool = True,
) -> mx.array:
    """Put overlapping chunks of a waveform back together.

    Args:
        frames: Chunks ``[chunks, ..., L]``.
        step: Samples between the starts of neighbouring chunks.
        total_samples: Samples to return. Default: what the chunks cover.
        window: Weight of each of a chunk's samples ``[L]``. Default: 1.
        normalized: Divide by the sum of the weights over each sample.

    Returns:
        float32 ``[..., total_samples]``; 0 beyond the last chunk and, if normalized, where the weights sum to less
            than 1e-11.

    Raises:
        TypeError: no MLX arrays, or complex ones.
        ValueError: a ``step`` below 1, fewer than two axes, or a window of another length.

    Example:
        >>> import mlx.core as mx
        >>> import mlx_spectro
        >>> chunks = mx.ones((3, 2, 100))  # of two signals, a chunk every 50 samples
        >>> mlx_spectro.waveform_overlap_add(chunks, step=50).shape
        (2, 200)
    """
    step = _check.integer("step", step, at_least=1)
    if _inputs.numbers("frames", frames).ndim < 2:
        raise ValueError(f"frames must have 2 or more axes, [chunks, ..., samples], got shape {frames.shape}")
    chunks, samples = frames.shape[0], frames.shape[-1]
    if window is not None and _inputs.numbers("window", window).shape != (samples,):
        raise ValueError(f"window must have {samples} samples, as a chunk has, got shape {window.shape}")
    normalized = _check.flag("normalized", normalized)
    covered = overlap_length(chunks, samples, step)
    total = covered if total_samples is None else _check.integer("total_samples", total_samples, at_least=0)
    if not (chunks and samples):
        return mx.zeros((*frames.shape[1:-1], total))
    weights = mx.ones(samples) if window is None else window.astype(mx.float32)
    y = apply(OverlapAdd(step), mx.moveaxis(frames.astype(mx.float32), 0, -2) * weights)
    if normalized:
        sums = apply(OverlapAdd(step), mx.broadcast_to(weights, (chunks, samples)))
        covered_well = sums >= FLOOR
        y = mx.where(covered_well, y / mx.where(covered_well, sums, 1.0), 0.0)
    return pad(y[..., :total], 0, max(0, total - covered), "constant")
