"""Frames less their sliding means: each thread follows a feature through a stretch of frames, which enter and leave.

Sums have twice a float's digits, for sums of squares cancel.
"""

from __future__ import annotations

import functools

import numpy as np

from ...design.operators import SlidingNormalization
from .dialect import ROWS, Kernel, Launch, over_rows
from .programs import Recipe, Shapes, Step, gpu, rows_of

_THREADS = 128
# frames of a thread
STRETCH = 32

_SCALARS = {**ROWS, "features": "int", "frames": "int", "stretches": "int"}
_WINDOWS = {"window": "int", "least": "int", "centred": "int", "scaled": "int", "rounding": "float"}

_HEADER = """
K_FN k_wide k_plus(k_wide a, float b) { return k_mad(k_widen(1.0f), k_widen(b), a); }
K_FN k_wide k_plus_square(k_wide a, float b, float sign) { return k_mad(k_widen(sign * b), k_widen(b), a); }
K_FN k_wide k_plus_wide(k_wide a, k_wide b) { return k_mad(k_widen(1.0f), b, a); }
"""

_BEGIN = """
const int across = (features + THREADS - 1) / THREADS, stretch = int(threadgroup_position_in_grid.x) / across;
const int group = int(threadgroup_position_in_grid.x) - stretch * across;
const int feature = group * THREADS + int(thread_position_in_threadgroup.x);
if (row < rows && feature < features) {
  const K_DEVICE float* values = x + row * frames * features + feature;
  const int first = stretch * STRETCH, last = first + STRETCH < frames ? first + STRETCH : frames;
"""

_SUMS = f"""
{_BEGIN}
  k_wide sum = k_widen(0.0f), square = k_widen(0.0f);
  for (int n = first; n < last; n++) {{
    const float value = values[k_long(n) * features];
    sum = k_plus(sum, value);
    square = k_plus_square(square, value, 1.0f);
  }}
  const k_long place = (row * stretches + stretch) * features + feature;
  ((K_DEVICE float2*)sums)[place] = k_split(sum);
  ((K_DEVICE float2*)squares)[place] = k_split(square);
}}
"""

# Which frames a window covers: `design.windows_in_time.bounds`. What is not finite stays in the sums of all windows
# that follow: those of the stretches before are added, less themselves.
_BODY = f"""
{_BEGIN}
  K_DEVICE float* result = out + row * frames * features + feature;
  const K_DEVICE float2* of_sums = (const K_DEVICE float2*)sums + row * stretches * features + feature;
  const K_DEVICE float2* of_squares = (const K_DEVICE float2*)squares + row * stretches * features + feature;
  k_wide sum = k_widen(0.0f), square = k_widen(0.0f);
  int start = 0, end = 0;
  for (int n = first; n < last; n++) {{
    int from = centred ? n - window / 2 : n - window, to = n + 1 > least ? n + 1 : least;
    from = from > 0 ? from : 0;
    if (centred) to = from + window;
    if (to > frames) {{
      from = from > to - frames ? from - (to - frames) : 0;
      to = frames;
    }}
    if (n == first) {{
      float spoiled = 0.0f;
      for (; start + STRETCH <= from; start += STRETCH) {{
        const float before = of_sums[k_long(start / STRETCH) * features].x;
        spoiled += before - before;
      }}
      for (; start < from; start++) {{
        const float before = values[k_long(start) * features];
        spoiled += before - before;
      }}
      sum = k_widen(spoiled);
      end = from;
    }}
    for (; start < from; start++) {{
      const float value = values[k_long(start) * features];
      sum = k_plus(sum, -value);
      square = k_plus_square(square, value, -1.0f);
    }}
    while (end < to) {{
      if (end % STRETCH == 0 && end + STRETCH <= to) {{
        const k_long place = k_long(end / STRETCH) * features;
        sum = k_plus_wide(sum, k_join(of_sums[place]));
        square = k_plus_wide(square, k_join(of_squares[place]));
        end += STRETCH;
      }} else {{
        const float value = values[k_long(end) * features];
        sum = k_plus(sum, value);
        square = k_plus_square(square, value, 1.0f);
        end++;
      }}
    }}
    const int count = end - start;
    k_wide share = k_widen(1.0f / float(count));
    share = k_mad(share, k_mad(k_widen(-float(count)), share, k_widen(1.0f)), share);
    const k_wide none = k_widen(0.0f), mean = k_mad(sum, share, none), less = k_mad(k_widen(-1.0f), mean, none);
    float left = k_narrow(k_plus(less, values[k_long(n) * features]));
    if (scaled) {{
      const float energy = k_narrow(k_mad(square, share, none));
      const float variance = k_narrow(k_mad(less, mean, k_mad(square, share, none)));
      left = count == 1 ? 0.0f : variance > rounding * energy ? left / k_sqrt(variance) : k_bits(0x7fc00000);
    }}
    result[k_long(n) * features] = left;
  }}
}}
"""


def _kernel(name: str, inputs: dict[str, str], outputs: dict[str, str], scalars: dict[str, str], body: str) -> Kernel:
    return Kernel(
        name=name,
        inputs={"x": "float"} | inputs,
        tables={},
        outputs=outputs,
        scalars=_SCALARS | scalars,
        threads=_THREADS,
        registers=64,
        header=f"#define THREADS {_THREADS}\n#define STRETCH {STRETCH}\n{_HEADER}",
        body=body,
    )


@functools.cache
def sums() -> Kernel:
    """The kernel that sums stretches of frames, and their squares."""
    return _kernel("sliding_sums", {}, {"sums": "complex", "squares": "complex"}, {}, _SUMS)


@functools.cache
def kernel() -> Kernel:
    """The kernel that normalizes frames, given such sums; it serves windows of any size."""
    given = {"sums": "complex", "squares": "complex"}
    return _kernel("sliding_normalization", given, {"out": "float"}, _WINDOWS, _BODY)


def launches(op: SlidingNormalization, rows: int, frames: int, features: int) -> list[Launch]:
    """Sum stretches of ``[rows, frames, features]``, then normalize all frames."""
    across, stretches = -(-features // _THREADS), -(-frames // STRETCH)
    groups, scalars = over_rows(across * stretches, rows)
    scalars |= {"features": features, "frames": frames, "stretches": stretches}
    windows = {
        "window": min(op.window, frames),
        # which moves windows, too
        "least": max(0, min(op.least, 2 * frames)),
        "centred": int(op.centred),
        "scaled": int(op.scaled),
        "rounding": frames * float(np.finfo(np.float32).eps),
    }
    parts = (rows, stretches, features)
    return [
        Launch(sums(), scalars, groups, (parts, parts)),
        Launch(kernel(), scalars | windows, groups, ((rows, frames, features),)),
    ]


@gpu(SlidingNormalization)
def _sliding_normalization(op: SlidingNormalization, shapes: Shapes) -> Recipe:
    op.check(shapes[0])
    summing, normalizing = launches(op, rows_of(shapes[0], 2), *shapes[0][-2:])
    x, of_values, of_squares = range(3)
    steps = [Step(summing, (x,)), Step(normalizing, (x, of_values, of_squares))]
    return Recipe(lambda _pieces, _geometry: steps)
