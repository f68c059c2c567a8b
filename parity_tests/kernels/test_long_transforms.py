"""Long transforms by many short ones, against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlx_spectro.kernels import cpu

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)
scipy_fft = pytest.importorskip("scipy.fft")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("samples", "n"), [(1, 1), (3, 7), (10, 20), (100, 225), (500, 1000), (2000, 4096)])
def test_a_long_autocorrelation_is_its_definition(samples: int, n: int, dtype: Any) -> None:
    x = np.random.default_rng(n).standard_normal(samples).astype(dtype)
    exact = x.astype(np.longdouble)
    truth = np.array([exact[: samples - lag] @ exact[lag:] for lag in range(samples)])
    values = cpu.long_autocorrelation(x, n, scipy_fft)
    assert values.shape == (n,)
    assert values.dtype == dtype
    # two transforms and a square, each within eps log2 n of the largest; see tolerances.energy
    limit = 8 * float(np.finfo(dtype).eps) * (1 + math.log2(n)) * float(truth[0])
    assert np.abs(values[:samples] - truth).max() <= limit
    assert np.abs(values[samples : n - samples + 1]).max(initial=0) <= limit
