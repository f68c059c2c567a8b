"""What is counted in machine code, and what the hot loops of host kernels are on ARM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

from benchmarks import assembly

ARM = """
_ZN3our3sumB2v1E:
	fmul	s0, s0, s1
.LBB0_1:                                // %outer
                                        // =>This Loop Header: Depth=1
	str	q0, [sp, #16]                   // 16-byte Spill
.LBB0_2:                                // %inner
                                        //   Parent Loop BB0_1 Depth=1
                                        // =>  This Inner Loop Header: Depth=2
	ldp	q1, q2, [sp, #16]               // 32-byte Folded Reload
	fmla	v0.4s, v1.4s, v2.s[0]
	fadd	s3, s3, s4
	fmov	s4, s3
	bl	memcpy
// %bb.3:                               //   in Loop: Header=BB0_2 Depth=2
	fcvtl	v3.2d, v1.2s
	b.ne	.LBB0_2
// %bb.4:                               //   in Loop: Header=BB0_1 Depth=1
	fsub	s0, s0, s1
	b.ne	.LBB0_1
	ret
"""
X86 = """
_ZN3our3sumB2v1E:
	vmulss	%xmm0, %xmm1, %xmm1
.LBB0_1:                                # %inner
                                        # =>This Inner Loop Header: Depth=1
	vaddps	32(%rsp), %ymm1, %ymm1          # 32-byte Folded Reload
	vfmadd231ps	(%rax), %ymm2, %ymm1
	vcvtps2pd	%xmm1, %ymm3
	vmovss	%xmm4, (%rax)
	vcvtsi2sd	%rax, %xmm0, %xmm0
	vmaxsd	%xmm0, %xmm1, %xmm1
	callq	*%rbx
	jne	.LBB0_1
# %bb.2:                                # %end
	vdivss	%xmm0, %xmm1, %xmm1
	retq
"""


@pytest.mark.parametrize(
    ("text", "instructions", "counts"),
    [
        (ARM, 7, {"vector": 2, "scalar": 1, "spills": 1, "calls": 1}),
        (X86, 8, {"vector": 3, "scalar": 2, "spills": 1, "calls": 1}),
    ],
    ids=["arm", "x86"],
)
def test_only_what_is_in_the_innermost_loop_counts(text: str, instructions: int, counts: dict[str, int]) -> None:
    (loop,) = assembly.innermost(text)
    assert (loop.function, len(loop.instructions), loop.counts) == ("sum", instructions, counts)


@pytest.mark.slow
def test_hot_loops_are_vector_code_on_arm_and_have_registers_enough() -> None:
    root, command = Path(__file__).parents[2], [sys.executable, "-m", "benchmarks.assembly", "apple-m1"]
    command += ["--only", "stft", "istft", "decibels", "medians"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {kernel for kernel, *_ in rows} == {"complex_frames", "signal_part", "values_to_levels", "medians_along"}
    poor = []
    for row in rows:
        instructions, _, scalar, spills, calls = map(int, row[2:])
        # a vector fills two registers there; where values are many, each half has its turn
        if scalar or calls or spills > instructions / 10:
            poor.append(row)
    assert poor == []
