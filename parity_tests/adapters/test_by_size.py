"""CPU arrays on a machine with a GPU: who transforms them, and what is said of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mlx.core")
pytest.importorskip("numba")

from mlx_spectro import compat
from mlx_spectro.compat.arrays import crossover
from mlx_spectro.kernels import cpu, tuning_cache
from mlx_spectro.ops import backend

HOST, GPU = "cpu, host kernels", "MLX's device"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SPEC_MLX_AUTOTUNE_CACHE_PATH", str(tmp_path / "autotune.json"))
    tuning_cache.forget()
    monkeypatch.setattr(backend, "gpu_takes_host_arrays", lambda: True)
    compat.reset()
    with compat.route("ours"):
        yield
    compat.reset()
    tuning_cache.forget()


def served(samples: int) -> str:
    """By whom a torch.stft is served, by its record."""
    compat.reset()
    x, window = torch.randn(samples, generator=torch.Generator().manual_seed(samples)), torch.hann_window(512)
    ours = compat.torch.stft(x, 512, 128, window=window, return_complex=True)
    theirs = torch.stft(x, 512, 128, window=window, return_complex=True)
    assert torch.allclose(ours, theirs, atol=1e-4)
    (record,) = compat.report()
    assert record.reason == ""
    return record.device


def test_small_calls_stay_on_the_host_and_nothing_is_measured() -> None:
    assert served(4000) == HOST
    assert tuning_cache.entries() == {}


@pytest.mark.parametrize(("samples", "device"), [(1 << 16, GPU), (1 << 30, HOST), (-1, HOST)])
def test_large_calls_go_where_the_crossover_says(samples: int, device: str) -> None:
    tuning_cache.put(crossover.key("large"), samples)
    assert served(100_000) == device


def test_what_no_gpu_kernel_computes_stays_on_the_host() -> None:
    pytest.importorskip("torchaudio")
    tuning_cache.put(crossover.key("large"), 0)
    assert served(100_000) == GPU
    x = torch.randn(1, 100_000, generator=torch.Generator().manual_seed(0))
    y = x.view(1000, 100)
    calls = {"fftconvolve": (x, x[:, :7000]), "sliding_window_cmn": (y,)}
    for name, arguments in calls.items():
        compat.reset()
        getattr(compat.torchaudio.functional, name)(*arguments)
        (record,) = compat.report()
        assert record.device in ("", HOST)


def test_a_setting_overrides_it() -> None:
    tuning_cache.put(crossover.key("large"), 1 << 30)
    with compat.device("gpu"):
        assert [served(4000), served(100_000)] == [GPU, GPU]
    tuning_cache.put(crossover.key("large"), 0)
    with compat.device("cpu"):
        # there is no choice then, and nothing to say of it
        assert [served(4000), served(100_000)] == ["", ""]


def test_without_host_kernels_the_cpu_setting_leaves_calls_to_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "available", lambda: False)
    with compat.device("cpu"):
        compat.torch.stft(torch.randn(4000), 512, 128, return_complex=True, window=torch.ones(512))
    assert "device('cpu') leaves CPU arrays to the library" in compat.report()[0].reason
    compat.reset()
    with compat.device("auto"):
        assert served(4000) == GPU


def test_what_mlx_alone_computes_keeps_to_the_setting() -> None:
    torchaudio = pytest.importorskip("torchaudio")
    x = torch.tensor([[-20.0, 0.0, 20.0]])
    theirs = torchaudio.functional.DB_to_amplitude(x, 1.0, 1.0)
    for device, on in (("auto", GPU), ("gpu", GPU), ("cpu", "")):
        compat.reset()
        with compat.device(device):
            ours = compat.torchaudio.functional.DB_to_amplitude(x, 1.0, 1.0)
        assert torch.allclose(ours, theirs)
        (record,) = compat.report()
        assert (record.device, bool(record.reason)) == (on, device == "cpu")


def test_a_verified_call_says_where_it_was_and_the_next_one_does_not() -> None:
    x, window = torch.randn(4000), torch.hann_window(512)
    with compat.device("gpu"), compat.numerics("verify"):
        compat.torch.stft(x, 512, 128, window=window, return_complex=True)
    assert [record.device for record in compat.report()] == [GPU]
    compat.reset()
    compat.torch.stft(x.double(), 512, 128, window=window.double(), return_complex=True)
    assert [record.device for record in compat.report()] == [""]


def test_a_gradient_does_not_speak_for_the_next_call() -> None:
    x, window = torch.randn(4000, requires_grad=True), torch.hann_window(512)
    with compat.device("gpu"):
        compat.torch.stft(x, 512, 128, window=window, return_complex=True).abs().sum().backward()
    compat.reset()
    compat.torch.stft(x.detach().double(), 512, 128, window=window.double(), return_complex=True)
    assert [record.device for record in compat.report()] == [""]


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="device must be one of 'auto', 'gpu', 'cpu', got 'tpu'"):
        compat.device("tpu")


def test_asking_for_a_gpu_where_there_is_none_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "gpu_takes_host_arrays", lambda: False)
    with pytest.warns(RuntimeWarning, match=r"device\('gpu'\): MLX can use no GPU here") as found, compat.device("gpu"):
        assert served(100_000) == ""
    assert [warning.filename for warning in found] == [__file__]


def test_double_precision_stays_on_the_host() -> None:
    with compat.device("gpu"):
        compat.torch.stft(torch.randn(4000).double(), 512, 128, return_complex=True, window=torch.ones(512).double())
    (record,) = compat.report()
    assert (record.reason, record.device) == ("", "")


def test_the_crossover_is_measured_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def seconds(_results: str, size: int) -> tuple[float, float]:
        sizes.append(size)
        return size * 3e-9, 1e-3 + size * 1e-9

    monkeypatch.setattr(crossover, "seconds", seconds)
    # 3 n = 1e6 + n
    assert crossover.crossover("large") == pytest.approx(500_000, abs=1)
    tuning_cache.forget()
    assert crossover.crossover("large") == pytest.approx(500_000, abs=1)
    assert len(sizes) == 2
    crossover.crossover("small")
    assert len(sizes) == 4


def test_nothing_is_measured_where_that_is_off(untuned: None) -> None:
    assert served(100_000) == HOST
    assert tuning_cache.entries() == {}


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [((1.0, 2.0), (3.0, 4.0), -1), ((2.0, 1.0), (4.0, 3.0), 0), ((1.0, 2.0), (4.0, 3.0), (65536 + 2097152) // 2)],
)
def test_lines_cross_where_they_cross(small: Any, large: Any, expected: int) -> None:
    assert crossover._crossing(small, large) == expected


@pytest.mark.parametrize("results", ["large", "small"])
def test_both_ways_are_timed_on_the_same_work(results: str) -> None:
    host, gpu = crossover.seconds(results, 1 << 16)
    assert host > 0
    assert gpu > 0


def test_a_filterbank_is_one_array_however_often_it_comes() -> None:
    from mlx_spectro.compat.arrays import mlx_bridge

    bank = np.ones((5, 3), np.float32)
    arrays = {id(mlx_bridge._constant(bank.copy().tobytes(), bank.shape, bank.dtype.str)) for _ in range(3)}
    assert len(arrays) == 1


@pytest.mark.slow
def test_without_a_gpu_nothing_imports_mlx() -> None:
    code = (
        "import sys, torch\n"
        "from mlx_spectro import compat\n"
        "from mlx_spectro.ops import backend\n"
        "backend._has_gpu = lambda: False\n"
        "with compat.route('ours'): compat.torch.stft(torch.ones(4000), 64, return_complex=True)\n"
        "assert not compat.report()[0].reason\n"
        "assert 'mlx.core' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
