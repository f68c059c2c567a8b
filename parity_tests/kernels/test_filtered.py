"""Host kernels of filters forth and back and of linear prediction, against definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlx_spectro.kernels import cpu

from ..table.case import pairwise
from .test_cpu import Array, noise

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

EPS = float(np.finfo(np.float64).eps)


def cascade(x: Array, sections: Array, memories: Array) -> Array:
    """What the sections of one filter make of ``x [T]``, having heard its first sample for ever."""
    start, y = x[0], list(x)
    for (b0, b1, b2, _, a1, a2), (near, far) in zip(sections, memories * start, strict=True):
        for i, sample in enumerate(y):
            y[i] = b0 * sample + near
            near, far = far + b1 * sample - a1 * y[i], b2 * sample - a2 * y[i]
    return np.array(y)


def resting(sections: Array) -> Array:
    """What sections remember of 1 for ever."""
    memories, level = [], 1.0
    for b0, b1, b2, _, a1, a2 in sections:
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)
        memories.append((out - b0 * level, b2 * level - a2 * out))
        level = out
    return np.array(memories)


@pytest.mark.parametrize(
    "o",
    list(
        pairwise(
            rows=(1, 3),
            length=(2, 511, 512, 513, 1100),
            filters=(1, 4, 11),
            sections=(1, 2, 4),
            width=(1, 60, 5000),
            hop=(7, 100),
            beyond=(0, 1),
        )
    ),
    ids=str,
)
def test_energies_are_those_of_sections_forth_and_back(o: dict[str, Any]) -> None:
    rng = np.random.default_rng(len(str(o)))
    x = rng.standard_normal((o["rows"], o["length"]))
    shape = (o["filters"], o["sections"])
    radius, angle = rng.uniform(0.3, 0.9, shape), rng.uniform(0, np.pi, shape)
    poles = np.stack([np.ones(shape), -2 * radius * np.cos(angle), radius**2], axis=-1)
    filters = np.concatenate([rng.standard_normal((*shape, 3)), poles], axis=-1)
    memories = np.stack([resting(one) for one in filters])
    begins = np.arange(0, o["length"] + o["hop"], o["hop"])
    energies = cpu.energies(x, filters, memories, begins, o["width"], o["beyond"])
    assert energies.shape == (o["rows"], o["filters"], len(begins))
    for row, which in np.ndindex(energies.shape[:2]):
        forth = cascade(x[row], filters[which], memories[which])
        back = cascade(forth[::-1], filters[which], memories[which])[::-1]
        squares = np.concatenate([back[: o["length"] - o["beyond"]] ** 2, np.zeros(o["width"] + o["hop"] + 1)])
        truth = np.array([squares[first : first + o["width"]].sum() for first in begins])
        # of each section five terms are rounded; poles make that ten times as large, forth and back, a square twice
        limit = 10 * 10 * 2 * 5 * o["sections"] * EPS * squares.max() * o["width"]
        assert np.abs(energies[row, which] - truth).max() <= limit


def lattice(x: Array, order: int) -> Array:
    """Burg's coefficients of ``x [T]``, by the errors forth and back themselves."""
    forth, back, a = x[1:], x[:-1], np.ones(1)
    for _ in range(order):
        reflection = -2 * np.dot(forth, back) / (np.dot(forth, forth) + np.dot(back, back))
        a = np.append(a, 0.0)
        a = a + reflection * a[::-1]
        forth, back = (forth + reflection * back)[1:], (back + reflection * forth)[:-1]
    return a


@pytest.mark.parametrize(
    "o", list(pairwise(length=(20, 300, 5000), order=(1, 2, 9, 18), dtype=("f", "d"), rows=(1, 3))), ids=str
)
def test_coefficients_are_those_of_a_lattice(o: dict[str, Any]) -> None:
    x = noise((o["rows"], o["length"]), np.dtype(o["dtype"]).type)
    x[-1] = np.cumsum(x[-1])
    values, growth = cpu.burg(x, o["order"], 1e-38)
    truth = np.stack([lattice(row.astype(np.float64), o["order"]) for row in x])
    # sums of so many products, some of whose differences are smaller by the growth
    limit = 4 * EPS * (o["length"] + o["order"] ** 2) * growth[:, None]
    assert (np.abs(values - truth) <= limit * np.abs(truth).max()).all()
    assert growth.max() < 1e9


def test_silence_is_predicted_by_nothing_and_a_constant_without_an_error() -> None:
    values, growth = cpu.burg(np.stack([np.zeros(50), np.ones(50)]), 3, 1e-38)
    assert np.array_equal(values[0], [1, 0, 0, 0])
    assert growth[0] == 0
    assert not growth[1] < 1e15
