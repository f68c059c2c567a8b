"""Epilogues alone: a function of each value."""

from __future__ import annotations

import functools
import math

from ...design.operators import Elementwise
from .dialect import ROWS, Kernel, Launch, over_rows
from .filterbank import EPILOGUE, EPILOGUE_TEXT, numbers_of
from .programs import Recipe, Shapes, Step, gpu

_THREADS = 256
# values of a thread
_EACH = 4

_BODY = """
const k_long begin = k_long(threadgroup_position_in_grid.x) * (THREADS * EACH);
K_UNROLL for (int i = 0; i < EACH; i++) {
  const k_long at = begin + i * THREADS + k_long(thread_position_in_threadgroup.x);
  if (row < rows && at < size) {
    const k_long place = row * size + at;
    out[place] = k_epilogue(x[place], epilogue, amin, factor, zero, first_zero, last_zero);
  }
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves any number of values."""
    return Kernel(
        name="epilogues",
        inputs={"x": "float"},
        tables={},
        outputs={"out": "float"},
        scalars={**ROWS, "size": "k_long", **EPILOGUE},
        threads=_THREADS,
        registers=32,
        header=f"#define THREADS {_THREADS}\n#define EACH {_EACH}\n{EPILOGUE_TEXT}",
        body=_BODY,
    )


@gpu(Elementwise)
def _elementwise(op: Elementwise, shapes: Shapes) -> Recipe:
    size, numbers, x = math.prod(shapes[0]), numbers_of(op.epilogue), 0
    groups, scalars = over_rows(-(-size // (_THREADS * _EACH)), 1)
    launch = Launch(kernel(), {**scalars, "size": size, **numbers}, groups, (shapes[0],))
    return Recipe(lambda _pieces, _geometry: [Step(launch, (x,))])
