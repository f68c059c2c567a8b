"""The processor's floating-point state: denormal numbers count as zero inside kernels, and nowhere else."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir

from .vector import Kit, operation

_ARM = platform.machine().lower() in ("arm64", "aarch64")
# flush results to zero, and on x86 take denormal inputs as zero too
_FLUSH = 1 << 24 if _ARM else (1 << 15) | (1 << 6)


def _read(kit: Kit) -> Any:
    builder = kit.builder
    if _ARM:
        return builder.asm(ir.FunctionType(kit.index, []), "mrs $0, fpcr", "=r", [], True)
    slot = builder.alloca(ir.IntType(32))
    save = builder.module.declare_intrinsic("llvm.x86.sse.stmxcsr", [], ir.FunctionType(ir.VoidType(), [kit.pointer]))
    builder.call(save, [slot])
    return builder.zext(builder.load(slot, typ=ir.IntType(32)), kit.index)


def _write(kit: Kit, state: Any) -> None:
    builder = kit.builder
    if _ARM:
        builder.asm(ir.FunctionType(ir.VoidType(), [kit.index]), "msr fpcr, $0", "r", [state], True)
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
