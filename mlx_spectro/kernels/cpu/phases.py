"""Magnitudes and phases of complex values in host arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy
from .runtime import elementary
from .runtime.compile import inner, kernel
from .runtime.memory import address_of, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Complex, Kit, operation

Array = npt.NDArray[Any]


@operation("z", "magnitude", "unit")
def split(kit: Kit, z: Any, magnitude: Any, unit: Any) -> None:
    """Magnitude and phase factor of a complex value of each lane; the phase of 0 is 0."""
    value = kit.load_pairs(z)
    modulus, zero, one = elementary.sqrt(value.energy), kit.constant(0.0), kit.constant(1.0)
    # not above 0 is 0 itself; NaN counts as above, and stays
    phase = value.scaled(modulus.where("ugt", zero, one / modulus, zero))
    kit.store_stored(modulus, magnitude)
    kit.store_pairs(Complex(modulus.where("ugt", zero, phase.re, one), phase.im), unit)


@inner
def _some(real, stored, size, z, magnitude, unit, count, lanes, spare):
    pairs = 2 * size
    whole = count - count % lanes
    for i in range(0, whole, lanes):
        split(real, stored, z + pairs * i, magnitude + size * i, unit + pairs * i)
    if whole < count:
        left, spare_unit, spare_magnitude = count - whole, spare + 2 * pairs * lanes, spare + 4 * pairs * lanes
        copy(real, stored, spare, z + pairs * whole, pairs * left)
        split(real, stored, spare, spare_magnitude, spare_unit)
        copy(real, stored, magnitude + size * whole, spare_magnitude, size * left)
        copy(real, stored, unit + pairs * whole, spare_unit, pairs * left)


@kernel
def polar_values(real, stored, size, z, magnitude, unit, first, last, lanes, spare):
    """Magnitudes and phase factors of the values from ``first`` up to ``last``."""
    z, magnitude, unit = z + 2 * size * first, magnitude + size * first, unit + 2 * size * first
    _some(real, stored, size, z, magnitude, unit, last - first, lanes, spare)


def magphase(z: Array) -> tuple[Array, Array]:
    """Magnitudes and phase factors of complex64 ``z``, in its memory order; the phase factor of 0 is 1.

    In double precision inside, where no square of a float32 overflows or vanishes.
    """
    dense = z if z.flags.forc and z.flags.aligned else z.copy(order="K")
    magnitude, unit = (advised(np.empty_like(dense, kind, subok=False)) for kind in (np.float32, np.complex64))
    source, to, units, lanes = address_of(dense), address_of(magnitude), address_of(unit), VECTOR_BYTES // 8

    def work(first: int, last: int) -> None:
        spare, _memory = workspace.pieces((8 * VECTOR_BYTES,))
        polar_values(np.float64(1), np.float32(1), 4, source, to, units, first, last, lanes, spare)

    share(work, z.size, lanes, 1, (dense, magnitude, unit))
    return magnitude, unit
