"""Calls in the midst of calls: of signal handlers and of the garbage collector."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from mlx_spectro import compat
from mlx_spectro.design.operators import Operator, Stft, StftAdjoint
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu.runtime import threads

from .interrupted import SETUP, python

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)

pytestmark = pytest.mark.slow
MAIN = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers here")


@MAIN
class TestSignals:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_a_handler_that_transforms_disturbs_no_transform(self, threads: int) -> None:
        code = f"""
cpu.set_num_threads({threads})
threads._ALONE = 100_000
sizes = [n for n in range(64, 5000, 2) if cpu.compiled(n)]
inside, calls, wrong = False, 0, []
def handler(*_):
    global inside, calls
    if not inside:
        inside, calls = True, calls + 1
        n = sizes[-1 - calls % 40]
        if not right(stft(n), n):
            wrong.append(n)
        inside = False
for n in sizes[:2]:
    stft(n)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
for _ in range(2):
    for n in sizes:
        z = stft(n)
        if not right(z, n):
            wrong.append(n)
signal.setitimer(signal.ITIMER_REAL, 0)
assert calls > 50 and not wrong, (calls, wrong)
print("done")
"""
        assert python(SETUP + code) == "done\n"

    def test_a_time_limit_ends_a_call_and_the_next_one_is_right(self) -> None:
        # a helper that still wrote to the memory of a call that is left would end the process, or spoil another's
        code = """
cpu.set_num_threads(3)
threads._ALONE = 0
def handler(*_):
    raise TimeoutError
stft(512)
signal.signal(signal.SIGALRM, handler)
random.seed(0)
ended = 0
while ended < 100:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 1e-3))
        for n in (64, 512, 1024):
            stft(n)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except TimeoutError:
        ended += 1
    assert right(stft(512), 512)
print("done")
"""
        assert python(SETUP + code) == "done\n"

    @pytest.mark.parametrize("library", ["torch", "librosa", "native"])
    def test_a_handler_can_transform_while_kernels_are_loaded(self, library: str) -> None:
        pytest.importorskip("mlx.core" if library == "native" else library)
        calls = {
            "torch": (
                "import torch as real\n"
                "from mlx_spectro.compat import torch\n"
                "def call(n):\n"
                "    return torch.stft(real.from_numpy(X), n, n // 4, window=real.from_numpy(windows(n)),\n"
                "                      pad_mode='constant', return_complex=True).numpy().swapaxes(-1, -2)\n"
            ),
            "librosa": (
                "import librosa as real\n"
                "from mlx_spectro.compat import librosa\n"
                "def call(n):\n"
                "    return librosa.stft(X, n_fft=n, hop_length=n // 4, window=windows(n)).swapaxes(-1, -2)\n"
            ),
            "native": (
                "import mlx.core as mx\n"
                "from mlx_spectro import SpectralTransform\n"
                "def call(n):\n"
                "    made = SpectralTransform(n, n // 4, window=mx.array(windows(n)), center_pad_mode='constant')\n"
                "    return np.array(made.stft(mx.array(X), output_layout='bnf'))\n"
            ),
        }
        code = """
from mlx_spectro import compat
compat.route("ours")
inside, wrong, calls = False, [], 0
def handler(*_):
    global inside, calls
    if not inside:
        inside, calls = True, calls + 1
        if not right(call(1024), 1024):
            wrong.append("inside")
        inside = False
assert "mlx_spectro.kernels.cpu.transforms" not in sys.modules
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 1e-3, 2e-2)
if not right(call(512), 512):
    wrong.append("outside")
signal.setitimer(signal.ITIMER_REAL, 0)
assert calls and not wrong, (calls, wrong)
assert right(call(1024), 1024)
print("done")
"""
        assert python(SETUP + calls[library] + code) == "done\n"

    @pytest.mark.parametrize("kind", [Stft, StftAdjoint])
    def test_a_time_limit_inside_a_call_of_ours_reaches_the_program(
        self, monkeypatch: pytest.MonkeyPatch, kind: type[Operator]
    ) -> None:
        torch = pytest.importorskip("torch")
        from mlx_spectro.compat import torch as shim
        from mlx_spectro.compat.arrays import torch_autograd, torch_ops

        def late(*_: Any) -> None:
            raise TimeoutError("too late")

        run = torch_ops.run

        def slow(engine: Any, op: Operator, *args: Any) -> Any:
            if isinstance(op, kind):
                signal.raise_signal(signal.SIGALRM)
            return run(engine, op, *args)

        before = signal.signal(signal.SIGALRM, late)
        monkeypatch.setattr(torch_autograd, "run", slow)
        try:
            with compat.route("ours"), compat.on_fault("record"), pytest.raises(TimeoutError, match="too late"):
                x = torch.ones(500, requires_grad=True)
                shim.stft(x, 64, window=torch.ones(64), return_complex=True).abs().sum().backward()
        finally:
            signal.signal(signal.SIGALRM, before)
        assert {record.reason for record in compat.report()} <= {""}

    def test_a_caller_that_is_interrupted_leaves_when_nobody_uses_its_memory(self) -> None:
        begun, end = threading.Event(), threading.Event()
        caller = threading.get_ident()
        ended: list[bool] = []

        def work(_: int) -> None:
            if threading.get_ident() == caller:
                begun.wait()
                return
            begun.set()
            end.wait()
            ended.append(True)

        def interrupt() -> None:
            begun.wait()
            signal.pthread_kill(caller, signal.SIGALRM)

        def late(*_: Any) -> None:
            end.set()
            raise TimeoutError

        before = signal.signal(signal.SIGALRM, late)
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                threads.Pool().run(work, 2, 2, ())
        finally:
            begun.set()
            thread.join()
            signal.signal(signal.SIGALRM, before)
        assert ended == [True]


def test_a_collection_while_warnings_are_held_back_may_hold_them_back_too() -> None:
    code = """
import contextvars
from mlx_spectro.design.quiet import quietly
others = [contextvars.ContextVar(str(i)) for i in range(200)]
for other in others[:100]:
    other.set(0)
inside, calls = False, 0
def collected(*_):
    global inside, calls
    if not inside:
        inside = True
        with quietly():
            calls += 1
            for other in others[100:]:
                other.set([calls])
        inside = False
gc.callbacks.append(collected)
gc.set_threshold(1)
for _ in range(1000):
    with quietly():
        assert np.geterr()["over"] == "ignore"
    assert np.geterr()["over"] == "warn"
gc.callbacks.clear()
assert calls > 1000, calls
print("done")
"""
    assert python(SETUP + code) == "done\n"


def test_the_garbage_collector_can_transform_at_any_time() -> None:
    code = """
cpu.set_num_threads(3)
threads._ALONE = 0
inside, calls, wrong = threading.local(), 0, []
def collected(*_):
    global calls
    if not getattr(inside, "now", False):
        inside.now = True
        calls += 1
        n = 1024 + 64 * (calls % 7)
        if not right(stft(n), n):
            wrong.append(n)
        inside.now = False
for n in (256, 1024):
    stft(n)
gc.callbacks.append(collected)
gc.set_threshold(3)
for turn in range(40):
    n = 64 * (1 + turn % 20)
    if not right(stft(n), n):
        wrong.append(n)
gc.callbacks.clear()
assert calls > 20 and not wrong, (calls, wrong)
print("done")
"""
    assert python(SETUP + code) == "done\n"


def test_a_thread_that_cannot_be_started_is_done_without() -> None:
    code = """
import atexit
cpu.set_num_threads(3)
threads._ALONE = 0
def fails(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = fails
atexit.register(lambda: print("done", right(stft(512), 512)))
assert right(stft(512), 512)
"""
    assert python(SETUP + code) == "done True\n"
