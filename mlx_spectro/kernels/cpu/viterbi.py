"""The most likely path through two like rows of states, between which one moves by no more than a few places."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .frames import peek
from .runtime.compile import kernel
from .runtime.memory import address_of
from .runtime.vector import VECTOR_BYTES, Kit, operation

Array = npt.NDArray[Any]
_LANES = VECTOR_BYTES // 8


@operation(
    "before", "after", "row_bytes", "reach", "table", "first_row", "groups", "distances", "second:real", "far:real",
    "largest",
)  # fmt: skip
def step(
    kit: Kit, before: Any, after: Any, row_bytes: Any, reach: Any, table: Any, first_row: Any, *numbers: Any
) -> None:
    """Likelihoods of all states after those before, and of each lane the largest.

    Args:
        first_row: Likelihoods of what is observed in states of the first row.
        second: Likelihood of that in any state of the second row.
        far: Likelihood to come from the likeliest state, however far.
    """
    groups, distances, second, far, largest = numbers
    second, far, least = kit.spread(second), kit.spread(far), kit.constant(-math.inf)
    top, best = kit.variable(), [kit.variable() for _ in range(4)]
    kit.put(top, least)
    with kit.loop(groups) as group:
        for variable in best:
            kit.put(variable, least)
        column = kit.times(group, kit.step)
        moves = kit.at(table, kit.times(kit.times(group, distances), 2 * kit.step))
        with kit.loop(distances) as i:
            place = kit.at(kit.at(before, column), kit.times(i, kit.size))
            rows = kit.load(place), kit.load(kit.at(place, row_bytes))
            move = kit.at(moves, kit.times(i, 2 * kit.step))
            own, other = kit.load(move), kit.load(move, kit.step)
            # four chains of maxima, which do not wait for each other
            ways = (rows[0] + own, rows[1] + other, rows[0] + other, rows[1] + own)
            for variable, way in zip(best, ways, strict=True):
                kit.put(variable, kit.get(variable).most(way))
        to_first, across, to_second, along = map(kit.get, best)
        target = kit.at(kit.at(after, column), kit.times(reach, kit.size))
        first = kit.load(kit.at(first_row, column)) + to_first.most(across).most(far)
        other = second + to_second.most(along).most(far)
        kit.store(first, target)
        kit.store(other, kit.at(target, row_bytes))
        kit.put(top, kit.get(top).most(first).most(other))
    kit.store(kit.get(top), largest)


@kernel
def likelihoods(number, lanes, values, sizes, table, first_row, second_row, shape, beyond, largest):
    """Fill ``values`` from their second row on; all arguments but the numbers are addresses.

    Args:
        sizes: ``(bytes of a step, bytes of a row of states)``.
        second_row: A value a step.
        shape: ``(steps, groups, reach)``.
        largest: A vector of each lane's largest value in the first step.
    """
    steps, groups, reach = shape
    step_bytes, row_bytes = sizes
    for t in range(1, steps):
        top = peek(number, number, largest)
        for lane in range(1, lanes):
            top = max(top, peek(number, number, largest + 8 * lane))
        step(
            number, number, values + step_bytes * (t - 1), values + step_bytes * t, row_bytes, reach, table,
            first_row + 8 * lanes * groups * t, groups, 2 * reach + 1, peek(number, number, second_row + 8 * t),
            top + beyond, largest,
        )  # fmt: skip


@kernel
def path_back(values, table, reach, beyond, states, path):
    """From the likeliest last state back to the first."""
    last, lanes = len(path) - 1, table.shape[3]
    best = -np.inf
    for row in range(2):
        for k in range(states):
            if values[last, row, k + reach] > best:
                best, path[last] = values[last, row, k + reach], row * states + k
    for t in range(last - 1, -1, -1):
        to_row, to = divmod(path[t + 1], states)
        best = -np.inf
        for row in range(2):
            for k in range(states):
                move = beyond
                if abs(k - to) <= reach:
                    move = table[to // lanes, k - to + reach, int(row != to_row), to % lanes]
                if values[t, row, k + reach] + move > best:
                    best, path[t] = values[t, row, k + reach] + move, row * states + k


class Bands(NamedTuple):
    """Logarithms of the probabilities to move between states of two rows, the same from either row."""

    table: Array
    """``[groups, distances, 2, lanes]``, of targets side by side: from their own row and from the other one."""
    reach: int
    """Largest distance between a state and the next."""
    beyond: float
    """Logarithm of the probability of any move that is further."""
    states: int
    """Of each row."""

    @classmethod
    def of(cls, own: Array, other: Array, reach: int, beyond: float) -> Bands:
        """Bands of ``[states, states]`` from a state, down, to another one, of the same row and of the other one."""
        states = len(own)
        groups = -(-states // _LANES)
        table = np.full((groups * _LANES, 2 * reach + 1, 2), -np.inf)
        for distance in range(-reach, reach + 1):
            to = np.arange(max(0, -distance), min(states, states - distance))
            table[to, distance + reach] = np.stack([own[to + distance, to], other[to + distance, to]], axis=-1)
        grouped = table.reshape(groups, _LANES, *table.shape[1:]).transpose(0, 2, 3, 1)
        return cls(np.ascontiguousarray(grouped), reach, beyond, states)

    def likeliest_path(self, first: Array, second: Array, start: float) -> Array:
        """The most likely states, counted through both rows, of which each step observes something.

        By Viterbi's algorithm: L. R. Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77, 1989,
        section III.B. Of equally likely states, the first counts.

        Args:
            first: Logarithms ``[steps, states]`` of the probabilities of what is observed in states of the first row.
            second: The same ``[steps]`` in any state of the second row.
            start: Logarithm of the probability of any state before the first step.
        """
        steps, groups, reach = len(first), len(self.table), self.reach
        observed = np.full((steps, groups * _LANES), -np.inf)
        observed[:, : self.states] = first
        # beside the states, what no path leads through
        values = np.full((steps, 2, groups * _LANES + 2 * reach), -np.inf)
        values[0, 0, reach : reach + self.states] = first[0] + start
        values[0, 1, reach : reach + self.states] = second[0] + start
        one_value = np.ascontiguousarray(second, np.float64)
        top = np.full(_LANES, values[0].max())
        likelihoods(
            np.float64(1), _LANES, address_of(values), values.strides[:2], address_of(self.table), address_of(observed),
            address_of(one_value), (steps, groups, reach), self.beyond, address_of(top),
        )  # fmt: skip
        path = np.zeros(steps, np.int64)
        path_back(values, self.table, reach, self.beyond, self.states, path)
        return path
