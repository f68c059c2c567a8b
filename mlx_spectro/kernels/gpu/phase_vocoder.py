"""The phase vocoder: running products of directions, of stretches of frames side by side and then of their products."""

from __future__ import annotations

import functools

from ...design.operators import PhaseVocoder
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .programs import NoKernel, Recipe, Shapes, Step, Table, as_floats, gpu, rows_of
from .samples_to_bins import ABS

_THREADS = 128
# frames of a thread
STRETCH = 32
# frames have numbers that a float32 holds
_MOST_FRAMES = 1 << 24

_SCALARS = {**ROWS, "bins": "int", "count": "int", "steps": "int", "stretches": "int"}

_HEADER = (
    ABS
    + """
#define LARGEST 3.4028234e38f
K_FN float k_side(float a) { return k_word(a) < 0 ? -1.0f : 1.0f; }
// the direction of z: of 0 that of its real part's sign, of what is infinite that of its infinite parts
K_FN float2 k_unit(float2 z) {
  const float a = z.x < 0.0f ? -z.x : z.x, b = z.y < 0.0f ? -z.y : z.y, m = a > b ? a : b;
  if (z.x != z.x || z.y != z.y) return k_c(z.x + z.y, z.x + z.y);
  if (m == 0.0f) return k_c(k_side(z.x), 0.0f);
  if (m > LARGEST) z = k_c(a > LARGEST ? k_side(z.x) : 0.0f, b > LARGEST ? k_side(z.y) : 0.0f);
  const float up = m > LARGEST ? 1.0f : k_up(m), re = z.x * up, im = z.y * up, size = k_sqrt(re * re + im * im);
  return k_c(re / size, im / size);
}
K_FN float2 k_times(float2 a, float2 b) { return k_c(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }
// A product of directions, with a step of Newton's towards length 1, which it never leaves by more than a rounding.
K_FN float2 k_turned(float2 a, float2 b) {
  const float2 c = k_times(a, b);
  const float scale = 1.5f - 0.5f * (c.x * c.x + c.y * c.y);
  return k_c(c.x * scale, c.y * scale);
}
K_FN float2 k_bin(const K_DEVICE float2* x, int frame, int bin, int bins, int count) {
  return frame < count ? x[k_long(frame) * bins + bin] : k_c(0.0f, 0.0f);
}
"""
)

_BEGIN = """
const int across = (bins + THREADS - 1) / THREADS, stretch = int(threadgroup_position_in_grid.x) / across;
const int group = int(threadgroup_position_in_grid.x) - stretch * across;
const int bin = group * THREADS + int(thread_position_in_threadgroup.x);
if (row < rows && bin < bins) {
  const K_DEVICE float2* spectrum = (const K_DEVICE float2*)x + row * bins * count;
  const int first = stretch * STRETCH, last = first + STRETCH < steps ? first + STRETCH : steps;
"""

# Magnitudes and directions of the next two frames, `a` and `b`; mostly one of them is there, or both.
_FOLLOW = """
  float2 of_a, of_b;
  float level_a = 0.0f, level_b = 0.0f;
  int a = -1, b = -1;
  for (int m = first; m < last; m++) {
    const int start = int(frames[m]), end = int(frames[steps + m]);
    if (start != a) {
      a = start;
      const float2 z = k_bin(spectrum, a, bin, bins, count);
      level_a = a == b ? level_b : k_abs(z);
      if (a == b) of_a = of_b; else of_a = k_unit(z);
    }
    if (end != b) {
      b = end;
      const float2 z = k_bin(spectrum, b, bin, bins, count);
      level_b = k_abs(z);
      of_b = k_unit(z);
    }
"""
_TURN = "turn = k_turned(turn, k_times(of_b, k_c(of_a.x, -of_a.y)));"

_TURNS = f"""
{_BEGIN}
  float2 turn = k_c(1.0f, 0.0f);
{_FOLLOW}
    {_TURN}
  }}
  ((K_DEVICE float2*)turns)[(row * stretches + stretch) * bins + bin] = turn;
}}
"""

_BODY = f"""
{_BEGIN}
  float2 turn = k_unit(k_bin(spectrum, int(frames[0]), bin, bins, count));
  const K_DEVICE float2* before = (const K_DEVICE float2*)turns + row * stretches * bins + bin;
  for (int i = 0; i < stretch; i++) turn = k_turned(turn, before[k_long(i) * bins]);
  K_DEVICE float2* result = (K_DEVICE float2*)out + row * steps * bins + bin;
{_FOLLOW}
    const int low = int(frames[2 * steps + m]), high = int(frames[3 * steps + m]);
    const float of_low = low == a ? level_a : k_abs(k_bin(spectrum, low, bin, bins, count));
    const float of_high = high == b ? level_b : k_abs(k_bin(spectrum, high, bin, bins, count));
    const float level = (1.0f - fractions[m]) * of_low + fractions[m] * of_high;
    result[k_long(m) * bins] = k_c(level * turn.x, level * turn.y);
    {_TURN}
  }}
}}
"""


def _kernel(name: str, inputs: dict[str, str], outputs: dict[str, str], body: str) -> Kernel:
    constants = {"THREADS": _THREADS, "STRETCH": STRETCH}
    return Kernel(
        name=name,
        inputs={"x": "complex", "frames": "float"} | inputs,
        tables={},
        outputs=outputs,
        scalars=_SCALARS,
        threads=_THREADS,
        registers=48,
        header=defines(constants) + _HEADER,
        body=body,
    )


@functools.cache
def turns() -> Kernel:
    """The kernel that multiplies the turns of each stretch of frames."""
    return _kernel("phase_vocoder_turns", {}, {"turns": "complex"}, _TURNS)


@functools.cache
def kernel() -> Kernel:
    """The kernel that turns frames, given the turns of the stretches before."""
    return _kernel("phase_vocoder", {"fractions": "float", "turns": "complex"}, {"out": "complex"}, _BODY)


def launches(rows: int, count: int, bins: int, steps: int) -> list[Launch]:
    """Take ``[rows, count, bins]`` to ``[rows, steps, bins]``; where there are several stretches, their turns first."""
    across, stretches = -(-bins // _THREADS), -(-steps // STRETCH)
    scalars = {"bins": bins, "count": count, "steps": steps, "stretches": stretches - 1}
    found = []
    if stretches > 1:
        groups, over = over_rows(across * (stretches - 1), rows)
        found.append(Launch(turns(), scalars | over, groups, ((rows, stretches - 1, bins),)))
    groups, over = over_rows(across * stretches, rows)
    return [*found, Launch(kernel(), scalars | over, groups, ((rows, steps, bins),))]


@gpu(PhaseVocoder)
def _phase_vocoder(op: PhaseVocoder, shapes: Shapes) -> Recipe:
    (*_, count, bins), (_, steps), _ = shapes
    if count >= _MOST_FRAMES:
        raise NoKernel(f"there are {_MOST_FRAMES} frames or more")
    *looking, last = launches(rows_of(shapes[0], 2), count, bins, steps)
    x, _frames, _fractions, frames, fractions, of_stretches = range(6)
    steps_of = [Step(launch, (x, frames)) for launch in looking]
    # of one stretch, nothing reads the turns
    steps_of.append(Step(last, (x, frames, fractions, of_stretches if looking else x)))
    return Recipe(lambda _pieces, _geometry: steps_of, (Table(1, as_floats), Table(2, as_floats)))
