"""The transform that ends in a filterbank: magnitudes stay on the chip, and filtered values leave it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from string import Template
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import forward
from .dialect import Kernel, Launch
from .forward import _VALUES, Ending
from .plan import Geometry, Plan, plan, told

Magnitudes = Literal["magnitude", "power"]

# what is taken of a filtered value
LINEAR, LOG, LOG_ADDED, DECIBEL = range(4)
# neighbouring filters, whose weights lie side by side, number by number, so that neighbouring threads read them at once
_GROUP = 32
# terms that are added one after the other: a sum of thousands so keeps its digits
_CHAIN = 32
# frames whose values one weight meets at a time
AT_ONCE = 4
# banks of threadgroup memory: threads that read different words of one wait for each other
_BANKS = 32

_SCALARS = {"filters": "int", "groups": "int", "ending": "int", "amin": "float", "factor": "float", "offset": "float"}

_ENDED = """
K_FN float k_ended(float a, int ending, float amin, float factor, float offset) {
  if (ending == 0) return a;
  if (ending == 2) return k_log(a + amin);
  const float b = k_log(a < amin ? amin : a);
  return ending == 1 ? b : b * factor - offset;
}
"""

# Filter m over the values of some frames. Of each filter, `bank` holds the first value, the one of them to begin with,
# how many there are, and where the weights are.
_WEIGH = Template("""
#define AT_ONCE $frames
#define LANES(filters) (((filters) + $group - 1) / $group * $group)
K_FN void k_weigh(K_LOCAL float* total, $values, const K_DEVICE float* bank, int m) {
  const K_DEVICE float* head = bank + 4 * m;
  const K_DEVICE float* weights = bank + int(head[3]);
  const int first = int(head[0]), count = int(head[2]);
  $begin
  K_UNROLL for (int j = 0; j < AT_ONCE; j++) total[j] = 0.0f;
  for (int n = 0, k = int(head[1]); n < count;) {
    const int end = count - n < $chain ? count : n + $chain;
    float sum[AT_ONCE];
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) sum[j] = 0.0f;
    for (; n < end; n += 4) {
      K_UNROLL for (int u = 0; u < 4; u++) {
        const float weight = n + u < end ? weights[$group * (n + u)] : 0.0f;
        $gather
        K_UNROLL for (int j = 0; j < AT_ONCE; j++) sum[j] += weight * value[j];
        k = k + 1 < count ? k + 1 : 0;
      }
    }
    n = end;
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) total[j] += sum[j];
  }
}
""")


def weigh(frames: int, values: str, begin: str, gather: str) -> str:
    """``k_weigh(total, ..., bank, m)``, filter ``m`` over the values of ``frames`` frames.

    Args:
        frames: At once, at most :data:`AT_ONCE`.
        values: Parameters that say where the values are.
        begin: Statements that look for those from ``first`` on.
        gather: Statements that put the ``k``-th of each frame into ``value[AT_ONCE]``.
    """
    return _WEIGH.substitute(frames=frames, group=_GROUP, chain=_CHAIN, values=values, begin=begin, gather=gather)


_BEGIN = """
const K_SHARED float* from[AT_ONCE];
K_UNROLL for (int j = 0; j < AT_ONCE; j++) from[j] = frame + (j < some ? j : 0) * apart + first;
"""
_GATHER = """
float value[AT_ONCE];
K_UNROLL for (int j = 0; j < AT_ONCE; j++) value[j] = from[j][k];
"""

# The threadgroup's frames are filtered together: 32 neighbouring threads take 32 neighbouring filters, whose widths are
# alike and whose results lie side by side.
_CLOSE = Template("""
K_BARRIER();
const int some = frames - first < TEAMS ? frames - first : TEAMS;
for (int i = int(id); i < (TEAMS + AT_ONCE - 1) / AT_ONCE * LANES(filters); i += WHOLE_GROUPS) {
  const int here = i / LANES(filters) * AT_ONCE, m = i % LANES(filters);
  if (id < WHOLE_GROUPS && m < filters && here < some) {
    float a[AT_ONCE];
    k_weigh(a, (const K_SHARED float*)(exchange + here * SLOTS), 2 * SLOTS, some - here, bank, m);
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) if (here + j < some) {
      a[j] = k_ended(a[j], ending, amin, factor, offset);
      values[(here + j) * filters + m] = a[j];
      $seen
    }
  }
}
""")

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
_SEEN = "highest = k_higher(highest, a[j]);"
_FINISH = """
K_BARRIER();
K_SHARED float* best = (K_SHARED float*)exchange;
K_HIGHEST(best, id, THREADS, highest)
if (id == 0) peaks[row * groups + k_long(threadgroup_position_in_grid.x)] = highest;
"""


def ending_of(plan: Plan, kind: Magnitudes, *, peaked: bool = False) -> Ending:
    """Magnitudes, or their squares, through a filterbank, frames first; ``peaked``: with the largest a threadgroup."""
    whole = plan.threads // _GROUP * _GROUP or plan.threads
    return Ending(
        f"filtered_{kind}{'_peaked' if peaked else ''}",
        "float",
        (forward._ABS if kind == "magnitude" else "")
        + f"#define PUT(k, c, value) {{ const float2 z = value; (stage + (k))[c] = {_VALUES[kind]}; }}\n"
        + f"#define WHOLE_GROUPS {whole}\n"
        + weigh(min(AT_ONCE, plan.teams), "const K_SHARED float* frame, int apart, int some", _BEGIN, _GATHER)
        + _ENDED
        + (HIGHEST if peaked else ""),
        "K_DEVICE float* values = out + (row * frames + first) * filters;\n"
        "K_SHARED float* stage = (K_SHARED float*)slot;\nK_TEAM();",
        _CLOSE.substitute(seen=_SEEN if peaked else ""),
        start="float highest = k_lowest;" if peaked else "",
        finish=_FINISH if peaked else "",
        apart=True,
        inputs={"bank": "float"},
        scalars=_SCALARS,
        outputs={"peaks": "float"} if peaked else {},
    )


def table(bank: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The dense ``bank [F, filters]`` as kernels take it.

    Four numbers a filter: its first bin, the one of its bins to begin with, their number, and where the weights stand
    in what follows. A group of neighbours has the same number of weights, some of them 0, and none beyond the last bin.
    """
    bins, filters = bank.shape
    heads, weights, at = np.zeros((filters, 4)), [np.zeros(0)], 4 * filters
    for group in range(0, filters, _GROUP):
        members = range(group, min(group + _GROUP, filters))
        reached = [np.flatnonzero(bank[:, m]) for m in members]
        count = max((int(found[-1] - found[0]) + 1 for found in reached if found.size), default=0)
        block = np.zeros((count, _GROUP))
        firsts = [min(int(found[0]), bins - count) if found.size else 0 for found in reached]
        for lane, (m, first, begin) in enumerate(zip(members, firsts, _begins(firsts, count), strict=True)):
            heads[m] = first, begin, count, at + lane
            block[:, lane] = np.roll(bank[first : first + count, m], -begin)
        weights.append(block.ravel())
        at += block.size
    return np.concatenate([heads.ravel(), *weights]).astype(np.float32)


def _begins(firsts: list[int], count: int) -> list[int]:
    """Where each of neighbouring threads begins in its circle of ``count`` words, so that few meet in a bank.

    Thread after thread takes the beginning that costs least, counting for each step the words of its fullest bank.
    """
    if not count:
        return [0] * len(firsts)
    steps, lowest = np.arange(count), min(firsts)
    read = np.zeros((count, max(firsts) - lowest + count), bool)  # which words, at each step
    words = np.zeros((count, _BANKS), int)  # how many of each bank
    begins = []
    for first in firsts:
        best: tuple[Any, ...] = ()
        for begin in range(min(count, _BANKS)):
            at = first - lowest + (steps + begin) % count
            new = ~read[steps, at]
            cost = np.maximum(words.max(axis=1), words[steps, at % _BANKS] + new).sum()
            if not best or cost < best[0]:
                best = cost, begin, at, new
        _, begin, at, new = best
        words[steps, at % _BANKS] += new
        read[steps, at] = True
        begins.append(begin)
    return begins


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

    ``peaked``: and the largest values of some frames each, ``[rows, n]``.
    """
    threads, steps = geometry or told("filterbank")
    chosen, built = kernel(n_fft, kind, peaked, threads)
    grid, scalars = forward.over_frames(
        chosen, rows, length, frames, hop_length=hop_length, left=left, pad_mode=pad_mode, scale=scale, steps=steps
    )
    shapes = ((rows, frames, filters), *([(rows, grid[0])] if peaked else []))
    return Launch(built, {**scalars, "filters": filters, "groups": grid[0], **ending}, grid, shapes)
