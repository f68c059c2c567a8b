"""Filters over given values (a spectrogram, the gradient of a filtered one, decibels for a DCT), and clipping."""

from __future__ import annotations

import functools

from . import filters
from .dialect import Kernel, Launch, over_rows

_THREADS = 256
# floats of threadgroup memory that hold the values of a few frames
_ROOM = 6144
# frames a threadgroup: more would leave small arrays to few threadgroups
_MOST_FRAMES = 16
# numbers that every threadgroup may look through for a row's peak
MOST_PARTS = 4096
# values that a thread clips
_EACH = 8

_FLOOR = {"rows": "k_long", "depth": "k_long", "parts": "k_long", "together": "int", "top": "float"}
_PROJECTION = {**_FLOOR, "frames": "int", "tile": "int", "count": "int", "filters": "int", "squared": "int"}
_CLIPPING = {**_FLOOR, "size": "k_long"}

_PLACE = """
const int id = int(thread_position_in_threadgroup.x);
const k_long row = k_long(threadgroup_position_in_grid.y) * depth + k_long(threadgroup_position_in_grid.z);
"""

# Rows that clip together share a peak, the largest of so many parts; no parts, no floor.
_LEAST = """
float highest = k_lowest;
if (parts > 0) {
  const K_DEVICE float* of_row = peaks + row / together * parts;
  for (k_long i = id; i < parts; i += THREADS) highest = k_higher(highest, of_row[i]);
  K_HIGHEST(best, id, THREADS, highest)
}
const float least = highest - top;
#define FLOORED(a) (parts > 0 && !(a >= least) ? (a != a ? a : least) : a)
"""

_PROJECT = f"""
K_SHARED_ARRAY(float, held, ROOM);
K_SHARED_ARRAY(float, best, THREADS);
{_PLACE}
if (row < rows) {{
  const int first = int(threadgroup_position_in_grid.x) * tile;
  const int some = frames - first < tile ? frames - first : tile;
  const K_DEVICE float* values = x + (row * frames + first) * count;
  {_LEAST}
  for (int i = id; i < some * count; i += THREADS) {{
    const float a = FLOORED(values[i]);
    held[i] = squared ? a * a : a;
  }}
  K_BARRIER();
  K_DEVICE float* results = out + (row * frames + first) * filters;
  for (int i = id; i < (some + AT_ONCE - 1) / AT_ONCE * LANES(filters); i += THREADS) {{
    const int here = i / LANES(filters) * AT_ONCE, m = i % LANES(filters);
    if (m < filters) {{
      float a[AT_ONCE];
      k_weigh(a, held + here * count, count, some - here, bank, m);
      K_UNROLL for (int j = 0; j < AT_ONCE; j++) if (here + j < some) results[(here + j) * filters + m] = a[j];
    }}
  }}
}}
"""

_CLIP = f"""
K_SHARED_ARRAY(float, best, THREADS);
{_PLACE}
if (row < rows) {{
  {_LEAST}
  const k_long begin = k_long(threadgroup_position_in_grid.x) * (THREADS * EACH) + id;
  const K_DEVICE float* values = x + row * size;
  K_DEVICE float* results = out + row * size;
  K_UNROLL for (int i = 0; i < EACH; i++) {{
    const k_long at = begin + i * THREADS;
    if (at < size) results[at] = FLOORED(values[at]);
  }}
}}
"""


def serves(count: int) -> bool:
    """Whether so many values a frame fit into threadgroup memory."""
    return count <= _ROOM


@functools.cache
def kernel() -> Kernel:
    """The kernel that projects; it serves any number of filters."""
    return Kernel(
        name="projection",
        inputs={"x": "float", "bank": "float", "peaks": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_PROJECTION,
        threads=_THREADS,
        registers=48,
        header=f"#define THREADS {_THREADS}\n#define ROOM {_ROOM}\n{filters.HIGHEST}{filters.WEIGH}",
        body=_PROJECT,
    )


@functools.cache
def clipping() -> Kernel:
    """The kernel that clips."""
    return Kernel(
        name="clipping",
        inputs={"x": "float", "peaks": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_CLIPPING,
        threads=_THREADS,
        registers=32,
        header=f"#define THREADS {_THREADS}\n#define EACH {_EACH}\n{filters.HIGHEST}",
        body=_CLIP,
    )


def launch(
    rows: int, frames: int, count: int, results: int, *, top: float | None = None, parts: int = 1, squared: bool = False
) -> Launch:
    """Filters over ``[rows, frames, count]`` or, ``squared``, over the squares.

    With ``top``, nothing counts as less than a row's peak minus it: the largest of its ``parts`` numbers.
    """
    tile = max(1, min(_MOST_FRAMES, _ROOM // count))
    groups = over_rows(-(-frames // tile), rows)
    scalars = {
        "rows": rows,
        "depth": groups[2],
        "parts": 0 if top is None else parts,
        "together": 1,
        "top": top or 0.0,
        "frames": frames,
        "tile": tile,
        "count": count,
        "filters": results,
        "squared": int(squared),
    }
    return Launch(kernel(), scalars, groups, ((rows, frames, results),))


def clip_launch(rows: int, size: int, *, top: float, parts: int, together: int = 1) -> Launch:
    """``[rows, size]`` with nothing below a peak minus ``top``, that of ``together`` rows: the largest of ``parts``."""
    groups = over_rows(-(-size // (_THREADS * _EACH)), rows)
    scalars = {"rows": rows, "depth": groups[2], "parts": parts, "together": together, "top": top, "size": size}
    return Launch(clipping(), scalars, groups, ((rows, size),))
