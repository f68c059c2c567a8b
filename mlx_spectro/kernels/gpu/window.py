"""Text for windows and their envelope: the squared windows that lie over a sample, summed."""

from __future__ import annotations

# Offset o of hop f is sample f * hop + o. Kahan's summation: thousands of windows lie over a sample where hops are
# small. Below 1e-11 torch.istft calls an envelope zero.
FUNCTIONS = """
struct k_sum { float value, rest; };
K_FN void k_add(K_LOCAL k_sum& sum, float a) {
  const float y = a - sum.rest, s = sum.value + y;
  sum.rest = (s - sum.value) - y;
  sum.value = s;
}
K_FN float k_envelope(const K_DEVICE float* window, int o, int hop) {
  k_sum sum = {0.0f, 0.0f};
  for (; o < N; o += hop) k_add(sum, window[o] * window[o]);
  return sum.value;
}
// what a quotient by the whole envelope lacks where frames are missing
K_FN float k_correction(const K_DEVICE float* window, int o, int hop, int f, int frames) {
  k_sum whole = {0.0f, 0.0f}, part = {0.0f, 0.0f};
  for (; o < N; o += hop, f--) {
    const float square = window[o] * window[o];
    k_add(whole, square);
    if (f >= 0 && f < frames) k_add(part, square);
  }
  return part.value < 1e-11f ? 0.0f : whole.value / part.value;
}
// o % hop without a division: the half keeps the quotient's rounding harmless where o < 2^20
K_FN int k_mod(int o, int hop, float per_hop) { return o - int((float(o) + 0.5f) * per_hop) * hop; }
"""

# 1 / envelope repeats every hop where no frame is missing; one hop of it waits in the memory of the exchanges
_PERIOD = """
K_SHARED float* period = (K_SHARED float*)exchange;
const float per_hop = 1.0f / float(hop);
for (int o = id; o < hop && o < N; o += THREADS) {
  const float e = k_envelope(window, o, hop);
  period[o] = e < 1e-11f ? 0.0f : 1.0f / e;
}
K_BARRIER();
#define PERIOD(o) * period[k_mod(o, hop, per_hop)]
"""
_NO_PERIOD = """
#define PERIOD(o)
"""

_SHARED = """
for (int o = id; o < N; o += THREADS) held[o] = window[o] * scale PERIOD(o);
K_BARRIER();
#define HELD_AT(o) held[o]
#define HELD(n, i) PAIR(HELD_AT, i)
"""
_REGISTERS = """
float2 w[NR];
#define SCALED(o) window[o] * scale PERIOD(o)
POINTS(FIRST) w[n] = PAIR(SCALED, i);
K_BARRIER();
#define HELD(n, i) w[n]
"""


def held_window(*, divided: bool, shared: bool) -> tuple[str, str]:
    """Statements that declare threadgroup memory for a window times ``scale``, and statements that fill it.

    They define ``HELD(n, i)``, the window at point ``i``, register ``n``. ``divided``: by the whole envelope.
    ``shared``: in threadgroup memory, else in registers.
    """
    declaration = "K_SHARED_ARRAY(float, held, N);" if shared else ""
    return declaration, (_PERIOD if divided else _NO_PERIOD) + (_SHARED if shared else _REGISTERS)
