"""Resampling and changes of speed in torchaudio's place, beyond what the parity rows and the generic tests measure."""

from __future__ import annotations

import copy
import math
import pickle
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")

import torch
import torchaudio
from torchaudio.functional import functional as theirs

from mlx_spectro import compat
from mlx_spectro.compat import torchaudio as shim
from mlx_spectro.compat.torchaudio._functional import resample as ours

from . import likeness
from .torchaudio_modules import close, noise, reasons

SPEEDS: dict[str, dict[str, Any]] = {"Speed": {"factor": 1.1}, "SpeedPerturbation": {"factors": [1.1]}}
pytestmark = pytest.mark.usefixtures("ours")

KAISER = ("sinc_interp_kaiser", 14.769656459379492)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("method", [("sinc_interp_hann", None), ("sinc_interp_kaiser", None), KAISER], ids=str)
@pytest.mark.parametrize(("width", "rolloff"), [(6, 0.99), (64, 0.9475937167399596), (1, 0.5)])
@pytest.mark.parametrize("rates", [(3, 1), (1, 3), (441, 160), (320, 441), (1000, 999)], ids=str)
def test_the_filter_is_torchaudio_s_to_the_bit(
    rates: tuple[int, int], width: int, rolloff: float, method: tuple[str, float | None], dtype: torch.dtype
) -> None:
    kernel, reach = theirs._get_sinc_resample_kernel(*rates, 1, width, rolloff, *method, torch.device("cpu"), dtype)
    design = ours.Design(ours.Rates(*rates), width, rolloff, *method, dtype)
    resampler = ours._filter(design, torch.get_default_dtype())
    assert isinstance(resampler, ours.Filter)
    assert resampler.reach == reach
    assert torch.equal(resampler.weights, kernel.take(torch.from_numpy(ours._places(*rates, reach))))


def test_rates_without_a_common_divisor_take_little_memory() -> None:
    x = noise(16000)
    tracemalloc.start()
    y = shim.functional.resample(x, 16000, 16001)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert y.shape == (16001,)
    assert reasons() == {""}
    # of NumPy's arrays; torchaudio's kernel alone has a gigabyte
    assert most < 1 << 26
    # a tone below both Nyquist frequencies stays one, where the filter has all of its samples
    n = torch.arange(16001, dtype=torch.float64)
    tone = shim.functional.resample(torch.sin(2 * math.pi * 440 * n[:16000] / 16000), 16000, 16001)
    assert (tone - torch.sin(2 * math.pi * 440 * n / 16001))[100:-100].abs().max() < 1e-2


@pytest.mark.parametrize("length", [50_000_003, 16_777_219, 29_999_999])
def test_results_are_counted_as_torchaudio_counts_them(length: int) -> None:
    for orig, new in ((441, 160), (3, 2), (160, 147)):
        expected = int(torch.ceil(torch.as_tensor(new * length / orig)).long())
        assert ours.Rates(orig, new).target(length) == expected


def test_equal_rates_return_what_was_given() -> None:
    x = noise(2, 30)
    assert shim.functional.resample(x, 8000, 8000) is x
    assert shim.transforms.Resample(8000, 8000)(x) is x
    assert shim.functional.speed(x, 8000, 1.0)[0] is x
    assert shim.transforms.Speed(-8000, 1.0)(x)[0] is x
    assert reasons() == {""}


def test_a_kernel_changed_in_place_is_seen() -> None:
    module, x = shim.transforms.Resample(441, 160), noise(2, 900)
    expected = module(x)
    module.kernel.mul_(2)
    assert close(module(x), 2 * expected)
    module.kernel.data.mul_(2)
    assert close(module(x), 4 * expected)
    assert reasons() == {""}


def _through_numpy(kernel: Any) -> None:
    kernel.numpy()[:] += 0.01


@pytest.mark.parametrize(
    "change",
    [lambda kernel: kernel.add_(0.01), lambda kernel: kernel.data.copy_(kernel.roll(200, -1)), _through_numpy],
    ids=["in place", "through data", "through NumPy"],
)
def test_a_kernel_that_does_not_end_is_torchaudio_s(change: Callable[[Any], Any]) -> None:
    x = noise(2, 900)
    results = []
    for library in (shim, torchaudio):
        module = library.transforms.Resample(441, 160)
        module(x)
        change(module.kernel)
        results.append(module(x))
    assert torch.equal(*results)
    assert "the kernel is no resampling filter's of torchaudio's, or does not end where its window does" in reasons()


def test_a_filter_that_does_not_end_is_torchaudio_s() -> None:
    x = noise(2, 900)
    options: dict[str, Any] = {"resampling_method": "sinc_interp_kaiser", "beta": 0.0}
    mine, expected = (library.functional.resample(x, 1000, 1001, **options) for library in (shim, torchaudio))
    assert torch.equal(mine, expected)
    assert reasons() == {"the filter does not end where its window does"}


def test_few_samples_are_torchaudio_s_where_its_kernel_is_small() -> None:
    module, large = shim.transforms.Resample(441, 160), shim.transforms.Resample(1000, 1001)
    with compat.route("auto"):
        module(noise(900))
        assert reasons() == {"torchaudio is as fast for fewer than 2048 samples, where its kernel is small"}
        compat.reset()
        module(noise(20000))
        large(noise(9000))
        shim.functional.resample(noise(9), 441, 160)
    assert reasons() == {""}


@pytest.mark.parametrize("lengths", [None, torch.tensor([900, 7]), torch.tensor([900.0, 7.5])], ids=str)
@pytest.mark.parametrize("factor", [0.9, 1.0, 1.3])
def test_lengths_are_torchaudio_s(factor: float, lengths: Any) -> None:
    x = noise(2, 900)
    calls: list[Callable[[Any], Any]] = [
        lambda library: library.functional.speed(x, 100, factor, lengths),
        lambda library: library.transforms.Speed(100, factor)(x, lengths),
        lambda library: library.transforms.SpeedPerturbation(100, [factor])(x, lengths),
    ]
    for call in calls:
        (mine, count), (expected, their_count) = call(shim), call(torchaudio)
        assert close(mine, expected, 1e-6)
        assert mine.stride() == expected.stride()
        assert (count is None) == (their_count is None)
        if count is not None:
            assert torch.equal(count, their_count)
            assert count.dtype == their_count.dtype
    assert reasons() == {""}


@pytest.mark.parametrize("lengths", [None, torch.tensor([900, 7])], ids=str)
def test_verification_compares_audio_and_lengths(lengths: Any) -> None:
    x = noise(2, 900)
    with compat.numerics("verify"):
        shim.functional.speed(x, 100, 1.1, lengths)
        shim.transforms.Speed(100, 0.9)(x, lengths)
        shim.functional.resample(torch.sin(3 * torch.arange(900.0)), 441, 160)  # nothing of which is left
    assert [(record.breaches, record.reason) for record in compat.report()] == 3 * [(0, "")]


@pytest.mark.parametrize("lengths", [None, [900, 7]], ids=str)
def test_arrays_of_other_libraries_and_no_lengths_come_back_as_they_came(lengths: Any) -> None:
    mx = pytest.importorskip("mlx.core")
    x = noise(2, 900).numpy()
    for array in (np.array, mx.array):
        result, count = shim.functional.speed(array(x), 100, 1.1, None if lengths is None else array(lengths))
        assert isinstance(result, type(array(x)))
        assert count is None if lengths is None else isinstance(count, type(array(x)))
    assert reasons() == {""}


def test_speeds_are_drawn_as_torchaudio_draws_them() -> None:
    x, results, states = noise(900), [], []
    factors = [0.9, 1.1, 1.0]
    for library in (shim, torchaudio):
        module = library.transforms.SpeedPerturbation(100, factors)
        torch.manual_seed(3)
        results.append([module(x)[0] for _ in range(12)])
        states.append(torch.get_rng_state())
    assert len({y.shape for y in results[0]}) == len(factors)
    assert all(close(mine, expected, 1e-6) for mine, expected in zip(*results, strict=True))
    assert torch.equal(*states)
    assert reasons() == {""}


@pytest.mark.parametrize(
    "x", [noise(3, 4, 30).transpose(0, 1), noise(30).half(), noise(2, 900)], ids=["a view", "half", "audio"]
)
@pytest.mark.parametrize("mode", ["fast", "strict", "verify"])
def test_what_torchaudio_serves_draws_once(mode: Any, x: Any) -> None:
    outcomes = []
    with compat.numerics(mode):
        for library in (shim, torchaudio):
            module = library.transforms.SpeedPerturbation(100, [0.9, 1.1, 1.2])
            torch.manual_seed(5)
            outcome = likeness.outcome(module, (x,), {})
            outcomes.append((outcome, torch.get_rng_state()))
    (mine, state), (expected, their_state) = outcomes
    assert mine.error == expected.error
    assert torch.equal(state, their_state)
    if not mine.error[0]:
        assert mine.result[0].shape == expected.result[0].shape


@pytest.mark.parametrize("kind", SPEEDS)
def test_a_part_with_hooks_is_called(kind: str) -> None:
    x, options = noise(900), SPEEDS[kind]
    module = getattr(shim.transforms, kind)(100, **options)
    expected, _ = module(x)
    part = module.resampler if kind == "Speed" else module.speeders[0].resampler
    results: list[Any] = []
    part.register_forward_hook(lambda module, args, result: results.append(result))
    assert close(module(x)[0], expected)
    assert len(results) == 1
    assert any("carries hooks" in reason for reason in reasons())


@pytest.mark.parametrize("kind", SPEEDS)
def test_modules_are_torchaudio_s(kind: str) -> None:
    x, options = noise(900), SPEEDS[kind]
    mine, expected = (getattr(library.transforms, kind)(100, **options) for library in (shim, torchaudio))
    assert isinstance(mine, getattr(torchaudio.transforms, kind))
    assert repr(mine) == repr(expected)
    assert list(mine.state_dict()) == list(expected.state_dict())
    data = pickle.dumps(mine)
    assert b"mlx_spectro" not in data
    assert type(pickle.loads(data)) is type(expected)
    assert type(copy.deepcopy(mine)) is type(mine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has deprecated scripting
        scripted = torch.jit.script(mine)
    for twin in (pickle.loads(data), copy.deepcopy(mine), scripted):
        assert close(twin(x)[0], expected(x)[0], 1e-6)
