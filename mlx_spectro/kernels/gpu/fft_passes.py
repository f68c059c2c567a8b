"""Text of the passes of a frame's transform: what every kernel that holds one shares."""

from __future__ import annotations

from .codelets import codelets, complex_number, root
from .dialect import defines
from .plan import SIMD, Plan

# Stockham's autosort algorithm: a pass of radix R after P points reads the points j + (M / R) r of butterfly j
# (`WIDE`) and writes its results P points apart (`NEAR`), so that the last pass leaves them in natural order.
# Butterflies t + NT b belong to thread t. An index is split into a part that depends on t and a constant, which costs
# an access nothing.
_INDICES = """
#define ROUNDS(R) ((M / (R) + NT - 1) / NT)
#define EACH(R) K_UNROLL for (uint b = 0; b < ROUNDS(R); b++) if ((M / (R)) % NT == 0 || t + NT * b < M / (R))
#define POINTS(R) EACH(R) K_UNROLL for (uint r = 0, i = t + NT * b, n = b * (R); r < (R); r++, i += M / (R), n++)
#define SLOT(i) ((i) + (i) / PAD)
#define STEP(i, c) ((c) % PAD == 0 ? SLOT(i) + SLOT(c) : SLOT((i) + (c)))
#define WIDE STEP(t, NT * b + M / R * r)
#define NEAR (APART ? SLOT(a) + SLOT(c) + SLOT(P * r) : SLOT(a + c + P * r))
#define APART (DIVIDES(P, PAD) && DIVIDES(P * R, PAD))
#define DIVIDES(a, b) ((a) % (b) == 0 || (b) % (a) == 0)
#define NEAR_START \\
  const bool even = NT % P == 0 && NT * R % PAD == 0; \\
  const uint j = even ? t : t + NT * b, a = j / P * (P * R) + j % P, c = even ? NT * R * b : 0
"""

_FORWARD = """
template <uint R, uint P>
K_FN void k_gather(K_LOCAL float2* v, const K_SHARED float2* slot, const K_DEVICE float2* table, uint t) {
  EACH(R) {
    K_LOCAL float2* u = v + b * R;
    const K_DEVICE float2* w = table + (NT % P == 0 ? t % P : (t + NT * b) % P);
    K_UNROLL for (uint r = 0; r < R; r++) u[r] = slot[WIDE];
    K_UNROLL for (uint r = 1; r < R; r++) u[r] = k_mul(u[r], w[P * (r - 1)]);
    k_dft<R>(u);
  }
}
template <uint R, uint P>
K_FN void k_scatter(K_SHARED float2* slot, const K_LOCAL float2* v, uint t) {
  EACH(R) {
    NEAR_START;
    K_UNROLL for (uint r = 0; r < R; r++) slot[NEAR] = v[b * R + r];
  }
}
"""

# The transform's matrix is symmetric: the same passes backwards, each with reads and writes exchanged, give it as
# well.
_BACKWARD = """
template <uint R, uint P>
K_FN void k_collect(K_LOCAL float2* v, const K_SHARED float2* slot, uint t) {
  EACH(R) {
    NEAR_START;
    K_UNROLL for (uint r = 0; r < R; r++) v[b * R + r] = slot[NEAR];
  }
}
template <uint R, uint P>
K_FN void k_spread(K_SHARED float2* slot, K_LOCAL float2* v, const K_DEVICE float2* table, uint t) {
  EACH(R) {
    K_LOCAL float2* u = v + b * R;
    const K_DEVICE float2* w = table + (NT % P == 0 ? t % P : (t + NT * b) % P);
    K_UNROLL for (uint r = 0; r < R; r++) slot[WIDE] = r ? k_mul(u[r], w[P * (r - 1)]) : u[r];
  }
}
"""

# The butterflies at the side of the bins. Of C = M / L, thread t computes t and -t (mod C): A has the points C s + t,
# B the points C s - t. Number 0 is its own mirror, and so is C / 2 where C is even: these two belong to thread 0.
_PAIRED = """
#define C (M / L)
#define HALF ((L + 1) / 2)
K_FN uint k_mirror(uint t) { return t ? t : C / 2; }
K_FN float2 k_turn(uint s) { const float2 turns[L] = {%(turns)s}; return turns[s]; }
K_FN float2 k_turn_high(uint t, float2 turn) { return t ? turn : %(middle)s; }
K_FN float2 k_pick(bool first, float2 a, float2 b) { return first ? a : b; }
"""

_FORWARD_PAIRED = """
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

_BACKWARD_PAIRED = """
K_FN void k_spread_paired(K_SHARED float2* slot, const K_LOCAL float2* v, const K_DEVICE float2* table, uint t) {
  const uint m = (C - k_mirror(t)) % C;
  const K_DEVICE float2* w = table + t;
  K_UNROLL for (uint r = 0; r < L; r++) {
    const float2 a = r ? w[NT * (r - 1)] : k_c(1.0f, 0.0f);
    slot[STEP(t, C * r)] = r ? k_mul(v[r], a) : v[r];
    const float2 b = r ? k_mul(v[L + r], k_conj(k_pick(t == 0, k_turn(r), a))) : v[L + r];
    if (t > 0 || C % 2 == 0) slot[STEP(m, C * r)] = b;
  }
}
"""


def header(plan: Plan, *, inverse: bool) -> str:
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
        "THREADS": plan.threads,
        "FIRST": plan.radices[0],
        "LAST": plan.radices[-1],
        "K_TEAM()": "K_SIMD_BARRIER()" if SIMD % plan.team == 0 else "K_BARRIER()",
    }
    code = defines(constants)
    code += f"#if {plan.bytes} <= K_SHARED_BYTES\n#define PAD {plan.padding}\n#define SLOTS {plan.slots}\n"
    code += "#else\n#define PAD M\n#define SLOTS M\n#endif\n"
    code += codelets(plan.radices) + _INDICES + (_BACKWARD if inverse else _FORWARD)
    if plan.even:
        turns = ", ".join(complex_number(root(s / (2 * plan.radices[-1]))) for s in range(plan.radices[-1]))
        middle = complex_number(root(1 / (4 * plan.radices[-1])))
        code += "#define L LAST\n" + _PAIRED % {"turns": turns, "middle": middle}
        code += _BACKWARD_PAIRED if inverse else _FORWARD_PAIRED
    return code


def forward(plan: Plan) -> str:
    """Passes from ``v``, filled for the first radix, to ``v`` as the last butterflies leave it."""
    _, starts = plan.twiddles()
    first, *middle, last = plan.radices
    code = f"EACH({first}) k_dft<{first}>(v + b * {first});\nk_scatter<{first}, 1>(slot, v, t);\nK_TEAM();\n"
    done = first
    for at, radix in enumerate(middle, start=1):
        code += f"k_gather<{radix}, {done}>(v, slot, table + {starts[at]}, t);\nK_TEAM();\n"
        code += f"k_scatter<{radix}, {done}>(slot, v, t);\nK_TEAM();\n"
        done *= radix
    function = "k_gather_paired" if plan.even else f"k_gather<{last}, {done}>"
    return code + f"{function}(v, slot, table + {starts[-2]}, t);\n"


def backward(plan: Plan) -> str:
    """Passes from ``v``, filled for the last radix, to ``v`` as the first butterflies leave it."""
    _, starts = plan.twiddles()
    last = plan.radices[-1]
    done = plan.points // last
    if plan.even:
        code = f"k_dft<L>(v);\nk_dft<L>(v + L);\nk_spread_paired(slot, v, table + {starts[-2]}, t);\n"
    else:
        code = f"EACH({last}) k_dft<{last}>(v + b * {last});\n"
        code += f"k_spread<{last}, {done}>(slot, v, table + {starts[-2]}, t);\n"
    for at in reversed(range(len(plan.radices) - 1)):
        radix = plan.radices[at]
        done //= radix
        code += f"K_TEAM();\nk_collect<{radix}, {done}>(v, slot, t);\n"
        code += f"EACH({radix}) k_dft<{radix}>(v + b * {radix});\n"
        if at:
            code += f"K_TEAM();\nk_spread<{radix}, {done}>(slot, v, table + {starts[at]}, t);\n"
    return code
