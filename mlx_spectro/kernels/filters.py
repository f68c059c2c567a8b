"""The transform that ends in a filterbank: magnitudes stay on the chip, and filtered values leave it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from . import forward
from .dialect import Kernel, Launch
from .forward import _VALUES, Ending
from .plan import Geometry, Plan, plan, told

Magnitudes = Literal["magnitude", "power"]

# what is taken of a filtered value
LINEAR, LOG, LOG_ADDED, DECIBEL = range(4)
# neighbouring filters, whose weights lie side by side, number by number, so that neighbouring threads read them at once
_GROUP = 32
# terms that are added one after the other, in fours: a sum of thousands so keeps its digits
_CHAIN = 128

_SCALARS = {"filters": "int", "ending": "int", "amin": "float", "factor": "float", "offset": "float"}

_ENDED = """
K_FN float k_ended(float a, int ending, float amin, float factor, float offset) {
  if (ending == 0) return a;
  if (ending == 2) return k_log(a + amin);
  const float b = k_log(a < amin ? amin : a);
  return ending == 1 ? b : b * factor - offset;
}
"""

# A filter over values at `from`: of each, `bank` holds the first value, how many, and where the weights are.
WEIGH = f"""
K_FN float k_weigh(const K_SHARED float* from, const K_DEVICE float* bank, int m) {{
  const K_SHARED float* values = from + int(bank[3 * m]);
  const K_DEVICE float* weights = bank + int(bank[3 * m + 2]);
  const int count = int(bank[3 * m + 1]);
  float total = 0.0f;
  for (int k = 0; k < count;) {{
    const int end = count - k < {_CHAIN} ? count : k + {_CHAIN};
    float sum[4] = {{0.0f, 0.0f, 0.0f, 0.0f}};
    for (; k + 3 < end; k += 4) {{
      K_UNROLL for (int j = 0; j < 4; j++) sum[j] += weights[{_GROUP} * (k + j)] * values[k + j];
    }}
    for (; k < end; k++) sum[0] += weights[{_GROUP} * k] * values[k];
    total += (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }}
  return total;
}}
"""

# All threads share the threadgroup's frames: neighbouring threads take neighbouring filters, whose widths are alike and
# whose results lie side by side.
_CLOSE = """
K_BARRIER();
const int some = frames - first < TEAMS ? frames - first : TEAMS;
for (int i = int(id); i < some * filters; i += THREADS) {
  const int here = i / filters;
  const float a = k_weigh((const K_SHARED float*)(exchange + here * SLOTS), bank, i - here * filters);
  values[i] = k_ended(a, ending, amin, factor, offset);
}
"""


def ending_of(kind: Magnitudes) -> Ending:
    """Magnitudes, or their squares, through a filterbank, frames first."""
    return Ending(
        f"filtered_{kind}",
        "float",
        (forward._ABS if kind == "magnitude" else "")
        + f"#define PUT(k, c, value) {{ const float2 z = value; (stage + (k))[c] = {_VALUES[kind]}; }}\n"
        + WEIGH
        + _ENDED,
        "K_DEVICE float* values = out + (row * frames + first) * filters;\n"
        "K_SHARED float* stage = (K_SHARED float*)slot;\nK_TEAM();",
        _CLOSE,
        apart=True,
        inputs={"bank": "float"},
        scalars=_SCALARS,
    )


def table(bank: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The dense ``bank [F, filters]`` as kernels take it.

    Three numbers a filter: its first bin, the number of its weights, and where they stand in what follows. A group of
    neighbours has the same number of weights, some of them 0, and none beyond the last bin.
    """
    bins, filters = bank.shape
    heads, weights, at = np.zeros((filters, 3)), [np.zeros(0)], 3 * filters
    for group in range(0, filters, _GROUP):
        members = range(group, min(group + _GROUP, filters))
        reached = [np.flatnonzero(bank[:, m]) for m in members]
        count = max((int(found[-1] - found[0]) + 1 for found in reached if found.size), default=0)
        block = np.zeros((count, _GROUP))
        for lane, (m, found) in enumerate(zip(members, reached, strict=True)):
            first = min(int(found[0]), bins - count) if found.size else 0
            heads[m] = first, count, at + lane
            block[:, lane] = bank[first : first + count, m]
        weights.append(block.ravel())
        at += block.size
    return np.concatenate([heads.ravel(), *weights]).astype(np.float32)


@functools.lru_cache(maxsize=64)
def kernel(n_fft: int, kind: Magnitudes, threads: int) -> tuple[Plan, Kernel]:
    """The plan and the kernel for frames of ``n_fft`` samples, with about ``threads`` threads a threadgroup."""
    chosen = plan(n_fft, threads=threads)
    return chosen, forward.build(chosen, ending_of(kind))


def launch(
    rows: int,
    length: int,
    frames: int,
    *,
    filters: int,
    kind: Magnitudes,
    ending: Mapping[str, float],
    n_fft: int,
    hop_length: int,
    left: int,
    pad_mode: str = "constant",
    scale: float = 1.0,
    geometry: Geometry | None = None,
) -> Launch:
    """Filtered spectrograms ``[rows, frames, filters]`` of signals ``[rows, length]``; see :func:`.forward.launch`."""
    threads, steps = geometry or told("filterbank")
    chosen, built = kernel(n_fft, kind, threads)
    grid, scalars = forward.over_frames(
        chosen, rows, length, frames, hop_length=hop_length, left=left, pad_mode=pad_mode, scale=scale, steps=steps
    )
    return Launch(built, {**scalars, "filters": filters, **ending}, grid, ((rows, frames, filters),))
