"""Filters over given values (a spectrogram, the gradient of a filtered one, decibels for a DCT), and clipping."""

from __future__ import annotations

import functools

from . import filters
from .dialect import ROWS, Kernel, Launch, over_rows

_THREADS = 256
# floats of threadgroup memory that hold the values of a few frames
_ROOM = 6400
# frames a threadgroup: more would leave small arrays to few threadgroups
_MOST_FRAMES = 16
# pieces of filters whose sums a threadgroup holds for each of its frames
MOST_PIECES = 160
# numbers that every threadgroup may look through for a row's peak
MOST_PARTS = 4096
# values that a thread clips
_EACH = 8

_FLOOR = {**ROWS, "parts": "k_long", "together": "int", "top": "float"}
_PROJECTION = {
    **_FLOOR,
    "frames": "int",
    "tile": "int",
    "pitch": "int",
    "count": "int",
    "filters": "int",
    "pieces": "int",
    "squared": "int",
}
_CLIPPING = {**_FLOOR, "size": "k_long"}


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

# The values of the frames that a thread filters at once lie side by side, so that it reads them at once.
_SIDE_BY_SIDE = {
    4: ("float4", "const float4 a = from[(k + u) * pitch]; const float value[4] = {a.x, a.y, a.z, a.w};"),
    1: ("float", "const float value[1] = {from[(k + u) * pitch]};"),
}

# Behind the values of all frames stand the sums of pieces.
_PROJECT = f"""
K_SHARED_ARRAY(SIDE, held, ROOM / AT_ONCE);
K_SHARED_ARRAY(float, best, THREADS);
const int id = int(thread_position_in_threadgroup.x);
if (row < rows) {{
  const int first = int(threadgroup_position_in_grid.x) * tile;
  const int some = frames - first < tile ? frames - first : tile;
  const K_DEVICE float* values = x + (row * frames + first) * count;
  {_LEAST}
  K_SHARED float* to = (K_SHARED float*)held;
  const float per_count = 1.0f / float(count);
  for (int i8 = id; i8 < tile * count; i8 += 8 * THREADS) {{
    float a[8];
    K_UNROLL for (int j = 0; j < 8; j++) a[j] = i8 + j * THREADS < some * count ? values[i8 + j * THREADS] : 0.0f;
    K_UNROLL for (int j = 0; j < 8; j++) {{
      const int i = i8 + j * THREADS, f = int((float(i) + 0.5f) * per_count);
      const float b = FLOORED(a[j]);
      if (i < tile * count) to[(i - f * count) * pitch * AT_ONCE + f] = squared ? b * b : b;
    }}
  }}
  K_BARRIER();
  K_DEVICE float* results = out + (row * frames + first) * filters;
  K_SHARED float* parts_of = to + count * pitch * AT_ONCE;
  for (int i = id; i < (some + AT_ONCE - 1) / AT_ONCE * LANES(pieces); i += THREADS) {{
    const int here = i / LANES(pieces), p = i % LANES(pieces);
    if (p < pieces) {{
      float a[AT_ONCE];
      k_weigh(a, held + here, pitch, bank, p);
      K_UNROLL for (int j = 0; j < AT_ONCE; j++) {{
        const int f = here * AT_ONCE + j;
        if (pieces > filters) parts_of[f * pieces + p] = a[j];
        else if (f < some) results[f * filters + p] = a[j];
      }}
    }}
  }}
  if (pieces > filters) {{
    K_BARRIER();
    for (int i = id; i < some * filters; i += THREADS) {{
      const int f = i / filters;
      results[i] = k_summed(parts_of + f * pieces, bank, pieces, i - f * filters);
    }}
  }}
}}
"""

_CLIP = f"""
K_SHARED_ARRAY(float, best, THREADS);
const int id = int(thread_position_in_threadgroup.x);
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
    return count + MOST_PIECES <= _ROOM


@functools.cache
def kernel(at_once: int = filters.AT_ONCE) -> Kernel:
    """The kernel that projects so many frames at once; it serves any number of filters."""
    side, gather = _SIDE_BY_SIDE[at_once]
    values, begin = f"const K_SHARED {side}* held, int pitch", f"const K_SHARED {side}* from = held + first * pitch;"
    return Kernel(
        name=f"projection_{at_once}",
        inputs={"x": "float", "bank": "float", "peaks": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_PROJECTION,
        threads=_THREADS,
        registers=64,
        header=f"#define THREADS {_THREADS}\n#define ROOM {_ROOM}\n#define SIDE {side}\n"
        + filters.HIGHEST
        + filters.weigh(at_once, values, begin, gather),
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
    rows: int,
    frames: int,
    count: int,
    *,
    filters: int,
    pieces: int,
    top: float | None = None,
    parts: int = 1,
    squared: bool = False,
) -> Launch:
    """Filters over ``[rows, frames, count]`` or, ``squared``, over the squares.

    ``pieces``: of the bank's table. With ``top``, nothing counts as less than a row's peak minus it: the largest of its
    ``parts`` numbers.
    """
    sums = pieces if pieces > filters else 0
    # frames at once, frames of a threadgroup, and places that a value of all its frames takes: where there is room for
    # one more than there are frames, neighbouring values meet in fewer banks
    at_once, tile, pitch = next(
        shape
        for shape in ((4, _MOST_FRAMES, _MOST_FRAMES // 4 + 1), (4, 4, 1), (1, 1, 1))
        if shape[0] * shape[2] * count + shape[1] * sums <= _ROOM
    )
    groups, scalars = over_rows(-(-frames // tile), rows)
    scalars |= {
        "parts": 0 if top is None else parts,
        "together": 1,
        "top": top or 0.0,
        "frames": frames,
        "tile": tile,
        "pitch": pitch,
        "count": count,
        "filters": filters,
        "pieces": pieces,
        "squared": int(squared),
    }
    return Launch(kernel(at_once), scalars, groups, ((rows, frames, filters),))


def clip_launch(rows: int, size: int, *, top: float, parts: int, together: int = 1) -> Launch:
    """``[rows, size]`` with nothing below a peak minus ``top``, that of ``together`` rows: the largest of ``parts``."""
    groups, scalars = over_rows(-(-size // (_THREADS * _EACH)), rows)
    scalars |= {"parts": parts, "together": together, "top": top, "size": size}
    return Launch(clipping(), scalars, groups, ((rows, size),))
