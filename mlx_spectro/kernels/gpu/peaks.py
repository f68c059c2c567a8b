"""The largest of a row's values, and clipping below it."""

from __future__ import annotations

import functools

from .dialect import ROWS, Kernel, Launch, over_rows
from .programs import Step

# numbers that every threadgroup may look through for a row's peak
MOST_PARTS = 4096
_THREADS = 256
# values that a thread clips, or looks at
_EACH = 8

# The largest value that a threadgroup meets; NaN is the largest. Each thread brings its own, `best` has room for all.
HIGHEST = """
#define k_lowest -3.4028235e38f
K_FN float k_higher(float a, float b) { return a < b || b != b ? b : a; }
#define K_HIGHEST(best, id, threads, highest) \\
  best[id] = highest; \\
  K_BARRIER(); \\
  for (int i = int(id) + 32; id < 32 && i < threads; i += 32) highest = k_higher(highest, best[i]); \\
  K_BARRIER(); \\
  if (id < 32) best[id] = highest; \\
  K_BARRIER(); \\
  for (int i = 0; i < 32 && i < threads; i++) highest = k_higher(highest, best[i]);
"""

FLOOR = {**ROWS, "parts": "k_long", "together": "int", "top": "float"}

# Rows that clip together share a peak, the largest of so many parts; no parts, no floor.
LEAST = """
float highest = k_lowest;
if (parts > 0) {
  const K_DEVICE float* of_row = peaks + row / together * parts;
  for (k_long i = id; i < parts; i += THREADS) highest = k_higher(highest, of_row[i]);
  K_HIGHEST(best, id, THREADS, highest)
}
const float least = highest - top;
#define FLOORED(a) (parts > 0 && !(a >= least) ? (a != a ? a : least) : a)
"""

_START = """
K_SHARED_ARRAY(float, best, THREADS);
const int id = int(thread_position_in_threadgroup.x);
if (row < rows) {
  const k_long begin = k_long(threadgroup_position_in_grid.x) * (THREADS * EACH) + id;
  const K_DEVICE float* values = x + row * size;
"""
_CLIP = f"""{_START}
  {LEAST}
  K_DEVICE float* results = out + row * size;
  K_UNROLL for (int i = 0; i < EACH; i++) {{
    const k_long at = begin + i * THREADS;
    if (at < size) results[at] = FLOORED(values[at]);
  }}
}}
"""
_PEAKS = f"""{_START}
  float highest = k_lowest;
  K_UNROLL for (int i = 0; i < EACH; i++) {{
    const k_long at = begin + i * THREADS;
    if (at < size) highest = k_higher(highest, values[at]);
  }}
  K_HIGHEST(best, id, THREADS, highest)
  if (id == 0) out[row * parts + k_long(threadgroup_position_in_grid.x)] = highest;
}}
"""


def _kernel(name: str, inputs: tuple[str, ...], scalars: dict[str, str], body: str) -> Kernel:
    return Kernel(
        name=name,
        inputs=dict.fromkeys(inputs, "float"),
        tables={},
        outputs={"out": "float"},
        scalars=scalars,
        threads=_THREADS,
        registers=32,
        header=f"#define THREADS {_THREADS}\n#define EACH {_EACH}\n{HIGHEST}",
        body=body,
    )


@functools.cache
def clipping() -> Kernel:
    """The kernel that clips."""
    return _kernel("clipping", ("x", "peaks"), {**FLOOR, "size": "k_long"}, _CLIP)


@functools.cache
def kernel() -> Kernel:
    """The kernel that looks for peaks."""
    return _kernel("peaks", ("x",), {**ROWS, "size": "k_long", "parts": "k_long"}, _PEAKS)


def clip_launch(rows: int, size: int, *, top: float, parts: int, together: int = 1) -> Launch:
    """``[rows, size]`` with nothing below a peak minus ``top``, that of ``together`` rows: the largest of ``parts``."""
    groups, scalars = over_rows(-(-size // (_THREADS * _EACH)), rows)
    scalars |= {"parts": parts, "together": together, "top": top, "size": size}
    return Launch(clipping(), scalars, groups, ((rows, size),))


def steps(values: int, following: int, rows: int, size: int) -> tuple[list[Step], int, int]:
    """Launches after which every threadgroup may look through what is left of ``[rows, size]`` for a row's peak.

    Args:
        values: The number of these values.
        following: The number that the next output will have.
        rows, size: Of the values.

    Returns:
        The launches, none where there is no need; how many numbers of a row are left, and their number as a value.
    """
    looking: list[Step] = []
    while size > MOST_PARTS:
        groups, scalars = over_rows(-(-size // (_THREADS * _EACH)), rows)
        launch = Launch(kernel(), {**scalars, "size": size, "parts": groups[0]}, groups, ((rows, groups[0]),))
        looking.append(Step(launch, (values,)))
        size, values, following = groups[0], following, following + 1
    return looking, size, values
