"""Recursive filters of MLX arrays: their definition, and every implementation with every transformation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import ClampedFilter, LaggedProducts, RecursiveFilter
from mlx_spectro.ops.apply import apply, define

from ..kernels.kernel_host import places

LENGTH = 23
X, G = (np.random.default_rng(seed).standard_normal((3, 2, LENGTH)).astype(np.float32) for seed in (5, 6))
FILTERS = {
    "resonance": ([1.0, -1.6, 0.8], [0.2, 0.3, 0.2]),
    "not normalized": ([2.0, -1.0], [0.5, 0.2, 0.1, -0.1]),
    "no feedback": ([4.0], [1.0, -0.9]),
    "longer than its signal": ([1.0, *[0.03] * (LENGTH + 2)], [1.0] * (LENGTH + 2)),
}


def weights(name: str) -> tuple[Any, Any]:
    a, b = (np.array(each, np.float32) for each in FILTERS[name])
    return a, b


def close(found: mx.array, truth: np.ndarray, times: int = 1) -> None:
    """Equal but for so many roundings of a result, each to a part of the largest one."""
    assert found.shape == truth.shape
    assert np.abs(np.array(found) - truth).max() <= times * np.finfo(np.float32).eps * np.abs(truth).max()


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", FILTERS)
def test_values_and_all_derivatives_are_the_matrix_s(name: str, backward: bool, implementation: str) -> None:
    a, b = weights(name)
    op = RecursiveFilter(backward)
    matrix = places.recursion(LENGTH, *((c / a[0]).astype(np.float64) for c in (a, b)))
    matrix = matrix.T if backward else matrix
    x, g, feedback, feedforward = map(mx.array, (X, G, a, b))

    def of(x: mx.array) -> mx.array:
        return apply(op, x, feedback, feedforward)

    def back(x: mx.array) -> mx.array:
        return mx.vjp(of, [x], [g])[1][0]

    def energy(x: mx.array) -> mx.array:
        return 0.5 * mx.square(of(x)).sum()

    close(define(op, x, feedback, feedforward), X @ matrix.T)
    close(define(op.transpose(x.shape), g, feedback, feedforward), G @ matrix)
    close(of(x), X @ matrix.T)
    close(back(x), G @ matrix)
    close(mx.jvp(of, [x], [g])[1][0], G @ matrix.T)
    # what goes through both has been rounded between them, and the matrix amplifies that
    twice = 1 + int(np.abs(matrix).sum(0).max())
    close(mx.grad(energy)(x), X @ matrix.T @ matrix, twice)
    close(mx.vjp(mx.grad(energy), [x], [g])[1][0], G @ matrix.T @ matrix, twice)
    close(mx.vmap(of)(x), X @ matrix.T)
    close(mx.vmap(of, in_axes=2, out_axes=2)(mx.array(X.swapaxes(1, 2))), (X @ matrix.T).swapaxes(1, 2))
    close(mx.grad(lambda x: mx.vmap(energy)(x).sum())(x), X @ matrix.T @ matrix, twice)
    close(mx.compile(of)(x), X @ matrix.T)
    close(mx.compile(mx.grad(energy))(x), X @ matrix.T @ matrix, twice)


def test_a_filter_a_channel(implementation: str) -> None:
    a, b = (np.array(each, np.float32) for each in ([[1.0, -0.9], [2.0, 0.5]], [[0.5, 0.2], [1.0, -1.0]]))
    found = apply(RecursiveFilter(), mx.array(X), mx.array(a), mx.array(b))
    for channel in range(2):
        one = (c[channel].astype(np.float64) / a[channel, 0] for c in (a, b))
        close(found[:, channel], X[:, channel] @ places.recursion(LENGTH, *one).T)


def test_what_is_clamped_goes_on_from_what_is_not(implementation: str) -> None:
    a, b = map(mx.array, weights("resonance"))
    x, op = mx.array(3 * X), RecursiveFilter()
    y = apply(op, x, a, b)
    assert mx.abs(y).max() > 1
    assert mx.array_equal(apply(ClampedFilter(op), x, a, b), mx.clip(y, -1, 1))
    inside = mx.where(mx.abs(y) <= 1, mx.array(G), 0)
    close(
        mx.vjp(lambda x: apply(ClampedFilter(op), x, a, b), [x], [mx.array(G)])[1][0],
        np.array(apply(op.transpose(x.shape), inside, a, b)),
    )


@pytest.mark.parametrize("lags", [1, 3, LENGTH + 2])
def test_lagged_products_are_sums_of_products(lags: int, implementation: str) -> None:
    x, y = X.astype(np.float64), G.astype(np.float64)
    truth = np.stack([(x[..., : max(0, LENGTH - k)] * y[..., k:]).sum((0, 2)) for k in range(lags)], -1)
    close(define(LaggedProducts(lags), mx.array(X), mx.array(G)), truth)
    close(apply(LaggedProducts(lags), mx.array(X), mx.array(G)), truth)


def test_each_implementation_is_the_one_that_is_asked_for(implementation: str) -> None:
    called = {"host": {"host recursive_filter"}}.get(implementation, set())
    diagnostics.get_cache_debug_stats(reset=True)
    mx.eval(apply(RecursiveFilter(), mx.array(X), *map(mx.array, weights("resonance"))))
    found = diagnostics.get_cache_debug_stats()["kernel_cache"]
    assert {name for name, times in found.items() if times} == called


def test_the_transpose_of_the_transpose_is_the_operator() -> None:
    op = RecursiveFilter()
    assert op.transpose((9,)) != op
    assert op.transpose((9,)).transpose((9,)) == op
