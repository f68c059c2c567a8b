"""How far our result may be from a reference's: what ``numerics("verify")`` and the parity suite hold a call to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def spectrum(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound of ``|ours - theirs|`` for a transform of ``n_fft`` points and what is linear in it.

    Each of two FFTs is within about ``eps * log2(n_fft)`` of the truth, relative to its largest values (N. J. Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2); one doubling more is for window and scale.
    """
    return 2 * float(np.finfo(dtype).eps) * (1 + math.log2(max(n_fft, 2))) * largest
