"""Energies of signals that have gone through cascades of filters of second order, forth and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .frames import copy, peek, poke
from .runtime.compile import kernel
from .runtime.denormals import flush_denormals, restore_state
from .runtime.memory import address_of, workspace
from .runtime.threads import share
from .runtime.vector import VECTOR_BYTES, Kit, Vec, integer, lanes, operation

Array = npt.NDArray[Any]
_REAL = np.float64(1)
_LANES = lanes(8)
# sections of a cascade; a shorter one is filled up with sections that change nothing
SECTIONS = 4
# of each section b[0], b[1], b[2], -a[1], -a[2], and what is remembered of earlier samples
_TAPS, _KEPT = 5, 2
# samples that are filtered forth once more, before they are filtered back
_BLOCK = 512


class _Cascade:
    """Sections, each in the transposed direct form II, whose memories are variables of a loop."""

    def __init__(self, kit: Kit, taps: Any, state: Any) -> None:
        self.kit, self.taps, self.state = kit, taps, state
        self.memories = [kit.variable() for _ in range(_KEPT * SECTIONS)]
        for k, memory in enumerate(self.memories):
            kit.put(memory, kit.load(state, kit.step * k))

    def filter(self, x: Vec) -> Vec:
        for s in range(SECTIONS):
            b0, b1, b2, a1, a2 = (self.kit.load(self.taps, self.kit.step * (_TAPS * s + k)) for k in range(_TAPS))
            near, far = self.memories[_KEPT * s : _KEPT * (s + 1)]
            y = self.kit.get(near) + x * b0
            self.kit.put(near, (self.kit.get(far) + x * b1) + y * a1)
            self.kit.put(far, x * b2 + y * a2)
            x = y
        return x

    def keep(self) -> None:
        for k, memory in enumerate(self.memories):
            self.kit.store(self.kit.get(memory), self.state, self.kit.step * k)


@operation("samples", "count", "taps", "state", "target")
def forth(kit: Kit, samples: Any, count: Any, taps: Any, state: Any, target: Any) -> None:
    """Filter ``count`` samples, the same for all lanes."""
    cascade = _Cascade(kit, taps, state)
    with kit.loop(count) as i:
        sample = kit.broadcast(kit.at(samples, kit.times(i, kit.size)))
        kit.store(cascade.filter(sample), kit.at(target, kit.times(i, kit.step)))
    cascade.keep()


@operation("source", "count", "taps", "state", "sums")
def back(kit: Kit, source: Any, count: Any, taps: Any, state: Any, sums: Any) -> None:
    """Filter ``count`` vectors, the last one first, and add the squares of what comes of it to a vector."""
    cascade, total = _Cascade(kit, taps, state), kit.variable()
    kit.put(total, kit.load(sums))
    last = kit.at(source, kit.at(kit.times(count, kit.step), -kit.step))
    with kit.loop(count) as i:
        y = cascade.filter(kit.load(kit.builder.sub(last, kit.times(i, kit.step))))
        kit.put(total, kit.get(total) + y * y)
    kit.store(kit.get(total), sums)
    cascade.keep()


@operation("state", "start", "value")
def begin(kit: Kit, state: Any, start: Any, value: Any) -> None:
    """The memories of cascades that have heard a value, each lane one of its own, for ever."""
    constant = kit.load(value)
    for k in range(_KEPT * SECTIONS):
        kit.store(kit.load(start, kit.step * k) * constant, state, kit.step * k)


@kernel
def energies_of_groups(real, lanes, samples, length, cuts, pieces, groups, block, first, last, result, scratch):
    """Energies ``[rows, groups, pieces, lanes]`` of groups of cascades, counted through all rows of samples.

    Args:
        samples, length: ``[rows, length]`` double precision.
        cuts: Where pieces begin, and the last one ends.
        groups: ``(how many, taps, starts)``, a vector a tap or memory, one group's after the other's.
        scratch: ``(a block of vectors, states at the beginnings of blocks, state, a vector)``.
    """
    count, all_taps, starts = groups
    vectors, states, state, value = scratch
    step, state_bytes = 8 * lanes, 8 * lanes * _KEPT * SECTIONS
    blocks = (length + block - 1) // block
    modes = flush_denormals(real, real)
    for one in range(first, last):
        row, group = divmod(one, count)
        source, target = samples + 8 * length * row, result + step * pieces * one
        taps, start = all_taps + step * _TAPS * SECTIONS * group, starts + state_bytes * group
        for lane in range(lanes):
            poke(real, real, value + 8 * lane, peek(real, real, source))
        begin(real, real, state, start, value)
        for k in range(blocks):
            copy(real, real, states + state_bytes * k, state, state_bytes)
            heard = min(block, length - block * k)
            forth(real, real, source + 8 * block * k, heard, taps, state, vectors)
        heard = length - block * (blocks - 1)
        begin(real, real, state, start, vectors + step * (heard - 1))
        piece, end = pieces - 1, length
        for k in range(blocks - 1, -1, -1):
            if k < blocks - 1:
                heard = block
                forth(real, real, source + 8 * block * k, heard, taps, states + state_bytes * k, vectors)
            while end > block * k:
                piece_start = integer(real, real, cuts, piece)
                where = max(piece_start, block * k)
                back(real, real, vectors + step * (where - block * k), end - where, taps, state, target + step * piece)
                end = where
                if end == piece_start:
                    piece -= 1
    restore_state(real, real, modes)


def energies(x: Array, filters: Array, memories: Array, begins: Array, width: int, beyond: int) -> Array:
    """Energies, in windows of ``width`` samples, of what filters, each forth and back, make of signals.

    Forth, a filter begins as if it had heard the first sample for ever, and back, the last one. See F. Gustafsson,
    "Determining the initial states in forward-backward filtering", IEEE Transactions on Signal Processing 44(4), 1996.

    Args:
        x: float64 ``[rows, T]``.
        filters: ``[filters, sections, 6]``, of each section ``b`` and ``a``, with ``a[0]`` 1; up to :data:`SECTIONS`.
        memories: What sections remember of 1 for ever, ``[filters, sections, 2]``, in the transposed direct form II.
        begins: First samples of windows, ascending.
        beyond: Samples at the end that no window hears.

    Returns:
        float64 ``[rows, filters, windows]``.
    """
    count, sections = filters.shape[:2]
    nothing = np.zeros((SECTIONS - sections, _TAPS))
    nothing[:, 0] = 1
    taps = np.concatenate([filters[..., :3], -filters[..., 4:]], axis=-1)
    taps = np.concatenate([taps, np.broadcast_to(nothing, (count, *nothing.shape))], axis=1).reshape(count, -1)
    starts = np.pad(memories, [(0, 0), (0, SECTIONS - sections), (0, 0)]).reshape(count, -1)
    windows = np.minimum(np.stack([begins, begins + width], axis=-1), x.shape[-1] - beyond)
    cuts = np.unique(np.concatenate([[0, x.shape[-1]], windows.ravel()]))
    sums = _energies_between(np.ascontiguousarray(x), _in_groups(taps), _in_groups(starts), cuts)[:, :count]
    places = np.searchsorted(cuts, windows)
    # a sum up to the end has no piece to end before
    closed = np.concatenate([sums, np.zeros_like(sums[..., :1])], axis=-1)
    totals: Array = np.add.reduceat(closed, places.ravel(), axis=-1)[..., ::2]
    totals[..., places[:, 0] == places[:, 1]] = 0
    return totals


def _in_groups(values: Array) -> Array:
    """``[filters, n]`` as ``[groups, n, lanes]``; the last group is filled up."""
    missing = -len(values) % _LANES
    whole = np.concatenate([values, np.repeat(values[:1], missing, axis=0)])
    return np.ascontiguousarray(whole.reshape(-1, _LANES, values.shape[-1]).swapaxes(-1, -2))


def _energies_between(x: Array, taps: Array, starts: Array, cuts: Array) -> Array:
    """Sums of squares ``[rows, filters, pieces]`` between ascending ``cuts``, from 0 to the end of ``x [rows, T]``."""
    (rows, length), groups, pieces = x.shape, len(taps), len(cuts) - 1
    sums = np.zeros((rows, groups, pieces, _LANES))
    state_bytes = VECTOR_BYTES * _KEPT * SECTIONS
    sizes = (VECTOR_BYTES * _BLOCK, state_bytes * -(-length // _BLOCK), state_bytes, VECTOR_BYTES)
    of_groups = (groups, address_of(taps), address_of(starts))

    def work(first: int, last: int) -> None:
        *scratch, _memory = workspace.pieces(sizes)
        energies_of_groups(
            _REAL, _LANES, address_of(x), length, address_of(cuts), pieces, of_groups, _BLOCK, first, last,
            address_of(sums), tuple(scratch),
        )  # fmt: skip

    share(work, rows * groups, 1, length * _LANES * SECTIONS, (x, cuts, taps, starts, sums))
    return sums.swapaxes(-1, -2).reshape(rows, groups * _LANES, pieces)
