"""Runs a kernel's Metal text on the CPU and says what is wrong with it.

MLX itself prints the text, clang compiles it as "C++ for OpenCL", whose address spaces are checked like Metal's (or any
C++ compiler does, without that check), and ``driver.cpp`` runs it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_spectro.kernels.gpu.dialect import Kernel, Launch, in_double, metal_program, text
from mlx_spectro.kernels.gpu.launch_mlx import SMALLEST_INPUT

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / f"mlx_spectro_kernel_host_{os.getuid()}"
ORDERS = {"forward": 0, "reverse": 1, "random": 7}

_MACHINE = platform.machine()
# every ARM processor multiplies and adds at once
_COMMON = [*(["-mfma"] if _MACHINE == "x86_64" else []), "-fPIC", "-w", "-O1", "-fsanitize=thread", "-c"]
_CLANG = ["clang-19", "-target", f"{_MACHINE}-linux-gnu", "-x", "clcpp", "-cl-std=clc++2021", "-Xclang"]
_GCC = ["g++", "-std=c++17", "-x", "c++"]
_STATIC_ARRAY = (
    "static float name##_words[(n) * sizeof(T) / 4] __attribute__((aligned(16))); T* name = (T*)name##_words"
)
_DTYPES = {"float": mx.float32, "complex": mx.complex64}
_NUMPY = {"float": (np.float32, np.float64), "complex": (np.complex64, np.complex128)}

Arrays = Mapping[str, npt.NDArray[np.generic]]
FINDINGS = ("races", "divergences", "outside", "uninitialised")


class Findings(ctypes.Structure):
    """What a launch did wrong, counted."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in FINDINGS)


class Memory(NamedTuple):
    """Where an argument lies, and how many bytes of it."""

    begin: int
    size: int


class Outcome(NamedTuple):
    """Outputs by name, and what went wrong: kind to count, empty where nothing did."""

    outputs: dict[str, npt.NDArray[np.generic]]
    wrong: dict[str, int]


def has_compiler(name: str = "g++") -> bool:
    """Whether the machine has this compiler; ``driver.cpp`` needs g++ in any case, and Linux."""
    return sys.platform == "linux" and shutil.which(name) is not None


def checks_address_spaces() -> bool:
    """Whether kernels are compiled by a compiler that knows address spaces."""
    return has_compiler("clang-19")


@contextlib.contextmanager
def _standard_output(path: Path) -> Iterator[None]:
    """Everything that C++ code prints goes to a file."""
    sys.stdout.flush()
    keep = os.dup(1)
    with path.open("w") as file:
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(keep, 1)
            os.close(keep)


def metal_text(kernel: Kernel) -> str:
    """The Metal program that MLX makes of a kernel. Exporting a call prints it, without a Mac."""
    header, source = text(kernel, "metal")
    call: Any = mx.fast.metal_kernel(
        name=kernel.name,
        input_names=[*kernel.inputs, *kernel.tables, "par"],
        output_names=list(kernel.outputs),
        header=header,
        source=source,
    )

    def launch(*arrays: mx.array) -> list[mx.array]:
        made: list[mx.array] = call(
            inputs=list(arrays),
            grid=(kernel.threads, 1, 1),
            threadgroup=(kernel.threads, 1, 1),
            output_shapes=[(SMALLEST_INPUT,)] * len(kernel.outputs),
            output_dtypes=[_DTYPES[kind] for kind in kernel.outputs.values()],
            verbose=True,
        )
        return made

    dtypes = [*(_DTYPES[kind] for kind in kernel.inputs.values()), *[mx.complex64] * len(kernel.tables), mx.int64]
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder) / "text"
        with _standard_output(printed):
            mx.export_function(
                str(Path(folder) / "f.mlxfn"), launch, *(mx.zeros(SMALLEST_INPUT, dtype) for dtype in dtypes)
            )
        return printed.read_text().split("```")[1]


def signature(metal: str) -> tuple[str, str]:
    """Name and parameters of the kernel function."""
    ((name, parameters),) = re.findall(r"\[\[kernel\]\] void (\w+)\((.*?)\) \{", metal, re.S)
    return name, parameters


def program(metal: str) -> str:
    """``metal`` with an entry that takes its arguments and its position as arrays."""
    name, parameters = signature(metal)
    arrays = re.findall(r"((?:const )?(?:device|constant) \w+[*&]) \w+ \[\[buffer", parameters)
    positions = re.findall(r"uint3 (\w+) \[\[", parameters)
    places = {"thread_position_in_threadgroup": "0", "threadgroup_position_in_grid": "3"}
    arguments = [
        f"*ARGUMENT({kind[:-1]}*, {i})" if kind.endswith("&") else f"ARGUMENT({kind}, {i})"
        for i, kind in enumerate(arrays)
    ]
    arguments += ["uint3{{at[{0}], at[{0} + 1], at[{0} + 2]}}".format(places[position]) for position in positions]
    metal = metal.replace("#include <metal_stdlib>", "").replace("[[kernel]]", "KERNEL")
    return f"{metal}\nENTRY(host_entry) {{ {name}({', '.join(arguments)}); }}\n"


def _build(source: str, suffix: str, command: list[str]) -> Path:
    """The shared object that ``command`` makes of ``source``; kept by the hash of both."""
    key = hashlib.sha256("\0".join([source, *command]).encode()).hexdigest()[:24]
    built = CACHE / f"{key}.so"
    if built.exists():
        return built
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        file = Path(folder) / f"source{suffix}"
        file.write_text(source)
        made = Path(folder) / "made.so"
        for step in ([*command, "-o", f"{file}.o", str(file)], ["g++", "-shared", "-o", str(made), f"{file}.o"]):
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{' '.join(step)}\n{done.stderr[:4000]}")
        made.rename(built)
    return built


@functools.cache
def _driver() -> ctypes.CDLL:
    source = (HERE / "driver.cpp").read_text()
    built = _build(source, ".cpp", ["g++", "-std=c++17", "-O2", "-fPIC", "-Wall", "-Wno-clobbered", "-c"])
    driver = ctypes.CDLL(str(built), mode=ctypes.RTLD_GLOBAL)
    driver.host_unwritten.restype = ctypes.c_uint64
    driver.host_range.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    driver.host_unwritten.argtypes = [ctypes.c_void_p]
    return driver


class Compiled:
    """Metal text as a program of this machine."""

    def __init__(self, metal: str, *, clang: bool | None = None, double: bool = False) -> None:
        _driver()
        source = program(metal)
        if checks_address_spaces() if clang is None else clang:
            allowed = "-cl-ext=-all,+cl_khr_fp64,+__opencl_c_fp64" if double else "-cl-ext=-all"
            command = [*_CLANG, allowed]
            built = _build(_shim("metal_clang.h", double) + source, ".clcpp", [*command, *_COMMON])
        else:
            source = source.replace("threadgroup T name[n]", _STATIC_ARRAY)
            built = _build(_shim("metal_gcc.h", double) + source, ".cpp", [*_GCC, *_COMMON])
        self._library = ctypes.CDLL(str(built))
        self._shared = list(self._threadgroup_arrays(built, signature(metal)[0]))

    @property
    def shared_bytes(self) -> int:
        """Bytes of threadgroup memory."""
        return sum(size for _, size in self._shared)

    def run(self, launch: Launch, arrays: Arrays, order: str = "forward") -> Outcome:
        """Run every threadgroup of a launch of :func:`compiled`'s text, its threads in one of :data:`ORDERS`."""
        kernel = launch.kernel
        outputs: dict[str, npt.NDArray[np.generic]] = {
            name: np.full(shape, np.nan, _NUMPY[kind][kernel.double])
            for (name, kind), shape in zip(kernel.outputs.items(), launch.shapes, strict=True)
        }
        inputs = [
            *(arrays[name] for name in kernel.inputs),
            *kernel.constants,
            *_scalars(launch),
        ]
        assert all(array.flags.c_contiguous for array in [*inputs, *outputs.values()])
        given, results = ([Memory(x.ctypes.data, x.nbytes) for x in some] for some in (inputs, outputs.values()))
        return Outcome(outputs, self.launch(given, results, launch.groups, kernel.threads, order))

    def launch(
        self,
        inputs: list[Memory],
        outputs: list[Memory],
        groups: tuple[int, int, int],
        threads: int,
        order: str = "forward",
    ) -> dict[str, int]:
        """Run the program on memory, which are its arguments in order, and say what went wrong."""
        driver, everything = _driver(), [*inputs, *outputs]
        for begin, size in self._shared:
            driver.host_range(begin, size, 1)
        for begin, size in dict(everything).items():
            driver.host_range(begin, size, 0)
        findings = Findings()
        three = ctypes.c_uint32 * 3
        driver.host_launch(
            self._library.host_entry,
            (ctypes.c_uint64 * len(everything))(*(memory.begin for memory in everything)),
            three(*groups),
            three(threads, 1, 1),
            ORDERS[order],
            ctypes.byref(findings),
        )
        counts = {name: getattr(findings, name) for name in FINDINGS}
        counts["unwritten"] = sum(driver.host_unwritten(memory.begin) for memory in outputs)
        driver.host_forget()
        return {name: count for name, count in counts.items() if count}

    def _threadgroup_arrays(self, built: Path, kernel: str) -> Iterator[tuple[int, int]]:
        """Address and size of each; the compiler makes them static variables of the kernel's function."""
        symbols = subprocess.run(["nm", "-S", "--defined-only", built], capture_output=True, text=True, check=True)
        rows = [line.split() for line in symbols.stdout.splitlines()]
        offsets = {row[-1]: int(row[0], 16) for row in rows}
        base = (ctypes.cast(self._library.host_entry, ctypes.c_void_p).value or 0) - offsets["host_entry"]
        for row in rows:
            if len(row) == 4 and row[2] in "bB" and kernel in row[3]:
                yield base + int(row[0], 16), int(row[1], 16)


def _shim(name: str, double: bool) -> str:
    """What a compiler needs to take Metal, which here may have double precision."""
    shim = (HERE / name).read_text()
    if not double:
        return shim
    shim = re.sub(
        r'extern "C" float \w+\(float\);', "", re.sub(r"return (sqrt|log|exp)f\(", r"return __builtin_\1(", shim)
    )
    # words of single precision are taken apart by nothing that runs
    return in_double(shim.replace("return __builtin_bit_cast(T, s)", "return T(s)"))


def _scalars(launch: Launch) -> list[npt.NDArray[Any]]:
    """A launch's scalars as its text takes them: together in MLX's, one by one in a complete program."""
    kernel = launch.kernel
    if not kernel.double:
        return [np.frombuffer(kernel.pack(launch.scalars), np.int64)]
    return [np.array(n, np.float64 if type(n) is float else np.int64) for n in kernel.each(launch.scalars)]


@functools.cache
def compiled(kernel: Kernel) -> Compiled:
    """A kernel as a program of this machine."""
    return Compiled(metal_program(kernel), double=True) if kernel.double else Compiled(metal_text(kernel))
