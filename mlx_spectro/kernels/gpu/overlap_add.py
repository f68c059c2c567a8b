"""Overlap-add of frames that lie in memory, with or without window and division by the envelope."""

from __future__ import annotations

import functools
from typing import Any

from ...design.framing import Framing
from ...design.operators import OverlapAdd, Synthesis
from . import istft
from .dialect import ROWS, Kernel, Launch, over_rows
from .plan import Geometry
from .programs import Recipe, Shapes, Step, gpu, rows_of

_THREADS = 256

_SCALARS = {
    **ROWS,
    "frames": "int",
    "size": "int",
    "hop": "int",
    "left": "k_long",
    "length": "k_long",
    "synthesis": "int",
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
    const float w = synthesis ? window[o] : 1.0f;
    sum += signal[f * size + o] * w;
    if (synthesis) {
      const float y = window[o] * window[o] - lost, s = square + y;
      lost = (s - square) - y;
      square = s;
    }
  }
  out[row * length + begin + id] = !synthesis ? sum * scale : square < 1e-11f ? 0.0f : sum * scale / square;
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
    rows: int, frames: int, framing: Framing, length: int, *, synthesis: bool = False, scale: float = 1.0
) -> Launch:
    """Sum frames ``[rows, frames, n_fft]`` into ``[rows, length]``, ``left`` samples after the first frame's start.

    ``synthesis``: windowed before, and over the windows' envelope.
    """
    groups, scalars = over_rows(-(-length // _THREADS), rows)
    scalars |= {
        "frames": frames,
        "size": framing.n_fft,
        "hop": framing.hop_length,
        "left": framing.left,
        "length": length,
        "synthesis": synthesis,
        "scale": scale,
    }
    return Launch(kernel(), scalars, groups, ((rows, length),))


@gpu(OverlapAdd)
def _overlap_add(op: OverlapAdd, shapes: Shapes) -> Recipe:
    rows, (frames, size), length = rows_of(shapes[0], 2), shapes[0][-2:], op.shape(*shapes)[-1]
    framing, x = Framing(size, op.hop_length), 0
    # nothing reads the window
    return Recipe(lambda _pieces, _geometry: [Step(launch(rows, frames, framing, length), (x, x))])


@gpu(Synthesis)
def _synthesis(op: Synthesis, shapes: Shapes) -> Recipe:
    istft.check_floor(op.istft.floor)
    rows, frames = rows_of(shapes[0], 2), shapes[0][-2]

    def steps(_: tuple[int, ...], __: Geometry | None) -> list[Step]:
        x, window = 0, 1
        options: dict[str, Any] = {"synthesis": True, "scale": op.istft.scale}
        return [Step(launch(rows, frames, op.istft.framing, op.istft.length, **options), (x, window))]

    return Recipe(steps)
