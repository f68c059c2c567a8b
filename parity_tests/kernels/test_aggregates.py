"""Host kernels that sum up or choose among values of matrices, against definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlx_spectro.kernels import cpu

from ..table.case import pairwise
from .test_cpu import noise

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)


@pytest.mark.parametrize("kind", ["mean", "median"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("values", [1, 16, 33])
def test_rows_are_the_means_or_medians_of_those_chosen(kind: str, dtype: Any, values: int) -> None:
    x = noise((80, values), dtype)
    rng = np.random.default_rng(1)
    chosen = [rng.choice(80, count, replace=False) for count in range(80)]
    begins = np.cumsum([0, *map(len, chosen)])
    function = getattr(np, kind)
    truth = np.stack([x[0], *(function(x[rows], axis=0) for rows in chosen[1:])])
    # both sum up one row after the other, as NumPy does along the first of two axes
    exact = values > 1
    found = cpu.aggregates(x, np.concatenate(chosen), begins, kind)
    assert found.dtype == dtype
    assert np.allclose(found, truth, rtol=0, atol=0 if exact else 80 * np.finfo(dtype).eps * np.abs(x).max())


CONVOLVED = list(
    pairwise(
        shape=((30, 40), (3, 41, 30), (2, 2, 33, 64)),
        sizes=((3, 3), (8, 5), (30, 29)),
        least=(None, 0.0),
        dtype=("f", "d"),
        order=("C", "F"),
        filters=(1, 3),
    )
)


@pytest.mark.parametrize("o", CONVOLVED, ids=str)
def test_a_matrix_is_the_largest_of_its_convolutions(o: dict[str, Any]) -> None:
    x = np.asarray(noise(o["shape"], np.dtype(o["dtype"]).type), order=o["order"])
    filters = [noise(o["sizes"], np.float64, seed) for seed in range(o["filters"])]
    filters[0][0, 0] = 1e-17  # next to nothing
    pad = list(o["sizes"])
    mirrored = np.pad(x.astype(np.float64), [(0, 0)] * (x.ndim - 2) + [(p, p) for p in pad], mode="symmetric")
    sums = np.full((len(filters), *x.shape), 0.0)
    for k, one in enumerate(filters):
        for i, j in np.ndindex(one.shape):
            down, right = pad[0] + one.shape[0] // 2 - i, pad[1] + one.shape[1] // 2 - j
            part = mirrored[..., down : down + x.shape[-2], right : right + x.shape[-1]]
            sums[k] += one[i, j] * part
    truth = sums.max(axis=0) if o["least"] is None else np.maximum(sums.max(axis=0), o["least"])
    found = cpu.largest_convolution(x, filters, o["least"])
    assert found.dtype == x.dtype
    assert found.flags.c_contiguous
    terms = filters[0].size
    largest = np.abs(x).max() * max(np.abs(one).max() for one in filters)
    limit = terms * np.finfo(np.float64).eps * terms * largest + np.finfo(x.dtype).eps * np.abs(truth).max()
    assert np.abs(found - truth).max() <= limit
