"""Norms of arrays that lie in memory in any way, and arrays over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.kernels import cpu

from ..table.case import pairwise

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

Array = npt.NDArray[Any]
# rows, columns, parts of a vector, several blocks; and what is left of each
SHAPES = ((1,), (7,), (1000,), (150_001,), (5, 7, 300), (300, 5), (3001, 2), (2, 101), (70, 64), (2500, 65), (1, 9))
VIEWS: dict[str, Callable[[Array], Array]] = {
    "C": lambda x: x,
    "F": np.asfortranarray,
    "turned": lambda x: np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0),
    "backwards": lambda x: x[..., ::-1],
    "repeated": lambda x: np.broadcast_to(x[..., :1], x.shape),
}


def defined(x: Array, norm: float, axis: int | None) -> Array:
    """A norm by its definition."""
    sizes: Any = np.abs(x.astype(np.longdouble))
    options: dict[str, Any] = {"axis": axis, "keepdims": True}
    if math.isinf(norm):
        sizes = (sizes.max if norm > 0 else sizes.min)(**options)
    elif norm == 0:
        sizes = (sizes > 0).sum(**options)
    else:
        sizes = (sizes**norm).sum(**options) ** (1 / norm)
    return np.asarray(sizes)


CALLS = list(
    pairwise(
        shape=SHAPES,
        view=tuple(VIEWS),
        axis=(0, -1, 1, None),
        norm=(math.inf, -math.inf, 0, 1, 2, 1.5),
        dtype=(np.float32, np.float64),
    )
)


@pytest.mark.parametrize("o", CALLS, ids=str)
def test_norms_and_what_is_over_them(o: dict[str, Any]) -> None:
    shape, norm, dtype = o["shape"], o["norm"], o["dtype"]
    axis = 0 if o["axis"] == 1 and len(shape) == 1 else o["axis"]
    x = np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)
    x.flat[:: max(2, x.size // 3)] = 0
    x = VIEWS[o["view"]](x)
    lengths, truth = cpu.norms(x, norm, axis), defined(x, norm, axis)
    # each term and each sum is rounded, and a root takes its share of that
    eps = 0.0 if math.isinf(norm) or norm == 0 else 2.0**-52 * (x.size + 4)
    assert lengths.shape == truth.shape
    assert (np.abs(lengths - truth) <= eps * truth).all()
    divisors = np.where(lengths == 0, np.inf, lengths)
    quotients = cpu.divided(x, divisors, axis)
    assert np.array_equal(quotients, (x / divisors.astype(np.float64)).astype(dtype))
    assert quotients.dtype == dtype
    like = np.empty_like(x)
    assert [s for s, n in zip(quotients.strides, shape, strict=True) if n > 1] == [
        s for s, n in zip(like.strides, shape, strict=True) if n > 1
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quotients_of_any_two_float32_are_rounded_once(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 1 << 31, (64, 500), np.int32)
    x = bits.view(np.float32)
    x = np.where(np.isfinite(x), x, np.float32(1)).astype(dtype)
    divisors = np.abs(x[:1]) + np.finfo(np.float32).tiny
    with np.errstate(over="ignore"):
        assert np.array_equal(cpu.divided(x, divisors, 0), (x / divisors.astype(np.float64)).astype(dtype))
