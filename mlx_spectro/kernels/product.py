"""Values times a dense matrix, in true float32: a DCT of decibels, chroma of a spectrogram."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from . import projection
from .dialect import Kernel, Launch, over_rows
from .filters import HIGHEST

# frames of a threadgroup, values of them in threadgroup memory at a time, and threads that share a frame's results
_FRAMES, _CHUNK, _SHARING = 64, 64, 4
_THREADS = _FRAMES * _SHARING
# results that the memory of the values has room for
MOST_RESULTS = 64

_SCALARS = {**projection.FLOOR, "frames": "int", "count": "int", "filters": "int", "squared": "int"}

# A thread holds a frame's results, and neighbouring threads neighbouring frames: they read values side by side and the
# same weights. Each chunk is summed by itself, so that sums of thousands keep their digits.
_BODY = f"""
K_SHARED_ARRAY(float, tile, CHUNK * PITCH);
K_SHARED_ARRAY(float, best, THREADS);
{projection.PLACE}
if (row < rows) {{
  const int first = int(threadgroup_position_in_grid.x) * FRAMES;
  const int some = frames - first < FRAMES ? frames - first : FRAMES;
  const K_DEVICE float* values = x + (row * frames + first) * count;
  {projection.LEAST}
  const int f = id % FRAMES, part = id / FRAMES;
  const K_DEVICE float4* weights = (const K_DEVICE float4*)bank + part * (EACH / 4);
  float total[EACH];
  K_UNROLL for (int e = 0; e < EACH; e++) total[e] = 0.0f;
  for (int begin = 0; begin < count; begin += CHUNK) {{
    const int wide = count - begin < CHUNK ? count - begin : CHUNK;
    float a[LOADS];
    K_UNROLL for (int j = 0; j < LOADS; j++) {{
      const int of = (id + j * THREADS) / CHUNK, k = (id + j * THREADS) % CHUNK;
      a[j] = of < some && k < wide ? values[of * count + begin + k] : 0.0f;
    }}
    K_BARRIER();
    K_UNROLL for (int j = 0; j < LOADS; j++) {{
      const float b = FLOORED(a[j]);
      tile[(id + j * THREADS) % CHUNK * PITCH + (id + j * THREADS) / CHUNK] = squared ? b * b : b;
    }}
    K_BARRIER();
    float sum[EACH];
    K_UNROLL for (int e = 0; e < EACH; e++) sum[e] = 0.0f;
    for (int k = 0; k < wide; k++) {{
      const float value = tile[k * PITCH + f];
      const K_DEVICE float4* of_value = weights + (begin + k) * (SHARING * EACH / 4);
      K_UNROLL for (int e = 0; e < EACH / 4; e++) {{
        const float4 w = of_value[e];
        sum[4 * e] += value * w.x;
        sum[4 * e + 1] += value * w.y;
        sum[4 * e + 2] += value * w.z;
        sum[4 * e + 3] += value * w.w;
      }}
    }}
    K_UNROLL for (int e = 0; e < EACH; e++) total[e] += sum[e];
  }}
  K_BARRIER();
  K_UNROLL for (int e = 0; e < EACH; e++) if (part * EACH + e < filters) tile[f * filters + part * EACH + e] = total[e];
  K_BARRIER();
  K_DEVICE float* results = out + (row * frames + first) * filters;
  for (int i = id; i < some * filters; i += THREADS) results[i] = tile[i];
}}
"""


def serves(matrix: npt.NDArray[np.floating]) -> bool:
    """Whether the kernel takes ``matrix [K, results]``, and reads little that is zero."""
    return matrix.shape[1] <= MOST_RESULTS and 2 * int(np.count_nonzero(matrix)) > matrix.size


def _each(results: int) -> int:
    """Results of a thread, in fours."""
    return -(-results // (4 * _SHARING)) * 4


def table(matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """``matrix [K, results]`` as the kernel takes it: rows filled up with zeros."""
    values = np.zeros((matrix.shape[0], _SHARING * _each(matrix.shape[1])), np.float32)
    values[:, : matrix.shape[1]] = matrix
    return values


@functools.cache
def kernel(each: int) -> Kernel:
    """The kernel whose threads hold so many results."""
    constants = {
        "THREADS": _THREADS,
        "FRAMES": _FRAMES,
        "CHUNK": _CHUNK,
        "PITCH": _FRAMES + 1,
        "SHARING": _SHARING,
        "EACH": each,
        "LOADS": _FRAMES * _CHUNK // _THREADS,
    }
    return Kernel(
        name=f"product_{each}",
        inputs={"x": "float", "bank": "float", "peaks": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=56 + 4 * each,
        header="".join(f"#define {name} {value}\n" for name, value in constants.items()) + HIGHEST,
        body=_BODY,
    )


def launch(
    rows: int, frames: int, count: int, *, results: int, top: float | None = None, parts: int = 1, squared: bool = False
) -> Launch:
    """``[rows, frames, count]`` or, ``squared``, its squares, times a matrix; see :func:`.projection.launch`."""
    groups = over_rows(-(-frames // _FRAMES), rows)
    scalars = {
        "rows": rows,
        "depth": groups[2],
        "parts": 0 if top is None else parts,
        "together": 1,
        "top": top or 0.0,
        "frames": frames,
        "count": count,
        "filters": results,
        "squared": int(squared),
    }
    return Launch(kernel(_each(results)), scalars, groups, ((rows, frames, results),))
