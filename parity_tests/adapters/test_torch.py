"""The torch adapter beyond what the parity rows measure."""

from __future__ import annotations

import contextvars
import multiprocessing
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import mlx_spectro
from mlx_spectro import compat
from mlx_spectro.compat import torch as shim

pytestmark = pytest.mark.usefixtures("ours", "implementation")

WINDOW = torch.hann_window(64)


def noise(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def stft(x: Any, module: Any = shim, **options: Any) -> Any:
    return module.stft(x, 64, 16, window=options.pop("window", WINDOW), return_complex=True, **options)


def istft(z: Any, module: Any = shim, **options: Any) -> Any:
    return module.istft(z, 64, 16, window=options.pop("window", WINDOW), **options)


def reasons() -> set[str]:
    return {record.reason for record in compat.report()}


def test_arrays_come_back_as_they_came() -> None:
    import mlx.core as mx

    x = noise(2, 1000)
    expected = stft(x, torch)
    for make, kind in ((np.asarray, np.ndarray), (lambda t: mx.array(t.numpy()), mx.array)):
        z = stft(make(x), window=make(WINDOW))
        y = istft(z, window=make(WINDOW), length=1000)
        assert isinstance(z, kind)
        assert isinstance(y, kind)
        assert np.abs(np.array(z) - expected.numpy()).max() < 1e-5 * np.abs(expected.numpy()).max()
        assert np.abs(np.array(y) - x.numpy()).max() < 1e-5
    assert reasons() == {""}


def test_float64_is_served_exactly_or_by_torch(implementation: str) -> None:
    x = noise(2, 1000).double()
    z = stft(x, window=WINDOW.double())
    assert z.dtype == torch.complex128
    assert (z - stft(x, torch, window=WINDOW.double())).abs().max() < 1e-13 * z.abs().max()
    (reason,) = reasons()
    assert reason == "" if implementation == "host" else "MLX computes in float32, not in float64" in reason


@pytest.mark.slow
@pytest.mark.parametrize("implementation", ["its own"])
def test_real_results_and_missing_windows_are_served_with_torch_s_warnings(implementation: str) -> None:
    script = (
        "import sys, warnings\n"
        "if sys.argv[1] == 'ours':\n"
        "    from mlx_spectro.compat import torch, route, report; route('ours')\n"
        "else:\n"
        "    import torch\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    for _ in range(2):\n"
        "        z = torch.stft(torch.ones(500), 64, return_complex=False)\n"
        "        torch.istft(torch.view_as_complex(z), 64)\n"
        "if sys.argv[1] == 'ours': assert all(not r.reason for r in report()), report()\n"
        "print([(str(w.message), w.category) for w in said], z.shape, z.stride())\n"
    )
    assert run(script, "ours") == run(script, "theirs")


def run(code: str, *args: str) -> str:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _losses() -> dict[str, Callable[[Any, Any], Any]]:
    return {
        "magnitude": lambda x, m: stft(x, m).abs().square().sum(),
        "round trip": lambda x, m: istft(stft(x, m), m, length=x.shape[-1]).pow(3).sum(),
        "masked": lambda x, m: istft(stft(x, m) * stft(x, m).abs(), m, length=x.shape[-1]).square().sum(),
    }


@pytest.mark.parametrize("name", _losses())
def test_backward_and_double_backward_are_torch_s(name: str) -> None:
    results = []
    for module in (shim, torch):
        x = noise(2, 300).requires_grad_()
        (first,) = torch.autograd.grad(_losses()[name](x, module), x, create_graph=True)
        (second,) = torch.autograd.grad((first * noise(2, 300, seed=1)).sum(), x)
        results.append((first.detach(), second))
    for mine, theirs in zip(*results, strict=True):
        assert theirs.abs().max() > 0
        assert (mine - theirs).abs().max() <= 2e-5 * theirs.abs().max()
    assert reasons() == {""}


@pytest.mark.slow
@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("pad_mode", ["reflect", "constant", "replicate", "circular"])
def test_gradients_are_finite_differences_in_double_precision(
    implementation: str, pad_mode: str, onesided: bool
) -> None:
    if implementation != "host":
        pytest.skip("only host kernels compute in float64")
    window = torch.hamming_window(12, dtype=torch.float64)
    x = noise(2, 31).double().requires_grad_()

    def forward(x: Any) -> Any:
        return shim.stft(x, 12, 5, window=window, pad_mode=pad_mode, onesided=onesided, return_complex=True)

    def inverse(z: Any) -> Any:
        return shim.istft(z, 12, 5, window=window, onesided=onesided)

    z = forward(x).detach().requires_grad_()
    for function, at in ((forward, x), (inverse, z)):
        assert torch.autograd.gradcheck(function, (at,))
        assert torch.autograd.gradgradcheck(function, (at,))
    assert reasons() == {""}


def test_batched_gradients_work() -> None:
    x = noise(40).requires_grad_()
    jacobians = [
        torch.autograd.functional.jacobian(lambda x, m=module: stft(x, m).abs(), x, vectorize=True)
        for module in (shim, torch)
    ]
    assert (jacobians[0] - jacobians[1]).abs().max() < 1e-5


def test_a_window_changed_before_the_backward_pass_is_an_error() -> None:
    window = WINDOW.clone()
    loss = stft(noise(300).requires_grad_(), window=window).abs().sum()
    window.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


class Net(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stft(x, 64, 16, window=torch.hann_window(64, device=x.device), return_complex=True).abs()


def _traced_calls() -> dict[str, tuple[Callable[[Any], Any], str]]:
    return {
        "jit.trace": (lambda x: torch.jit.trace(Net(), torch.ones(500), check_trace=False)(x), "torch is tracing"),
        "jit.script": (lambda x: torch.jit.script(Net())(x), ""),
        "compile": (lambda x: torch.compile(Net(), backend="eager", fullgraph=True)(x), ""),
        "compile with AOT": (lambda x: torch.compile(Net(), backend="aot_eager", fullgraph=True)(x), ""),
        "export": (lambda x: torch.export.export(Net(), (torch.ones(500),)).module()(x), ""),
        "func.vmap": (lambda x: torch.func.vmap(Net())(x[None])[0], ""),
        "func.grad": (lambda x: torch.func.grad(lambda x: Net()(x).sum())(x), ""),
        "func.jvp": (lambda x: torch.func.jvp(Net(), (x,), (x,))[1], "inside a forward-mode transform"),
        "forward mode": (_forward_mode, "the tensor carries a forward-mode derivative"),
        "function mode": (_function_mode, "a torch function mode is active"),
        "meta": (
            lambda x: torch.zeros_like(Net().to("meta")(x.to("meta")), device="cpu"),
            "the tensor lies on device meta",
        ),
        "subclass": (
            lambda x: Net()(x.as_subclass(Subclass)).as_subclass(torch.Tensor),
            "a Subclass is a subclass of torch.Tensor",
        ),
    }


class Subclass(torch.Tensor):
    pass


def _forward_mode(x: Any) -> Any:
    from torch.autograd import forward_ad

    with forward_ad.dual_level():
        return forward_ad.unpack_dual(Net()(forward_ad.make_dual(x, x))).tangent


def _function_mode(x: Any) -> Any:
    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return function(*args, **(kwargs or {}))

    with Mode():
        return Net()(x)


@pytest.mark.parametrize("name", _traced_calls())
def test_what_traces_or_transforms_computes_what_torch_does(name: str) -> None:
    call, reason = _traced_calls()[name]
    x = noise(500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = call(x)
        compat.install("torch")
        result = call(x)
    assert torch.equal(result, expected) or (result - expected).abs().max() <= 1e-5 * expected.abs().max()
    if reason:
        assert any(found.startswith(reason) for found in reasons())


def test_a_default_device_changes_nothing() -> None:
    with torch.device("cpu"):
        stft(noise(500))
    assert reasons() == {""}


def test_conjugates_negatives_and_views_are_taken_as_they_are() -> None:
    x = noise(3, 1500)[1:, ::3]
    z = stft(x)
    assert (istft(z.conj(), length=500) - istft(z.conj(), torch, length=500)).abs().max() < 1e-5
    negative = stft(noise(5000)).conj().imag
    assert negative.is_neg()
    assert (stft(negative) - stft(negative, torch)).abs().max() < 1e-5 * stft(negative).abs().max()
    assert reasons() == {""}


def test_eight_threads_get_the_bits_of_one() -> None:
    x = noise(2, 20000)
    alone = stft(x), istft(stft(x))
    results: list[Any] = []

    def work() -> None:
        for _ in range(5):
            z = stft(x)
            results.append((z, istft(z)))

    threads = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40
    assert all(torch.equal(z, alone[0]) and torch.equal(y, alone[1]) for z, y in results)


def test_lengths_without_a_kernel_are_torch_s_unless_ours_are_asked_for(implementation: str) -> None:
    if implementation != "host":
        pytest.skip("only host kernels have lengths of their own")
    for n_fft in (16, 1009):
        for route, reason in (("ours", ""), ("auto", f"no kernel transforms frames of {n_fft} samples")):
            compat.reset()
            with compat.route(route):
                shim.stft(noise(3000), n_fft, 16, window=torch.hann_window(n_fft), return_complex=True)
            assert all(found.startswith(reason) and bool(found) == bool(reason) for found in reasons())


def test_threads_are_as_many_as_torch_s_unless_set() -> None:
    before = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            assert mlx_spectro.get_num_threads() == count
        mlx_spectro.set_num_threads(2)
        assert mlx_spectro.get_num_threads() == 2
    finally:
        mlx_spectro.set_num_threads(None)
        torch.set_num_threads(before)


def _in_child(queue: Any) -> None:
    torch.set_num_threads(1)
    with compat.route("ours"):
        queue.put(stft(noise(2, 5000)).abs().sum().item())


def test_a_forked_child_never_hangs() -> None:
    expected = stft(noise(2, 5000)).abs().sum().item()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns that forking a process with threads may hang, which is the point
        child = context.Process(target=_in_child, args=(queue,))
        child.start()
    child.join(20)
    alive = child.is_alive()
    child.kill()
    assert not alive
    assert abs(queue.get(timeout=1) - expected) < 1e-4 * expected


NONFINITE = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


@pytest.mark.parametrize("value", NONFINITE)
def test_what_is_not_finite_stays_in_torch_s_frames(value: str) -> None:
    for place in (0, 500, 999):
        x = noise(1000)
        x[place] = NONFINITE[value]
        mine, theirs = stft(x), stft(x, torch)
        assert torch.equal(mine.isfinite().all(0), theirs.isfinite().all(0))
        z, frame = stft(noise(1000)), place % 63
        z[5, frame] = NONFINITE[value]
        # an inverse FFT may leave a sample or two of a spoiled frame finite, and torch's does
        spoiled = torch.zeros(992, dtype=torch.bool)
        spoiled[max(0, frame * 16 - 32) : frame * 16 + 32] = True
        for y in (istft(z), istft(z, torch)):
            assert y[~spoiled].isfinite().all()
            assert (~y[spoiled].isfinite()).float().mean() > 0.9


def test_results_lie_in_torch_s_memory_order() -> None:
    z, expected = stft(noise(3, 1000)), stft(noise(3, 1000), torch)
    assert z.stride() == expected.stride()
    assert z.storage_offset() == expected.storage_offset()
    assert stft(noise(1000)).stride() == stft(noise(1000), torch).stride()
    channels_last, overlapping = noise(1000, 2).t(), noise(1200).unfold(0, 1000, 10)
    for x in (channels_last, overlapping, noise(2, 2000)[:, ::2]):
        for center in (True, False):
            assert stft(x, center=center).stride() == stft(x, torch, center=center).stride()


def test_host_memory_is_read_and_written_where_it_lies(implementation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if implementation != "host":
        pytest.skip("MLX copies host memory on its way in and out")
    from mlx_spectro.kernels import cpu

    seen: dict[str, Any] = {}
    original = cpu.run

    def spy(op: Any, x: Any, window: Any, *, out: Any) -> Any:
        seen.update(x=x.ctypes.data, window=window.ctypes.data, out=out.ctypes.data)
        return original(op, x, window, out=out)

    monkeypatch.setattr(cpu, "run", spy)
    x = noise(2, 1000)
    z = stft(x, onesided=False)  # which is not made ready
    assert seen == {"x": x.data_ptr(), "window": WINDOW.data_ptr(), "out": z.data_ptr()}
