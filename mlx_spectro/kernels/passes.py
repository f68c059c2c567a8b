"""Text of the passes of a frame's transform: what every kernel that holds one shares."""

from __future__ import annotations

from .codelets import codelets, complex_number, root
from .plan import SIMD, Plan

# Stockham's autosort algorithm: a pass of radix R after P points reads the points j + (M / R) r of butterfly j, and
# writes in such order that the last pass leaves its points in natural order. Butterflies t + NT b belong to thread t.
# Indices are split into a part that depends on t and a constant, which costs an access nothing.
_PASSES = """
#define ROUNDS(R) ((M / (R) + NT - 1) / NT)
#define EACH(R) K_UNROLL for (uint b = 0; b < ROUNDS(R); b++) if ((M / (R)) % NT == 0 || t + NT * b < M / (R))
#define POINTS(R) EACH(R) K_UNROLL for (uint r = 0, i = t + NT * b, n = b * (R); r < (R); r++, i += M / (R), n++)
#define SLOT(i) ((i) + (i) / PAD)
#define STEP(i, c) ((c) % PAD == 0 ? SLOT(i) + SLOT(c) : SLOT((i) + (c)))
template <uint R, uint P>
K_FN void k_gather(K_LOCAL float2* v, const K_SHARED float2* slot, const K_DEVICE float2* table, uint t) {
  EACH(R) {
    K_LOCAL float2* u = v + b * R;
    const K_DEVICE float2* w = table + (NT % P == 0 ? t % P : (t + NT * b) % P);
    K_UNROLL for (uint r = 0; r < R; r++) u[r] = slot[STEP(t, NT * b + M / R * r)];
    K_UNROLL for (uint r = 1; r < R; r++) u[r] = k_mul(u[r], w[P * (r - 1)]);
    k_dft<R>(u);
  }
}
template <uint R, uint P>
K_FN void k_scatter(K_SHARED float2* slot, const K_LOCAL float2* v, uint t) {
  EACH(R) {
    const bool even = NT % P == 0;
    const uint j = even ? t : t + NT * b, a = j / P * (P * R) + j % P, c = even ? NT * R * b : 0;
    K_UNROLL for (uint r = 0; r < R; r++) slot[P == 1 && R == PAD ? STEP(a, c) + r : STEP(a, c + P * r)] = v[b * R + r];
  }
}
"""

# The butterflies at the side of the bins. Of C = M / L, thread t computes t and -t (mod C): the points t + C s and C
# s - t. Number 0 is its own mirror, and so is C / 2 where C is even: these two belong to thread 0.
_PAIRED = """
#define C (M / L)
#define HALF ((L + 1) / 2)
K_FN uint k_mirror(uint t) { return t ? t : C / 2; }
K_FN float2 k_turn(uint s) { const float2 turns[L] = {%(turns)s}; return turns[s]; }
K_FN float2 k_turn_high(uint t, float2 turn) { return t ? turn : %(middle)s; }
K_FN float2 k_pick(bool first, float2 a, float2 b) { return first ? a : b; }
"""

_LAST = """
K_FN void k_gather_paired(K_LOCAL float2* v, const K_SHARED float2* slot, const K_DEVICE float2* table, uint t) {
  const uint m = (C - k_mirror(t)) % C;
  const K_DEVICE float2* w = table + t;
  K_UNROLL for (uint r = 0; r < L; r++) { v[r] = slot[STEP(t, C * r)]; v[L + r] = slot[STEP(m, C * r)]; }
  K_UNROLL for (uint r = 1; r < L; r++) {
    const float2 a = w[NT * (r - 1)];
    v[r] = k_mul(v[r], a);
    v[L + r] = k_mul(v[L + r], k_conj(k_pick(t == 0, k_turn(r), a)));
  }
  k_dft<L>(v);
  k_dft<L>(v + L);
}
"""

_FIRST = """
K_FN void k_scatter_paired(K_SHARED float2* slot, const K_LOCAL float2* v, uint t) {
  const uint a = t * L, m = (C - k_mirror(t)) % C * L;
  K_UNROLL for (uint r = 0; r < L; r++) slot[L == PAD ? SLOT(a) + r : STEP(a, r)] = v[r];
  if (t > 0 || C % 2 == 0) K_UNROLL for (uint r = 0; r < L; r++) slot[L == PAD ? SLOT(m) + r : STEP(m, r)] = v[L + r];
}
"""


def header(plan: Plan) -> str:
    """Constants of a plan and the functions of its passes.

    ``N``: samples of a frame; ``M``: points of its transform; ``NT``: threads of a team; ``TEAMS``: teams of a
    threadgroup; ``NR``: values a thread holds; ``L``: paired radix.
    """
    constants = {
        "N": plan.n_fft,
        "M": plan.points,
        "NT": plan.team,
        "TEAMS": plan.teams,
        "NR": plan.registers,
        "PAD": plan.padding,
        "SLOTS": plan.slots,
        "THREADS": plan.threads,
        "K_TEAM()": "K_SIMD_BARRIER()" if SIMD % plan.team == 0 else "K_BARRIER()",
    }
    if plan.even:
        constants["L"] = plan.paired
    code = "".join(f"#define {name} {value}\n" for name, value in constants.items())
    code += codelets(plan.radices) + _PASSES
    if plan.even:
        turns = ", ".join(complex_number(root(s / (2 * plan.paired))) for s in range(plan.paired))
        code += _PAIRED % {"turns": turns, "middle": complex_number(root(1 / (4 * plan.paired)))}
        code += _FIRST if plan.inverse else _LAST
    return code


def passes(plan: Plan) -> str:
    """All passes: from ``v`` filled for the first butterflies to ``v`` as the last ones leave it."""
    _, starts = plan.twiddles()
    code, done = "", 1
    last = len(plan.radices) - 1
    for at, radix in enumerate(plan.radices):
        paired = plan.even and at == (0 if plan.inverse else last)
        if at == 0:
            code += "k_dft<L>(v); k_dft<L>(v + L);\n" if paired else f"EACH({radix}) k_dft<{radix}>(v + b * {radix});\n"
        elif paired:
            code += f"k_gather_paired(v, slot, table + {starts[at]}, t);\n"
        else:
            code += f"k_gather<{radix}, {done}>(v, slot, table + {starts[at]}, t);\n"
        if at < last:
            code += "K_TEAM();\n" if at else ""
            code += "k_scatter_paired(slot, v, t);\n" if paired else f"k_scatter<{radix}, {done}>(slot, v, t);\n"
            code += "K_TEAM();\n"
        done *= radix
    return code
