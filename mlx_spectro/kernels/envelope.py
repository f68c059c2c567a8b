"""Text for the envelope: the squared windows that lie over a sample, summed."""

from __future__ import annotations

# Offset o of hop f is sample f * hop + o. Kahan's summation: thousands of windows lie over a sample where hops are
# small. Below 1e-11 torch.istft calls an envelope zero.
FUNCTIONS = """
K_FN float k_envelope(const K_DEVICE float* window, int o, int hop, int f, int frames, bool whole) {
  float sum = 0.0f, rest = 0.0f;
  for (; o < N; o += hop, f--) if (whole || (f >= 0 && f < frames)) {
    const float y = window[o] * window[o] - rest, s = sum + y;
    rest = (s - sum) - y;
    sum = s;
  }
  return sum;
}
// what a quotient by the whole envelope lacks where frames are missing
K_FN float k_correction(const K_DEVICE float* window, int o, int hop, int f, int frames) {
  const float part = k_envelope(window, o, hop, f, frames, false);
  return part < 1e-11f ? 0.0f : k_envelope(window, o, hop, f, frames, true) / part;
}
// o % hop without a division: the half keeps the quotient's rounding harmless where o < 2^20
K_FN int k_mod(int o, int hop, float per_hop) { return o - int((float(o) + 0.5f) * per_hop) * hop; }
"""

# 1 / envelope repeats every hop where no frame is missing; one hop of it waits in the memory of the exchanges
PERIOD = """
K_SHARED float* period = (K_SHARED float*)exchange;
const float per_hop = 1.0f / float(hop);
for (int o = id; o < hop && o < N; o += THREADS) {
  const float e = k_envelope(window, o, hop, 0, 0, true);
  period[o] = e < 1e-11f ? 0.0f : scale / e;
}
K_BARRIER();
"""
