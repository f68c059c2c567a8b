"""python -m benchmarks.assembly [PROCESSOR]: what the innermost loops of host kernels are in machine code.

The processor is this machine's or one of AArch64 by LLVM's name for it (``apple-m1``, ``neoverse-n1``), which need not
be here: kernels are compiled and not run. One kernel serves transforms of all lengths: its loops are of a radix each.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlx_spectro.design.epilogues import Decibels
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import (
    Elementwise,
    Filterbank,
    Istft,
    Medians,
    Project,
    RecursiveFilter,
    Resample,
    Stft,
)
from mlx_spectro.kernels import cpu

_FRAMING, _X, _WINDOW = Framing(512, 128), np.ones((2, 4096), np.float32), np.ones(512, np.float32)
CALLS: dict[str, tuple[Any, ...]] = {
    "stft": (Stft(_FRAMING), _X, _WINDOW),
    "istft": (Istft(_FRAMING, 4096), np.ones((2, 29, 257), np.complex64), _WINDOW),
    "filterbank": (Filterbank(_FRAMING, 2.0), _X, _WINDOW, np.ones((257, 64), np.float32)),
    "project": (Project(), np.ones((2, 29, 64), np.float32), np.ones((64, 20), np.float32)),
    "decibels": (Elementwise(Decibels(10.0, 1e-10)), _X),
    "medians": (Medians(31), _X),
    "recursive_filter": (RecursiveFilter(), _X, np.ones(3, np.float32), np.ones(3, np.float32)),
    "resample": (Resample(2, 1, 12), _X, np.ones((1, 25), np.float32)),
}
KINDS = ("vector", "scalar", "spills", "calls")
"""Floating arithmetic with vectors and with single numbers, what is put on the stack or taken from it, and calls."""

_BLOCK = re.compile(r"\.?L?(BB\d+_\d+):|\W+ ?%bb\.\d+:")
_FUNCTION = re.compile(r"[_a-zA-Z]\S*:")
_PARENT = re.compile(r"in Loop: Header=(BB\d+_\d+)")
_ARM = re.compile(r"(?:f(?!mov)\w+|[su]cvtf)\s+(?P<vector>v\d)?")
_X86 = re.compile(r"v?(?:add|sub|mul|div|sqrt|fn?m\w+|min|max|u?comi|cmp\w*|cvt\w*|round|rndscale)(?P<kind>[ps])[sd]\b")


class Loop(NamedTuple):
    """An innermost loop."""

    function: str
    instructions: list[str]

    @property
    def counts(self) -> Counter[str]:
        """How many instructions there are of each of :data:`KINDS`."""
        return Counter(kind for instruction in self.instructions for kind in _kinds(instruction))


def _kinds(instruction: str) -> Iterator[str]:
    if re.search(r"\b(Spill|Reload)$", instruction):
        yield "spills"
    if re.match(r"(blr?|callq?)\s", instruction):
        yield "calls"
    if arm := _ARM.match(instruction):
        yield "vector" if arm["vector"] else "scalar"
    elif x86 := _X86.match(instruction):
        yield "vector" if x86["kind"] == "p" else "scalar"


def innermost(text: str) -> list[Loop]:
    """The innermost loops of LLVM's assembly, whose comments say where loops begin and what blocks are in them."""
    loops: dict[tuple[str, str], Loop] = {}
    function = block = header = ""
    for line in text.splitlines():
        if start := _BLOCK.match(line):
            block, header = start[1] or "", ""
        elif _FUNCTION.match(line):
            function, block, header = line.partition(":")[0], "", ""
        if "This Inner Loop Header" in line:
            loops[function, block] = Loop(_name(function), [])
        if "Loop Header" in line and "This" in line:
            header = block
        elif parent := _PARENT.search(line):
            header = header or parent[1]
        if re.match(r"\t[a-z]", line) and (function, header) in loops:
            loops[function, header].instructions.append(line.strip())
    return list(loops.values())


def _name(symbol: str) -> str:
    """The Python function's name: numba writes the length of each part of it before it."""
    name, rest = symbol, symbol.removeprefix("_ZN")
    while length := re.match(r"\d+", rest):
        end = length.end() + int(length[0])
        name, rest = rest[length.end() : end], rest[end:]
    return name


def compile_for(processor: str) -> None:
    """Have numba, not imported so far, compile for a processor of AArch64: what it compiles cannot run here."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    os.environ |= {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    for module, name, answer in (
        (llvm, "get_process_triple", "aarch64-unknown-linux-gnu"),
        (llvm.targets, "get_default_triple", "aarch64-unknown-linux-gnu"),
        (platform, "machine", "aarch64"),
    ):
        setattr(module, name, lambda answer=answer: answer)


def texts(calls: Iterable[str]) -> dict[str, str]:
    """The assembly of the kernels that calls come to; their results are not computed."""
    import numba

    from mlx_spectro.kernels.cpu.runtime import compile as runtime

    written: dict[str, str] = {}

    def kernel(function: Callable[..., Any]) -> Callable[..., int]:
        def write(*arguments: Any) -> int:
            if function.__name__ not in written:
                compiled = numba.njit(**runtime.OPTIONS)(function)
                compiled.compile(tuple(map(numba.typeof, arguments)))
                (overload,) = compiled.overloads.values()
                overload.library.codegen._tm.set_asm_verbosity(True)
                written[function.__name__] = overload.library.get_asm_str()
            return 0

        return write

    runtime.kernel = kernel
    for call in calls:
        cpu.run(*CALLS[call])
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=sys.modules[__name__].__doc__)
    parser.add_argument("processor", nargs="?", help="of AArch64, by LLVM's name; this machine's by default")
    parser.add_argument("--only", nargs="+", choices=CALLS, default=CALLS, help="calls whose kernels are meant")
    parser.add_argument("--text", action="store_true", help="the assembly, in place of what is in its loops")
    options = parser.parse_args()
    if options.processor:
        compile_for(options.processor)
    written = texts(options.only)
    if options.text:
        print(*written.values(), sep="\n")
        return
    print(f"{'kernel':18} {'function':18} instructions " + " ".join(f"{kind:>6}" for kind in KINDS))
    for kernel, text in written.items():
        for loop in innermost(text):
            counts = loop.counts
            if counts["vector"] or counts["scalar"]:
                numbers = " ".join(f"{counts[kind]:6}" for kind in KINDS)
                print(f"{kernel:18} {loop.function:18} {len(loop.instructions):12} {numbers}")


if __name__ == "__main__":
    main()
