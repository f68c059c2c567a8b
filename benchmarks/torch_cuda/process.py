"""Threads, devices, memory, settings, and the next process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import traceback
from typing import Any

import torch
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_audio

from .cases import MEL, TRANSFORMS, calls
from .check import DEVICE, check, noise, served


@check
def threads_with_a_stream_each() -> None:
    by_name = calls()
    inputs = [noise(2, 9001, seed=seed) for seed in range(8)]
    expected = [{name: call(x) for name, call in by_name.items()} for x in inputs]
    torch.cuda.synchronize()
    wrong: list[str] = []

    def work(number: int) -> None:
        try:
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(20):
                    results = {name: call(inputs[number]) for name, call in by_name.items()}
                torch.cuda.current_stream().synchronize()
                wrong.extend(name for name in by_name if not torch.equal(results[name], expected[number][name]))
        except Exception:  # noqa: BLE001 - a thread's own would be lost
            wrong.append(traceback.format_exc())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]


@check
def a_thread_that_has_called_nothing_of_cuda_s() -> None:
    x, window, found = noise(2, 9001), torch.hann_window(512, device=DEVICE), list[Tensor]()
    thread = threading.Thread(target=lambda: found.append(ours.stft(x, 512, 128, window=window, return_complex=True)))
    thread.start()
    thread.join()
    served()
    assert torch.equal(found[0], ours.stft(x, 512, 128, window=window, return_complex=True))


@check
def another_device() -> str:
    if torch.cuda.device_count() < 2:
        return "there is one device"
    there = torch.device("cuda", 1)
    for name, make in TRANSFORMS.items():
        x = noise(2, 9001)
        expected = make(our_audio.transforms).to(DEVICE)(x)
        compat.reset()
        y = make(our_audio.transforms).to(there)(x.to(there))
        served("cuda:1")
        assert y.device == there
        assert torch.allclose(y.to(DEVICE), expected, rtol=1e-4, atol=1e-5), name
    at = noise(2, 9001).to(there).requires_grad_()
    our_audio.transforms.MelSpectrogram(16000, **MEL).to(there)(at).sum().backward()
    our_audio.transforms.SpecAugment(2, 20, 2, 9)(noise(2, 3, 40, 90, device=there))
    our_audio.transforms.GriffinLim(400, 2).to(there)(noise(2, 201, 50, device=there).abs())
    assert torch.cuda.current_device() == 0
    return "two devices"


@check
def what_is_torch_s_goes_to_torch() -> str:
    x, window = noise(2, 9001), torch.hann_window(512, device=DEVICE)
    said = []
    for dtype in (torch.float64, torch.float16):
        length = 8192 if dtype == torch.float64 else 512  # a frame that is too long in double precision
        options: dict[str, Any] = {"window": window.to(dtype).repeat(length // 512), "return_complex": True}
        assert torch.equal(ours.stft(x.to(dtype), length, **options), torch.stft(x.to(dtype), length, **options))
        said.append(compat.report()[0].reason)
        compat.reset()
    assert "double precision" in said[0], said
    assert "float16" in said[1], said
    with torch.autocast("cuda", torch.float16):
        ours.stft(x, 512, window=window, return_complex=True)
    assert any("autocast" in record.reason for record in compat.report())
    return said[0]


@check
def weights_on_another_device() -> str:
    x, window = noise(2, 9001), torch.hann_window(512, device=DEVICE)
    elsewhere = ["cpu", *(["cuda:1"] if torch.cuda.device_count() > 1 else [])]
    for place in elsewhere:
        said = []
        for library in (ours, torch):
            try:
                library.stft(x, 512, window=window.to(place), return_complex=True)
            except RuntimeError as error:
                said.append(str(error))
        assert len(said) == 2 and said[0] == said[1], said
    return f"on {', '.join(elsewhere)}"


@check
def memory_that_was_let_go() -> str:
    window, said = torch.hann_window(512, device=DEVICE), []
    for library in (ours, torch):
        x = noise(2, 9001)
        for _ in range(3):
            library.stft(x, 512, window=window, return_complex=True)
        x.untyped_storage().resize_(0)
        try:
            library.stft(x, 512, window=window, return_complex=True)
        except RuntimeError as error:
            said.append(str(error))
    assert len(said) == 2 and said[0] == said[1], said
    return said[0].partition("\n")[0]


_THEN = """
import sys
import torch
from mlx_spectro import compat
from mlx_spectro.compat import torch as ours
compat.route("ours")
library = ours if sys.argv[1] == "ours" else torch
x, window = torch.randn(2, 9001, device="cuda"), torch.hann_window(512, device="cuda")
def call():
    y = library.stft(x, 512, window=window, return_complex=True).abs().sum()
    torch.cuda.synchronize()
    return y
for _ in range(3):
    call()
compat.reset()
try:
    {}
    torch.cuda.synchronize()
except RuntimeError:
    pass
try:
    call()
except RuntimeError as error:
    print("raised", str(error).partition(chr(10))[0])
else:
    print("raised nothing")
for record in compat.report():
    print("reason", record.reason)
"""
_LOST = {
    "a reset": "from cuda.bindings import driver; driver.cuDevicePrimaryCtxReset(driver.cuDeviceGet(0)[1])",
    "a kernel of the program's failed": "x[torch.tensor([9], device='cuda')]",
}


@check
def devices_that_are_lost() -> str:
    said = []
    for what, loses in _LOST.items():
        found = {}
        for name in ("torch", "ours"):
            code = [sys.executable, "-c", _THEN.format(loses), name]
            done = subprocess.run(code, capture_output=True, text=True, check=False, timeout=60)
            lines = [line for line in done.stdout.splitlines() if line.startswith(("raised", "reason"))]
            found[name] = done.returncode, lines
        said.append(f"after {what}: {found}")
        # an error of torch's own where torch alone raises one (of what it asked of the device last), and the same end
        assert found["ours"][0] == found["torch"][0], said
        raised = [found[name][1][0] != "raised nothing" for name in ("torch", "ours")]
        assert raised[0] == raised[1], said
        assert all("a new process can use it again" in line for line in found["ours"][1][1:]), said
    return "; ".join(said)


@check
def verification_and_a_profile() -> str:
    x = noise(2, 3, 9001)
    state = torch.cuda.get_rng_state()
    with compat.numerics("verify"):
        for make in TRANSFORMS.values():
            make(our_audio.transforms).to(DEVICE)(x)
        ours.stft(x[0], 400, window=torch.hann_window(400, device=DEVICE), return_complex=True)
    assert torch.equal(state, torch.cuda.get_rng_state())
    verified = [record for record in compat.report() if not record.reason]
    assert verified and not any(record.breaches for record in verified), verified
    compat.reset()
    with compat.profile():
        for make in TRANSFORMS.values():
            make(our_audio.transforms).to(DEVICE)(x)
    for record in compat.report():
        assert record.seconds > 0 and record.device.startswith("cuda:0"), record
    worst = max(verified, key=lambda record: record.error / record.limit)
    return f"nearest its limit: {worst.function}, {worst.error:.2g} of {worst.limit:.2g}"


@check
def auraloss_s_losses_breach_nothing() -> str:
    if importlib.util.find_spec("auraloss") is None:
        return "auraloss is not installed"
    compat.install("torch")
    try:
        from auraloss import freq

        losses = {
            "STFT": freq.STFTLoss(w_log_mag=1.0, w_lin_mag=1.0, w_sc=1.0, w_phs=0.5),
            "several resolutions": freq.MultiResolutionSTFTLoss(),
            "random resolutions": freq.RandomResolutionSTFTLoss(),
            "sums and differences": freq.SumAndDifferenceSTFTLoss([1024, 2048], [256, 512], [1024, 2048]),
        }
        x, y = 0.1 * noise(4, 2, 48_000), 0.1 * noise(4, 2, 48_000, seed=1)
        for name, loss in losses.items():
            at = x.clone().requires_grad_()
            with compat.numerics("verify"):
                loss.to(DEVICE)(at, y).sum().backward()
            assert at.grad is not None and at.grad.isfinite().all(), name
    finally:
        compat.uninstall()
    verified = [record for record in compat.report() if not record.reason]
    assert verified and not any(record.breaches for record in verified), verified
    others = {record.reason for record in compat.report() if record.reason}
    return f"{sum(record.calls for record in verified)} calls; torch's: {others or 'none'}"


@check
def addresses_beyond_32_bits() -> str:
    if torch.cuda.mem_get_info()[0] < 45 << 30:
        return "there is too little memory"
    n_fft = hop = 512
    length = (1 << 31) + 5000
    window, x = torch.ones(n_fft, device=DEVICE), torch.zeros(length, device=DEVICE)
    x[-100_000:] = noise(100_000)
    frames = length // hop
    z = ours.stft(x, n_fft, hop, window=window, center=False, return_complex=True)
    served()
    tail = x[(frames - 50) * hop :]
    expected = torch.stft(tail, n_fft, hop, window=window, center=False, return_complex=True)
    assert z.shape == (n_fft // 2 + 1, frames)
    assert torch.allclose(z[:, -50:], expected, atol=1e-3)
    y = ours.istft(z, n_fft, hop, window=window, center=False)
    served()
    assert torch.allclose(y[-1000:], x[: len(y)][-1000:], atol=1e-4)
    assert not y[:1000].any()
    torch.cuda.empty_cache()
    return f"{z.numel()} bins"


@check
def deterministic_algorithms() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        for call in calls().values():
            x = noise(2, 9001)
            assert torch.equal(call(x), call(x))
    finally:
        torch.use_deterministic_algorithms(False)
    served()


_NEXT = """
import logging, sys, time
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
import torch
from mlx_spectro.compat import torch as ours
x, window = torch.randn(2, 9001, device="cuda"), torch.hann_window(512, device="cuda")
torch.cuda.synchronize(); begin = time.perf_counter()
ours.stft(x, 512, 128, window=window, return_complex=True); torch.cuda.synchronize()
print(f"the first call took {time.perf_counter() - begin:.3f} s")
"""


@check
def the_next_process_compiles_nothing() -> str:
    ours.stft(noise(2, 9001), 512, 128, window=torch.hann_window(512, device=DEVICE), return_complex=True)
    done = subprocess.run([sys.executable, "-c", _NEXT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compiling the CUDA kernel" not in done.stdout, done.stdout
    return done.stdout.strip().splitlines()[-1]
