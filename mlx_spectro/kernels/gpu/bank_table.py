"""A filterbank's weights as kernels take them, and the text that reads them.

Filters are cut into pieces of about equal width, so that wide ones keep no thread waiting. Of neighbouring pieces the
weights lie side by side, number by number, so that neighbouring threads read them at once.
"""

from __future__ import annotations

import itertools
import math
from string import Template
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...design.operators import Shape
from .programs import NoKernel, PackedWeight

# neighbours whose weights lie side by side
GROUP = 32
_WIDTHS = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128)
# weights that a thread takes at once; and in weights, what it does besides for a piece and for the sums of filters
_FOUR = 4
_ASIDE = 32
_SUMMING = 16
# banks of threadgroup memory: threads that read different words of one wait for each other
_BANKS = 32


# terms that are added one after the other: a sum of thousands so keeps its digits
_CHAIN = 32
# frames whose values one weight meets at a time
AT_ONCE = 4
# places in a table are float32 numbers
_MOST_WEIGHTS = 1 << 23


def check(bank: Shape) -> None:
    """Raise :class:`NoKernel` where a kernel could not find its way in the table of a bank of that shape."""
    if math.prod(bank) > _MOST_WEIGHTS:
        raise NoKernel(f"a filterbank of {math.prod(bank)} weights is larger than {_MOST_WEIGHTS}")


def pack(bank: npt.NDArray[np.floating], room: int | None = None, transposed: bool = False) -> PackedWeight:
    """The dense ``bank [F, filters]``, or its transpose, for a kernel that has ``room`` for the sums of pieces.

    Its numbers are of the bank's own precision.

    Default: the room that a frame of ``F`` bins leaves. Four numbers a piece: its first bin, the one of its bins to
    begin with, their number, and where the weights stand. A group of neighbours has the same number of weights, some of
    them 0, and none beyond the last bin. Behind these, the first piece of each filter and the number of all.
    """
    bank = bank.T if transposed else bank
    bins, filters = bank.shape
    pieces = _pieces(bank, bins - 2 if room is None else room)
    heads, weights = np.zeros((len(pieces), 4)), [np.zeros(0)]
    at = heads.size + filters + 1
    for group in range(0, len(pieces), GROUP):
        members = pieces[group : group + GROUP]
        count = _count(members, bins)
        block = np.zeros((count, GROUP))
        for lane, (piece, (first, begin)) in enumerate(zip(members, _begins(members, count, bins), strict=True)):
            heads[group + lane] = first, begin, count, at + lane
            inside = slice(piece.first - first, piece.end - first)
            block[inside, lane] = bank[piece.first : piece.end, piece.filter]
            block[:, lane] = np.roll(block[:, lane], -begin)
        weights.append(block.ravel())
        at += block.size
    begins = np.searchsorted([piece.filter for piece in pieces], np.arange(filters + 1))
    values = np.concatenate([heads.ravel(), begins, *weights]).astype(bank.dtype)
    return PackedWeight(values, len(pieces))


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
        counts = [_count(pieces[at : at + GROUP], bank.shape[0]) for at in range(0, len(pieces), GROUP)]
        summing = -(-len(whole) // GROUP) if len(pieces) > len(whole) else 0
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
