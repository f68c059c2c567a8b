"""Sums that keep float32's digits, roots that keep their gradient, and norms of numbers of any size."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .autodiff import with_rules

_FEW = 16


def constant(values: npt.NDArray[Any]) -> mx.array:
    """A float32 MLX array, evaluated, so that any thread can use it."""
    array = mx.array(np.asarray(values, np.float32))
    mx.eval(array)
    return array


def total(x: mx.array) -> mx.array:
    """Sum ``[..., 1]`` over the last axis, a few terms at a time.

    On the CPU, MLX adds the terms of a long axis one after the other, and loses a digit of a thousand of them:
    https://github.com/ml-explore/mlx/issues/488
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


def norm(x: mx.array) -> mx.array:
    """Root of the sum of squares ``[..., 1]`` over the last axis; where that is 0, so is its gradient."""

    def forward(x: mx.array) -> mx.array:
        up, down = _scaling(mx.abs(x).max(axis=-1, keepdims=True))
        return mx.sqrt(total(mx.square(x * up))) * down

    def direction(x: mx.array) -> mx.array:
        length = norm(x)
        return x / mx.where(length == 0, 1.0, length)

    return with_rules(forward, lambda x, g: g * direction(x), lambda x, t: total(direction(x) * t))(x)


def magnitude(z: mx.array) -> mx.array:
    """Absolute value of complex ``z``; where that is 0, so is its gradient."""

    def forward(z: mx.array) -> mx.array:
        re, im = mx.real(z), mx.imag(z)
        up, down = _scaling(mx.maximum(mx.abs(re), mx.abs(im)))
        return mx.sqrt(mx.square(re * up) + mx.square(im * up)) * down

    def direction(z: mx.array) -> mx.array:
        length = magnitude(z)
        return z / mx.where(length == 0, 1.0, length)

    return with_rules(forward, lambda z, g: g * direction(z), lambda z, t: mx.real(mx.conj(direction(z)) * t))(z)


def _scaling(largest: mx.array) -> tuple[mx.array, mx.array]:
    """Powers of two, one over the other: times the first, sums of squares up to ``largest`` are in float32's range."""
    small, large = largest < 1e-12, largest > 1e12
    many, few = 2.0**80, 2.0**-80
    return mx.where(small, many, mx.where(large, few, 1.0)), mx.where(small, few, mx.where(large, many, 1.0))
