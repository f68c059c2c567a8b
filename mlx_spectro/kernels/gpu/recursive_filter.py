"""Recursive filters of a few coefficients, in numbers of twice a float's digits.

A state, the latest outputs, moves over a stretch of samples by a matrix, a power of the companion matrix, and by what
the samples add. Such moves are composed in any order (Blelloch, Prefix Sums and Their Applications, 1990): within a
threadgroup by a scan of its threads' stretches, among threadgroups by one of the ends that each has without the others.
"""

from __future__ import annotations

import functools

from ...design.operators import ClampedFilter, RecursiveFilter
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .programs import NoKernel, Recipe, Shapes, Step, gpu, rows_of

_THREADS = 128
# samples of a thread's stretch, a power of two, and of a threadgroup's
_LONG = 32
TILE = _THREADS * _LONG
# the highest order whose matrices stay in registers
MOST = 4

_SCALARS = {**ROWS, "length": "k_long", "filters": "int", "reversed": "int", "tiles": "int", "clamped": "int"}

_HEADER = """
#define PLACE(i) ((i) + (i) / LONG)
K_FN bool k_finite(float a) { return a - a == 0.0f; }
// the samples of a tile, and before them those that its first outputs are made of
K_FN void k_take(
    K_SHARED float* held, const K_DEVICE float* x, k_long begin, k_long length, int reversed, int id) {
  for (int i8 = id; i8 < TILE + FORWARD; i8 += 8 * THREADS) {
    float a[8];
    K_UNROLL for (int j = 0; j < 8; j++) {
      const k_long at = begin + i8 + j * THREADS - FORWARD;
      const bool there = i8 + j * THREADS < TILE + FORWARD && at >= 0 && at < length;
      a[j] = there ? x[reversed ? length - 1 - at : at] : 0.0f;
    }
    K_UNROLL for (int j = 0; j < 8; j++) {
      const int i = i8 + j * THREADS;
      if (i < TILE + FORWARD) held[PLACE(i)] = a[j];
    }
  }
}
// what a sample and those before it add to an output
K_FN k_wide k_heard(const K_LOCAL k_wide* ahead, K_LOCAL float* past, float sample) {
  k_wide sum = k_widen(0.0f);
  K_UNROLL for (int k = FORWARD; k > 0; k--) sum = k_mad(ahead[k], k_widen(past[k]), sum);
  K_UNROLL for (int k = FORWARD; k > 1; k--) past[k] = past[k - 1];
  past[FORWARD > 0] = sample;
  return k_mad(ahead[0], k_widen(sample), sum);
}
#if FEEDBACK
K_FN k_wide k_next(const K_LOCAL k_wide* back, K_LOCAL k_wide* state, k_wide heard) {
  K_UNROLL for (int k = FEEDBACK - 1; k >= 0; k--) heard = k_mad(back[k], state[k], heard);
  K_UNROLL for (int k = FEEDBACK - 1; k > 0; k--) state[k] = state[k - 1];
  return state[0] = heard;
}
K_FN void k_companion(K_LOCAL k_wide* matrix, const K_LOCAL k_wide* back) {
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) {
    matrix[k] = back[k];
    K_UNROLL for (int i = 1; i < FEEDBACK; i++) matrix[i * FEEDBACK + k] = k_widen(i == k + 1 ? 1.0f : 0.0f);
  }
}
// the matrix multiplied by itself, so many times
K_FN void k_squared(K_LOCAL k_wide* matrix, int times) {
  for (; times > 0; times--) {
    k_wide result[FEEDBACK * FEEDBACK];
    K_UNROLL for (int i = 0; i < FEEDBACK; i++) K_UNROLL for (int j = 0; j < FEEDBACK; j++) {
      k_wide sum = k_widen(0.0f);
      K_UNROLL for (int k = 0; k < FEEDBACK; k++) sum = k_mad(matrix[i * FEEDBACK + k], matrix[k * FEEDBACK + j], sum);
      result[i * FEEDBACK + j] = sum;
    }
#if FEEDBACK == 1
    // what is infinite stays so however much later
    if (k_narrow(result[0]) == 0.0f && k_narrow(matrix[0]) != 0.0f) result[0] = k_widen(1.2e-38f);
#endif
    K_UNROLL for (int i = 0; i < FEEDBACK * FEEDBACK; i++) matrix[i] = result[i];
  }
}
// adds to a state what an earlier one has become; of silence, which an infinite matrix would spoil, nothing
K_FN void k_moved(K_LOCAL k_wide* state, const K_LOCAL k_wide* matrix, const K_LOCAL k_wide* earlier) {
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) if (k_narrow(earlier[k]) != 0.0f)
    K_UNROLL for (int i = 0; i < FEEDBACK; i++) state[i] = k_mad(matrix[i * FEEDBACK + k], earlier[k], state[i]);
}
// A state after its thread's stretch becomes that after the stretches of all threads so far, each a move by the matrix.
K_FN void k_scanned(K_SHARED k_wide* states, int id, K_LOCAL k_wide* state, K_LOCAL k_wide* matrix) {
  for (int apart = 1; apart < THREADS; apart *= 2) {
    K_UNROLL for (int k = 0; k < FEEDBACK; k++) states[k * THREADS + id] = state[k];
    K_BARRIER();
    if (id >= apart) {
      k_wide earlier[FEEDBACK];
      K_UNROLL for (int k = 0; k < FEEDBACK; k++) earlier[k] = states[k * THREADS + id - apart];
      k_moved(state, matrix, earlier);
    }
    k_squared(matrix, 1);
    K_BARRIER();
  }
}
// A state that is too large for a float is infinite, and NaN if outputs that follow from it are.
K_FN void k_limited(K_LOCAL k_wide* state, const K_LOCAL k_wide* back) {
  bool all = true;
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) all = all && k_finite(k_narrow(state[k]));
  if (all) return;
  k_wide later[FEEDBACK], value = k_widen(0.0f);
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) later[k] = state[k] = k_widen(k_narrow(state[k]));
  for (int n = 0; n < 2 * FEEDBACK; n++) value = k_next(back, later, k_widen(0.0f));
  const float spoiled = k_narrow(value) == k_narrow(value) ? 0.0f : k_narrow(value);
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) state[k] = k_mad(state[k], k_widen(1.0f), k_widen(spoiled));
}
#endif
"""

# A tile's samples, a thread's coefficients and its state after its own stretch, from silence on.
_BEGIN = """
K_SHARED_ARRAY(float, held, PLACE(TILE + FORWARD) + 1);
#if FEEDBACK
K_SHARED_ARRAY(k_wide, states, FEEDBACK * THREADS);
#endif
const int id = int(thread_position_in_threadgroup.x), tile = int(threadgroup_position_in_grid.x);
if (row < rows) {
  const k_long begin = k_long(tile) * TILE;
  k_take(held, x + row * length, begin, length, reversed, id);
  const int which = int(row % filters);
  const K_DEVICE float* feedback = a + which * (FEEDBACK + 1);
  const K_DEVICE float* feedforward = b + which * (FORWARD + 1);
  k_wide ahead[FORWARD + 1];
  float past[FORWARD + 2];
  K_UNROLL for (int k = 0; k <= FORWARD; k++) ahead[k] = k_widen(feedforward[k] / feedback[0]);
  K_BARRIER();
  const int first = id * LONG + FORWARD;
  K_UNROLL for (int k = 1; k <= FORWARD; k++) past[k] = held[PLACE(first - k)];
#if FEEDBACK
  k_wide back[FEEDBACK], state[FEEDBACK], matrix[FEEDBACK * FEEDBACK];
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) {
    back[k] = k_widen(-(feedback[k + 1] / feedback[0]));
    state[k] = k_widen(0.0f);
  }
  for (int i = first; i < first + LONG; i++) k_next(back, state, k_heard(ahead, past, held[PLACE(i)]));
  k_companion(matrix, back);
  k_squared(matrix, LOG_LONG);
#endif
"""

_END = f"""
{_BEGIN}
  k_scanned(states, id, state, matrix);
  K_DEVICE float2* to = (K_DEVICE float2*)ends + (row * tiles + tile) * FEEDBACK;
  if (id == THREADS - 1) K_UNROLL for (int k = 0; k < FEEDBACK; k++) to[k] = k_split(state[k]);
}}
"""

_BODY = f"""
{_BEGIN}
#if FEEDBACK
  k_wide start[FEEDBACK];
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) start[k] = k_widen(0.0f);
  if (tile > 0) {{
    const K_DEVICE float2* before = (const K_DEVICE float2*)ends + row * tiles * FEEDBACK;
    k_wide all[FEEDBACK * FEEDBACK];
    K_UNROLL for (int k = 0; k < FEEDBACK * FEEDBACK; k++) all[k] = matrix[k];
    k_squared(all, LOG_THREADS);
    // each thread has as many tiles, a power of two; those before the first are silent
    int log_each = 0;
    while (k_long(THREADS) << log_each < tile) log_each++;
    for (int i = 0; i < 1 << log_each; i++) {{
      const int other = tile - ((THREADS - id) << log_each) + i;
      if (other >= 0) {{
        k_wide later[FEEDBACK];
        K_UNROLL for (int k = 0; k < FEEDBACK; k++) later[k] = k_join(before[other * FEEDBACK + k]);
        k_moved(later, all, start);
        K_UNROLL for (int k = 0; k < FEEDBACK; k++) start[k] = later[k];
      }}
    }}
    k_squared(all, log_each);
    k_scanned(states, id, start, all);
    if (id == THREADS - 1) K_UNROLL for (int k = 0; k < FEEDBACK; k++) states[k] = start[k];
    K_BARRIER();
    K_UNROLL for (int k = 0; k < FEEDBACK; k++) start[k] = states[k];
    K_BARRIER();
  }}
  if (id == 0) k_moved(state, matrix, start);
  k_scanned(states, id, state, matrix);
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) states[k * THREADS + id] = state[k];
  K_BARRIER();
  K_UNROLL for (int k = 0; k < FEEDBACK; k++) state[k] = id > 0 ? states[k * THREADS + id - 1] : start[k];
  k_limited(state, back);
#endif
  K_UNROLL for (int k = 1; k <= FORWARD; k++) past[k] = held[PLACE(first - k)];
  K_BARRIER();
  for (int i = first; i < first + LONG; i++) {{
    k_wide value = k_heard(ahead, past, held[PLACE(i)]);
#if FEEDBACK
    value = k_next(back, state, value);
    if (!k_finite(k_narrow(value))) state[0] = k_widen(k_narrow(value));
#endif
    held[PLACE(i)] = k_narrow(value);
  }}
  K_BARRIER();
  K_DEVICE float* result = out + row * length;
  for (int i = id; i < TILE; i += THREADS) {{
    const k_long at = begin + i;
    const float value = held[PLACE(i + FORWARD)];
    if (at < length)
      result[reversed ? length - 1 - at : at] = !clamped ? value : value > 1.0f ? 1.0f : value < -1.0f ? -1.0f : value;
  }}
}}
"""


def _kernel(name: str, orders: tuple[int, int], inputs: dict[str, str], outputs: dict[str, str], body: str) -> Kernel:
    feedback, forward = orders
    constants = {
        "THREADS": _THREADS,
        "LOG_THREADS": _THREADS.bit_length() - 1,
        "LONG": _LONG,
        "LOG_LONG": _LONG.bit_length() - 1,
        "TILE": TILE,
        "FEEDBACK": feedback,
        "FORWARD": forward,
    }
    return Kernel(
        name=f"{name}_{feedback}_{forward}",
        inputs={"x": "float", "a": "float", "b": "float"} | inputs,
        tables={},
        outputs=outputs,
        scalars=_SCALARS,
        threads=_THREADS,
        registers=64 if feedback <= 2 else 128,
        header=defines(constants) + _HEADER,
        body=body,
    )


@functools.cache
def ends(feedback: int, forward: int) -> Kernel:
    """The kernel that finds each tile's last outputs, from silence on."""
    return _kernel("recursive_filter_ends", (feedback, forward), {}, {"ends": "float"}, _END)


@functools.cache
def kernel(feedback: int, forward: int) -> Kernel:
    """The kernel that filters, given tiles' ends, by so many earlier outputs and inputs."""
    return _kernel("recursive_filter", (feedback, forward), {"ends": "float"}, {"out": "float"}, _BODY)


def launches(
    rows: int,
    length: int,
    feedback: int,
    forward: int,
    *,
    filters: int = 1,
    backward: bool = False,
    clamped: bool = False,
) -> list[Launch]:
    """Filter ``[rows, length]`` by so many filters in turn: the ends of tiles where there are several, and the rest."""
    tiles = -(-length // TILE)
    steps = []
    scalars = {"length": length, "filters": filters, "reversed": int(backward), "clamped": int(clamped)}
    scalars |= {"tiles": tiles - 1}
    if tiles > 1 and feedback:
        groups, over = over_rows(tiles - 1, rows)
        steps.append(Launch(ends(feedback, forward), scalars | over, groups, ((rows, tiles - 1, feedback, 2),)))
    groups, over = over_rows(tiles, rows)
    return [*steps, Launch(kernel(feedback, forward), scalars | over, groups, ((rows, length),))]


@gpu(RecursiveFilter)
@gpu(ClampedFilter)
def _recursive_filter(op: RecursiveFilter | ClampedFilter, shapes: Shapes) -> Recipe:
    linear, clamped = (op.filter, True) if isinstance(op, ClampedFilter) else (op, False)
    signal, a, b = shapes
    feedback, forward = a[-1] - 1, b[-1] - 1
    if max(feedback, forward) > MOST:
        raise NoKernel(f"a filter's order is above {MOST}")
    filters, rows = a[0] if len(a) > 1 else 1, rows_of(signal, 1)
    *looking, last = launches(
        rows, signal[-1], feedback, forward, filters=filters, backward=linear.backward, clamped=clamped
    )
    x, first, second, ends_of = range(4)
    steps = [Step(launch, (x, first, second)) for launch in looking]
    # of one tile, nothing reads the ends
    return Recipe(lambda _pieces, _geometry: [*steps, Step(last, (x, first, second, ends_of if steps else x))])
