"""Audio at another rate on MLX arrays: its definition, and every implementation with every transformation."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import Resample
from mlx_spectro.ops.apply import apply, define

from ..kernels.kernel_host import places

LENGTH = 29
RATES = [(3, 2), (2, 3), (1, 4), (4, 1), (40, 41), (1, 1)]
X = np.random.default_rng(5).standard_normal((3, 2, LENGTH)).astype(np.float32)


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(6).standard_normal(shape).astype(np.float32)


def close(found: mx.array, truth: np.ndarray, sums: int) -> None:
    """Equal but for the rounding of a sum's terms, which a transform's result is made of once more."""
    assert found.shape == truth.shape
    limit = 2 * np.finfo(np.float32).eps * sums
    assert np.abs(np.array(found) - truth).max() <= limit * np.abs(truth).max()


@pytest.mark.parametrize("rates", RATES, ids=str)
@pytest.mark.parametrize("reach", [0, 3, 40])
def test_values_and_all_derivatives_are_the_matrix_s(rates: tuple[int, int], reach: int, implementation: str) -> None:
    op, weights = Resample(*rates, reach), noise((rates[1], 2 * reach + 1))
    matrix, w, x = places.resampling(LENGTH, op, weights), mx.array(weights), mx.array(X)
    terms = 2 * reach + 3 + places.resampling(LENGTH, op, np.ones_like(weights)).sum(axis=0).max()
    g, y = noise(op.shape(X.shape)), X @ matrix.T

    def of(x: mx.array) -> mx.array:
        return apply(op, x, w)

    def energy(x: mx.array) -> mx.array:
        return 0.5 * mx.square(of(x)).sum()

    close(define(op, x, w), y, terms)
    close(define(op.transpose(x.shape), mx.array(g), w), g @ matrix, terms)
    close(of(x), y, terms)
    close(mx.vjp(of, [x], [mx.array(g)])[1][0], g @ matrix, terms)
    close(mx.jvp(of, [x], [2 * x])[1][0], 2 * y, terms)
    # the energy's gradient is linear in the values, and symmetric
    close(mx.grad(energy)(x), y @ matrix, 2 * terms)
    close(mx.vjp(mx.grad(energy), [x], [x])[1][0], y @ matrix, 2 * terms)
    close(mx.vmap(of)(x), y, terms)
    close(mx.grad(lambda x: mx.vmap(energy)(x).sum())(x), y @ matrix, 2 * terms)
    close(mx.compile(of)(x), y, terms)
    close(mx.compile(mx.grad(energy))(x), y @ matrix, 2 * terms)


def test_what_is_not_finite_spoils_its_frames(implementation: str) -> None:
    op, w, x = Resample(10, 7, 3), noise((7, 7)), X.copy()
    x[0, 0, 12] = np.nan
    spoiled = np.isnan(np.array(apply(op, mx.array(x), mx.array(w))))
    # sample 12 is within 3 of the first frame's last, 9
    assert np.array_equal(np.flatnonzero(spoiled), np.arange(14))
    g = noise(op.shape(X.shape))
    g[1, 1, 13] = np.inf
    back = np.array(apply(op.transpose(x.shape), mx.array(g), mx.array(w)))
    where = np.argwhere(~np.isfinite(back))
    assert where.tolist() == [[1, 1, i] for i in range(10 - 3, 20 + 3)]


def test_each_implementation_is_the_one_that_is_asked_for(implementation: str) -> None:
    called = {"plain": set(), "host": {"host resample"}, "gpu": {"resample"}}[implementation]
    diagnostics.get_cache_debug_stats(reset=True)
    mx.eval(apply(Resample(3, 2, 4), mx.array(X), mx.array(noise((2, 9)))))
    found = diagnostics.get_cache_debug_stats()["kernel_cache"]
    assert {name.partition("[")[0] for name, times in found.items() if times} == called


def test_the_transpose_of_the_transpose_is_the_operator() -> None:
    op = Resample(3, 2, 4)
    back = op.transpose((5, 9))
    assert back.shape((5, 8)) == (5, 9)
    assert back.transpose((5, 8)) == op
