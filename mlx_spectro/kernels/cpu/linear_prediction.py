"""Linear prediction of rows of NumPy arrays by Burg's method."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.operators import LaggedProducts
from .lagged_products import lagged_products
from .runtime.compile import kernel
from .runtime.threads import share

Array = npt.NDArray[Any]
_PIECE = 64


@kernel
def predict(heads, tails, products, order, epsilon, first, last, result, growth):
    """Coefficients of the rows from ``first`` up to ``last``; see :func:`burg`."""
    size = order + 1
    sums, a, before = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for row in range(first, last):
        head, tail, product = heads[row], tails[row], products[row]
        a[:], worst = 0.0, 0.0
        a[0] = 1.0
        sums[0, 0] = product[0]
        for m in range(1, size):
            # sums of x[t - i] x[t - j] from sample m on: from those from sample m - 1 on, a sample earlier
            for i in range(m, 0, -1):
                for j in range(i, 0, -1):
                    sums[i, j] = sums[i - 1, j - 1] - tail[i - 1] * tail[j - 1]
            for j in range(m):
                product[j] -= head[m - 1] * head[m - 1 - j]
                sums[j, 0] = product[j]
            sums[m, 0] = product[m]
            both, alike = 0.0, 0.0
            for i in range(m):
                for j in range(m):
                    near, far = sums[max(i, j), min(i, j)], sums[m - min(i, j), m - max(i, j)]
                    both += a[i] * a[j] * (near + far)
                    alike += a[i] * a[j] * sums[max(i, m - j), min(i, m - j)]
            size_of_a = 0.0
            for i in range(m):
                size_of_a += abs(a[i])
            worst = max(worst, size_of_a * size_of_a * (sums[0, 0] + sums[m, m]) / (both + epsilon))
            reflection = -2.0 * alike / (both + epsilon)
            before[:] = a
            for i in range(1, m + 1):
                a[i] = before[i] + reflection * before[m - i]
        result[row] = a
        growth[row] = worst


def burg(x: Array, order: int, epsilon: float) -> tuple[Array, Array]:
    """Coefficients of the filter that leaves least of the rows of ``x [rows, T]``, forth and back.

    See J. Burg, "Maximum entropy spectral analysis", 1975. The sums over errors are quadratic forms of the sums over
    samples, as in K. Vos, "A fast implementation of Burg's method", 2013: the samples are read once.

    Args:
        x: float32 or float64, more than ``order`` samples a row.
        order: Coefficients after the first, which is 1.
        epsilon: What is added to the energies that reflections are divided by.

    Returns:
        float64 ``[rows, order + 1]``, and by how much sums of each row are larger than what is left of them, and so the
        relative error than double precision's.
    """
    x = np.ascontiguousarray(x)
    heads = np.ascontiguousarray(x[:, :order], np.float64)
    tails = np.ascontiguousarray(x[:, : -order - 1 : -1], np.float64)
    products = lagged_products(LaggedProducts(order + 1), x, x, out=None, precise=True)
    result, growth = np.empty((len(x), order + 1)), np.empty(len(x))

    def work(first: int, last: int) -> None:
        predict(heads, tails, products, order, epsilon, first, last, result, growth)

    share(work, len(x), 1, (order + 1) ** 3 // 3, ())
    return result, growth
