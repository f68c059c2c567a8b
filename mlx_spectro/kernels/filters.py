"""The transform that ends in a filterbank: magnitudes stay on the chip, and filtered values leave it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from string import Template
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from . import forward
from .dialect import Kernel, Launch
from .forward import _VALUES, Ending
from .plan import Geometry, Plan, plan, told

Magnitudes = Literal["magnitude", "power"]

# what is taken of a filtered value
LINEAR, LOG, LOG_ADDED, DECIBEL = range(4)
# Filters are cut into pieces of about equal width, so that wide ones keep no thread waiting. Of neighbouring pieces the
# weights lie side by side, number by number, so that neighbouring threads read them at once.
_GROUP = 32
_WIDTHS = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128)
# weights that a thread takes at once; and in weights, what it does besides for a piece and for the sums of filters
_FOUR = 4
_ASIDE = 32
_SUMMING = 16
# terms that are added one after the other: a sum of thousands so keeps its digits
_CHAIN = 32
# frames whose values one weight meets at a time
AT_ONCE = 4
# banks of threadgroup memory: threads that read different words of one wait for each other
_BANKS = 32

_SCALARS = {
    "filters": "int",
    "pieces": "int",
    "groups": "int",
    "ending": "int",
    "amin": "float",
    "factor": "float",
    "offset": "float",
}

_ENDED = """
K_FN float k_ended(float a, int ending, float amin, float factor, float offset) {
  if (ending == 0) return a;
  if (ending == 2) return k_log(a + amin);
  const float b = k_log(a < amin ? amin : a);
  return ending == 1 ? b : b * factor - offset;
}
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
    return _WEIGH.substitute(frames=frames, group=_GROUP, chain=_CHAIN, values=values, begin=begin, gather=gather)


_GATHER = """
float value[AT_ONCE];
K_UNROLL for (int j = 0; j < AT_ONCE; j++) value[j] = from[2 * SLOTS * j + k + u];
"""

# The threadgroup's frames are filtered together, 32 neighbouring pieces by 32 neighbouring threads. Sums of pieces wait
# where a frame's slot holds no bins.
_CLOSE = """
K_BARRIER();
const int some = frames - first < TEAMS ? frames - first : TEAMS;
for (int i = int(id); i < TEAMS / AT_ONCE * LANES(pieces); i += WHOLE_GROUPS) {
  const int here = i / LANES(pieces) * AT_ONCE, p = i % LANES(pieces);
  if (id < WHOLE_GROUPS && p < pieces && here < some) {
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
  const float b = k_ended(sum, ending, amin, factor, offset); \\
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
        (forward._ABS if kind == "magnitude" else "")
        + f"#define PUT(k, c, value) {{ const float2 z = value; (stage + (k))[c] = {_VALUES[kind]}; }}\n"
        + f"#define WHOLE_GROUPS {plan.threads // _GROUP * _GROUP or plan.threads}\n"
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


class Table(NamedTuple):
    """A filterbank as kernels take it: the values of the input ``bank``, and how many filters and pieces there are."""

    values: npt.NDArray[np.float32]
    filters: int
    pieces: int


def table(bank: npt.NDArray[np.floating], room: int | None = None) -> Table:
    """The dense ``bank [F, filters]`` for a kernel that has ``room`` for the sums of pieces.

    Default: the room that a frame of ``F`` bins leaves. Four numbers a piece: its first bin, the one of its bins to
    begin with, their number, and where the weights stand. A group of neighbours has the same number of weights, some of
    them 0, and none beyond the last bin. Behind these, the first piece of each filter and the number of all.
    """
    bins, filters = bank.shape
    pieces = _pieces(bank, bins - 2 if room is None else room)
    heads, weights = np.zeros((len(pieces), 4)), [np.zeros(0)]
    at = heads.size + filters + 1
    for group in range(0, len(pieces), _GROUP):
        members = pieces[group : group + _GROUP]
        count = _count(members, bins)
        block = np.zeros((count, _GROUP))
        for lane, (piece, (first, begin)) in enumerate(zip(members, _begins(members, count, bins), strict=True)):
            heads[group + lane] = first, begin, count, at + lane
            inside = slice(piece.first - first, piece.end - first)
            block[inside, lane] = bank[piece.first : piece.end, piece.filter]
            block[:, lane] = np.roll(block[:, lane], -begin)
        weights.append(block.ravel())
        at += block.size
    begins = np.searchsorted([piece.filter for piece in pieces], np.arange(filters + 1))
    values = np.concatenate([heads.ravel(), begins, *weights]).astype(np.float32)
    return Table(values, filters, len(pieces))


class _Piece(NamedTuple):
    """The bins of a filter from ``first`` up to ``end``."""

    filter: int
    first: int
    end: int


def _pieces(bank: npt.NDArray[np.floating], room: int) -> list[_Piece]:
    """The filters of a bank cut into pieces: the way that costs least."""
    whole = []
    for m, column in enumerate(bank.T):
        reached = np.flatnonzero(column)
        whole.append(_Piece(m, *((int(reached[0]), int(reached[-1]) + 1) if reached.size else (0, 0))))
    widths = {piece.end - piece.first for piece in whole}
    if len(widths) == 1 and max(widths) <= _WIDTHS[-1]:
        return whole  # nobody waits for anybody
    ways = [whole, *([cut for piece in whole for cut in _cut(piece, width)] for width in _WIDTHS)]

    def cost(pieces: list[_Piece]) -> int:
        counts = [_count(pieces[at : at + _GROUP], bank.shape[0]) for at in range(0, len(pieces), _GROUP)]
        summing = -(-len(whole) // _GROUP) if len(pieces) > len(whole) else 0
        return sum(counts) + max(counts) + _ASIDE * len(counts) + _SUMMING * summing

    return min((way for way in ways if len(way) in (len(whole), *range(room + 1))), key=cost)


def _cut(piece: _Piece, width: int) -> list[_Piece]:
    """A piece in equal parts of at most ``width`` bins."""
    parts = max(1, -(-(piece.end - piece.first) // width))
    edges = [piece.first + (piece.end - piece.first) * n // parts for n in range(parts + 1)]
    return [_Piece(piece.filter, first, end) for first, end in itertools.pairwise(edges)]


def _count(pieces: list[_Piece], bins: int) -> int:
    """Weights of each of these neighbours: whole fours, where there are so many bins."""
    most = max(piece.end - piece.first for piece in pieces)
    whole = -(-most // _FOUR) * _FOUR
    return whole if whole <= bins else most


def _begins(pieces: list[_Piece], count: int, bins: int) -> list[tuple[int, int]]:
    """Where the ``count`` words of each of neighbouring threads lie and where in their circle it begins.

    Few threads are to meet in a bank: thread after thread takes the place that costs least, counting for each step the
    words of its fullest bank.
    """
    if count % _FOUR or not count:
        return [(min(piece.first, bins - count), 0) for piece in pieces]
    steps = np.arange(count)
    read = np.zeros((count, bins), bool)  # which words, at each step
    words = np.zeros((count, _BANKS), int)  # how many of each bank
    places = []
    for piece in pieces:
        lowest, highest = max(0, piece.end - count), min(piece.first, bins - count)
        best: tuple[Any, ...] = ()
        for first in range(highest, max(lowest, highest - _FOUR + 1) - 1, -1):
            for begin in range(0, min(count, _BANKS), _FOUR):
                at = first + (steps + begin) % count
                new = ~read[steps, at]
                cost = np.maximum(words.max(axis=1), words[steps, at % _BANKS] + new).sum()
                if not best or cost < best[0]:
                    best = cost, first, begin, at, new
        _, first, begin, at, new = best
        words[steps, at % _BANKS] += new
        read[steps, at] = True
        places.append((first, begin))
    return places


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

    ``pieces``: of the bank's :func:`table`. ``peaked``: and the largest values of some frames each, ``[rows, n]``.
    """
    threads, steps, _ = geometry or told("filterbank")
    chosen, built = kernel(n_fft, kind, peaked, threads)
    grid, scalars = forward.over_frames(
        chosen, rows, length, frames, hop_length=hop_length, left=left, pad_mode=pad_mode, scale=scale, steps=steps
    )
    shapes = ((rows, frames, filters), *([(rows, grid[0])] if peaked else []))
    bank = {"filters": filters, "pieces": pieces, "groups": grid[0]}
    return Launch(built, {**scalars, **bank, **ending}, grid, shapes)
