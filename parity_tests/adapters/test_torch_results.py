"""Large results whose memory was an earlier result's: never while anything refers to that, and always torch's own."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from mlx_spectro.compat import torch as our_torch
from mlx_spectro.compat.arrays import torch_results

pytestmark = pytest.mark.usefixtures("ours")

WINDOW = torch.hann_window(256)
# two megabytes of spectra
X = torch.randn(1, 130_000, generator=torch.Generator().manual_seed(1))


def stft(x: Any = X) -> Any:
    return our_torch.stft(x, 256, 64, window=WINDOW, return_complex=True)


@pytest.fixture(autouse=True)
def _unheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_results, "_blocks", [])
    for _ in range(3):
        stft()


def test_memory_is_used_again_once_a_result_is_gone() -> None:
    y = stft()
    address, values = y.data_ptr(), y.clone()
    del y
    y = stft()
    assert y.data_ptr() == address
    assert torch.equal(y, values)
    assert y.untyped_storage().nbytes() == y.numel() * y.element_size()


class Cycle:
    def __init__(self, y: Any) -> None:
        self.y, self.itself = y, self


@pytest.mark.parametrize(
    "holder",
    [
        lambda y: y,
        lambda y: y[0, 3:5],
        lambda y: y.real,
        lambda y: y.detach(),
        lambda y: y.numpy(),
        lambda y: memoryview(y.numpy()),
        lambda y: y.untyped_storage(),
        lambda y: y.to("cpu"),
        lambda y: torch.utils.dlpack.to_dlpack(y),
        lambda y: (y.abs().requires_grad_(), y.clone().set_(y)),
        lambda y: (y * torch.ones(1, requires_grad=True)).grad_fn,
        lambda y: Cycle(y[0]),
        lambda y: weakref.ref(y.untyped_storage()),
    ],
)
def test_memory_that_anything_refers_to_is_left_alone(holder: Callable[[Any], Any]) -> None:
    y = stft()
    address = y.data_ptr()
    held = holder(y)
    del y
    others = [stft(), stft()]
    assert address not in [other.data_ptr() for other in others]
    del held


def test_a_copy_that_torch_puts_off_keeps_its_values() -> None:
    y = stft()
    values, lazy = y.clone(), y._lazy_clone()
    del y
    for _ in range(3):
        stft().zero_()
    assert torch.equal(lazy, values)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.resize_(2, *y.shape[1:]),
        lambda y: y.untyped_storage().resize_(0),
        lambda y: y.share_memory_(),
        lambda y: y.numpy(),
    ],
)
def test_memory_that_a_program_has_changed_is_not_used_again(change: Callable[[Any], Any]) -> None:
    change(stft())
    for _ in range(3):
        y = stft()
        assert y.untyped_storage().nbytes() == y.numel() * y.element_size()
        assert y.untyped_storage().resizable()
        assert not y.is_shared()
        assert not y.is_pinned()


def test_a_result_can_be_resized_and_written_to_a_file() -> None:
    stft()
    y = stft()
    values = y.clone()
    file = io.BytesIO()
    torch.save(y, file)
    assert len(file.getvalue()) < 1.1 * y.nbytes
    file.seek(0)
    assert torch.equal(torch.load(file), values)
    inner = y.transpose(-1, -2)
    inner.resize_(2, *inner.shape[1:])
    assert torch.equal(inner[:1], values.transpose(-1, -2))


def test_gradients_of_results_in_used_memory() -> None:
    def gradient(transform: Callable[[Any], Any]) -> Any:
        leaf = X.double().requires_grad_()
        y, z = transform(leaf), transform(leaf)
        assert y.data_ptr() != z.data_ptr()
        (y.abs().square().sum() + z.real.sum()).backward()
        return leaf.grad

    for _ in range(3):
        ours = gradient(lambda x: our_torch.stft(x, 256, 64, window=WINDOW.double(), return_complex=True))
    theirs = gradient(lambda x: torch.stft(x, 256, 64, window=WINDOW.double(), return_complex=True))
    torch.testing.assert_close(ours, theirs)


def test_little_is_held() -> None:
    kept = [torch_results.empty((1 << 22,), torch.float64) for _ in range(9)]
    kept += [torch_results.empty((1 << 18,), torch.float64) for _ in range(40)]
    assert sum(block.size for block in torch_results._blocks) <= torch_results.MOST
    assert len({y.data_ptr() for y in kept}) == len(kept)
    assert len(torch_results._blocks) < 20


def test_what_comes_once_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_results, "_blocks", [])
    torch_results.empty((1 << 20, 3), torch.float32)
    assert not torch_results._blocks


def test_small_results_are_not_held() -> None:
    for _ in range(4):
        torch_results.empty((100,), torch.float32)
    assert all(block.size >= torch_results.LEAST for block in torch_results._blocks)


def test_threads_never_share_memory() -> None:
    signals = [X * scale for scale in (1.0, 2.0, 3.0)]
    wanted = [stft(x).clone() for x in signals]
    wrong = []

    def work(i: int) -> None:
        for _ in range(30):
            y = stft(signals[i])
            if not torch.equal(y, wanted[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_finalizer_may_ask_for_memory_meanwhile() -> None:
    results = []

    class Late:
        def __del__(self) -> None:
            results.append(stft())

    wanted = stft().clone()
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(20):
            late = Cycle(Late())
            del late
            y = stft()
            assert torch.equal(y, wanted)
            assert all(torch.equal(each, wanted) for each in results)
            assert y.data_ptr() not in [each.data_ptr() for each in results]
            results.clear()
    finally:
        gc.set_threshold(*before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_in_the_midst_leaves_its_child_memory() -> None:
    y = stft()
    values = y.clone()
    with torch_results._lock:
        child = os.fork()
    if not child:
        torch.set_num_threads(1)  # OpenMP's others are not there any more
        z = torch_results.empty(y.shape, y.dtype).zero_()
        z = torch_results.empty(y.shape, y.dtype).zero_()
        os._exit(
            int(not (torch.equal(y, values) and z.data_ptr() != y.data_ptr() and torch_results._lock.acquire(False)))
        )
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert torch.equal(y, values)


def test_a_program_may_end_with_results_alive() -> None:
    program = (
        "import atexit, threading, torch\n"
        "from mlx_spectro.compat.arrays import torch_results\n"
        "results = [torch_results.empty((1 << 20,), torch.float32).fill_(i) for i in range(4)]\n"
        "local = threading.local()\n"
        "local.y = results.pop()\n"
        "new = lambda: torch_results.empty((1 << 20,), torch.float32)\n"
        "atexit.register(lambda: print(results[-1][0].item(), new().numel()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2.0 1048576\n", "")
