"""Calls in the midst of calls: between any two steps of another, and from a program's own functions inside it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.kernels import cpu, tuning_cache
from mlx_spectro.kernels.cpu.runtime import loading
from mlx_spectro.ops import backend

from .. import doors
from .interrupted import SETUP, python

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

pytestmark = pytest.mark.slow

AT_EVERY_STEP = """
def run(step, outer, inner):
    # outer() in a thread of its own, with inner() before the step-th instruction; the results, and how many steps
    count, results = 0, []
    def trace(frame, event, _):
        nonlocal count
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return trace if frame.f_code.co_filename.endswith(FILES) else None
        if event == "opcode":
            count += 1
            if count == step:
                results.append(inner())
        return trace
    def body():
        sys.settrace(trace)
        try:
            results.append(outer())
        finally:
            sys.settrace(None)
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), f"waits for itself from step {step}"
    return results, count

def at_every_step(outer, inner):
    expected = [inner(), outer()]
    _, steps = run(0, outer, inner)
    reached = 0
    for step in range(1, steps + 1):
        results, _ = run(step, outer, inner)
        # which steps of a shared call are this thread's varies
        reached += len(results) == 2
        wanted = expected[-len(results):]
        assert all(np.array_equal(a, b) for a, b in zip(results, wanted, strict=True)), f"wrong from step {step}"
    assert reached > steps / 2 > 30
    print("done")
"""


class TestAtEveryStep:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_a_call_of_kernels_can_be_interrupted_by_a_larger_one(self, threads: int) -> None:
        code = (
            "FILES = ('runtime/memory.py', 'runtime/threads.py', 'cpu/transforms.py')\n"
            f"cpu.set_num_threads({threads})\n"
            "threads._ALONE = 0\n"
            "at_every_step(lambda: stft(256), lambda: stft(2048))\n"
        )
        assert python(SETUP + AT_EVERY_STEP + code) == "done\n"

    @pytest.mark.parametrize("mode", ["fast", "verify"])
    def test_a_call_of_an_adapter_can_be_interrupted_by_another(self, mode: str) -> None:
        pytest.importorskip("librosa")
        code = (
            "from mlx_spectro import compat\n"
            "from mlx_spectro.compat import librosa\n"
            f"compat.route('ours'), compat.numerics('{mode}')\n"
            "FILES = ('contract/records.py', 'contract/adapter.py', 'compat/dispatch.py', 'contract/settings.py')\n"
            "at_every_step(lambda: librosa.stft(X[0], n_fft=256), lambda: librosa.stft(X[0], n_fft=2048))\n"
            # what interrupts the reference's run under verify is as strict as that
            "assert {record.reason for record in compat.report()} <= {'', 'strict numerics'}\n"
        )
        assert python(SETUP + AT_EVERY_STEP + code) == "done\n"

    def test_a_profiled_call_can_be_interrupted_by_another(self) -> None:
        pytest.importorskip("torch")
        code = (
            "import torch as real\n"
            "from mlx_spectro import compat\n"
            "from mlx_spectro.compat import torch\n"
            "from mlx_spectro.compat.diagnostics import profile\n"
            "x = real.from_numpy(X)\n"
            "FILES = ('diagnostics/profile.py',)\n"
            "profile.start()\n"
            "def call(n):\n"
            "    return torch.stft(x, n, window=real.ones(n), return_complex=True).numpy()\n"
            "at_every_step(lambda: call(256), lambda: call(2048))\n"
            "assert all(record.seconds >= 0 for record in compat.report())\n"
        )
        assert python(SETUP + AT_EVERY_STEP + code) == "done\n"


def in_time(function: Callable[[], Any]) -> Any:
    """The result of ``function``, which must not wait for itself."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    return found[0]


def test_a_call_of_ours_inside_a_reference_value_is_like_librosa_s() -> None:
    librosa = pytest.importorskip("librosa")
    from mlx_spectro.compat import librosa as shim

    s = np.abs(np.random.default_rng(0).standard_normal((300, 400))).astype(np.float32)
    with compat.route("ours"):
        mine, theirs = (
            module.power_to_db(s, ref=lambda x, module=module: abs(module.power_to_db(x).max()))
            for module in (shim, librosa)
        )
    assert np.abs(mine - theirs).max() <= 1e-4


def test_the_device_of_a_call_survives_a_call_inside_it() -> None:
    pytest.importorskip("torch")
    from mlx_spectro.compat.contract import records

    def plan(_: Any) -> Any:
        records.note_device("inner")
        return lambda: 0

    records.note_device("outer")
    doors.door("torch.fake", lambda _: 0, plan)(1)
    doors.door("torch.other", lambda _: 0, doors.declining("not ours"))(1)
    assert records.here.device == "outer"
    assert {record.function: record.device for record in compat.report()} == {"torch.fake": "inner", "torch.other": ""}


def test_a_measurement_inside_a_measurement_goes_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlx.core")
    from mlx_spectro.compat.arrays import crossover

    inside: list[int] = []

    def seconds(*_: Any) -> tuple[float, float]:
        inside.append(crossover.crossover("large"))
        return (2.0, 1.0)

    monkeypatch.setattr(crossover, "seconds", seconds)
    monkeypatch.setattr(crossover, "key", lambda results: results)
    monkeypatch.setattr(tuning_cache, "_table", {})
    monkeypatch.setattr(tuning_cache, "persists", lambda: False)
    assert in_time(lambda: crossover.crossover("large")) == 0
    assert inside == [-1, -1]


def test_what_is_measured_inside_keeping_a_measurement_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []

    def write(_: Any, entries: dict[str, Any]) -> None:
        if not kept:
            kept.append("inner")
            tuning_cache.put("inner", 2)
        kept.extend(entries)

    monkeypatch.setattr(tuning_cache, "_table", {})
    monkeypatch.setattr(tuning_cache, "_write", write)
    monkeypatch.setattr(tuning_cache, "_read", lambda _: {})
    monkeypatch.setattr(tuning_cache, "persists", lambda: True)
    in_time(lambda: tuning_cache.put("outer", 1))
    assert {"outer", "inner"} <= set(kept)
    assert tuning_cache.entries() == {"outer": 1, "inner": 2}


def test_a_setting_can_be_read_while_its_block_begins_elsewhere() -> None:
    setting = compat.contract.settings.Setting("of a test", "MLX_SPECTRO_OF_A_TEST", ("a", "b"))
    steps = 0

    def read_with_a_block_beginning_at(step: int) -> str:
        nonlocal steps
        scope, steps = setting("b"), 0

        def trace(frame: Any, event: str, _: Any) -> Any:
            nonlocal steps
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            steps += event == "opcode"
            if steps == step:
                with scope:
                    pass
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return setting.get()
        finally:
            sys.settrace(before)
            with scope:
                pass

    assert read_with_a_block_beginning_at(-1) == "b"
    assert {read_with_a_block_beginning_at(step) for step in range(1, steps + 1)} == {"a", "b"}


def test_a_thread_that_compiles_is_busy_and_others_are_not() -> None:
    with loading.under_way():
        assert cpu.busy()
        assert not in_time(cpu.busy)
        with pytest.raises(RuntimeError, match="in the midst of compiling"):
            from mlx_spectro.kernels.cpu.runtime.compile import kernel

            kernel(lambda x: x)(1)
    assert not cpu.busy()


@pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")
def test_a_call_that_interrupts_compiling_is_the_reference_s() -> None:
    torch = pytest.importorskip("torch")
    from mlx_spectro.compat import torch as shim

    x, window = torch.randn(500), torch.ones(64)
    with loading.under_way(), compat.route("ours"):
        z = shim.stft(x, 64, window=window, return_complex=True)
    assert torch.equal(z, torch.stft(x, 64, window=window, return_complex=True))
    assert [record.reason for record in compat.report()] == [compat.contract.reasons.BUSY]
