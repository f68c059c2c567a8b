"""Filters over given values: of a spectrogram, of the gradient of a filtered one, or a DCT of decibels."""

from __future__ import annotations

import functools

from . import filters
from .dialect import Kernel, Launch, over_rows

_THREADS = 256
# floats of threadgroup memory that hold the values of a few frames
_ROOM = 6144
# frames a threadgroup: more would leave small arrays to few threadgroups
_MOST_FRAMES = 16

_SCALARS = {
    "rows": "k_long",
    "depth": "k_long",
    "frames": "int",
    "tile": "int",
    "count": "int",
    "filters": "int",
    "floored": "int",
    "top": "float",
}

_BODY = """
K_SHARED_ARRAY(float, held, ROOM);
const int id = int(thread_position_in_threadgroup.x);
const k_long row = k_long(threadgroup_position_in_grid.y) * depth + k_long(threadgroup_position_in_grid.z);
if (row < rows) {
  const int first = int(threadgroup_position_in_grid.x) * tile;
  const int some = frames - first < tile ? frames - first : tile;
  const K_DEVICE float* values = x + (row * frames + first) * count;
  const float least = floored ? peaks[row] - top : 0.0f;
  for (int i = id; i < some * count; i += THREADS) {
    const float a = values[i];
    held[i] = floored && a < least ? least : a;
  }
  K_BARRIER();
  K_DEVICE float* results = out + (row * frames + first) * filters;
  for (int i = id; i < some * filters; i += THREADS) {
    const int f = i / filters;
    results[i] = k_weigh(held + f * count, bank, i - f * filters);
  }
}
"""


def serves(count: int) -> bool:
    """Whether so many values a frame fit into threadgroup memory."""
    return count <= _ROOM


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves any number of filters."""
    return Kernel(
        name="projection",
        inputs={"x": "float", "bank": "float", "peaks": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=32,
        header=f"#define THREADS {_THREADS}\n#define ROOM {_ROOM}\n{filters.WEIGH}",
        body=_BODY,
    )


def launch(rows: int, frames: int, count: int, results: int, *, top: float | None = None) -> Launch:
    """Filters over ``[rows, frames, count]``; with ``top``, nothing counts as less than a row's peak minus it."""
    tile = max(1, min(_MOST_FRAMES, _ROOM // count))
    groups = over_rows(-(-frames // tile), rows)
    scalars = {
        "rows": rows,
        "depth": groups[2],
        "frames": frames,
        "tile": tile,
        "count": count,
        "filters": results,
        "floored": int(top is not None),
        "top": top or 0.0,
    }
    return Launch(kernel(), scalars, groups, ((rows, frames, results),))
