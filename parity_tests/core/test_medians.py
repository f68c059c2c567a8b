"""Medians on MLX arrays: their definition, every implementation, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro.design.operators import Medians
from mlx_spectro.ops.apply import apply, define

X = np.random.default_rng(8).standard_normal((2, 5, 23)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 4, 5, 31])
@pytest.mark.parametrize("axis", [-1, -2, 0])
def test_values_are_those_of_sorted_windows_and_the_gradient_is_theirs(
    size: int, axis: int, implementation: str
) -> None:
    op, x = Medians(size, axis), mx.array(X)
    rows = np.moveaxis(X, axis, -1)
    padded = np.pad(rows, [(0, 0), (0, 0), (size // 2, size - 1 - size // 2)], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)
    truth = np.moveaxis(np.sort(windows, axis=-1)[..., size // 2], -1, axis)
    for of in (define, apply):
        np.testing.assert_array_equal(np.array(of(op, x)), truth)
    mapped = mx.vmap(lambda x: apply(Medians(size), x))(mx.moveaxis(x, axis, -1))
    np.testing.assert_array_equal(np.array(mapped), np.moveaxis(truth, axis, -1))
    # each median is one value of its window, and adds 1 to its gradient
    gradient = np.array(mx.grad(lambda x: apply(op, x).sum())(x))
    counts = [[np.count_nonzero(truth == value)] for value in X.ravel()]
    np.testing.assert_array_equal(gradient.reshape(-1, 1), counts)


def test_a_window_holds_a_value() -> None:
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        apply(Medians(0), mx.array(X))
