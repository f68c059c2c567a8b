"""Plans that later calls repeat: what a call's options and the kinds of its arrays decide is decided once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

# our work for a call, to be called once
Work = Callable[[], Any]
# what computes the result of a call of its arrays
Run = Callable[..., Any]

# what a call's options are of
OPTIONS = frozenset((int, float, bool, str, type(None)))
# plans of a function, and calls made ready of a plan; a program that has more has few of each
MOST = 256


# of a call: options, kinds of arrays and surroundings, which its plan depends on; how its arrays lie in memory, their
# shapes and strides; and the arrays
Signature = tuple[Hashable, Hashable, list[Any]]


class Planned:
    """Work that other calls of the same options can do: it looks at its arrays' shapes and values itself.

    It declines what these do not allow.

    Args:
        arrays: What ``run`` takes in this call: arrays of the call's, or None.
        ready: Takes a result and its arrays, and returns what computes it of arrays that lie alike; None where ``run``
            does.
    """

    def __init__(self, run: Run, arrays: tuple[Any, ...], ready: Callable[..., Run | None] = lambda *_: None) -> None:
        self.run, self.arrays, self.ready = run, arrays, ready

    def __call__(self) -> Any:
        return self.run(*self.arrays)


class _Plan:
    """A plan, and what was made ready by it."""

    def __init__(self, planned: Planned, order: tuple[int | None, ...]) -> None:
        self.ready: dict[Hashable, Run | None] = {}
        self.order = order
        self._run, self._make = planned.run, planned.ready

    def __call__(self, places: Hashable, *arrays: Any) -> Any:
        """The result of a call for which nothing is ready."""
        result = self._run(*arrays)
        # lengths that never come again are not worth it
        if places in self.ready:
            self.ready[places] = self._make(result, *arrays) or self._run
        else:
            if len(self.ready) >= MOST:
                self.ready.clear()
            self.ready[places] = None
        return result


class Plans:
    """The plans of a function, by the signatures of calls."""

    def __init__(self) -> None:
        self._plans: dict[Hashable, _Plan] = {}

    def find(self, signature: Signature) -> Work | None:
        """The work of a call, if one like it was planned before."""
        key, places, arrays = signature
        plan = self._plans.get(key)
        if plan is None:
            return None
        run = plan.ready.get(places) or functools.partial(plan, places)
        if plan.order:
            arrays = [None if place is None else arrays[place] for place in plan.order]
        return functools.partial(run, *arrays)

    def keep(self, signature: Signature, planned: Planned) -> None:
        """Keep the plan of a call for others, where it depends on nothing else."""
        key, places, arrays = signature
        identities = list(map(id, arrays))
        needed = [None if x is None else id(x) for x in planned.arrays]
        # one that stands in two places, was made for this call, or was read as a number: another call has another
        if len({*identities}) < len(identities) or {*needed} - {None} != {*identities}:
            return
        if len(self._plans) >= MOST:
            self._plans.clear()
        order = tuple(None if x is None else identities.index(x) for x in needed)
        plan = self._plans[key] = _Plan(planned, () if needed == identities else order)
        plan.ready[places] = None
