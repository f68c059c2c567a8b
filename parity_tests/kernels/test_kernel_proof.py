"""Trust in the kernels: planted bugs are found, offsets have 64 bits, CUDA's compiler keeps values in registers."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np
import pytest

from mlx_spectro.design.framing import Framing
from mlx_spectro.kernels.gpu import (
    bins_to_samples,
    launch_mlx,
    overlap_add,
    samples_to_bins,
    texts,
)
from mlx_spectro.kernels.gpu.dialect import Kernel, cuda_program
from mlx_spectro.kernels.gpu.plan import Geometry

from .kernel_host import host, reference
from .test_kernels import DTYPES, ORDERS, Errors, complex_noise, noise, run, window_of

on_the_cpu = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")
by_clang = pytest.mark.skipif(not host.checks_address_spaces(), reason="no clang-19: address spaces are not checked")
by_nvcc = pytest.mark.skipif(not shutil.which("nvcc"), reason="no nvcc: the kernels' CUDA text is not compiled")

pytestmark = pytest.mark.slow

N_FFT, HOP = 2048, 512  # a team of 64 threads: two simdgroups, so that its barriers are the threadgroup's
LENGTH = N_FFT + 4 * HOP
FRAMES = 7  # two teams a threadgroup: the last one has a frame too few
STFT = samples_to_bins.launch(1, LENGTH, FRAMES, Framing(N_FFT, HOP, N_FFT // 2), geometry=Geometry(128, 2))


def harmed(part: str, pattern: str, replacement: str) -> Kernel:
    """The STFT's kernel with another text in place of each match in its header or body."""
    text, count = re.subn(pattern, replacement, getattr(STFT.kernel, part))
    assert count
    changed: dict[str, Any] = {part: text}
    return dataclasses.replace(STFT.kernel, **changed)


def wrong(kernel: Kernel, order: str) -> dict[str, int]:
    """What goes wrong in an STFT by this kernel."""
    # memory beyond the signal is there, but not the kernel's: what harms only the proof harms nothing else
    x = noise(LENGTH + 2 * N_FFT)[N_FFT:-N_FFT]
    arrays = {"x": x, "window": window_of(N_FFT)}
    return host.compiled(kernel).run(dataclasses.replace(STFT, kernel=kernel), arrays, order).wrong


PLANTED = {
    "no barrier between write and read": ("races", "body", r"(k_scatter<.*\n)K_TEAM\(\);", r"\1"),
    "no barrier between frames": ("races", "body", r"(step\+\+.*(?s:.*?)NR\];\n\s*)K_TEAM\(\);", r"\1"),
    "a simdgroup's barrier for two": ("races", "header", r"K_TEAM\(\) K_BARRIER", "K_TEAM() K_SIMD_BARRIER"),
    "two threads store a bin": ("races", "header", r"if \(live\) ", ""),
    "a barrier that one thread passes by": (
        "divergences",
        "body",
        r"float2 v\[NR\];",
        r"\g<0> if (id > 0) K_BARRIER();",
    ),
    "a barrier for live frames": ("divergences", "body", r"K_TEAM\(\);", r"if (live) K_TEAM();"),
    "a sample before the signal": ("outside", "header", r"i >= 0 && i < length \? x\[i\] : 0.0f", "x[i]"),
    "a store behind an array": (
        "outside",
        "body",
        r"const K_DEVICE float\* audio = .*",
        r"\g<0> ((K_DEVICE float*)audio)[length] = 0.0f;",
    ),
    "threadgroup memory too small": ("outside", "body", r"TEAMS \* SLOTS\)", "TEAMS * SLOTS - 1)"),
    "no bin in the middle": ("unwritten", "body", r"M % 2 == 0 && t == 0", "false"),
    "half a frame": ("uninitialised", "body", r"o8 < N;", "o8 < N / 2;"),
}


@on_the_cpu
@pytest.mark.parametrize("order", ORDERS)
def test_the_kernel_without_a_planted_bug_does_nothing_wrong(order: str) -> None:
    assert wrong(STFT.kernel, order) == {}


@on_the_cpu
@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found_in_every_order_of_threads(bug: str) -> None:
    kind, *change = PLANTED[bug]
    kernel = harmed(*change)
    for order in ORDERS:
        assert kind in wrong(kernel, order), order


@on_the_cpu
@by_clang
def test_a_pointer_into_the_wrong_address_space_does_not_compile() -> None:
    kernel = harmed("body", r"K_SHARED float2\* slot", "K_DEVICE float2* slot")
    with pytest.raises(RuntimeError, match="address space"):
        host.compiled(kernel)


@on_the_cpu
def test_a_kernel_that_does_not_compile_raises_with_its_name_and_the_compiler_s_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = harmed("body", r"float2 v\[NR\];", r"\g<0> v[0] = unheard_of;")
    text = host.metal_text(kernel)

    def metal_kernel(**_: Any) -> Any:
        # MLX, too, compiles when an evaluation needs the kernel
        return lambda **_: host.Compiled(text)

    monkeypatch.setattr(launch_mlx, "target", lambda: "metal")
    monkeypatch.setattr(mx.fast, "metal_kernel", metal_kernel)
    with pytest.raises(RuntimeError, match=rf"{kernel.name} does not compile for metal: (?s:.*)unheard_of"):
        launch_mlx.Call(dataclasses.replace(STFT, kernel=kernel))
    assert str(N_FFT) in kernel.name


FAR = 1 << 31
FAR_HOP = 1 << 24
FAR_FRAMES = 1 + FAR // FAR_HOP


def holes(path: Path, *shape: int) -> np.ndarray:
    """Zeros in a file with holes: only what is written takes room."""
    return np.asarray(np.memmap(path, np.float32, "w+", shape=shape))


@on_the_cpu
def test_stft_kernel_reads_beyond_two_to_the_31_samples(tmp_path: Path) -> None:
    errors, n_fft = Errors(), 1024
    window, length = window_of(n_fft), FAR + 5 * n_fft
    x, written = holes(tmp_path / "audio", 1, length), (0, FAR_FRAMES // 2, FAR_FRAMES - 1)
    for f in written:
        x[0, f * FAR_HOP : f * FAR_HOP + n_fft] = noise(n_fft + f)[:n_fft]
    far = samples_to_bins.launch(1, length, FAR_FRAMES, Framing(n_fft, FAR_HOP))
    ours = run(far, {"order": "forward"}, x=x, window=window)[0]
    for f in written:
        frame = x[:, f * FAR_HOP : f * FAR_HOP + n_fft]
        errors.add(ours[f], *(reference.stft(frame, window, 1, 0, 0, "constant", d)[0, 0] for d in DTYPES))
    errors.check()
    assert not np.delete(ours, written, axis=0).any()


@on_the_cpu
def test_istft_kernel_works_beyond_two_to_the_31_samples_and_bins(tmp_path: Path) -> None:
    errors, n_fft, hop = Errors(), 1024, 512
    window, bins, count = window_of(n_fft), n_fft // 2 + 1, 1 + FAR // hop
    z = holes(tmp_path / "spectra", 1, count, 2 * bins).view(np.complex64)
    # all the frames that lie over the last hop before sample 2^31 and what follows
    last = z[:, -3:]
    last[:] = complex_noise(1, 3, bins)
    far = bins_to_samples.launch(1, count, Framing(n_fft, hop), bins_to_samples.Range(FAR - 5, n_fft))
    ours = run(far, {"order": "forward"}, z=z, window=window)
    errors.add(ours, *(reference.istft(last, window, hop, 2 * hop - 5, n_fft, d) for d in DTYPES))
    errors.check()


@on_the_cpu
def test_overlap_add_kernel_reads_beyond_two_to_the_31_samples(tmp_path: Path) -> None:
    errors, shared = Errors(), 1000
    frames = holes(tmp_path / "frames", 1, FAR_FRAMES, FAR_HOP + shared)
    first, last = frames[0, -1, :shared], frames[0, -2, -shared:]
    first[:], last[:] = noise(shared), noise(shared + 1)[1:]
    far = overlap_add.launch(1, FAR_FRAMES, Framing(FAR_HOP + shared, FAR_HOP, FAR), shared)
    ours = run(far, {"order": "forward"}, x=frames, window=noise(8))[0]
    errors.add(ours, *(first.astype(d) + last.astype(d) for d in DTYPES))
    errors.check()


class Usage(NamedTuple):
    """Bytes of local memory a thread, as CUDA's compiler prints them."""

    stack: int
    stores: int
    loads: int


def apart(kernel: Kernel) -> str:
    """CUDA text of a kernel that leaves no name behind for the next one in its file."""
    program = cuda_program(kernel)
    macros = sorted(set(re.findall(r"#define (\w+)", program)))
    return f"namespace {kernel.name}_alone {{\n{program}}}\n" + "".join(f"#undef {name}\n" for name in macros)


def cuda_usage(kernels: Iterable[Kernel], arch: str) -> dict[str, Usage]:
    """What nvcc says of each kernel. One file takes half the time of many."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernels.cu"
        source.write_text("".join(map(apart, kernels)))
        command = ["nvcc", "-std=c++17", "-cubin", f"-arch={arch}", "-Xptxas", "-v", "-split-compile=2"]
        done = subprocess.run(
            [*command, "-o", f"{source}.cubin", str(source)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr[:4000]
    said = r"entry function '(\w+)'.*\n.*\n *(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
    return {name: Usage(*map(int, numbers)) for name, *numbers in re.findall(said, done.stderr)}


@by_nvcc
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_cuda_compiler_keeps_every_value_in_registers(arch: str) -> None:
    # a double takes two registers: an adjoint's eight bytes on older processors are not worth a text of its own
    kernels = [kernel for kernel in texts.kernels() if not (kernel.double and arch == "sm_80")]
    usage = cuda_usage(kernels, arch)
    assert usage == dict.fromkeys((kernel.name for kernel in kernels), Usage(0, 0, 0))
