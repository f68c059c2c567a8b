"""Padding, framing and overlap-add as plain MLX ops."""

from __future__ import annotations

import mlx.core as mx

from ..design.framing import Framing, overlap_length

# up to this many frames over one sample, shifted copies are the fastest way on every device; beyond, an index is
_MAX_SHIFTS = 64


def pad(x: mx.array, left: int, right: int, mode: str) -> mx.array:
    """``x [..., T]`` extended to ``[..., left + T + right]`` by a ``pad_mode`` of :class:`.geometry.Framing`."""
    if left < 0:
        return pad(x, 0, right, mode)[..., -left:]
    if not (left or right):
        return x
    length = x.shape[-1]
    if mode == "circular":
        return mx.concatenate([x[..., length - left :], x, x[..., :right]], axis=-1)
    if mode == "replicate":
        edges = [(x[..., :1], left), (x[..., -1:], right)]
        before, after = (mx.broadcast_to(edge, (*x.shape[:-1], n)) for edge, n in edges)
        return mx.concatenate([before, x, after], axis=-1)
    return mx.pad(x, [(0, 0)] * (x.ndim - 1) + [(left, right)], mode=mode)  # type: ignore[arg-type]


def frame(x: mx.array, framing: Framing) -> mx.array:
    """Frames ``[..., N, n_fft]`` of audio ``[..., T]``, padding included."""
    framing.check(x.shape[-1])
    n_fft, hop = framing.n_fft, framing.hop_length
    frames = framing.frames(x.shape[-1])
    x = pad(x, framing.left, framing.right, framing.pad_mode)
    if frames == 1:  # however long the hop
        return x[..., None, :n_fft]
    shifts = -(-n_fft // hop)
    # MLX derives no index into nothing
    if shifts > _MAX_SHIFTS and x.size:
        return x[..., (mx.arange(frames) * hop)[:, None] + mx.arange(n_fft)]
    needed = (frames + shifts - 1) * hop
    missing = max(0, needed - x.shape[-1])
    x = pad(x, 0, missing, "constant")[..., :needed]
    hops = x.reshape(*x.shape[:-1], frames + shifts - 1, hop)
    return mx.concatenate([hops[..., k : k + frames, :] for k in range(shifts)], axis=-1)[..., :n_fft]


def overlap_add(frames: mx.array, hop_length: int) -> mx.array:
    """Sum ``[..., overlap_length]`` of frames ``[..., N, n_fft]`` placed ``hop_length`` samples apart."""
    *lead, count, n_fft = frames.shape
    total = overlap_length(count, n_fft, hop_length)
    shifts = -(-n_fft // hop_length)
    if shifts > _MAX_SHIFTS:
        index = ((mx.arange(count) * hop_length)[:, None] + mx.arange(n_fft)).reshape(-1)
        return mx.zeros((*lead, total), frames.dtype).at[..., index].add(frames.reshape(*lead, -1))
    frames = pad(frames, 0, shifts * hop_length - n_fft, "constant")
    hops = frames.reshape(*lead, count, shifts, hop_length)
    edges = [(0, 0)] * len(lead)
    summed = sum(mx.pad(hops[..., k, :], [*edges, (k, shifts - 1 - k), (0, 0)]) for k in range(shifts))
    assert isinstance(summed, mx.array)
    return summed.reshape(*lead, (count + shifts - 1) * hop_length)[..., :total]
