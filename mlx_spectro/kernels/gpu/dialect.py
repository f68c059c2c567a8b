"""A GPU kernel as data, and its text for Metal and for CUDA.

A body is written once, in the C++ that both languages share. What they name differently comes from a short prelude of
macros per target; what a kernel needs beyond that (constants, functions) stands in its own header. A body sees pointers
and scalars only, so that any launcher can run it.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from .plan import SIMD

Target = Literal["metal", "cuda"]

MOST_ROWS = 65535  # threadgroups along y on CUDA
_REGISTER_FILE = 65536  # of a multiprocessor
_MOST_REGISTERS = 255  # of a thread

_METAL = """
#define K_FN inline
#define K_DEVICE device
#define K_SHARED threadgroup
#define K_SHARED_BYTES 32768
#define K_LOCAL thread
#define K_SHARED_ARRAY(T, name, n) threadgroup T name[n]
#define K_BARRIER() threadgroup_barrier(mem_flags::mem_threadgroup)
#define K_SIMD_BARRIER() simdgroup_barrier(mem_flags::mem_threadgroup)
#define K_DEVICE_BARRIER() threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup)
#define K_UNROLL _Pragma("clang loop unroll(full)")
typedef long k_long;
K_FN float2 k_c(float a, float b) { return float2{a, b}; }
K_FN float k_bits(int i) { return as_type<float>(i); }
K_FN int k_word(float a) { return as_type<int>(a); }
K_FN float k_sqrt(float a) { return metal::precise::sqrt(a); }
K_FN float k_log(float a) { return metal::precise::log(a); }
K_FN float k_exp(float a) { return metal::precise::exp(a); }
K_FN bool k_paired(const device float* p) { return true; }
K_FN float2 k_get2(const device float* p) { return float2(*(const device packed_float2*)p); }
K_FN void k_put2(device float* p, float2 a) { *(device packed_float2*)p = packed_float2(a); }
"""

_CUDA = """
#define K_FN __device__ __forceinline__
#define K_DEVICE
#define K_SHARED
#define K_SHARED_BYTES 49152
#define K_LOCAL
#define K_SHARED_ARRAY(T, name, n) __shared__ __align__(16) T name[n]
#define K_BARRIER() __syncthreads()
#define K_SIMD_BARRIER() __syncwarp()
#define K_DEVICE_BARRIER() __syncthreads()
#define K_UNROLL _Pragma("unroll")
#define thread_position_in_threadgroup threadIdx
#define threadgroup_position_in_grid blockIdx
typedef unsigned int uint;
typedef long long k_long;
K_FN float2 k_c(float a, float b) { return float2{a, b}; }
K_FN float k_bits(int i) { return __int_as_float(i); }
K_FN int k_word(float a) { return __float_as_int(a); }
K_FN float k_sqrt(float a) { return sqrtf(a); }
K_FN float k_log(float a) { return logf(a); }
K_FN float k_exp(float a) { return expf(a); }
K_FN float2 operator+(float2 a, float2 b) { return k_c(a.x + b.x, a.y + b.y); }
K_FN float2 operator-(float2 a, float2 b) { return k_c(a.x - b.x, a.y - b.y); }
K_FN float2 operator*(float2 a, float b) { return k_c(a.x * b, a.y * b); }
K_FN bool k_paired(const float* p) { return ((unsigned long long)p & 7) == 0; }
K_FN float2 k_get2(const float* p) { return *(const float2*)p; }
K_FN void k_put2(float* p, float2 a) { *(float2*)p = a; }
"""

_PRELUDES: dict[Target, str] = {"metal": _METAL, "cuda": _CUDA}
# Pairs and threadgroup memory take twice the bytes that are reckoned with. What CUDA calls its own four doubles differs
# from version to version.
_CUDA_IN_DOUBLE = (
    _CUDA.replace("p & 7", "p & 15").replace("49152", "24576")
    + """
#define double4 k_double4
struct __align__(16) k_double4 { double x, y, z, w; };
K_FN double k_bits(k_long i) { return __longlong_as_double(i); }
"""
)

# Numbers of twice a float's digits, for kernels that name them: doubles or, where there are none, sums of two floats,
# whose products and sums are Dekker's and Knuth's. They travel as the latter, and in a float's range.
_WIDE: dict[Target, str] = {
    "metal": """
typedef float2 k_wide;
K_FN k_wide k_widen(float a) { return k_c(a, 0.0f); }
K_FN float k_narrow(k_wide a) { return a.x; }
K_FN float2 k_split(k_wide a) { return a; }
K_FN k_wide k_join(float2 a) { return a; }
K_FN k_wide k_mad(k_wide a, k_wide b, k_wide c) {
  const float product = a.x * b.x, sum = product + c.x, part = sum - product;
  if (!(sum - sum == 0.0f)) return k_c(sum, 0.0f);
  float rest = metal::fma(a.x, b.x, -product) + metal::fma(a.x, b.y, a.y * b.x);
  rest += (product - (sum - part)) + (c.x - part) + c.y;
  const float whole = sum + rest;
  return k_c(whole, rest - (whole - sum));
}
""",
    "cuda": """
typedef double k_wide;
K_FN k_wide k_widen(float a) { return a; }
K_FN float k_narrow(k_wide a) { return float(a); }
K_FN float2 k_split(k_wide a) {
  const float whole = float(a);
  return k_c(whole, whole - whole == 0.0f ? float(a - whole) : 0.0f);
}
K_FN k_wide k_join(float2 a) { return double(a.x) + a.y; }
K_FN k_wide k_mad(k_wide a, k_wide b, k_wide c) { return fma(a, b, c); }
""",
}
# What a number in a text is in double precision, if another: within these, squares are in range, beyond them by these.
_IN_DOUBLE = {"1e-15": "1e-140", "1e15": "1e140", "7.9228163e28": "0x1p600", "1.2621774e-29": "0x1p-600"}
# Every kernel goes over rows: these scalars, which :func:`over_rows` gives, and in the text `row`, a threadgroup's own.
ROWS = {"rows": "k_long", "depth": "k_long"}
_ROW = "const k_long row = k_long(threadgroup_position_in_grid.y) * depth + k_long(threadgroup_position_in_grid.z);\n"
_READ = {"int": "int(par[{}])", "k_long": "par[{}]", "float": "k_bits(int(par[{}]))", "double": "k_bits(par[{}])"}
_NUMBER = re.compile(r"(?<![\w.])(\d[\d.]*(?:e-?\d+)?)([fF])\b")


@dataclass(frozen=True, eq=False)
class Kernel:
    """One GPU kernel.

    Attributes:
        name: Unique among kernels; it stands in compiler messages.
        inputs: Element type of each input array by name: ``"float"`` or ``"complex"``.
        tables: Further inputs that belong to the kernel, in double precision; it takes them in its own.
        outputs: The same for each output array.
        scalars: Type of each scalar by name: ``"int"``, ``"k_long"`` or ``"float"``. They travel together in the last
            input, the int64 array ``par``, as :meth:`pack` lays them out.
        threads: Threads of a threadgroup.
        registers: 32-bit registers a thread that CUDA's compiler is held to; Metal's decides for itself.
        header: Constants and functions.
        body: Statements of the kernel function.
        double: The text, written in single precision, is meant in double: on CUDA only.
    """

    name: str
    inputs: Mapping[str, str]
    tables: Mapping[str, npt.NDArray[np.complex128]]
    outputs: Mapping[str, str]
    scalars: Mapping[str, str]
    threads: int
    registers: int
    header: str
    body: str
    double: bool = False

    @functools.cached_property
    def in_double(self) -> Kernel:
        """The same in double precision."""
        registers = min(_MOST_REGISTERS, 2 * self.registers)
        return self if self.double else replace(self, name=f"{self.name}_double", registers=registers, double=True)

    @property
    def constants(self) -> list[npt.NDArray[np.complexfloating]]:
        """The tables in the kernel's own precision."""
        return [table.astype(np.complex128 if self.double else np.complex64) for table in self.tables.values()]

    @functools.cached_property
    def layout(self) -> struct.Struct:
        """How the scalars lie in ``par``: eight bytes each, a float32's in the first four."""
        real = "d" if self.double else "f4x"
        return struct.Struct("<" + "".join(real if kind == "float" else "q" for kind in self.scalars.values()))

    def pack(self, values: Mapping[str, float]) -> bytes:
        """The memory of the array ``par`` for these scalars."""
        try:
            return self.layout.pack(*[values[name] for name in self.scalars])
        except (struct.error, OverflowError):  # a number of another type, or beyond a float32's
            return self.layout.pack(*self.each(values))

    def each(self, values: Mapping[str, float]) -> list[int | float]:
        """These scalars one by one, in order."""
        real = float if self.double else np.float32
        return [
            float(real(values[name])) if kind == "float" else int(values[name]) for name, kind in self.scalars.items()
        ]

    @property
    def resident(self) -> int:
        """Threadgroups that a CUDA multiprocessor holds at once, as far as registers go, given out by warps."""
        return max(1, _REGISTER_FILE // (-(-self.threads // SIMD) * SIMD * self.registers))


def text(kernel: Kernel, target: Target) -> tuple[str, str]:
    """``(header, source)`` of a kernel: what stands before its function, and the statements in it.

    Comments are left out: MLX copies and hashes the text at every call.
    """
    wide = _WIDE[target] if "k_wide" in kernel.header else ""
    prelude = _PRELUDES[target] if not kernel.double else _CUDA_IN_DOUBLE if target == "cuda" else in_double(_METAL)
    header = _spelt(kernel, _squeeze(prelude + wide + kernel.header))
    if target == "cuda":
        # a launcher writes a bare __global__, from which the compiler cannot know how many registers it may spend
        bounds = f"__launch_bounds__({kernel.threads}, {kernel.resident})"
        header += f"#undef __global__\n#define __global__ __attribute__((global)) {bounds}\n"
    kinds = ["double" if kernel.double and kind == "float" else kind for kind in kernel.scalars.values()]
    return header, _source(kernel, [_READ[kind].format(at) for at, kind in enumerate(kinds)])


def in_double(code: str) -> str:
    """Text in double precision, of text in single precision."""
    code = re.sub(r"\bfloat(?=[24]?\b)", "double", code.replace("packed_float", "packed_double"))
    code = re.sub(r"\b(sqrt|log|exp)f\b", r"\1", code)
    return _NUMBER.sub(lambda match: _IN_DOUBLE.get(match[1], match[1]), code)


def _spelt(kernel: Kernel, code: str) -> str:
    """Text in the kernel's precision."""
    return in_double(code) if kernel.double else _NUMBER.sub(_rounded, code)


def _rounded(match: re.Match[str]) -> str:
    if match[2] == "f":
        return match[0]
    text = f"{float(match[1]):.9g}"
    return (text if "." in text or "e" in text else text + ".0") + "f"


def _source(kernel: Kernel, scalars: Iterable[str]) -> str:
    """The statements of a kernel, whose scalars are these expressions."""
    given = zip(kernel.scalars.items(), scalars, strict=True)
    declared = "".join(f"const {kind} {name} = {value};\n" for (name, kind), value in given)
    return _spelt(kernel, _squeeze(declared + _ROW + kernel.body))


_TYPES = {"float": "float", "complex": "float2"}


def _parameters(kernel: Kernel, scalars: list[str], space: str = "") -> list[str]:
    """A kernel's parameters in order: inputs, tables, ``scalars``, outputs."""
    parameters = [f"const {space}{_TYPES[kind]}* {name}" for name, kind in kernel.inputs.items()]
    parameters += [f"const {space}float2* {name}" for name in kernel.tables] + scalars
    return parameters + [f"{space}{_TYPES[kind]}* {name}" for name, kind in kernel.outputs.items()]


def cuda_program(kernel: Kernel) -> str:
    """Complete CUDA text of a kernel, for a launcher that is not MLX: ``extern "C"``, its arrays in order.

    Scalars come by value, as the int64 numbers in what :meth:`Kernel.pack` gives.
    """
    header, source = text(kernel, "cuda")
    read = "K_FN k_long operator[](int i) const { return at[i]; }"
    scalars = f"struct k_scalars {{ k_long at[{len(kernel.scalars)}]; {read} }};\n"
    parameters = ", ".join(_parameters(kernel, ["const __grid_constant__ k_scalars par"]))
    parameters = _spelt(kernel, parameters)
    return f'{header}{scalars}extern "C" __global__ void {kernel.name}({parameters}) {{\n{source}}}\n'


def metal_program(kernel: Kernel) -> str:
    """Complete Metal text of a kernel, for a launcher that is not MLX: its arrays and scalars in order, from buffer 0.

    Scalars come one by one, as :meth:`Kernel.each` gives them: integers of 64 bits, and float32.
    """
    header, _ = text(kernel, "metal")
    source = _source(kernel, [f"{kind}({name}_)" for name, kind in kernel.scalars.items()])
    kinds = {name: "float" if kind == "float" else "k_long" for name, kind in kernel.scalars.items()}
    arguments = _parameters(kernel, [f"constant {kind}& {name}_" for name, kind in kinds.items()], "device ")
    parameters = [f"{argument} [[buffer({at})]]" for at, argument in enumerate(arguments)]
    places = ("thread_position_in_threadgroup", "threadgroup_position_in_grid")
    parameters += [f"uint3 {place} [[{place}]]" for place in places]
    start = "#include <metal_stdlib>\nusing namespace metal;\n"
    given = _spelt(kernel, ", ".join(parameters))
    return f"{start}{header}[[kernel]] void {kernel.name}({given}) {{\n{source}}}\n"


@dataclass(frozen=True, eq=False)
class Launch:
    """A kernel with everything that a call needs besides its arrays.

    Attributes:
        kernel: What runs.
        scalars: Values of the kernel's scalars.
        groups: Threadgroups along x, y and z.
        shapes: Shape of each output.
    """

    kernel: Kernel
    scalars: Mapping[str, float]
    groups: tuple[int, int, int]
    shapes: tuple[tuple[int, ...], ...]


def defines(constants: Mapping[str, object]) -> str:
    """Text that gives each constant its value."""
    return "".join(f"#define {name} {value}\n" for name, value in constants.items())


def over_rows(groups: int, rows: int) -> tuple[tuple[int, int, int], dict[str, float]]:
    """Grid of ``groups`` threadgroups for each of ``rows`` rows, and the values of :data:`ROWS`."""
    depth = -(-rows // MOST_ROWS)
    return (groups, -(-rows // depth), depth), {"rows": rows, "depth": depth}


def _squeeze(code: str) -> str:
    lines = (re.sub(r"\s*//.*", "", line).strip() for line in code.splitlines())
    return "".join(f"{line}\n" for line in lines if line)
