"""Plans that later calls repeat: what a call's options and the kinds of its arrays decide is decided once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

# our work for a call, to be called once
Work = Callable[[], Any]
# what computes the result of a call of its arrays
Run = Callable[..., Any]

# plans of a function, and calls made ready of a plan; a program that has more has few of each
_MOST = 256


class Signature(NamedTuple):
    """What is decided by of a call."""

    key: Hashable
    """Options, kinds of arrays and surroundings: what a plan depends on."""
    places: Hashable
    """How the arrays lie in memory: shapes and strides."""
    arrays: list[Any]


class Planned(NamedTuple):
    """Work that other calls of the same options can do: it looks at its arrays' shapes and values itself.

    It declines what these do not allow.
    """

    run: Run
    arrays: tuple[Any, ...]
    """What it takes in this call: arrays of the call's, or None."""
    ready: Callable[..., Run | None] | None = None
    """Takes a result and its arrays, and returns what computes that of arrays that lie alike; None where ``run`` does."""

    def __call__(self) -> Any:
        return self.run(*self.arrays)


class _Plan:
    """A plan, and what was made ready by it."""

    def __init__(self, planned: Planned, order: tuple[int | None, ...]) -> None:
        self._run, self._make = planned.run, planned.ready
        self._order = order
        self._ready: dict[Hashable, Run | None] = {}

    def work(self, places: Hashable, arrays: list[Any]) -> Work:
        run = self._ready.get(places)
        ordered = [None if place is None else arrays[place] for place in self._order]
        if run is not None:
            return functools.partial(run, *ordered)
        if self._make is None:
            return functools.partial(self._run, *ordered)
        return lambda: self._first(self._make, places, ordered)

    def _first(self, make: Any, places: Hashable, arrays: list[Any]) -> Any:
        result = self._run(*arrays)
        # lengths that never come again are not worth it
        if places in self._ready:
            self._ready[places] = make(result, *arrays) or self._run
        else:
            if len(self._ready) >= _MOST:
                self._ready.clear()
            self._ready[places] = None
        return result


class Plans:
    """The plans of a function, by the signatures of calls."""

    def __init__(self) -> None:
        self._plans: dict[Hashable, _Plan] = {}

    def work(self, signature: Signature | None, plan: Callable[[], Work]) -> Work:
        """The work of a call; ``plan`` is asked where no call like it was planned before."""
        if signature is None:
            return plan()
        key, places, arrays = signature
        known = self._plans.get(key)
        if known is not None:
            return known.work(places, arrays)
        work = plan()
        if type(work) is Planned:
            self._keep(key, arrays, work)
        return work

    def _keep(self, key: Hashable, arrays: list[Any], planned: Planned) -> None:
        identities = list(map(id, arrays))
        needed = [None if x is None else id(x) for x in planned.arrays]
        # one that stands in two places, was made for this call, or was read as a number: another call has another
        if len({*identities}) < len(identities) or {*needed} - {None} != {*identities}:
            return
        if len(self._plans) >= _MOST:
            self._plans.clear()
        self._plans[key] = _Plan(planned, tuple(None if x is None else identities.index(x) for x in needed))
