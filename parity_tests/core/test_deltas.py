"""Slopes on MLX arrays: their definition, and every implementation with every transformation."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import Deltas
from mlx_spectro.ops.apply import apply, define

from ..kernels.kernel_host import places

MODES = ("replicate", "constant", "reflect", "circular")
LENGTH = 23
X, G = (np.random.default_rng(seed).standard_normal((3, 2, LENGTH)).astype(np.float32) for seed in (5, 6))


def close(found: mx.array, truth: np.ndarray, op: Deltas) -> None:
    """Equal but for the rounding of a sum's terms, which a transform's result is made of once more."""
    assert found.shape == truth.shape
    limit = 2 * np.finfo(np.float32).eps * (2 * op.reach + 3)
    assert np.abs(np.array(found) - truth).max() <= limit * np.abs(truth).max()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reach", [1, 2, 9, LENGTH - 1])
def test_values_and_all_derivatives_are_the_matrix_s(reach: int, mode: str, implementation: str) -> None:
    op, matrix = Deltas(reach, mode), places.slopes(LENGTH, reach, mode)
    x, g = mx.array(X), mx.array(G)

    def of(x: mx.array) -> mx.array:
        return apply(op, x)

    def back(x: mx.array) -> mx.array:
        return mx.vjp(of, [x], [g])[1][0]

    def energy(x: mx.array) -> mx.array:
        return 0.5 * mx.square(of(x)).sum()

    close(define(op, x), X @ matrix.T, op)
    close(define(op.transpose(x.shape), g), G @ matrix, op)
    close(of(x), X @ matrix.T, op)
    close(back(x), G @ matrix, op)
    close(mx.jvp(of, [x], [g])[1][0], G @ matrix.T, op)
    # the energy's gradient is linear in the values, and symmetric
    close(mx.grad(energy)(x), X @ matrix.T @ matrix, op)
    close(mx.vjp(mx.grad(energy), [x], [g])[1][0], G @ matrix.T @ matrix, op)
    close(mx.vmap(of)(x), X @ matrix.T, op)
    close(mx.vmap(of, in_axes=2, out_axes=2)(mx.array(X.swapaxes(1, 2))), (X @ matrix.T).swapaxes(1, 2), op)
    close(mx.grad(lambda x: mx.vmap(energy)(x).sum())(x), X @ matrix.T @ matrix, op)
    close(mx.compile(of)(x), X @ matrix.T, op)
    close(mx.compile(mx.grad(energy))(x), X @ matrix.T @ matrix, op)


def test_each_implementation_is_the_one_that_is_asked_for(implementation: str) -> None:
    called = {"plain": set(), "host": {"host deltas"}, "gpu": {"deltas"}}[implementation]
    diagnostics.get_cache_debug_stats(reset=True)
    mx.eval(apply(Deltas(2), mx.array(X)))
    found = diagnostics.get_cache_debug_stats()["kernel_cache"]
    assert {name.partition("[")[0] for name, times in found.items() if times} == called


def test_the_transpose_of_the_transpose_is_the_operator() -> None:
    op = Deltas(3, "reflect")
    assert op.transpose((9,)) != op
    assert op.transpose((9,)).transpose((9,)) == op


@pytest.mark.parametrize(("mode", "length"), [("reflect", 4), ("circular", 3), ("replicate", 0)])
def test_values_too_few_for_their_padding_are_refused(mode: str, length: int, implementation: str) -> None:
    with pytest.raises(ValueError, match=f"{mode} padding"):
        apply(Deltas(4, mode), mx.zeros((2, length)))
