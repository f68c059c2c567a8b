"""Decibels of values in host arrays."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.epilogues import Decibels
from ...design.logarithms import reference_level
from ...design.operators import Elementwise
from .frames import copy
from .runtime import elementary
from .runtime.compile import kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.memory import address_of, address_to_write, advised, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, Vec, operation

Array = npt.NDArray[Any]


@functools.lru_cache(maxsize=64)
def amounts(epilogue: Decibels, number: Any) -> tuple[Any, ...]:
    """What :func:`level` takes beside a value, for logarithms of type ``number``."""
    zero = reference_level(epilogue.reference, epilogue.amin, np.finfo(number))
    numbers = (epilogue.amin, epilogue.multiplier, epilogue.multiplier * zero.logarithm, zero.low, zero.high)
    return tuple(map(number, numbers))


def level(value: Vec, amin: Vec, factor: Vec, zero: Vec, low: Vec, high: Vec) -> Vec:
    """``factor * log10(max(value, amin)) - zero``, which from ``low`` to ``high`` is 0."""
    value = value.at_least(amin)
    decibels = elementary.log10(value) * factor
    return value.where("ult", low, decibels, value.where("ugt", high, decibels, zero)) - zero


@operation("source", "target", "count", "amin:real", "factor:real", "zero:real", "low:real", "high:real")
def take_levels(
    kit: Kit, source: Any, target: Any, count: Any, amin: Any, factor: Any, zero: Any, low: Any, high: Any
) -> None:
    """The levels of ``count`` vectors of values."""
    amounts = [kit.spread(amount) for amount in (amin, factor, zero, low, high)]
    with kit.loop(count) as i:
        at = kit.times(i, kit.lanes * kit.stored_size)
        kit.store_stored(level(kit.load_stored(kit.at(source, at)), *amounts), kit.at(target, at))


@kernel
def values_to_levels(real, stored, size, source, target, first, last, amounts, lanes, spare):
    """Levels of the values from ``first`` up to ``last``; ``spare`` is scratch memory for a vector."""
    amin, factor, zero, low, high = amounts
    state = flush_denormals(real, real)
    source, target, count = source + size * first, target + size * first, last - first
    take_levels(real, stored, source, target, count // lanes, amin, factor, zero, low, high)
    left = count % lanes
    if left:
        done = size * (count - left)
        copy(real, stored, spare, source + done, size * left)
        take_levels(real, stored, spare, spare, 1, amin, factor, zero, low, high)
        copy(real, stored, target + done, spare, size * left)
    restore_state(real, real, state)


def elementwise(op: Elementwise, values: Array, *, out: Array | None, precise: bool) -> Array:
    """Decibels in the values' memory order, of values of any strides.

    The reference's own level is 0, and no value that is larger has a smaller level.
    """
    if not isinstance(op.epilogue, Decibels):
        raise NotImplementedError(f"host kernels have no {type(op.epilogue).__name__} of given values")
    dense = values if values.flags.forc and values.flags.aligned else values.copy(order="K")
    direct = out is not None and out.flags.behaved and out.strides == dense.strides
    target = advised(out if direct and out is not None else np.empty_like(dense, subok=False))
    number: Any = np.float64 if precise else values.dtype.type
    numbers = amounts(op.epilogue, number)
    real, stored = number(1), values.dtype.type(1)
    source, to, lanes = address_of(dense), address_to_write(target), VECTOR_BYTES // real.itemsize

    def work(first: int, last: int) -> None:
        spare, _memory = workspace.pieces((VECTOR_BYTES,))
        values_to_levels(real, stored, stored.itemsize, source, to, first, last, numbers, lanes, spare)

    share(work, dense.size, lanes, 1, (dense, target))
    if out is None or out is target:
        return target
    out[...] = target
    return out


RUN = {Elementwise: elementwise}
