"""Medians of neighbouring values."""

from __future__ import annotations

import functools
import math

from ...design.operators import Medians
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .programs import NoKernel, Recipe, Shapes, Step, gpu

_THREADS = 128
# each value of a window is compared with all others
_LARGEST = 127

_SCALARS = {**ROWS, "length": "k_long", "apart": "k_long", "size": "int"}

_HEADER = """
// the value at place t of a line, which is mirrored at its ends, their values included
K_FN float k_mirrored(const K_DEVICE float* line, k_long t, k_long length, k_long apart) {
  t %= 2 * length;
  t += t < 0 ? 2 * length : 0;
  return line[(t < length ? t : 2 * length - 1 - t) * apart];
}
// what it is ordered by: NaN as infinity
K_FN float k_key(float a) { return (k_word(a) & 0x7fffffff) > 0x7f800000 ? k_bits(0x7f800000) : a; }
"""

# Of a window's values, one has as many before it as the median: sorting would need memory, and its steps each other's
# results. Equal values are in the order of their places.
_BODY = """
const k_long at = k_long(threadgroup_position_in_grid.x) * THREADS + k_long(thread_position_in_threadgroup.x);
if (row < rows && at < length * apart) {
  const k_long t = at / apart, first = t - size / 2;
  const K_DEVICE float* line = x + row * length * apart + (at - t * apart);
  const bool inside = first >= 0 && first + size <= length;
  float median = 0.0f;
  for (int i = 0; i < size; i++) {
    const float value = inside ? line[(first + i) * apart] : k_mirrored(line, first + i, length, apart);
    const float key = k_key(value);
    int before = 0;
    for (int k = 0; k < size; k++) {
      const float other = k_key(inside ? line[(first + k) * apart] : k_mirrored(line, first + k, length, apart));
      before += other < key || (other == key && k < i) ? 1 : 0;
    }
    median = before == size / 2 ? value : median;
  }
  out[row * length * apart + at] = median;
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves windows of any size."""
    return Kernel(
        name="medians",
        inputs={"x": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=32,
        header=defines({"THREADS": _THREADS}) + _HEADER,
        body=_BODY,
    )


def launch(size: int, rows: int, length: int, apart: int) -> Launch:
    """Medians along the middle one of axes ``[rows, length, apart]``."""
    groups, scalars = over_rows(-(-length * apart // _THREADS), rows)
    return Launch(
        kernel(), scalars | {"length": length, "apart": apart, "size": size}, groups, ((rows, length, apart),)
    )


@gpu(Medians)
def _medians(op: Medians, shapes: Shapes) -> Recipe:
    if op.size > _LARGEST:
        raise NoKernel(f"windows of more than {_LARGEST} values are sorted")
    axis = op.axis % len(shapes[0])
    rows, apart = math.prod(shapes[0][:axis]), math.prod(shapes[0][axis + 1 :])
    x = 0
    return Recipe(lambda _pieces, _geometry: [Step(launch(op.size, rows, shapes[0][axis], apart), (x,))])
