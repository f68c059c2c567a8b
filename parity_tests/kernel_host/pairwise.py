"""A few combinations that show every pair of values together."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any


def pairwise(**axes: Sequence[Any]) -> list[dict[str, Any]]:
    """Combinations of one value an axis in which every two values of different axes meet; always the same ones."""
    choose = random.Random(0)
    names = list(axes)
    missing = {((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x in axes[a] for y in axes[b]}
    combinations = []
    while missing:
        best: dict[str, Any] = {}
        most = 0
        for _ in range(30):
            forced = dict(choose.choice(sorted(missing, key=repr)))
            tried = {name: forced.get(name, choose.choice(axes[name])) for name in names}
            met = sum(pair in missing for pair in itertools.combinations(tried.items(), 2))
            if met > most:
                best, most = tried, met
        missing.difference_update(itertools.combinations(best.items(), 2))
        combinations.append(best)
    return combinations
