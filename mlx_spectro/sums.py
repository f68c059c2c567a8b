"""Sums that keep float32's digits, and roots that keep their gradient."""

from __future__ import annotations

import mlx.core as mx

_FEW = 16


def total(x: mx.array) -> mx.array:
    """Sum ``[..., 1]`` over the last axis, a few terms at a time.

    On the CPU, MLX adds the terms of a long axis one after the other, and loses a digit of a thousand of them.
    """
    if mx.default_device().type != mx.DeviceType.cpu:
        return x.sum(axis=-1, keepdims=True)
    while x.shape[-1] > _FEW:
        x = mx.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % _FEW)])
        x = x.reshape(*x.shape[:-1], x.shape[-1] // _FEW, _FEW).sum(axis=-1)
    return x.sum(axis=-1, keepdims=True)


def mean(x: mx.array) -> mx.array:
    """Mean ``[..., 1]`` over the last axis."""
    return total(x) / x.shape[-1]


def root(x: mx.array, order: float = 2.0) -> mx.array:
    """``x ** (1 / order)``; where ``x`` is 0, so is the gradient: the slope is infinite, and 0 times that is NaN."""
    silent = x == 0
    safe = mx.where(silent, 1.0, x)
    return mx.where(silent, 0.0, mx.sqrt(safe) if order == 2.0 else mx.power(safe, 1.0 / order))
