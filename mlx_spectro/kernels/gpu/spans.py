"""Spans of each example overwritten, in one copy of it."""

from __future__ import annotations

import functools
import math

from ...design.operators import MaskSpans
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .programs import NoKernel, Recipe, Shapes, Step, gpu, rows_of

_THREADS = 256
# values of a thread
_EACH = 4
# spans of an example, of which a bit each says along which axis
MOST_SPANS = 31
# places along an axis, which float32 numbers
_MOST_PLACES = 1 << 24
_MOST_VALUES = 1 << 30

_SCALARS = {**ROWS, "size": "int", "lines": "int", "columns": "int", "count": "int", "along": "int"}

# Nothing here is a product to which something is added, which a compiler would round once instead of twice.
_BODY = """
K_SHARED_ARRAY(int, starts, MOST_SPANS);
K_SHARED_ARRAY(int, ends, MOST_SPANS);
const int id = int(thread_position_in_threadgroup.x);
if (id < count && row < rows) {
  const float length = drawn[id * rows + row], share = drawn[(count + id) * rows + row];
  starts[id] = int(share * (float(along >> id & 1 ? columns : lines) - length));
  ends[id] = starts[id] + int(length);
}
K_BARRIER();
if (row < rows) {
  const int begin = int(threadgroup_position_in_grid.x) * (THREADS * EACH) + id;
  K_UNROLL for (int i = 0; i < EACH; i++) {
    const int at = begin + i * THREADS;
    if (at < size) {
      const int line = at / columns, column = at - line * columns;
      bool inside = false;
      for (int k = 0; k < count; k++) {
        const int place = along >> k & 1 ? column : line;
        inside = inside || (place >= starts[k] && place < ends[k]);
      }
      out[row * size + at] = inside ? value[0] : x[row * size + at];
    }
  }
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves up to :data:`MOST_SPANS` spans an example."""
    return Kernel(
        name="spans",
        inputs={"x": "float", "drawn": "float", "value": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=32,
        header=defines({"THREADS": _THREADS, "EACH": _EACH, "MOST_SPANS": MOST_SPANS}),
        body=_BODY,
    )


@gpu(MaskSpans)
def _mask_spans(op: MaskSpans, shapes: Shapes) -> Recipe:
    rows, (lines, columns) = rows_of(shapes[0], 2), shapes[0][-2:]
    if len(op.axes) > MOST_SPANS:
        raise NoKernel(f"an example has more than {MOST_SPANS} spans")
    if max(lines, columns) > _MOST_PLACES or lines * columns > _MOST_VALUES:
        raise NoKernel("an example is too large")
    groups, scalars = over_rows(-(-lines * columns // (_THREADS * _EACH)), rows)
    scalars |= {
        "size": lines * columns,
        "lines": lines,
        "columns": columns,
        "count": len(op.axes),
        "along": sum(1 << k for k, axis in enumerate(op.axes) if axis == -1),
    }
    launch = Launch(kernel(), scalars, groups, ((math.prod(shapes[0]),),))
    x, drawn, value = range(3)
    return Recipe(lambda _pieces, _geometry: [Step(launch, (x, drawn, value))])
