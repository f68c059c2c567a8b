"""Recursive filters by host kernels: values, strides, memory, what is not finite, and the gradients' sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.design.operators import ClampedFilter, LaggedProducts, RecursiveFilter
from mlx_spectro.kernels import cpu

from ..table.case import pairwise
from .kernel_host import places

Array = npt.NDArray[Any]


def noise(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def coefficients(filters: int, outputs: int, inputs: int, dtype: Any) -> tuple[Array, Array]:
    """Stable ones: magnitudes of feedback sum up to less than its first. One filter has no axis of filters."""
    rng = np.random.default_rng(outputs)
    a = np.concatenate([np.full((max(filters, 1), 1), 2.0), rng.uniform(-1.8, 1.8, (max(filters, 1), outputs))], -1)
    a[:, 1:] /= max(1, outputs)
    b = rng.uniform(-1, 1, (max(filters, 1), inputs + 1))
    a, b = a.astype(dtype), b.astype(dtype)
    return (a, b) if filters else (a[0], b[0])


def matrices(length: int, a: Array, b: Array) -> Array:
    """The filters' matrices, of coefficients that are divided in their own precision, ``[filters, length, length]``."""
    pairs = zip(np.atleast_2d(a / a[..., :1]), np.atleast_2d(b / a[..., :1]), strict=True)
    return np.stack([places.recursion(length, *(c.astype(np.float64) for c in pair)) for pair in pairs])


def bounds(x: Array, a: Array, b: Array, y: Array, dtype: Any) -> Array:
    """How far a result may be from ``y``: rounded as what it is stored in, and at every sample in double precision.

    Its recursion amplifies any rounding at most as the sum of its response's magnitudes, here below 20.
    """
    size = (
        np.abs(a / a[..., :1]).sum(-1).max() * np.abs(y).max() + np.abs(b / a[..., :1]).sum(-1).max() * np.abs(x).max()
    )
    terms = a.shape[-1] + b.shape[-1] + 32
    eps = float(np.finfo(dtype).eps)
    once = eps if eps > np.finfo(np.float64).eps else 0.0
    limits: Array = np.abs(y) * once + 20 * terms * np.finfo(np.float64).eps * size
    return limits


FILTERS = list(
    pairwise(
        outputs=(0, 1, 2, 3, 8, 40),
        inputs=(0, 1, 2, 7, 33),
        length=(1, 5, 16, 511, 512, 1300),
        dtype=(np.float32, np.float64),
        lead=((), (2,), (3, 2)),
        filters=(0, 1, 3),
        view=("as it is", "reversed", "every second", "repeated"),
        precise=(False, True),
        backward=(False, True),
    )
)


@pytest.mark.parametrize("o", FILTERS, ids=str)
def test_filters_are_products_with_their_matrices(o: dict[str, Any]) -> None:
    length, dtype, filters = o["length"], o["dtype"], o["filters"]
    shape = (*o["lead"], filters) if filters else o["lead"]
    x = noise(*shape, 2 * length, dtype=dtype)
    x = {
        "as it is": x[..., :length],
        "reversed": x[..., :length][..., ::-1],
        "every second": x[..., ::2],
        "repeated": np.broadcast_to(x[..., :1], (*shape, length)),
    }[o["view"]]
    a, b = coefficients(filters, o["outputs"], o["inputs"], dtype)
    op, matrix = RecursiveFilter(o["backward"]), matrices(length, a, b)
    matrix = matrix if filters else matrix[0]
    matrix = matrix.swapaxes(-1, -2) if o["backward"] else matrix
    exact = x.astype(np.float64)
    truth = (matrix @ exact[..., None])[..., 0]
    found = cpu.run(op, x, a, b, precise=o["precise"])
    assert found.dtype == (np.float64 if o["precise"] else dtype)
    assert (np.abs(found - truth) <= bounds(exact, a, b, truth, found.dtype)).all()
    clamped = cpu.run(ClampedFilter(op), x, a, b, precise=o["precise"])
    assert np.array_equal(clamped, found.clip(-1, 1))
    for memory in (np.empty_like(found), np.full((*found.shape[:-1], length + 3), 7.0, found.dtype)):
        out = memory[..., memory.shape[-1] - length :]
        assert cpu.run(op, x, a, b, out=out, precise=o["precise"]) is out
        assert np.array_equal(out, found)
        assert (memory[..., : memory.shape[-1] - length] == 7).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_signals_are_filtered_as_each_is(dtype: Any) -> None:
    x, (a, b) = noise(37, 20_000, dtype=dtype), coefficients(0, 2, 2, dtype)
    before = cpu.get_num_threads()
    try:
        cpu.set_num_threads(2)
        found = cpu.run(RecursiveFilter(), x, a, b)
    finally:
        cpu.set_num_threads(before)
    assert np.array_equal(found, np.stack([cpu.run(RecursiveFilter(), row, a, b) for row in x]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_spoils_what_follows_from_it(bad: float, dtype: Any) -> None:
    x = noise(3, 2000, dtype=dtype)
    x[1, 777] = bad
    for (outputs, inputs), last in {(2, 2): 2000, (0, 3): 781}.items():
        a, b = coefficients(0, outputs, inputs, dtype)
        for op, spoiled in (
            (RecursiveFilter(), range(777, last)),
            (RecursiveFilter(True), range(777 - last + 778, 778)),
        ):
            wrong = np.zeros(x.shape, bool)
            wrong[1, max(0, spoiled.start) : spoiled.stop] = True
            assert np.array_equal(~np.isfinite(cpu.run(op, x, a, b)), wrong)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_filter_that_grows_beyond_its_precision_ends_there(dtype: Any) -> None:
    a, b, x = np.array([1, -2], dtype), np.array([1], dtype), np.zeros(3000, dtype)
    x[5] = 1
    largest = np.finfo(dtype).maxexp
    found, clamped = (cpu.run(op, x, a, b) for op in (RecursiveFilter(), ClampedFilter(RecursiveFilter())))
    assert np.array_equal(found[: 5 + largest], np.concatenate([np.zeros(5), np.ldexp(1.0, np.arange(largest))]))
    assert np.isposinf(found[5 + largest :]).all()
    assert np.array_equal(clamped, found.clip(-1, 1))


def test_a_filter_that_cannot_be_normalized_gives_nothing() -> None:
    assert np.isnan(cpu.run(RecursiveFilter(), noise(900), *np.array([[0, 1], [1, 0.5]], np.float32))).all()


LAGGED = list(
    pairwise(
        lags=(1, 3, 9, 700),
        length=(1, 4, 513, 2000),
        lead=((), (2,), (2, 3)),
        filters=(1, 3),
        dtype=(np.float32, np.float64),
        backwards=(False, True),
    )
)


@pytest.mark.parametrize("o", LAGGED, ids=str)
def test_lagged_products_are_sums_of_products(o: dict[str, Any]) -> None:
    x, y = (noise(*o["lead"], o["filters"], o["length"], dtype=o["dtype"], seed=seed) for seed in (1, 2))
    x = x[..., ::-1] if o["backwards"] else x
    found = cpu.run(LaggedProducts(o["lags"]), x, y)
    assert found.dtype == o["dtype"]
    pairs = [(x[..., : max(0, o["length"] - k)].astype(np.float64), y[..., k:]) for k in range(o["lags"])]
    axes = tuple(i for i in range(x.ndim) if i != x.ndim - 2)
    truth, size = (np.stack([(f(p) * f(q)).sum(axes) for p, q in pairs], -1) for f in (np.asarray, np.abs))
    # each of so many products is rounded once more in double precision
    limit = np.finfo(o["dtype"]).eps * np.abs(truth) + x.size * np.finfo(np.float64).eps * size
    assert (np.abs(found - truth) <= limit).all()
    out = np.empty_like(found)
    assert cpu.run(LaggedProducts(o["lags"]), x, y, out=out) is out
    assert np.array_equal(out, found)
