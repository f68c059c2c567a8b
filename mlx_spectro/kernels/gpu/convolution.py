"""Convolution and correlation with filters of few taps, as sums of products.

A thread makes neighbouring results, of which all but one take a sample that the one before has taken.
"""

from __future__ import annotations

import functools

from ...design.operators import Convolve, Correlate
from .dialect import ROWS, Kernel, Launch, defines, over_rows
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

# Samples lie in rows of EACH, and a place between: threads read a row each, at banks of their own.
_HEADER = """
#define ROW (EACH + 1)
// the sample that result j takes with weight k of EACH
#define TAKEN(j, k) (j >= k ? held[(j - k + EACH) % EACH] : next[(k - j - 1 + EACH) % EACH])
#define PRODUCT(j, k) weight * TAKEN(j, k)
#define GUARDED(j, k) (uint(m + k - j - low) <= span ? weight * TAKEN(j, k) : 0.0f)
"""


def _sums(product: str) -> str:
    """Text that adds up the products of all weights."""
    return f"""
    for (int m = 0; m < taps; m += EACH) {{
      float next[EACH];
      const K_SHARED float* before = mine - (m / EACH + 1) * ROW;
      K_UNROLL for (int k = 0; k < EACH; k++) next[k] = before[EACH - 1 - k];
      K_UNROLL for (int k = 0; k < EACH; k++) {{
        if (m + k < taps) {{
          const float weight = weights[m + k];
          K_UNROLL for (int j = 0; j < EACH; j++) sum[j] += {product}(j, k);
        }}
      }}
      K_UNROLL for (int j = 0; j < EACH; j++) {{
        held[j] = next[EACH - 1 - j];
        if ((m + EACH) % CHUNK == 0) {{
          total[j] += sum[j];
          sum[j] = 0.0f;
        }}
      }}
    }}
"""


# Result n is the sum over m of weight m times sample n + ahead - m. Samples beyond the ends are not taken at all, for
# an infinite weight times 0 is NaN: result j takes the weights from low + j on, and span more.
_BODY = f"""
K_SHARED_ARRAY(float, stage, (THREADS + MOST_TAPS / EACH + 2) * ROW);
K_SHARED_ARRAY(float, weights, MOST_TAPS);
const int id = int(thread_position_in_threadgroup.x), rows_before = (taps + EACH - 1) / EACH;
const k_long tile = k_long(threadgroup_position_in_grid.x) * (THREADS * EACH);
const k_long begin = tile + ahead - rows_before * EACH;
const bool live = row < rows;
const K_DEVICE float* signal = x + (live ? row * length : 0);
const K_DEVICE float* filter = y + (live && filters > 1 ? row * taps : 0);
for (int i = id; i < (THREADS + rows_before) * EACH; i += THREADS) {{
  const k_long at = begin + i;
  stage[i + i / EACH] = live && at >= 0 && at < length ? signal[at] : 0.0f;
}}
for (int i = id; i < taps; i += THREADS) weights[i] = filter[backward ? taps - 1 - i : i];
K_BARRIER();
const k_long first = tile + id * EACH, latest = first + ahead, earliest = latest - length + 1;
if (live && first < results) {{
  float total[EACH], sum[EACH], held[EACH];
  const K_SHARED float* mine = stage + (id + rows_before) * ROW;
  K_UNROLL for (int j = 0; j < EACH; j++) {{
    total[j] = sum[j] = 0.0f;
    held[j] = mine[j];
  }}
  if (latest >= taps - 1 && earliest + EACH - 1 <= 0) {{
{_sums("PRODUCT")}
  }} else {{
    const int most = MOST_TAPS + EACH, high = latest < most ? int(latest) : most;
    const int low = earliest < -most ? -most : earliest < most ? int(earliest) : most;
    const uint span = uint(high - low);
{_sums("GUARDED")}
  }}
  K_DEVICE float* result = out + row * results + first;
  K_UNROLL for (int j = 0; j < EACH; j++) if (first + j < results) result[j] = total[j] + sum[j];
}}
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
        header=defines(constants) + _HEADER,
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
