"""Convolution by host kernels: values, strides, memory, blocks of every size, what is not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.design.operators import Convolve, Correlate
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu import convolution

from ..table.case import pairwise

Array = npt.NDArray[Any]


def noise(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def truth(x: Array, y: Array) -> Array:
    """Sums of products, in double precision, of signals and filters of equal leading axes."""
    lead = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    rows, filters = (np.broadcast_to(each, (*lead, each.shape[-1])).reshape(-1, each.shape[-1]) for each in (x, y))
    sums = [np.convolve(row.astype(np.float64), h.astype(np.float64)) for row, h in zip(rows, filters, strict=True)]
    return np.stack(sums).reshape(*lead, -1)


def bound(x: Array, y: Array, dtype: Any) -> float:
    """Three transforms, each within ``log2`` of its length of roundings of its signal's norm: Higham, theorem 24.2."""
    norms = [float(np.linalg.norm(each.astype(np.float64), axis=-1).max()) for each in (x, y)]
    roundings = 3 * (1 + math.log2(4 * (x.shape[-1] + y.shape[-1])))
    return roundings * float(np.finfo(dtype).eps) * norms[0] * norms[1]


CASES = list(
    pairwise(
        length=(1, 5, 64, 700, 5001),
        taps=(1, 2, 33, 700, 3000),
        lead=((), (2,), (3, 2)),
        filters=("each its own", "one for all", "one a channel"),
        dtype=(np.float32, np.float64),
        view=("as it is", "reversed", "every second", "repeated"),
        precise=(False, True),
    )
)


@pytest.mark.parametrize("o", CASES, ids=str)
def test_convolutions_and_correlations_are_sums_of_products(o: dict[str, Any]) -> None:
    lead, dtype, length, taps = o["lead"], o["dtype"], o["length"], o["taps"]
    x = noise(*lead, 2 * length, dtype=dtype)
    x = {
        "as it is": x[..., :length],
        "reversed": x[..., :length][..., ::-1],
        "every second": x[..., ::2],
        "repeated": np.broadcast_to(x[..., :1, :length] if lead else x[:length], (*lead, length)),
    }[o["view"]]
    own = {"each its own": lead, "one for all": (), "one a channel": (*[1] * (len(lead) - 1), *lead[-1:])}
    y = noise(*own[o["filters"]], taps, dtype=dtype, seed=1)
    found = cpu.run(Convolve(), x, y, precise=o["precise"])
    assert found.dtype == dtype
    expected = truth(x, y)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= bound(x, y, dtype)
    for memory in (np.empty_like(found), np.full((*found.shape[:-1], found.shape[-1] + 3), 7.0, dtype)):
        out = memory[..., memory.shape[-1] - found.shape[-1] :]
        assert cpu.run(Convolve(), x, y, out=out, precise=o["precise"]) is out
        assert np.array_equal(out, found)
        assert (memory[..., : memory.shape[-1] - found.shape[-1]] == 7).all()
    g = noise(*lead, length + taps - 1, dtype=dtype, seed=2)
    back = cpu.run(Correlate(length), g, y, precise=o["precise"])
    assert back.shape == (*lead, length)
    assert np.abs(back - truth(g, y[..., ::-1])[..., taps - 1 : taps - 1 + length]).max() <= bound(g, y, dtype)


@pytest.mark.parametrize("n_fft", convolution._SIZES)
@pytest.mark.parametrize("portion", [0.3, 0.5, 0.6, 2.7])
def test_blocks_of_every_size_are_right(n_fft: int, portion: float, monkeypatch: pytest.MonkeyPatch) -> None:
    taps = max(1, int(portion * n_fft))
    x, y = noise(2, 3 * n_fft + 5), noise(2, taps, seed=1)
    monkeypatch.setattr(convolution, "blocks_for", lambda _length, taps, _lanes: convolution._blocks(n_fft, taps))
    exact = cpu.run(Convolve(), x.astype(np.float64), y.astype(np.float64))
    spectra = [np.fft.rfft(each.astype(np.float64), 8 * n_fft) for each in (x, y)]
    whole = np.fft.irfft(spectra[0] * spectra[1], 8 * n_fft)[:, : exact.shape[1]]
    assert np.abs(exact - whole).max() <= 2 * bound(x, y, np.float64)
    assert np.abs(cpu.run(Convolve(), x, y) - whole).max() <= bound(x, y, np.float32)


def test_a_batch_is_its_signals_one_by_one() -> None:
    x, y = noise(7, 40_000), noise(7, 900, seed=1)
    before = cpu.get_num_threads()
    try:
        cpu.set_num_threads(2)
        found = cpu.run(Convolve(), x, y)
    finally:
        cpu.set_num_threads(before)
    assert np.array_equal(found, np.stack([cpu.run(Convolve(), *pair) for pair in zip(x, y, strict=True)]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["signal", "filter"])
def test_what_is_not_finite_spoils_its_whole_signal(bad: float, where: str) -> None:
    arrays = {"signal": noise(3, 20_000), "filter": noise(3, 50, seed=1)}
    arrays[where][1, 17] = bad
    found = np.isfinite(cpu.run(Convolve(), arrays["signal"], arrays["filter"]))
    assert not found[1].any()
    assert found[[0, 2]].all()


def test_no_signals_have_no_results() -> None:
    assert cpu.run(Convolve(), np.empty((0, 9), np.float32), noise(4)).shape == (0, 12)


def test_arguments_are_not_changed() -> None:
    x, y = noise(2, 500), noise(2, 80, seed=1)
    given = x.copy(), y.copy()
    cpu.run(Convolve(), x, y)
    cpu.run(Correlate(421), x, y)
    assert np.array_equal(x, given[0])
    assert np.array_equal(y, given[1])
