"""A filterbank's weights as kernels read them.

Filters are cut into pieces of about equal width, so that wide ones keep no thread waiting. Of neighbouring pieces the
weights lie side by side, number by number, so that neighbouring threads read them at once.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# neighbours whose weights lie side by side
GROUP = 32
_WIDTHS = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128)
# weights that a thread takes at once; and in weights, what it does besides for a piece and for the sums of filters
_FOUR = 4
_ASIDE = 32
_SUMMING = 16
# banks of threadgroup memory: threads that read different words of one wait for each other
_BANKS = 32


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
