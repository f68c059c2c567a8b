"""Convolution and correlation with filters of few taps, as sums of products.

A thread makes neighbouring results, of which all but one take a sample that the one before has taken.
"""

from __future__ import annotations

import functools

from ...design.operators import Convolve, Correlate
from .dialect import ROWS, Kernel, Launch, over_rows
from .programs import NoKernel, Recipe, Shapes, Step, gpu, rows_of

_THREADS = 128
# results of a thread
_EACH = 8
# whose samples and filter lie in threadgroup memory
MOST_TAPS = 1024
# taps whose sum is added to the others' at once, so that long sums lose no digits
_CHUNK = 32

_SCALARS = {
    **ROWS,
    "length": "k_long",
    "results": "k_long",
    "taps": "int",
    "filters": "int",
    "ahead": "int",
    "backward": "int",
}

_HEADER = """
// threads read samples EACH apart, which lie in banks of their own so
#define PLACE(i) ((i) + (i) / EACH)
// the sample that result j takes with weight k of EACH
#define TAKEN(j, k) (j >= k ? held[(j - k + EACH) % EACH] : next[(k - j - 1 + EACH) % EACH])
"""

# Result n is the sum over m of weight m times sample n + ahead - m. Samples beyond the ends are not taken at all, for
# an infinite weight times 0 is NaN.
_BODY = """
K_SHARED_ARRAY(float, stage, PLACE(THREADS * EACH + MOST_TAPS + EACH) + 1);
K_SHARED_ARRAY(float, weights, MOST_TAPS);
const int id = int(thread_position_in_threadgroup.x), size = THREADS * EACH + taps + EACH - 1;
const k_long tile = k_long(threadgroup_position_in_grid.x) * (THREADS * EACH), begin = tile + ahead - taps - EACH + 1;
const bool live = row < rows;
const K_DEVICE float* signal = x + (live ? row * length : 0);
const K_DEVICE float* filter = y + (live && filters > 1 ? row * taps : 0);
for (int i = id; i < size; i += THREADS) {
  const k_long at = begin + i;
  stage[PLACE(i)] = live && at >= 0 && at < length ? signal[at] : 0.0f;
}
for (int i = id; i < taps; i += THREADS) weights[i] = filter[backward ? taps - 1 - i : i];
K_BARRIER();
const k_long first = tile + id * EACH;
const int here = id * EACH + taps + EACH - 1;
if (live && first < results) {
  float total[EACH], sum[EACH], held[EACH];
  K_UNROLL for (int j = 0; j < EACH; j++) {
    total[j] = sum[j] = 0.0f;
    held[j] = stage[PLACE(here + j)];
  }
  if (first + ahead - taps + 1 >= 0 && first + EACH - 1 + ahead < length) {
    for (int m = 0; m < taps; m += EACH) {
      float next[EACH];
      K_UNROLL for (int k = 0; k < EACH; k++) next[k] = stage[PLACE(here - m - 1 - k)];
      K_UNROLL for (int k = 0; k < EACH; k++) {
        if (m + k < taps) {
          const float weight = weights[m + k];
          K_UNROLL for (int j = 0; j < EACH; j++) sum[j] += weight * TAKEN(j, k);
        }
      }
      K_UNROLL for (int j = 0; j < EACH; j++) {
        held[j] = next[EACH - 1 - j];
        if ((m + EACH) % CHUNK == 0) {
          total[j] += sum[j];
          sum[j] = 0.0f;
        }
      }
    }
  } else {
    for (int m = 0; m < taps; m++) {
      K_UNROLL for (int j = 0; j < EACH; j++) {
        const k_long at = first + j + ahead - m;
        if (at >= 0 && at < length) sum[j] += weights[m] * stage[PLACE(here + j - m)];
        if ((m + 1) % CHUNK == 0) {
          total[j] += sum[j];
          sum[j] = 0.0f;
        }
      }
    }
  }
  K_DEVICE float* result = out + row * results + first;
  K_UNROLL for (int j = 0; j < EACH; j++) if (first + j < results) result[j] = total[j] + sum[j];
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel; it serves filters of up to :data:`MOST_TAPS` taps."""
    constants = {"THREADS": _THREADS, "EACH": _EACH, "MOST_TAPS": MOST_TAPS, "CHUNK": _CHUNK}
    return Kernel(
        name="convolution",
        inputs={"x": "float", "y": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=64,
        header="".join(f"#define {name} {value}\n" for name, value in constants.items()) + _HEADER,
        body=_BODY,
    )


def launch(op: Convolve | Correlate, rows: int, length: int, filters: int, taps: int) -> Launch:
    """Signals ``[rows, length]`` with filters ``[filters, taps]``, one for all or one for each."""
    correlated = isinstance(op, Correlate)
    results = op.length if isinstance(op, Correlate) else length + taps - 1
    groups, scalars = over_rows(-(-results // (_THREADS * _EACH)), rows)
    scalars |= {
        "length": length,
        "results": results,
        "taps": taps,
        "filters": filters,
        "ahead": taps - 1 if correlated else 0,
        "backward": int(correlated),
    }
    return Launch(kernel(), scalars, groups, ((rows, results),))


@gpu(Convolve)
@gpu(Correlate)
def _convolution(op: Convolve | Correlate, shapes: Shapes) -> Recipe:
    x_shape, y_shape = shapes
    op.check(x_shape)
    rows, filters, taps = rows_of(x_shape, 1), rows_of(y_shape, 1), y_shape[-1]
    if taps > MOST_TAPS:
        raise NoKernel(f"a filter has more than {MOST_TAPS} taps")
    if filters > 1 and x_shape[:-1] != y_shape[:-1]:
        raise NoKernel("filters are broadcast to signals")
    x, y = 0, 1
    return Recipe(lambda _pieces, _geometry: [Step(launch(op, rows, x_shape[-1], filters, taps), (x, y))])
