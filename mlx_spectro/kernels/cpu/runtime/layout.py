"""Arrays as the compiled kernels take and fill them: aligned rows, and results in either memory order."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .memory import advised

Array = npt.NDArray[Any]


class Layout(NamedTuple):
    """How an array lies in memory, whoever's it is: its type, its shape, and its strides in bytes."""

    kind: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def folded(self, last: int) -> Layout | None:
        """With the axes before the ``last`` ones as one; None where in memory they are not."""
        before = len(self.shape) - last
        if before == 1:
            return self
        lead = self.shape[:before]
        # what an axis of 1 has for a stride says nothing
        outer = [axis for axis in range(before) if lead[axis] > 1]
        for i, inner in itertools.pairwise(outer):
            if self.strides[i] != lead[inner] * self.strides[inner]:
                return None
        step = self.strides[outer[-1]] if outer else 0
        return Layout(self.kind, (math.prod(lead), *self.shape[before:]), (step, *self.strides[before:]))


def aligned_rows(x: Array) -> Array:
    """``x [..., T]`` as ``[rows, T]``, aligned; a view where its strides allow."""
    rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
    return rows if rows.flags.aligned else rows.copy()


def streams(x: Array, filters: int) -> Array:
    """``x [..., T]`` as ``[batch, filters, T]``, a view where its strides allow."""
    rows = x.reshape(-1, filters, x.shape[-1])
    return rows if rows.flags.aligned else rows.copy()


def outermost_first(x: Array) -> list[int]:
    """The axes of ``x`` in the order in which they lie in memory."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))


def dense(x: Array) -> Array:
    """``x``, or a copy of it in the same order, whose values lie side by side."""
    if x.flags.aligned and x.transpose(outermost_first(x)).flags.c_contiguous:
        return x
    return x.copy(order="K")


class Ordered(NamedTuple):
    """An array as it lies in memory, before an axis, along it and after it."""

    values: Array
    """``[outer, n, inner]``, in C's order."""
    axes: list[int]
    """The array's axes, the outermost first."""
    lengths: tuple[int, ...]
    """Of these."""
    at: int | None
    """Which of these the axis is; None where values are taken for one row."""

    @classmethod
    def of(cls, x: Array, axis: int | None) -> Ordered:
        """``x``, or a copy of it if its values do not lie side by side."""
        held = dense(x)
        axes = outermost_first(held)
        ordered = held.transpose(axes)
        lengths = ordered.shape
        if axis is None:
            return cls(ordered.reshape(1, -1, 1), axes, lengths, None)
        at = axes.index(axis % x.ndim)
        shape = (math.prod(lengths[:at]), lengths[at], math.prod(lengths[at + 1 :]))
        return cls(ordered.reshape(shape), axes, lengths, at)

    def back(self, results: Array) -> Array:
        """Results ``[outer, n, inner]``, where ``n`` may be 1 instead, by the array's axes."""
        lengths = self.lengths
        if results.shape[1] == 1:
            lengths = tuple(1 if self.at in (None, i) else length for i, length in enumerate(lengths))
        # the way back of a permutation is where each axis went
        return results.reshape(lengths).transpose([self.axes.index(axis) for axis in range(len(lengths))])

    def forth(self, results: Array) -> Array:
        """The way back from :meth:`back`."""
        return results.transpose(self.axes).reshape(len(self.values), -1, self.values.shape[2])


def takes(out: Array, values: Array) -> bool:
    """Whether ``out`` can be written to in the order of dense ``values``."""
    return out.strides == values.strides and out.dtype == values.dtype and out.flags.behaved


def ready(out: Array | None, shape: tuple[int, ...], kind: Any) -> tuple[Array, tuple[int, int, int]]:
    """An array of ``shape [..., N, values]`` to write to, and its bytes a row, a value and a frame.

    It is ``out`` if a frame's values, or a value's frames, lie side by side there.
    """
    target = out if out is not None and _takes_rows(out) else np.empty(shape, kind)
    row_bytes = target.strides[-3] if target.ndim > 2 else 0
    return advised(target), (row_bytes, target.strides[-1], target.strides[-2])


def _takes_rows(out: Array) -> bool:
    """Whether the kernels can write to ``out``: side by side in one of its last axes, the others evenly spaced."""
    if not (out.size and out.flags.behaved) or out.itemsize not in out.strides[-2:]:
        return False
    lead = zip(out.shape[1:-2], out.strides[:-3], out.strides[1:-2], strict=True)
    return all(stride == count * inner for count, stride, inner in lead)
