"""The reference's own level is 0 dB, decades are whole, and logarithms are right to their last digit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")

import mlx_spectro
from mlx_spectro import compat
from mlx_spectro.design.epilogues import Decibels, Epilogue
from mlx_spectro.design.operators import Elementwise
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.gpu import filterbank
from mlx_spectro.kernels.gpu.dialect import ROWS, Kernel, Launch, over_rows
from mlx_spectro.ops import backend

from ..kernels.kernel_host import host

pytestmark = pytest.mark.usefixtures("ours")

on_host = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")
DTYPES = (np.float32, np.float64)
REFERENCES = {
    "the largest": np.max,
    "the median": np.median,
    "the smallest": np.min,
    "each frame's largest": lambda s: s.max(axis=0),
    "a number": 3.7,
}


def powers(dtype: Any, seed: int, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.chisquare(2, shape) * 10 ** rng.uniform(-8, 3, shape)).astype(dtype)


def levels_are_about(reference: Any, values: np.ndarray, db: np.ndarray) -> None:
    """What lies at the reference is at 0 dB, what is smaller is not above, and what is larger not below."""
    reference = np.broadcast_to(reference, values.shape)
    assert not db[values == reference].any()
    assert (db[values <= reference] <= 0).all()
    assert (db[values >= reference] >= 0).all()


@on_host
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ref", REFERENCES)
@pytest.mark.parametrize(("name", "amin"), [("power_to_db", 1e-10), ("amplitude_to_db", 1e-5)])
def test_librosa_s_reference_is_at_0_db_and_nothing_smaller_is_above(
    name: str, amin: float, ref: str, dtype: Any
) -> None:
    librosa = pytest.importorskip("librosa")
    function = getattr(compat.librosa, name)
    for seed in range(40):
        s = powers(dtype, seed, 7, 1 + 5 * seed)
        s = np.asfortranarray(s) if seed % 2 else s
        wanted: Any = REFERENCES[ref]
        if ref == "a number":
            wanted = s[3, 0] = dtype(wanted)
        compat.reset()
        db = function(s, ref=wanted, top_db=None)
        assert [record.reason for record in compat.report()] == [""]
        expected = getattr(librosa, name)(s, ref=wanted, top_db=None)
        assert db.dtype == expected.dtype
        reference = wanted(s) if callable(wanted) else wanted
        levels_are_about(np.maximum(reference, dtype(amin)), np.maximum(s, dtype(amin)), db)
        # two logarithms, their factors and a difference
        assert np.abs(db - expected).max() <= 8 * np.finfo(dtype).eps * 200


@on_host
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["power_to_db", "amplitude_to_db"])
def test_silence_against_its_own_largest_value_is_at_0_db(name: str, dtype: Any) -> None:
    pytest.importorskip("librosa")
    assert not getattr(compat.librosa, name)(np.zeros((300, 400), dtype), ref=np.max).any()


@on_host
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("of_torch", [False, True])
def test_torchaudio_s_reference_is_at_0_db_and_nothing_smaller_is_above(of_torch: bool, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchaudio")
    to_db = compat.torchaudio.functional.amplitude_to_DB
    for seed in range(60):
        values = powers(dtype, seed, 5, 40)
        x, largest = torch.from_numpy(values), values.max()
        # a program may take the logarithm in Python or in torch, which rounds it to the tensor's digits
        db_multiplier = torch.log10(x.max()).item() if of_torch else math.log10(largest)
        for multiplier in (10.0, 20.0):
            levels_are_about(largest, values, to_db(x, multiplier, 1e-10, db_multiplier).numpy())


def slopes_are_right(slopes: np.ndarray, values: np.ndarray) -> None:
    """Of decibels; a quotient, and the factor before it."""
    truth = 10 / np.log(10) / values.astype(np.float64)
    assert np.allclose(slopes, truth, rtol=4 * np.finfo(np.float32).eps, atol=0)


def test_the_native_reference_is_at_0_db_and_keeps_its_gradient(implementation: str) -> None:
    for seed in range(20):
        values = np.maximum(powers(np.float32, seed, 5, 40), np.float32(1e-9))
        reference, x = float(values[2, 3]), mx.array(values)

        def to_db(x: Any, reference: float = reference) -> Any:
            return mlx_spectro.amplitude_to_db(x, ref_value=reference, top_db=None)

        for function in (to_db, mx.compile(to_db), mx.vmap(to_db)):
            levels_are_about(values[2, 3], values, np.array(function(x)))
        slopes_are_right(np.array(mx.grad(lambda x: to_db(x).sum())(x)), values)


def test_what_torch_differentiates_has_the_reference_at_0_db_and_its_gradient() -> None:
    torch = pytest.importorskip("torch")
    from mlx_spectro.compat.arrays import torch_autograd

    values = np.maximum(powers(np.float32, 0, 5, 40), np.float32(1e-9))
    x = torch.from_numpy(values).requires_grad_()
    db = torch_autograd._follow(Decibels(10.0, 1e-10, float(values[2, 3])), x)
    levels_are_about(values[2, 3], values, db.detach().numpy())
    db.sum().backward()
    slopes_are_right(x.grad.numpy(), values)


DECADES = np.arange(-9, 10)


@on_host
@pytest.mark.parametrize("dtype", DTYPES)
def test_decades_are_whole_decibels(dtype: Any) -> None:
    pytest.importorskip("librosa")
    s = np.tile(np.array([float(f"1e{k}") for k in DECADES], dtype), (20, 1))
    for to_db, factor in ((compat.librosa.power_to_db, 10), (compat.librosa.amplitude_to_db, 20)):
        assert np.array_equal(to_db(s, top_db=None, amin=1e-10)[7], factor * DECADES)


# a sum is rounded to the nearest, and what is added to it last is off by a fifth of a unit at most
UNITS = 0.75


def units_off(found: np.ndarray, values: np.ndarray) -> float:
    """How far logarithms are from the truth, in units in the last place."""
    truth = np.log10(values.astype(np.longdouble))
    unit = np.spacing(np.abs(truth.astype(values.dtype)))
    return float((np.abs(found - truth) / np.where(truth == 0, 1, unit)).max())


def of_all_sizes(dtype: Any, count: int = 50_000) -> np.ndarray:
    """Numbers of all sizes, and some near 1, whose logarithms are small."""
    rng, numbers = np.random.default_rng(0), np.finfo(dtype)
    exponents = rng.uniform(np.log(2 * float(numbers.tiny)), np.log(float(numbers.max) / 2), count)
    near = 1 + rng.choice((-0.3, 0.4), count) * 10 ** rng.uniform(math.log10(numbers.eps), 0, count)
    return np.concatenate([np.exp(exponents), near]).astype(dtype)


@on_host
@pytest.mark.parametrize("dtype", DTYPES)
def test_logarithms_are_right_to_their_last_digit(dtype: Any) -> None:
    if np.finfo(np.longdouble).eps > np.finfo(dtype).eps / 64:
        pytest.skip("nothing more precise here to compare with")
    values = of_all_sizes(dtype)
    assert units_off(cpu.run(Elementwise(Decibels(1.0, float(np.finfo(dtype).tiny))), values), values) <= UNITS
    if dtype == np.float32:
        # rounded once, of a logarithm that is right to two digits more
        precise = cpu.run(Elementwise(Decibels(1.0, float(np.finfo(dtype).tiny))), values, precise=True)
        assert units_off(precise, values) <= 0.51


@on_host
def test_decibels_of_any_memory_keep_its_order_and_its_ends() -> None:
    s = powers(np.float32, 1, 6, 50, 7)
    whole = 10 * np.log10(s.astype(np.float64))
    for view in (s, s.T, s[:, ::2], s[::-1], s.transpose(1, 0, 2), s[:1, :3, :5], np.broadcast_to(s[:1], s.shape)):
        found = cpu.run(Elementwise(Decibels(10.0, 1e-30)), view)
        truth = 10 * np.log10(view.astype(np.float64))
        assert np.abs(found - truth).max() <= 2 * np.finfo(np.float32).eps * np.abs(whole).max()
        out = np.zeros(view.shape, np.float32)
        assert cpu.run(Elementwise(Decibels(10.0, 1e-30)), view, out=out) is out
        assert np.array_equal(out, found)
    assert cpu.run(Elementwise(Decibels(10.0, 1e-30)), s.T).strides == s.T.strides
    ends = np.array([np.nan, np.inf, 0.0, -1.0, 1e-42], np.float32)
    levels = {
        1.0: [np.nan, np.inf, -100, -100, -100],
        np.nan: [np.nan] * 5,
        np.inf: [np.nan, np.nan, -np.inf, -np.inf, -np.inf],
    }
    for reference, expected in levels.items():
        found = cpu.run(Elementwise(Decibels(10.0, 1e-10, reference)), ends)
        assert np.array_equal(found, expected, equal_nan=True)


@on_host
def test_what_librosa_s_squares_cannot_hold_is_librosa_s() -> None:
    librosa = pytest.importorskip("librosa")
    loud, quiet = powers(np.float32, 2, 5, 6) + np.float32(1e30), powers(np.float32, 3, 5, 6)
    with np.errstate(all="ignore"):
        for s, options in ((loud, {}), (loud, {"ref": np.max}), (quiet, {"amin": 1e-25})):
            expected = librosa.amplitude_to_db(s, **options)
            assert np.array_equal(compat.librosa.amplitude_to_db(s, **options), expected, equal_nan=True)
    assert np.isfinite(compat.librosa.power_to_db(loud)).all()


def by_kernel(values: np.ndarray, epilogue: Epilogue) -> np.ndarray:
    """What the text for GPUs makes of filtered values."""
    kernel = Kernel(
        name="epilogue",
        inputs={"x": "float"},
        tables={},
        outputs={"out": "float"},
        scalars={**ROWS, **filterbank.EPILOGUE},
        threads=64,
        registers=64,
        header=filterbank.EPILOGUE_TEXT,
        body="const int i = int(threadgroup_position_in_grid.x) * 64 + int(thread_position_in_threadgroup.x);\n"
        "if (row < rows) out[i] = k_epilogue(x[i], epilogue, amin, factor, zero, first_zero, last_zero);",
    )
    groups, scalars = over_rows(values.size // 64, 1)
    numbers = filterbank.numbers_of(epilogue)
    outcome = host.compiled(kernel).run(Launch(kernel, {**scalars, **numbers}, groups, (values.shape,)), {"x": values})
    assert not outcome.wrong
    return outcome.outputs["out"]


@pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")
def test_the_gpu_s_decibels_are_as_exact_as_the_host_s() -> None:
    values = of_all_sizes(np.float32, 32 * 64)
    assert units_off(by_kernel(values, Decibels(1.0, 1e-38, 1.0)), values) <= UNITS
    decades = np.resize(np.array([float(f"1e{k}") for k in range(-37, 39)], np.float32), 128)
    whole = np.resize(np.arange(-370, 390, 10), 128)
    assert np.array_equal(by_kernel(decades, Decibels(10.0, 1e-38, 1.0)), whole)
    for seed in range(20):
        values = powers(np.float32, seed, 128)
        levels_are_about(values[5], values, by_kernel(values, Decibels(10.0, 1e-10, float(values[5]))))
    ends = np.resize(np.array([np.nan, np.inf, 0.0, -1.0], np.float32), 64)
    found = by_kernel(ends, Decibels(10.0, 1e-10, 1.0))
    assert np.array_equal(found, np.resize([np.nan, np.inf, -100, -100], 64), equal_nan=True)
