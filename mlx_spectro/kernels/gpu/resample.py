"""Audio at another rate, and the transpose: polyphase filters of samples in threadgroup memory."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...design import polyphase
from ...design.operators import Resample, ResampleAdjoint
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .programs import NoKernel, PackedWeight, Recipe, Shapes, Step, Table, gpu, rows_of

_THREADS = 128
# samples in threadgroup memory
_ROOM = 6144
# frames whose results of a phase a thread sums at once, by a weight that it reads once
_AT_ONCE = 4
# phases of a frame that is parted among threadgroups, and results of one that takes whole frames
_PHASES, _MOST_ITEMS = 512, 1024
# threadgroups below which a tile takes fewer frames
_ENOUGH = 512

_SCALARS = {
    **ROWS,
    "length": "k_long",
    "results": "k_long",
    "period": "int",
    "phases": "int",
    "reach": "int",
    "around": "int",
    "turns": "int",
    "part": "int",
    "parts": "int",
    "spoils": "int",
    "back": "int",
}

_HEADER = """
// the sample at or before the result of phase p
K_FN int k_start(int p, int period, int phases) { return int(uint(p) * uint(period) / uint(phases)); }
// 0, or NaN where what spoils result n is not finite
K_FN float k_spoiled(
    const K_DEVICE float* x, k_long n, k_long length, int period, int phases, int spoils, int back) {
  k_long begin = (n / phases) * period - spoils, end = begin + period + 2 * spoils;
  if (back) {
    begin = n > spoils ? (n - spoils) / phases * period : 0;
    end = ((n + spoils) / phases + 1) * period;
  }
  if (begin < 0) begin = 0;
  if (end > length) end = length;
  for (k_long i = begin; i < end; i++) if (!(x[i] - x[i] == 0.0f)) return x[i] - x[i];
  return 0.0f;
}
"""

# Taps are summed in chunks, so that many lose no digits. What is not finite is left out of sums, so that a weight of 0
# is none, and spoils results afterwards.
_BODY = """
K_SHARED_ARRAY(float, held, ROOM);
K_SHARED_ARRAY(float, checks, THREADS);
const int id = int(thread_position_in_threadgroup.x);
const int tile = int(threadgroup_position_in_grid.x) / parts;
const int low = (int(threadgroup_position_in_grid.x) - tile * parts) * part;
const int some = phases - low < part ? phases - low : part, frames = AT_ONCE * turns;
const k_long frame = k_long(tile) * frames;
if (row < rows) {
  const K_DEVICE float* values = x + row * length;
  const k_long begin = frame * period - around;
  const int first = k_start(low, period, phases), skip = first - reach + around, whole = frames * period + 2 * around;
  const int needed = (frames - 1) * period + k_start(low + some - 1, period, phases) - first + 2 * reach + 1;
  float check = 0.0f;
  for (int i8 = id; i8 < whole; i8 += 8 * THREADS) {
    float a[8];
    K_UNROLL for (int j = 0; j < 8; j++) {
      const k_long at = begin + i8 + j * THREADS;
      a[j] = i8 + j * THREADS < whole && at >= 0 && at < length ? values[at] : 0.0f;
    }
    K_UNROLL for (int j = 0; j < 8; j++) {
      const int to = i8 + j * THREADS - skip;
      const float nothing = a[j] - a[j];
      check += nothing;
      if (to >= 0 && to < needed) held[to] = nothing == 0.0f ? a[j] : 0.0f;
    }
  }
  checks[id] = check;
  K_BARRIER();
  if (id < CHECKS) {
    K_UNROLL for (int n = id + CHECKS; n < THREADS; n += CHECKS) check += checks[n];
    checks[id] = check;
  }
  K_BARRIER();
  check = 0.0f;
  K_UNROLL for (int n = 0; n < CHECKS; n++) check += checks[n];
  K_DEVICE float* result = out + row * results;
  for (int i = id; i < some * turns; i += THREADS) {
    const int turn = i / some, p = low + i - turn * some;
    const K_SHARED float* from = held + turn * period + k_start(p, period, phases) - first;
    const K_DEVICE float* weight = bank + p;
    float sums[AT_ONCE];
    K_UNROLL for (int r = 0; r < AT_ONCE; r++) sums[r] = 0.0f;
    const int apart = turns * period;
    int k = 2 * reach + 1;
    for (; k >= CHUNK; k -= CHUNK, from += CHUNK, weight += CHUNK * phases) {
      float some_of[AT_ONCE];
      K_UNROLL for (int r = 0; r < AT_ONCE; r++) some_of[r] = 0.0f;
      K_UNROLL for (int j = 0; j < CHUNK; j++) {
        const float w = weight[j * phases];
        K_UNROLL for (int r = 0; r < AT_ONCE; r++) some_of[r] += w * from[r * apart + j];
      }
      K_UNROLL for (int r = 0; r < AT_ONCE; r++) sums[r] += some_of[r];
    }
    for (; k > 0; k--, from++, weight += phases) {
      const float w = *weight;
      K_UNROLL for (int r = 0; r < AT_ONCE; r++) sums[r] += w * from[r * apart];
    }
    K_UNROLL for (int r = 0; r < AT_ONCE; r++) {
      const k_long n = (frame + turn + r * turns) * phases + p;
      if (n < results) {
        const float spoiled = check == 0.0f ? 0.0f : k_spoiled(values, n, length, period, phases, spoils, back);
        result[n] = sums[r] + spoiled;
      }
    }
  }
}
"""


@functools.cache
def kernel(at_once: int = _AT_ONCE) -> Kernel:
    """The kernel that sums so many frames at once; it serves any rates."""
    constants = {"THREADS": _THREADS, "ROOM": _ROOM, "AT_ONCE": at_once, "CHUNK": 8, "CHECKS": 8}
    return Kernel(
        name=f"resample_{at_once}",
        inputs={"x": "float", "bank": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_THREADS,
        registers=48,
        header=defines(constants) + _HEADER,
        body=_BODY,
    )


class Filter(NamedTuple):
    """``phases`` results of every ``period`` samples, each of the samples within ``reach`` of its own."""

    period: int
    phases: int
    reach: int
    spoils: int
    """How far samples spoil results, or results are spoilt, beyond their own frame."""
    back: bool

    @property
    def around(self) -> int:
        """Samples around frames that their results depend on."""
        return max(self.reach, -(-self.spoils // self.phases) * self.period) if self.back else self.reach


class Tile(NamedTuple):
    """What a threadgroup computes: ``phases`` of ``at_once * turns`` frames."""

    at_once: int
    turns: int
    phases: int


def filter_of(op: Resample | ResampleAdjoint) -> Filter:
    """The filter that an operator is."""
    if isinstance(op, Resample):
        return Filter(op.orig, op.new, op.reach, op.reach, False)
    return Filter(op.new, op.orig, polyphase.transpose(op.orig, op.new, op.reach).reach, op.reach, True)


def tile_of(design: Filter, rows: int, frames: int) -> Tile:
    """The tile for rows of so many frames; :class:`NoKernel` where no phase's samples fit into threadgroup memory."""
    period, phases, reach, *_ = design
    if period * phases >> 32:
        raise NoKernel(f"{phases} phases at {period} samples are too many")
    most = min((_ROOM - 2 * reach - 1) // (_AT_ONCE * period), _MOST_ITEMS // phases, -(-frames // _AT_ONCE))
    if most > 0:
        few = min(most, max(-(-_THREADS // phases), rows * frames // (_AT_ONCE * _ENOUGH)))
        # so that few threads idle in the last turn
        return Tile(_AT_ONCE, max(range(1, few + 1), key=lambda turns: _busy(turns * phases)), phases)
    part = min(phases, _PHASES, (_ROOM - 2 * reach - 2) * phases // period)
    if part < 1:
        raise NoKernel(f"a result is of {2 * reach + 1} samples")
    return Tile(1, 1, part)


def _busy(items: int) -> float:
    """The share of threads that have something to do."""
    return items / (-(-items // _THREADS) * _THREADS)


def launch(design: Filter, rows: int, length: int, results: int) -> Launch:
    """Filter ``[rows, length]`` into ``[rows, results]``."""
    frames = -(-results // design.phases)
    at_once, turns, part = tile_of(design, rows, frames)
    parts = -(-design.phases // part)
    groups, scalars = over_rows(-(-frames // (at_once * turns)) * parts, rows)
    scalars |= design._asdict() | {"length": length, "results": results, "around": design.around}
    scalars |= {"turns": turns, "part": part, "parts": parts}
    return Launch(kernel(at_once), scalars, groups, ((rows, results),))


def by_taps(weights: npt.NDArray[Any], transposed_of: tuple[int, int, int] | None = None) -> PackedWeight:
    """Weights ``[phases, taps]`` as the kernel takes them, ``[taps, phases]``: neighbours read neighbours.

    Args:
        weights: Of a filter.
        transposed_of: If its transpose's are to be had: its ``(orig, new, reach)``.
    """
    values = np.asarray(weights, np.float32)
    if transposed_of is not None:
        values = polyphase.transposed_weights(values, *transposed_of)
    return PackedWeight(np.ascontiguousarray(values.T))


@gpu(Resample)
@gpu(ResampleAdjoint)
def _resample(op: Resample | ResampleAdjoint, shapes: Shapes) -> Recipe:
    x, _weights, bank = range(3)
    rows, length = rows_of(shapes[0], 1), shapes[0][-1]
    filtering = launch(filter_of(op), rows, length, op.shape(shapes[0])[-1])
    options = (op.orig, op.new, op.reach) if isinstance(op, ResampleAdjoint) else None
    return Recipe(lambda _pieces, _geometry: [Step(filtering, (x, bank))], (Table(1, by_taps, (options,)),))
