"""The transform that ends in a filterbank: magnitudes stay on the chip, and filtered values leave it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from string import Template
from typing import Literal

from mlx_spectro.design.logarithms import LOG10_2, LOG10_E, SINGLE, halves

from . import forward
from .bank_table import GROUP
from .dialect import Kernel, Launch
from .forward import ABS, VALUES, Ending
from .plan import Geometry, Plan, plan, told

Magnitudes = Literal["magnitude", "power"]

# what is taken of a filtered value
LINEAR, LOG, LOG_ADDED, DECIBEL = range(4)
# terms that are added one after the other: a sum of thousands so keeps its digits
_CHAIN = 32
# frames whose values one weight meets at a time
AT_ONCE = 4

# What is taken of a filtered value, one of the above, and its numbers: the smallest value told apart; of decibels their
# factor, the reference's level, and the first and the last value that are at that level.
ENDING = {
    "ending": "int",
    "amin": "float",
    "factor": "float",
    "zero": "float",
    "first_zero": "float",
    "last_zero": "float",
}
_SCALARS = {
    "filters": "int",
    "pieces": "int",
    "groups": "int",
    **ENDING,
}

_HALF = 12  # bits
(_TWO, _TWO_REST), (_E, _E_REST) = (halves(number, _HALF) for number in (LOG10_2, LOG10_E))

# With a = 2**e * (1 + f) and s = f / (2 + f), log(1 + f) is 2 s + 2/3 s**3 + ..., most of which is f - f**2 / 2. Of it
# and of the constants the leading halves of the digits are taken apart: products of halves are exact, and what the sum
# of two of them loses is added to all that is small.
_ENDED = f"""
K_FN float k_log10(float a) {{
  const int bits = k_word(a), e = (bits - 0x3f3504f3) >> 23;
  const float f = k_bits(bits - e * 0x800000) - 1.0f, s = f / (f + 2.0f), z = s * s, less = f * (f * 0.5f);
  const float rest = s * (less + z * ({SINGLE[0]}f + z * ({SINGLE[1]}f + z * {SINGLE[2]}f)));
  const float high = k_bits(k_word(f - less) & -0x1000), low = ((f - high) - less) + rest;
  const float one = float(e) * {_TWO}f, other = high * {_E}f, sum = one + other;
  const float lost = ((one - sum) + other) + (float(e) * {_TWO_REST}f + ((low + high) * {_E_REST}f + low * {_E}f));
  return a < k_bits(0x7f800000) ? sum + lost : a;
}}
K_FN float k_ended(float a, int ending, float amin, float factor, float zero, float first, float last) {{
  if (ending == 0) return a;
  if (ending == 2) return k_log(a + amin);
  const float b = a < amin ? amin : a;
  if (ending == 1) return k_log(b);
  return (b >= first && b <= last ? zero : k_log10(b) * factor) - zero;
}}
"""

# Piece p over the values of some frames. Of each piece, `bank` holds the first value, the one of them to begin with,
# how many there are, and where the weights are; then of each filter its first piece.
_WEIGH = Template("""
#define AT_ONCE $frames
#define LANES(pieces) (((pieces) + $group - 1) / $group * $group)
K_FN void k_weigh(K_LOCAL float* total, $values, const K_DEVICE float* bank, int p) {
  const K_DEVICE float* head = bank + 4 * p;
  const K_DEVICE float* weights = bank + int(head[3]);
  const int first = int(head[0]), count = int(head[2]);
  $begin
  K_UNROLL for (int j = 0; j < AT_ONCE; j++) total[j] = 0.0f;
  int n = 0, k = int(head[1]);
  while (n + 3 < count) {
    const int end = count - n < $chain ? count : n + $chain;
    float sum[AT_ONCE];
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) sum[j] = 0.0f;
    for (; n + 3 < end; n += 4) {
      K_UNROLL for (int u = 0; u < 4; u++) {
        const float weight = weights[$group * (n + u)];
        $gather
        K_UNROLL for (int j = 0; j < AT_ONCE; j++) sum[j] += weight * value[j];
      }
      k = k + 4 < count ? k + 4 : 0;
    }
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) total[j] += sum[j];
  }
  for (const int u = 0; n < count; n++, k++) {
    const float weight = weights[$group * n];
    $gather
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) total[j] += weight * value[j];
  }
}
K_FN float k_summed(const K_SHARED float* parts, const K_DEVICE float* bank, int pieces, int m) {
  const int begin = int(bank[4 * pieces + m]), end = int(bank[4 * pieces + m + 1]);
  float sum = 0.0f;
  for (int p = begin; p < end; p++) sum += parts[p];
  return sum;
}
""")


def weigh(frames: int, values: str, begin: str, gather: str) -> str:
    """``k_weigh(total, ..., bank, p)``: piece ``p`` over the values of ``frames`` frames; and ``k_summed``.

    Args:
        frames: At once, at most :data:`AT_ONCE`.
        values: Parameters that say where the values are.
        begin: Statements that look for those from ``first`` on.
        gather: Statements that put value ``k + u`` of each frame into ``value[AT_ONCE]``.
    """
    return _WEIGH.substitute(frames=frames, group=GROUP, chain=_CHAIN, values=values, begin=begin, gather=gather)


_GATHER = """
float value[AT_ONCE];
K_UNROLL for (int j = 0; j < AT_ONCE; j++) value[j] = from[2 * SLOTS * j + k + u];
"""

# The threadgroup's frames are filtered together, 32 neighbouring pieces by 32 neighbouring threads. Sums of pieces wait
# where a frame's slot holds no bins.
_CLOSE = """
K_BARRIER();
const int some = frames - first < TEAMS ? frames - first : TEAMS;
for (int i = int(id); i < TEAMS / AT_ONCE * LANES(pieces); i += ALIGNED) {
  const int here = i / LANES(pieces) * AT_ONCE, p = i % LANES(pieces);
  if (id < ALIGNED && p < pieces && here < some) {
    float a[AT_ONCE];
    k_weigh(a, (const K_SHARED float*)(exchange + here * SLOTS), bank, p);
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) {
      if (pieces > filters) ((K_SHARED float*)(exchange + (here + j) * SLOTS))[N / 2 + 1 + p] = a[j];
      else if (here + j < some) { STORE(here + j, p, a[j]) }
    }
  }
}
if (pieces > filters) {
  K_BARRIER();
  for (int i = int(id); i < some * filters; i += THREADS) {
    const int here = i / filters, m = i - here * filters;
    STORE(here, m, k_summed((const K_SHARED float*)(exchange + here * SLOTS) + N / 2 + 1, bank, pieces, m))
  }
}
"""

_STORE = """
#define STORE(f, m, sum) { \\
  const float b = k_ended(sum, ending, amin, factor, zero, first_zero, last_zero); \\
  values[(f) * filters + (m)] = b; \\
  SEEN(b) \\
}
"""

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
_FINISH = """
K_BARRIER();
K_SHARED float* best = (K_SHARED float*)exchange;
K_HIGHEST(best, id, THREADS, highest)
if (id == 0) peaks[row * groups + k_long(threadgroup_position_in_grid.x)] = highest;
"""


def ending_of(plan: Plan, kind: Magnitudes, *, peaked: bool = False) -> Ending:
    """Magnitudes, or their squares, through a filterbank, frames first; ``peaked``: with the largest a threadgroup."""
    at_once = next(n for n in range(AT_ONCE, 0, -1) if plan.teams % n == 0)
    seen = "highest = k_higher(highest, b);" if peaked else ""
    return Ending(
        f"filtered_{kind}{'_peaked' if peaked else ''}",
        "float",
        (ABS if kind == "magnitude" else "")
        + f"#define PUT(k, c, value) {{ const float2 z = value; (stage + (k))[c] = {VALUES[kind]}; }}\n"
        + f"#define ALIGNED {plan.threads // GROUP * GROUP or plan.threads}\n"
        + f"#define SEEN(b) {seen}\n"
        + weigh(at_once, "const K_SHARED float* frame", "const K_SHARED float* from = frame + first;", _GATHER)
        + _STORE
        + _ENDED
        + (HIGHEST if peaked else ""),
        "K_DEVICE float* values = out + (row * frames + first) * filters;\n"
        "K_SHARED float* stage = (K_SHARED float*)slot;\nK_TEAM();",
        _CLOSE,
        start="float highest = k_lowest;" if peaked else "",
        finish=_FINISH if peaked else "",
        apart=True,
        inputs={"bank": "float"},
        scalars=_SCALARS,
        outputs={"peaks": "float"} if peaked else {},
    )


@functools.lru_cache(maxsize=64)
def kernel(n_fft: int, kind: Magnitudes, peaked: bool, threads: int) -> tuple[Plan, Kernel]:
    """The plan and the kernel for frames of ``n_fft`` samples, with about ``threads`` threads a threadgroup."""
    chosen = plan(n_fft, threads=threads)
    return chosen, forward.build(chosen, ending_of(chosen, kind, peaked=peaked))


def launch(
    rows: int,
    length: int,
    frames: int,
    *,
    filters: int,
    pieces: int,
    kind: Magnitudes,
    ending: Mapping[str, float],
    n_fft: int,
    hop_length: int,
    left: int,
    pad_mode: str = "constant",
    scale: float = 1.0,
    peaked: bool = False,
    geometry: Geometry | None = None,
) -> Launch:
    """Filtered spectrograms ``[rows, frames, filters]`` of signals ``[rows, length]``; see :func:`.forward.launch`.

    ``pieces``: of the bank's :func:`.pieces.table`. ``peaked``: and the largest of some frames each, ``[rows, n]``.
    """
    threads, steps, _ = geometry or told("filterbank")
    chosen, built = kernel(n_fft, kind, peaked, threads)
    grid, scalars = forward.over_frames(
        chosen, rows, length, frames, hop_length=hop_length, left=left, pad_mode=pad_mode, scale=scale, steps=steps
    )
    shapes = ((rows, frames, filters), *([(rows, grid[0])] if peaked else []))
    bank = {"filters": filters, "pieces": pieces, "groups": grid[0]}
    return Launch(built, {**scalars, **bank, **ending}, grid, shapes)
