"""Sliding normalization by host kernels: values, strides, memory, what is not finite and what does not vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.design.operators import SlidingNormalization
from mlx_spectro.design.windows_in_time import bounds
from mlx_spectro.kernels import cpu

from ..table.case import pairwise

Array = npt.NDArray[Any]


def truth(op: SlidingNormalization, x: Array) -> Array:
    """Each frame by the mean and the standard deviation of its window, in double precision."""
    x, y = x.astype(np.float64), np.empty(x.shape)
    for n, (start, end) in enumerate(zip(*bounds(x.shape[-2], op.window, op.least, op.centred), strict=True)):
        window = x[..., start:end, :]
        left = x[..., n, :] - window.mean(-2)
        y[..., n, :] = (left / window.std(-2) if end - start > 1 else 0.0) if op.scaled else left
    return y


def variation(op: SlidingNormalization, x: Array) -> Array:
    """Of each frame's window, its variance over its mean square; 1 of a single frame."""
    x, ratio = x.astype(np.float64), np.ones(x.shape)
    for n, (start, end) in enumerate(zip(*bounds(x.shape[-2], op.window, op.least, op.centred), strict=True)):
        window = x[..., start:end, :]
        if end - start > 1:
            ratio[..., n, :] = window.var(-2) / np.square(window).mean(-2)
    return ratio


CASES = list(
    pairwise(
        frames=(1, 2, 60, 300),
        features=(1, 5, 40),
        lead=((), (2,), (3, 2)),
        window=(1, 2, 9, 50, 600),
        least=(0, 1, 20, 999),
        centred=(False, True),
        scaled=(False, True),
        dtype=(np.float32, np.float64),
        view=("as it is", "frames last", "every second"),
        precise=(False, True),
    )
)


@pytest.mark.parametrize("o", CASES, ids=str)
def test_frames_are_less_their_windows_means(o: dict[str, Any]) -> None:
    op = SlidingNormalization(o["window"], o["least"], o["centred"], o["scaled"])
    shape, rng = (*o["lead"], o["frames"], o["features"]), np.random.default_rng(0)
    x = rng.standard_normal((*shape[:-1], 2 * shape[-1])).astype(o["dtype"])
    x = {
        "as it is": x[..., : shape[-1]],
        "every second": x[..., ::2],
        "frames last": np.ascontiguousarray(x[..., : shape[-1]].swapaxes(-1, -2)).swapaxes(-1, -2),
    }[o["view"]]
    found, exact = cpu.run(op, x, precise=o["precise"]), truth(op, x)
    assert found.shape == x.shape
    if op.scaled:
        # a variance that is within roundings of the squares is none
        ratio = variation(op, x)
        clear = ratio > 2 * o["frames"] * np.finfo(found.dtype).eps
        assert np.isfinite(found[clear]).all()
        assert clear.mean() > 0.9
        found, exact, ratio = found[clear], exact[clear], ratio[clear]
        # sums of squares are rounded at each of their steps, and cancel
        limit = np.finfo(found.dtype).eps * np.abs(exact) + 16 * o["frames"] * 2.0**-52 * np.abs(exact) / ratio + 1e-12
    else:
        limit = np.finfo(found.dtype).eps * np.abs(exact) + 4 * o["frames"] * 2.0**-52 * np.abs(x).max()
    assert (np.abs(found - exact) <= limit).all()


@pytest.mark.parametrize("scaled", [False, True])
def test_results_go_where_they_are_asked_for(scaled: bool) -> None:
    x, op = (
        np.random.default_rng(0).standard_normal((2, 50, 7)).astype(np.float32),
        SlidingNormalization(9, 4, scaled=scaled),
    )
    found = cpu.run(op, x)
    for out in (np.empty_like(x), np.empty((2, 7, 50), np.float32).swapaxes(1, 2)):
        assert cpu.run(op, x, out=out) is out
        assert np.array_equal(out, found)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("scaled", [False, True])
def test_what_is_not_finite_spoils_its_feature_from_its_first_window_on(bad: float, scaled: bool) -> None:
    x = np.random.default_rng(0).standard_normal((2, 90, 5)).astype(np.float32)
    x[1, 40, 3] = bad
    op = SlidingNormalization(10, 5, centred=True, scaled=scaled)
    _, ends = bounds(90, 10, 5, True)
    wrong = np.zeros(x.shape, bool)
    wrong[1, ends > 40, 3] = True
    assert np.array_equal(~np.isfinite(cpu.run(op, x)), wrong)


def test_what_does_not_vary_has_no_scale() -> None:
    x = np.full((30, 2), 0.1, np.float32)
    x[:, 1] = np.arange(30)
    y = cpu.run(SlidingNormalization(10, 5, scaled=True), x)
    assert np.isnan(y[:, 0]).all()
    assert np.isfinite(y[:, 1]).all()


def test_a_window_of_no_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        cpu.run(SlidingNormalization(0), np.ones((3, 2), np.float32))
