"""Convolution of MLX arrays: its definition, and every implementation with every transformation."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro import diagnostics
from mlx_spectro.design.operators import Convolve, Correlate
from mlx_spectro.ops.apply import apply, define

from ..kernels.kernel_host import places

LENGTH = 23
X = np.random.default_rng(5).standard_normal((3, 2, LENGTH)).astype(np.float32)
TAPS = (1, 2, 9, LENGTH, 40)


def response(taps: int) -> np.ndarray:
    return np.random.default_rng(taps).standard_normal(taps).astype(np.float32)


def close(found: mx.array, truth: np.ndarray, times: int = 1) -> None:
    """Equal but for the roundings of a transform, its product and the inverse, of norms that are up to 10 results."""
    assert found.shape == truth.shape
    limit = times * 10 * 3 * 7 * np.finfo(np.float32).eps
    assert np.abs(np.array(found) - truth).max() <= limit * np.abs(truth).max()


@pytest.mark.parametrize("taps", TAPS)
def test_values_and_all_derivatives_are_the_matrix_s(taps: int, implementation: str) -> None:
    h = response(taps)
    matrix = places.convolution(LENGTH, h)
    g = np.random.default_rng(6).standard_normal((3, 2, LENGTH + taps - 1)).astype(np.float32)
    x, cotangent, weights = map(mx.array, (X, g, h))
    op = Convolve()

    def of(x: mx.array) -> mx.array:
        return apply(op, x, weights)

    def energy(x: mx.array) -> mx.array:
        return 0.5 * mx.square(of(x)).sum()

    for function in (define, apply):
        close(function(op, x, weights), X @ matrix.T)
        close(function(Correlate(LENGTH), cotangent, weights), g @ matrix)
    close(mx.vjp(of, [x], [cotangent])[1][0], g @ matrix)
    close(mx.jvp(of, [x], [x])[1][0], X @ matrix.T)
    close(mx.grad(energy)(x), X @ matrix.T @ matrix, 2)
    close(mx.vjp(mx.grad(energy), [x], [x])[1][0], X @ matrix.T @ matrix, 2)
    close(mx.vmap(of)(x), X @ matrix.T)
    close(mx.vmap(of, in_axes=2, out_axes=2)(mx.array(X.swapaxes(1, 2))), (X @ matrix.T).swapaxes(1, 2))
    close(mx.grad(lambda x: mx.vmap(energy)(x).sum())(x), X @ matrix.T @ matrix, 2)
    close(mx.compile(of)(x), X @ matrix.T)
    close(mx.compile(mx.grad(energy))(x), X @ matrix.T @ matrix, 2)


def test_filters_are_the_signals_own_or_all_alike(implementation: str) -> None:
    h = np.stack([response(9), response(4).repeat(3)[:9]])
    found = apply(Convolve(), mx.array(X), mx.array(h))
    for channel in range(2):
        close(found[:, channel], X[:, channel] @ places.convolution(LENGTH, h[channel]).T)
    close(apply(Convolve(), mx.array(X), mx.array(h[:1])), X @ places.convolution(LENGTH, h[0]).T)


@pytest.mark.parametrize("op", [Convolve(), Correlate(LENGTH - 4)], ids=lambda op: op.name)
def test_what_is_not_finite_spoils_its_signal(op: Convolve | Correlate, implementation: str) -> None:
    for bad in (np.nan, np.inf):
        x = X.copy()
        x[1, 0, 7] = bad
        found = np.isfinite(np.array(apply(op, mx.array(x), mx.array(response(5)))))
        assert not found[1, 0].any()
        found[1, 0] = True
        assert found.all()


@pytest.mark.parametrize("op", [Convolve(), Correlate(30), Correlate(0)], ids=str)
def test_lengths_that_make_no_sense_are_refused(op: Convolve | Correlate, implementation: str) -> None:
    x = mx.array(X[..., :0] if isinstance(op, Convolve) else X)
    with pytest.raises(ValueError, match="samples"):
        apply(op, x, mx.array(response(5)))


def test_each_implementation_is_the_one_that_is_asked_for(implementation: str) -> None:
    called = {"host": {"host convolve"}}.get(implementation, set())
    diagnostics.get_cache_debug_stats(reset=True)
    mx.eval(apply(Convolve(), mx.array(X), mx.array(response(5))))
    found = diagnostics.get_cache_debug_stats()["kernel_cache"]
    assert {name for name, times in found.items() if times} == called


def test_the_transpose_of_the_transpose_is_the_operator() -> None:
    assert Convolve().transpose((9,)) == Correlate(9)
    assert Correlate(9).transpose((12,)) == Convolve()
