"""Numbers of frames of the waveform itself: their norm, and changes of sign."""

from __future__ import annotations

import functools

from ...design.operators import FrameStatistic
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .plan import SIMD
from .programs import Recipe, Shapes, Step, gpu, rows_of
from .samples_to_bins import PAD_MODES, SAMPLE, SCALING, check_padding

# frames of a threadgroup; a simdgroup each
_TEAMS = 4

_SCALARS = {
    **ROWS,
    "length": "k_long",
    "left": "k_long",
    "frames": "int",
    "size": "int",
    "hop": "int",
    "mode": "int",
    "crossings": "int",
    "zero": "float",
}

# Each thread sums every 32nd sample of a frame, in chunks, so that long frames lose no digits. Where squares may be too
# small or too large, they are summed once more, scaled.
_BODY = """
K_SHARED_ARRAY(float, sums, TEAMS * SIMD);
const int id = int(thread_position_in_threadgroup.x), team = id / SIMD, lane = id % SIMD;
const int f = int(threadgroup_position_in_grid.x) * TEAMS + team;
if (row < rows && f < frames) {
  const K_DEVICE float* audio = x + row * length;
  const k_long start = k_long(f) * hop - left;
  K_SHARED float* mine = sums + team * SIMD;
  float up = 1.0f, down = 1.0f, whole = 0.0f;
  for (int turn = 0; turn < 2; turn++) {
    float total = 0.0f;
    for (int o = lane; o < size;) {
      float sum = 0.0f;
      for (int n = 0; n < CHUNK && o < size; n++, o += SIMD) {
        const float a = k_sample(audio, start + o, length, mode);
        if (!crossings) sum += a * up * (a * up);
        else if (o > 0) sum += (a < -zero) != (k_sample(audio, start + o - 1, length, mode) < -zero) ? 1.0f : 0.0f;
      }
      total += sum;
    }
    mine[lane] = total;
    K_SIMD_BARRIER();
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    K_UNROLL for (int i = 0; i < SIMD; i += 4) {
      K_UNROLL for (int j = 0; j < 4; j++) sum[j] += mine[i + j];
    }
    K_SIMD_BARRIER();
    whole = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    if (turn || crossings || (whole > 1e-24f && whole < 1e30f)) break;
    up = k_up(whole);
    down = k_down(whole);
  }
  if (lane == 0) out[row * frames + f] = crossings ? whole : k_sqrt(whole) * down;
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves frames of any size."""
    constants = {"TEAMS": _TEAMS, "SIMD": SIMD, "CHUNK": 32}
    return Kernel(
        name="frame_statistics",
        inputs={"x": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_TEAMS * SIMD,
        registers=40,
        header=defines(constants) + SAMPLE + SCALING,
        body=_BODY,
    )


def launch(op: FrameStatistic, rows: int, length: int) -> Launch:
    """A number ``[rows, frames]`` of each frame of signals ``[rows, length]``."""
    frames = op.framing.frames(length)
    groups, scalars = over_rows(-(-frames // _TEAMS), rows)
    scalars |= {
        "length": length,
        "left": op.framing.left,
        "frames": frames,
        "size": op.framing.n_fft,
        "hop": op.framing.hop_length,
        "mode": PAD_MODES[op.framing.pad_mode],
        "crossings": int(op.statistic == "crossings"),
        "zero": op.zero,
    }
    return Launch(kernel(), scalars, groups, ((rows, frames),))


@gpu(FrameStatistic)
def _statistic(op: FrameStatistic, shapes: Shapes) -> Recipe:
    check_padding(op.framing)
    x = 0
    return Recipe(lambda _pieces, _geometry: [Step(launch(op, rows_of(shapes[0], 1), shapes[0][-1]), (x,))])
