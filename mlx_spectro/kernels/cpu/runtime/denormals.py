"""The processor's floating-point state: denormal numbers count as zero inside kernels, and nowhere else."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .vector import ARM, Kit, operation

# take denormal inputs and results as zero; one bit on ARM, two on x86
_FLUSH = 1 << 24 if ARM else (1 << 15) | (1 << 6)


def _read(kit: Kit) -> Any:
    builder = kit.builder
    if ARM:  # by LLVM's intrinsics: numba starts no assembler, so that inline assembly ends the process there
        get = builder.module.declare_intrinsic("llvm.aarch64.get.fpcr", [], ir.FunctionType(kit.index, []))
        return builder.call(get, [])
    slot = builder.alloca(ir.IntType(32))
    save = builder.module.declare_intrinsic("llvm.x86.sse.stmxcsr", [], ir.FunctionType(ir.VoidType(), [kit.pointer]))
    builder.call(save, [slot])
    return builder.zext(builder.load(slot, typ=ir.IntType(32)), kit.index)


def _write(kit: Kit, state: Any) -> None:
    builder = kit.builder
    if ARM:
        put = builder.module.declare_intrinsic("llvm.aarch64.set.fpcr", [], ir.FunctionType(ir.VoidType(), [kit.index]))
        builder.call(put, [state])
        return
    slot = builder.alloca(ir.IntType(32))
    builder.store(builder.trunc(state, ir.IntType(32)), slot)
    load = builder.module.declare_intrinsic("llvm.x86.sse.ldmxcsr", [], ir.FunctionType(ir.VoidType(), [kit.pointer]))
    builder.call(load, [slot])


@operation(returns="integer")
def flush_denormals(kit: Kit) -> Any:
    """Take denormal numbers as zero from here on; the state before."""
    before = _read(kit)
    _write(kit, kit.builder.or_(before, kit.index(_FLUSH)))
    return before


@operation("state")
def restore_state(kit: Kit, state: Any) -> None:
    """Put back what :func:`flush_denormals` found."""
    _write(kit, state)
