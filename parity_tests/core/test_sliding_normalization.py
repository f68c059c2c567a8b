"""Sliding normalization of MLX arrays: every implementation does as the definition, with its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro.design.operators import SlidingNormalization
from mlx_spectro.ops.apply import apply, define

from ..kernels.test_sliding_normalization import truth

X, G = (np.random.default_rng(seed).standard_normal((2, 3, 40, 5)).astype(np.float32) for seed in (5, 6))
OPS = [
    SlidingNormalization(9, 12),
    SlidingNormalization(20, 4, scaled=True),
    SlidingNormalization(15, centred=True, scaled=True),
    SlidingNormalization(1, centred=True, scaled=True),
    SlidingNormalization(),
]


def close(found: mx.array, expected: Any) -> None:
    """Each is rounded once; variances of so many frames lose no more than a few digits of double precision."""
    assert np.abs(np.array(found) - expected).max() <= 4 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("op", OPS, ids=str)
def test_values_are_those_of_each_window(op: SlidingNormalization, implementation: str) -> None:
    exact = truth(op, X)
    close(define(op, mx.array(X)), exact)
    close(apply(op, mx.array(X)), exact)
    close(mx.vmap(lambda x: apply(op, x))(mx.array(X)), exact)
    close(mx.compile(lambda x: apply(op, x))(mx.array(X)), exact)


def test_the_gradient_of_means_is_their_transpose(implementation: str) -> None:
    op = OPS[0]
    found = mx.vjp(lambda x: apply(op, x), [mx.array(X)], [mx.array(G)])[1][0]
    expected = np.einsum("fn,bcfk->bcnk", truth(op, np.eye(40)), G)
    assert np.abs(np.array(found) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_what_does_not_vary_has_no_scale(implementation: str) -> None:
    x = np.full((30, 2), 0.1, np.float32)
    x[:, 1] = np.arange(30)
    y = np.array(apply(SlidingNormalization(10, 5, scaled=True), mx.array(x)))
    assert np.isnan(y[:, 0]).all()
    assert np.isfinite(y[:, 1]).all()
