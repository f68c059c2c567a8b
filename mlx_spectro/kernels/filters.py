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
from .plan import DEFAULT, Geometry, Plan, plan

Magnitudes = Literal["magnitude", "power"]

# what is taken of a filtered value
LINEAR, LOG, LOG_ADDED, DECIBEL = range(4)
# weights are read so many at a time; a filter's number of them is a multiple
_TOGETHER = 4

_SCALARS = {"filters": "int", "ending": "int", "amin": "float", "factor": "float", "offset": "float"}

_ENDED = """
K_FN float k_ended(float a, int ending, float amin, float factor, float offset) {
  if (ending == 0) return a;
  if (ending == 2) return k_log(a + amin);
  const float b = k_log(a < amin ? amin : a);
  return ending == 1 ? b : b * factor - offset;
}
"""

# All threads share the threadgroup's frames: neighbouring threads take neighbouring filters, whose widths are alike and
# whose results lie side by side. Of each filter, `bank` holds its first bin, how many bins, and where its weights are.
_CLOSE = f"""
K_BARRIER();
const int some = frames - first < TEAMS ? frames - first : TEAMS;
for (int i = int(id); i < some * filters; i += THREADS) {{
  const int frame_number = i / filters, m = i - frame_number * filters;
  const K_SHARED float* from_bins = (const K_SHARED float*)(exchange + frame_number * SLOTS) + int(bank[3 * m]);
  const K_DEVICE float* weights = bank + int(bank[3 * m + 2]);
  const int count = int(bank[3 * m + 1]);
  float a = 0.0f, b = 0.0f;
  for (int k = 0; k < count; k += {_TOGETHER}) {{
    a += weights[k] * from_bins[k] + weights[k + 1] * from_bins[k + 1];
    b += weights[k + 2] * from_bins[k + 2] + weights[k + 3] * from_bins[k + 3];
  }}
  values[i] = k_ended(a + b, ending, amin, factor, offset);
}}
"""


def ending_of(kind: Magnitudes) -> Ending:
    """Magnitudes, or their squares, through a filterbank, frames first."""
    return Ending(
        f"filtered_{kind}",
        "float",
        (forward._ABS if kind == "magnitude" else "")
        + f"#define PUT(k, c, value) {{ const float2 z = value; (stage + (k))[c] = {_VALUES[kind]}; }}\n"
        + _ENDED,
        "K_DEVICE float* values = out + (row * frames + first) * filters;\n"
        "K_SHARED float* stage = (K_SHARED float*)slot;\nK_TEAM();",
        _CLOSE,
        apart=True,
        inputs={"bank": "float"},
        scalars=_SCALARS,
    )


def table(bank: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The dense ``bank [F, filters]`` as the kernel takes it.

    Three numbers a filter: its first bin, the number of its weights, and where they stand in what follows. Zeros make
    that number a multiple of four, and never reach beyond the last bin.
    """
    bins, filters = bank.shape
    heads, weights, at = [], [], 3 * filters
    for column in bank.T:
        reached = np.flatnonzero(column)
        first, end = (int(reached[0]), int(reached[-1]) + 1) if reached.size else (0, 0)
        count = -(-(end - first) // _TOGETHER) * _TOGETHER
        first = max(0, min(first, bins - count))
        padded = np.zeros(count)
        kept = column[first : first + count]
        padded[: kept.size] = kept
        heads.append((first, count, at))
        weights.append(padded)
        at += count
    return np.concatenate([np.ravel(heads), *weights]).astype(np.float32)


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
    threads, steps = geometry or DEFAULT
    chosen, built = kernel(n_fft, kind, threads)
    grid, scalars = forward.over_frames(
        chosen, rows, length, frames, hop_length=hop_length, left=left, pad_mode=pad_mode, scale=scale, steps=steps
    )
    return Launch(built, {**scalars, "filters": filters, **ending}, grid, ((rows, frames, filters),))
