"""The kernel that walks over frames from bins to samples: transform, windowing, overlap-add, division and trimming."""

from __future__ import annotations

import functools
from string import Template

from . import fft_passes
from .dialect import ROWS, Kernel
from .plan import Plan
from .samples_to_bins import EVEN, ODD, fitting
from .window import FUNCTIONS, held_window

# of 65536, three threadgroups of 128 threads get so many registers a thread
_MOST_REGISTERS = 168

_SCALARS = {
    **ROWS,
    "frames": "int",
    "hop": "int",
    "steps": "int",
    "groups": "int",
    "first": "k_long",
    "count": "k_long",
    "first2": "k_long",
    "count2": "k_long",
    "mode": "int",
    "right": "k_long",
    "scale": "float",
    "edge": "float",
}

# Gather, not scatter: a team walks over neighbouring frames and holds the sum over the current one in registers, so
# every sample is summed in one fixed order and results repeat bit for bit. Of a threadgroup's teams each lacks what
# the frames before its own leave over its first hops; it takes that from the team before it in the end. Only the
# first team has to transform `cover - 1` frames of the threadgroup before for that.
#
# A row of the output is `count` samples from sample `first` of the overlapped frames, then `count2` from `first2`.
_WALK = Template("""
K_SHARED_ARRAY(float2, exchange, TEAMS * SLOTS);
$declare
const uint id = uint(thread_position_in_threadgroup.x), team = id / NT, t = id % NT;
K_SHARED float2* slot = exchange + team * SLOTS;
K_SHARED float* frame = (K_SHARED float*)slot;
const K_DEVICE float2* table = (const K_DEVICE float2*)twiddles;
const int cover = (N + hop - 1) / hop;
if (row < rows) {
  const bool second = int(threadgroup_position_in_grid.x) >= groups;
  const int group = int(threadgroup_position_in_grid.x) - (second ? groups : 0);
  const k_long start = second ? first2 : first, samples = second ? count2 : count;
  const int f0 = int(start / hop) + group * (TEAMS * steps - cover + 1) - cover + 1 + int(team) * steps;
  const k_long from = k_long(f0) * hop - start;
  K_DEVICE float* y = out + row * (count + count2) + (second ? count : 0);
  $window
  float sum[SUMS];
  K_UNROLL for (int i = 0; i < SUMS; i++) sum[i] = 0.0f;
  int turned = 0;
  $ahead
  for (int step = 0; step < steps; step++) {
    const int f = f0 + step;
    const bool live = f >= 0 && f < frames, kept = team > 0 || step >= cover - 1;
    const k_long at = from + k_long(step) * hop;
    float2 v[NR];
    $load
    $fold
    $next
    K_TEAM();
    $passes
    POINTS(FIRST) v[n] = k_each(k_c(v[n].y, v[n].x), HELD(n, i));
    K_DEVICE float* to = y + at;
    const int low = at >= 0 ? 0 : at > -hop ? int(-at) : hop;
    const int high = at + hop <= samples ? hop : at < samples ? int(samples - at) : 0;
    $add
    if (kept) for (int o = N + int(t); o < hop; o += NT) if (o >= low && o < high) to[o] = 0.0f;
  }
  $rest
  K_DEVICE_BARRIER();
  if (team > 0) {
    const K_SHARED float* before = (const K_SHARED float*)(slot - SLOTS);
    for (int o8 = int(t); o8 < (cover - 1) * hop; o8 += 8 * NT) {
      float a[8];
      K_UNROLL for (int j = 0; j < 8; j++) {
        const int o = o8 + NT * j;
        a[j] = o < (cover - 1) * hop && from + o >= 0 && from + o < samples ? y[from + o] : 0.0f;
      }
      K_UNROLL for (int j = 0; j < 8; j++) {
        const int o = o8 + NT * j;
        if (o < (cover - 1) * hop && from + o >= 0 && from + o < samples)
          y[from + o] = a[j] + (o < N ? before[o] : 0.0f);
      }
    }
  }
  const k_long origin = k_long(f0 - int(team) * steps) * hop - start;
  const k_long begin = k_max(0, origin + k_long(cover - 1) * hop);
  const k_long end = k_min(samples, origin + k_long(TEAMS * steps) * hop);
  const k_long early = EARLY, late = k_max(LATE, early);
  if (begin < early || end > late) {
    K_DEVICE_BARRIER();
    for (k_long i = begin + id; i < k_min(end, early); i += THREADS) y[i] = FINISHED(y[i], i);
    for (k_long i = k_max(begin, late) + id; i < end; i += THREADS) y[i] = FINISHED(y[i], i);
  }
}
""")

# Thread t's points t, t + NT, ... are samples 2 (t + NT i) of the frame. Where a hop is a multiple of 2 NT samples,
# they stay the thread's own from frame to frame, `laps` places further down; else sample n of the walk belongs to
# place n mod N of a ring spread over the threads, and frames pass through threadgroup memory.
_RING = """
K_TEAM();
POINTS(FIRST) { PUT_FRAME(i, v[n]); }
K_TEAM();
K_UNROLL for (int i = 0; i < RING; i++) {
  const int place = int(t) + NT * i, o = place < turned ? place - turned + N : place - turned;
  if (N % NT == 0 || place < N) {
    if (live) sum[i] += frame[o];
    if (o < hop) {
      if (kept && o >= low && o < high) to[o] = sum[i];
      sum[i] = 0.0f;
    }
  }
}
turned += hop % N;
turned = turned < N ? turned : turned - N;
"""

_RING_REST = """
K_TEAM();
K_UNROLL for (int i = 0; i < RING; i++) {
  const int place = int(t) + NT * i;
  if (N % NT == 0 || place < N) frame[place < turned ? place - turned + N : place - turned] = sum[i];
}
"""

_SET_LAPS = """
const int laps = hop % (2 * NT) == 0 ? hop / (2 * NT) < NR ? hop / (2 * NT) : NR : 0;
"""

_LAPS = """
if (live) K_UNROLL for (int i = 0; i < NR; i++) { sum[2 * i] += v[POINT(i)].x; sum[2 * i + 1] += v[POINT(i)].y; }
const bool whole = low == 0 && high == hop && k_paired(to);
int o = 2 * int(t);
K_UNROLL for (int bit = 0; bit < 6; bit++) if (laps >> bit & 1) {
  const int some = 1 << bit < NR ? 1 << bit : NR;
  if (kept && whole) {
    K_UNROLL for (int i = 0; i < NR; i++) if (i < some) k_put2(to + o + 2 * NT * i, k_c(sum[2 * i], sum[2 * i + 1]));
  } else if (kept) {
    K_UNROLL for (int i = 0; i < 2 * NR; i++) {
      const int place = o + 2 * NT * (i / 2) + i % 2;
      if (i < 2 * some && place >= low && place < high) to[place] = sum[i];
    }
  }
  K_UNROLL for (int i = 0; i < 2 * NR; i++) sum[i] = i + 2 * some < 2 * NR ? sum[(i + 2 * some) % (2 * NR)] : 0.0f;
  o += 2 * NT * some;
}
"""

_LAPS_REST = """
K_TEAM();
K_UNROLL for (int i = 0; i < 2 * NR; i++) frame[2 * (t + NT * (i / 2)) + i % 2] = sum[i];
"""

# Frames beyond the first and the last are transformed like any other, but not added. BIN(k, c) is bin k + c.
_FRAME_AT = """
#define FRAME_AT(f) (row * frames + ((f) >= 0 && (f) < frames ? (f) : 0)) * (N / 2 + 1)
"""
_BINS = """
#define BINS(f) const K_DEVICE float2* bins = (const K_DEVICE float2*)z + FRAME_AT(f);
#define BIN(k, c) (bins + (k))[c]
"""
_GAINED_BINS = """
#define BINS(f) \\
  const K_DEVICE float2* bins = (const K_DEVICE float2*)z + FRAME_AT(f); \\
  const K_DEVICE float* gains = gain + FRAME_AT(f);
#define BIN(k, c) (bins + (k))[c] * (gains + (k))[c]
"""

_PAIR_REGISTERS = """
float2 low[L], high[L], middle = k_c(0.0f, 0.0f);
"""
_LOAD_PAIRS = """
{
  BINS($f)
  const uint t0 = k_mirror(t);
  K_UNROLL for (uint s = 0; s < L; s++) {
    low[s] = BIN(s < HALF ? t : t0, C * s);
    high[s] = BIN(M - (s < HALF ? t : t0), -int(C * s));
  }
  if (M % 2 == 0 && t == 0) middle = BIN(M / 2, 0);
}
"""

# Of the one-sided spectrum X, Z[k] = (X[k] + conj X[M - k]) + i exp(pi i k / M) (X[k] - conj X[M - k]) is n_fft times
# what the half-length inverse transform takes. Real and imaginary parts change places, so that a forward transform
# serves.
_FOLD = Template("""
const float2 turn = table[$turns + t], turn_high = k_turn_high(t, turn);
float2 p[L], q[L];
K_UNROLL for (uint s = 0; s < L; s++) {
  float2 a = low[s], b = high[s];
  if (s == 0 && t == 0) { a = k_c(a.x * edge, 0.0f); b = k_c(b.x * edge, 0.0f); }
  const float2 e = k_c(a.x + b.x, a.y - b.y);
  const float2 o = k_mul(k_conj(k_mul(s < HALF ? turn : turn_high, k_turn(s))), k_c(a.x - b.x, a.y + b.y));
  p[s] = k_c(e.y + o.x, e.x - o.y);
  q[s] = k_c(o.x - e.y, e.x + o.y);
}
const float2 m = k_c(-2.0f * middle.y, 2.0f * middle.x);
K_UNROLL for (uint s = 0; s < L; s++) {
  v[s] = s < HALF ? p[s] : k_pick(t == 0, 2 * s == L ? m : q[(L - s) % L], p[s]);
  const float2 other = L % 2 == 1 && s == (L + 1) / 2 % L ? m : p[(s + L - 1) % L];
  v[L + s] = s > 0 && s <= L - HALF ? q[L - s] : k_pick(t == 0, other, q[(L - s) % L]);
}
""")

_WHOLE = """
{
  BINS(f)
  POINTS(LAST) {
    const float2 a = i <= N / 2 ? BIN(i, 0) : k_conj(BIN(N - i, 0));
    v[n] = i == 0 ? k_c(0.0f, a.x * edge) : k_c(a.y, a.x);
  }
}
"""

_PUT_EVEN = """
#define PUT_FRAME(i, a) slot[i] = a
"""
_PUT_ODD = """
#define PUT_FRAME(i, a) frame[i] = a.x
"""

_EXTREMES = """
K_FN k_long k_min(k_long a, k_long b) { return a < b ? a : b; }
K_FN k_long k_max(k_long a, k_long b) { return a > b ? a : b; }
"""

_DIVIDED = """
#define EARLY k_long(cover - 1) * hop - start
#define LATE k_long(frames) * hop - start
#define FINISHED(a, i) a * k_correction(window, int((i + start) % hop), hop, int((i + start) / hop), frames)
"""

# What lies over the padding belongs to the samples that were copied there. `edges` holds it for each row: `first`
# sums before the signal and `right` behind it.
_FOLDED = """
#define EARLY (mode > 0 ? k_max(start, right) + 1 : 0)
#define LATE (mode > 0 ? samples - 1 - k_max(start, right) : samples)
#define FINISHED(a, i) a + k_folded(edges + row * (first + right), i, samples, first, right, mode)
K_FN float k_total(const K_DEVICE float* x, k_long count) {
  float sum = 0.0f, rest = 0.0f;
  for (k_long n = 0; n < count; n++) {
    const float y = x[n] - rest, s = sum + y;
    rest = (s - sum) - y;
    sum = s;
  }
  return sum;
}
K_FN float k_folded(const K_DEVICE float* edges, k_long i, k_long length, k_long left, k_long right, int mode) {
  const K_DEVICE float* behind = edges + left;
  float sum = 0.0f;
  if (mode == 1) {
    if (i >= 1 && i <= left) sum += edges[left - i];
    if (i >= length - 1 - right && i <= length - 2) sum += behind[length - 2 - i];
  }
  if (mode == 2) {
    if (i == 0) sum += k_total(edges, left);
    if (i == length - 1) sum += k_total(behind, right);
  }
  if (mode == 3) {
    if (i < right) sum += behind[i];
    if (i >= length - left) sum += edges[i - length + left];
  }
  return sum;
}
"""


def build(plan: Plan, *, divided: bool, gained: bool, shared: bool) -> Kernel:
    """The kernel of a plan.

    An even frame's bins are on their way while the frame before it is transformed, where registers allow.

    Args:
        divided: Sums are divided by the windows' envelope, as an inverse STFT has it. Else they are the adjoint of an
            STFT, and what lies over its padding is added to the samples that it was copied from.
        gained: Each bin is first multiplied by a number of its own.
        shared: The window lies in threadgroup memory, else in registers.
    """
    twiddles, starts = plan.twiddles()
    ring = -(-plan.n_fft // plan.team)
    laps = plan.even and plan.regular
    add, rest = _RING, _RING_REST
    if laps:
        add, rest = (
            f"if (laps) {{ {by_laps} }} else {{ {by_ring} }}"
            for by_laps, by_ring in ((_LAPS, _RING), (_LAPS_REST, _RING_REST))
        )
    rounds = plan.rounds(plan.radices[0])
    declare, window = held_window(divided=divided, shared=shared)
    load = _LOAD_PAIRS if plan.even else ""
    ahead = plan.even and not gained
    name = "istft" if divided else "stft_gained_adjoint" if gained else "stft_adjoint"
    extra = {"edges": not divided, "gain": gained}
    return Kernel(
        name=f"{name}_{plan.n_fft}",
        inputs={"z": "complex", "window": "float"} | {name: "float" for name, taken in extra.items() if taken},
        tables={"twiddles": twiddles},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=plan.threads,
        registers=min(_MOST_REGISTERS if plan.registers <= 20 else 255, 64 + 8 * plan.registers),
        header=fft_passes.header(plan, inverse=True)
        + f"#define RING {ring}\n#define SUMS {max(ring, 2 * plan.registers if laps else 0)}\n"
        + f"#define POINT(i) ((i) % {rounds} * FIRST + (i) / {rounds})\n"
        + (EVEN + _PUT_EVEN if plan.even else ODD + _PUT_ODD)
        + _FRAME_AT
        + (_GAINED_BINS if gained else _BINS)
        + _EXTREMES
        + (FUNCTIONS + _DIVIDED if divided else _FOLDED),
        body=_WALK.substitute(
            declare=declare,
            window=(_SET_LAPS if laps else "") + window,
            ahead=(_PAIR_REGISTERS if plan.even else "") + (load.replace("$f", "f0") if ahead else ""),
            load="" if ahead else load.replace("$f", "f"),
            fold=_FOLD.substitute(turns=starts[-1]) if plan.even else _WHOLE,
            next=load.replace("$f", "f + 1") if ahead else "",
            passes=fft_passes.backward(plan),
            add=add,
            rest=rest,
        ),
    )


@functools.lru_cache(maxsize=64)
def kernel(n_fft: int, divided: bool, gained: bool, threads: int, double: bool = False) -> tuple[Plan, Kernel]:
    """The plan and the kernel for frames of ``n_fft`` samples, with about ``threads`` threads a threadgroup."""
    fft, room = fitting(n_fft, threads, double, inverse=True)
    code = build(fft, divided=divided, gained=gained, shared=fft.bytes + 4 * n_fft <= room)
    return fft, code.in_double if double else code
