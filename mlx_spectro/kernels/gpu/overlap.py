"""Overlap-add of frames that lie in memory, with or without window and division by the envelope."""

from __future__ import annotations

import functools

from .dialect import ROWS, Kernel, Launch, over_rows

_THREADS = 256

_SCALARS = {
    **ROWS,
    "frames": "int",
    "size": "int",
    "hop": "int",
    "left": "k_long",
    "length": "k_long",
    "weigh": "int",
    "divide": "int",
    "scale": "float",
}

# Gather, not scatter: a thread sums the frames over its own sample in order. The envelope by Kahan's summation.
_BODY = """
const uint id = uint(thread_position_in_threadgroup.x);
const k_long begin = k_long(threadgroup_position_in_grid.x) * THREADS;
if (row < rows && begin + id < length) {
  const k_long whole = (begin + left) / hop;
  const int rest = int(begin + left - whole * hop) + int(id);
  k_long f = whole + rest / hop;
  const K_DEVICE float* signal = x + row * frames * size;
  float sum = 0.0f, square = 0.0f, lost = 0.0f;
  for (int o = rest % hop; o < size && f >= 0; o += hop, f--) if (f < frames) {
    const float w = weigh ? window[o] : 1.0f;
    sum += signal[f * size + o] * w;
    if (divide) {
      const float y = window[o] * window[o] - lost, s = square + y;
      lost = (s - square) - y;
      square = s;
    }
  }
  out[row * length + begin + id] = !divide ? sum * scale : square < 1e-11f ? 0.0f : sum * scale / square;
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves frames of any size."""
    return Kernel(
        name="overlap_add",
        inputs={"x": "float", "window": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=32,
        header=f"#define THREADS {_THREADS}\n",
        body=_BODY,
    )


def launch(
    rows: int,
    frames: int,
    size: int,
    *,
    hop_length: int,
    left: int,
    length: int,
    weigh: bool,
    divide: bool,
    scale: float,
) -> Launch:
    """Sum frames ``[rows, frames, size]`` into ``[rows, length]``, ``left`` samples after the first frame's start."""
    groups, scalars = over_rows(-(-length // _THREADS), rows)
    scalars |= {
        "frames": frames,
        "size": size,
        "hop": hop_length,
        "left": left,
        "length": length,
        "weigh": weigh,
        "divide": divide,
        "scale": scale,
    }
    return Launch(kernel(), scalars, groups, ((rows, length),))
