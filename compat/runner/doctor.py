"""What mlx_spectro finds on this machine, and what to do about what is not as it should be."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import NamedTuple

from mlx_spectro import caches, interpreter
from mlx_spectro.distribution import NAME, install
from mlx_spectro.kernels.cpu.runtime import threads as kernel_threads
from mlx_spectro.ops import backend

from ..contract import settings
from ..diagnostics import tables

# each owns mlx/lib/libmlx.so on Linux
_BACK_ENDS = ("mlx-cpu", "mlx-cuda", "mlx-cuda-12", "mlx-cuda-13")
_EXTRAS = {
    "host": ("numba",),
    "torch": ("torch",),
    "torchaudio": ("torchaudio",),
    "librosa": ("librosa",),
    "transformers": ("transformers",),
    "report": ("rich", "jinja2"),
    "data": ("soundfile", "pyarrow", "rich"),
    "ray": ("ray",),
    "parity": ("soundfile", "matplotlib"),
}
_SECONDS = 120


class Finding(NamedTuple):
    """A line of the report."""

    what: str
    state: str
    remedy: str = ""
    """What to do; empty where all is well."""
    wrong: bool = False
    """Whether something does not work, rather than being absent."""


def main(argv: list[str]) -> int:
    """Print every finding; 1 where something does not work."""
    argparse.ArgumentParser(prog="mlx-spectro doctor", description=__doc__).parse_args(argv)
    findings = [finding for check in CHECKS for finding in check()]
    rows = [(f.what, f.state, f.remedy or "ok") for f in findings]
    tables.show(tables.Table("mlx_spectro on this machine", ("what", "found", "what to do"), rows, left=3), sys.stdout)
    return 1 if any(finding.wrong for finding in findings) else 0


def _versions() -> Iterator[Finding]:
    yield Finding("versions", ", ".join(f"{name} {number}" for name, number in tables.versions().items()))


def _installed(packages: tuple[str, ...]) -> list[str]:
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return versions


def other_project() -> Iterator[Finding]:
    """The package of another project whose files lie in the folder ``mlx_spectro`` too."""
    try:
        other = distribution("mlx-spectro")
    except PackageNotFoundError:
        return
    if any(file.as_posix() == "mlx_spectro/__init__.py" for file in other.files or ()):
        remedy = f"pip uninstall mlx-spectro, then install {NAME} again, with --force-reinstall"
        state = f"{other.version}: another project's, in the same folder as this one"
        yield Finding("mlx-spectro", state, remedy, wrong=True)


def back_end() -> Iterator[Finding]:
    """MLX's own libraries: on Linux they come in wheels that overwrite each other's files."""
    wheels = _installed(_BACK_ENDS)
    if sys.platform == "linux" and len(wheels) > 1:
        names = " ".join(entry.split()[0] for entry in wheels)
        remedy = f"each overwrites the other's files: pip uninstall {names}, then {install('cpu')} or [cuda]"
        yield Finding("MLX back end", ", ".join(wheels), remedy, wrong=True)
        return
    if not backend.has_mlx():
        yield Finding("MLX back end", "none", f"{install('cpu')}, or [cuda] for an NVIDIA GPU")
        return
    status, said = _start_of_mlx()
    remedy = "" if status == 0 else "pip install --force-reinstall mlx and its back end"
    yield Finding("MLX back end", ", ".join(filter(None, [*wheels, said])), remedy, wrong=bool(status))


@functools.cache
def _start_of_mlx() -> tuple[int, str]:
    """Exit status of a first computation with MLX, and its default device or what went wrong."""
    return _probe("import mlx.core as mx; x = mx.ones(3) + 1; mx.eval(x); print(mx.default_device())")


def _mlx_works() -> bool:
    return backend.has_mlx() and _start_of_mlx()[0] == 0


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            instead = ": plain definitions take its place" if extra == "torchaudio" else ""
            yield Finding(f"extra {extra}", f"without {', '.join(missing)}{instead}", install(extra))
        else:
            yield Finding(f"extra {extra}", "complete")


def _sharing() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None or not _mlx_works():
        return
    status, said = _probe("import torch, mlx.core as mx; mx.eval(mx.ones(1))")
    if status:
        yield Finding("torch and MLX in one process", said, "see the back ends and versions above", wrong=True)
    elif backend.for_host_arrays() == "host":
        yield Finding("torch and MLX share memory", "no; host kernels read CPU tensors where they lie")
    else:
        yield Finding("torch and MLX share memory", "no; tensors are copied", install("host"))


def _gpu_tensors() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        return
    device, asked = ("mps", "backends.mps") if sys.platform == "darwin" else ("cuda", "cuda")
    what = f"{device.upper()} tensors"
    status, said = _probe(_ON_GPU.format(device, asked))
    if status:
        yield Finding(what, said, "see the versions above", wrong=True)
    elif said.startswith(f"{device}:"):
        yield Finding(what, said)
    elif said != "no device":
        yield Finding(what, "served by torch", said)
    elif device == "mps":
        yield Finding(what, "torch finds no such device", "it needs Apple silicon and a newer macOS")
    elif os.path.exists("/dev/nvidiactl"):
        yield Finding(what, "torch finds no such device", "install a CUDA build of torch, or a newer driver")


_BEGIN = "import time, numpy as np; begin = time.perf_counter()\n"
_END = "\nprint(f'work; the first call took {time.perf_counter() - begin:.1f} s')"
_ON_GPU = (
    "import torch\n"
    "if not torch.{1}.is_available(): raise SystemExit(print('no device'))\n"
    "from mlx_spectro import compat\n"
    "from mlx_spectro.compat import torch as ours\n"
    "x, window = torch.ones(9999, device='{0}'), torch.ones(512, device='{0}')\n"
    "with compat.route('ours'): ours.stft(x, 512, window=window, return_complex=True)\n"
    "torch.{0}.synchronize()\n"
    "(record,) = compat.report()\n"
    "print(record.reason or record.device)"
)
_HOST = (
    "from mlx_spectro.design.framing import Framing; from mlx_spectro.design.operators import Stft\n"
    "from mlx_spectro.kernels import cpu\n"
    "cpu.run(Stft(Framing(64, 16)), np.ones((1, 999), np.float32), np.ones(64, np.float32))"
)
_GPU = (
    "import mlx.core as mx; from mlx_spectro import SpectralTransform; from mlx_spectro.ops import backend\n"
    "with backend.implementation('gpu'): mx.eval(SpectralTransform(512, 128).stft(mx.ones((1, 9999))))"
)


def _kernels() -> Iterator[Finding]:
    if importlib.util.find_spec("numba"):
        from mlx_spectro.kernels.cpu.runtime.compile import cache_folder, has_compiled

        folder = cache_folder()
        new = folder is not None and not has_compiled(folder)
        status, said = _probe(_BEGIN + _HOST + _END)
        if new and folder is not None and has_compiled(folder):
            said += ", compiling included; later processes load what was compiled"
        yield Finding("host kernels", said, "pip install --upgrade numba" if status else "", wrong=bool(status))
    if not _mlx_works():
        return
    if _probe("from mlx_spectro.kernels.gpu import launch_mlx; print(launch_mlx.available())") == (0, "False"):
        yield Finding("GPU kernels", "MLX's default device is no GPU")
        return
    status, said = _probe(_BEGIN + _GPU + _END)
    remedy = "update the GPU's driver; until then set MLX's default device to the CPU"
    yield Finding("GPU kernels", said, remedy if status else "", wrong=bool(status))


_CROSSOVER = (
    "from mlx_spectro.kernels import tuning_cache; from mlx_spectro.compat.arrays import crossover\n"
    "samples = {kind: tuning_cache.get(crossover.key(kind)) for kind in ('large', 'small')}\n"
    "said = {None: 'not measured yet', -1: 'never'}\n"
    "print(', '.join(f'{kind} results: {said.get(n, n)}' for kind, n in samples.items()))"
)


def _host_arrays() -> Iterator[Finding]:
    device = settings.device.get()
    if not _mlx_works() or not backend.gpu_takes_host_arrays():
        if device == "gpu":
            yield Finding(
                "CPU arrays", f"MLX_SPECTRO_DEVICE=gpu: {settings.without_gpu(device)}", "unset it", wrong=True
            )
    elif device != "auto":
        yield Finding("CPU arrays", f"computed on the {device}, says MLX_SPECTRO_DEVICE")
    elif backend.for_host_arrays() == "host":
        yield Finding("CPU arrays", f"go to the GPU from so many samples on: {_probe(_CROSSOVER)[1]}")


def _threads() -> Iterator[Finding]:
    threads, cores = kernel_threads.get_num_threads(), os.cpu_count() or 1
    remedy = "OMP_NUM_THREADS, or mlx_spectro.set_num_threads" if threads < cores else ""
    yield Finding("CPU threads", f"{threads} of {cores} cores", remedy)


def _caches() -> Iterator[Finding]:
    if importlib.util.find_spec("numba") is None:
        return
    from mlx_spectro.kernels.cpu.runtime.compile import cache_folder

    folder = cache_folder()
    elsewhere = "set XDG_CACHE_HOME to a folder that only you can write to"
    if folder is None:
        yield Finding("compiled host kernels", "kept nowhere: every process compiles them", elsewhere)
        return
    place = f"{folder}, {_size(folder) / 2**20:.1f} MiB"
    if not os.access(folder, os.W_OK):
        yield Finding("compiled host kernels", f"{place}, read-only: every process compiles what is missing", elsewhere)
        return
    others = sum(1 for path in caches.host_kernels() if path != folder)
    yield Finding("compiled host kernels", place, f"{others} of earlier versions can be deleted" if others else "")


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, those left out that vanish meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total


def _probe(code: str) -> tuple[int, str]:
    """Exit status and last line of Python running ``code`` in a process of its own: a broken library may end it."""
    try:
        done = subprocess.run(interpreter.command(code), capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return 1, f"no answer after {_SECONDS} s"
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode, said[-1] if said else f"ended with status {done.returncode}"


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _versions,
    other_project,
    back_end,
    _extras,
    _sharing,
    _gpu_tensors,
    _kernels,
    _host_arrays,
    _threads,
    _caches,
)
