"""Slopes along time, and their transpose."""

from __future__ import annotations

import functools

from ...design.operators import Deltas, DeltasAdjoint
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .programs import Recipe, Shapes, Step, gpu, rows_of
from .samples_to_bins import PAD_MODES, SAMPLE, check_padding

_THREADS = 128

_SCALARS = {
    **ROWS,
    "length": "k_long",
    "reach": "int",
    "mode": "int",
    "folded": "int",
    "scale": "float",
}

_HEADER = """
// the slope at place t, within a row or beyond; at a distance of 0, what is not finite spoils its own place
K_FN float k_slope(const K_DEVICE float* x, k_long t, k_long length, int reach, int mode) {
  float sum = 0.0f;
  for (int n = 0; n <= reach; n++)
    sum += float(n) * (k_sample(x, t + n, length, mode) - k_sample(x, t - n, length, mode));
  return sum;
}
// the slopes at all places beyond an end, added up; the value there is x[0]
K_FN float k_slopes_beyond(const K_DEVICE float* x, int step, k_long length, int reach) {
  float sum = 0.0f;
  for (int n = 0; n < reach && n < length; n++)
    sum += 0.5f * float(reach - n) * float(reach + n + 1) * x[k_long(n) * step];
  return sum;
}
"""

# Gather, not scatter: what places beyond an end give back, the value that stood there takes, in a fixed order.
_BODY = """
const k_long t = k_long(threadgroup_position_in_grid.x) * THREADS + k_long(thread_position_in_threadgroup.x);
if (row < rows && t < length) {
  const K_DEVICE float* values = x + row * length;
  const k_long end = length - 1;
  float slope = 0.0f;
  if (t > reach && t + reach < end) {
    for (int n = 0; n <= reach; n++) slope += float(n) * (values[t + n] - values[t - n]);
  } else {
    for (int turn = folded == MIRRORED || folded == AROUND ? 2 : 0; turn >= 0; turn--) {
      const k_long apart = folded == MIRRORED ? turn == 1 ? -2 * t : 2 * (end - t) : turn == 1 ? -length : length;
      const k_long at = turn ? t + apart : t;
      const bool beyond = (at < 0 && at + reach >= 0) || (at > end && at - reach <= end);
      if (!turn || beyond) slope += k_slope(values, at, length, reach, mode);
    }
    if (folded == REPEATED && t == 0) slope += k_slopes_beyond(values, 1, length, reach);
    if (folded == REPEATED && t == end) slope -= k_slopes_beyond(values + end, -1, length, reach);
  }
  out[row * length + t] = slope * scale;
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves any reach."""
    modes = {"MIRRORED": "reflect", "REPEATED": "replicate", "AROUND": "circular"}
    constants = {"THREADS": _THREADS, **{name: PAD_MODES[mode] for name, mode in modes.items()}}
    return Kernel(
        name="deltas",
        inputs={"x": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=32,
        header=defines(constants) + SAMPLE + _HEADER,
        body=_BODY,
    )


def launch(op: Deltas, rows: int, length: int) -> Launch:
    """Slopes of values ``[rows, length]``, or the transpose: slopes of zeros around them, and those given back."""
    groups, scalars = over_rows(-(-length // _THREADS), rows)
    mode = PAD_MODES[op.pad_mode]
    mode, folded, scale = (0, mode, -op.scale) if isinstance(op, DeltasAdjoint) else (mode, 0, op.scale)
    scalars |= {"length": length, "reach": op.reach, "mode": mode, "folded": folded, "scale": scale}
    return Launch(kernel(), scalars, groups, ((rows, length),))


@gpu(Deltas)
@gpu(DeltasAdjoint)
def _deltas(op: Deltas, shapes: Shapes) -> Recipe:
    check_padding(op.framing)
    x = 0
    return Recipe(lambda _pieces, _geometry: [Step(launch(op, rows_of(shapes[0], 1), shapes[0][-1]), (x,))])
