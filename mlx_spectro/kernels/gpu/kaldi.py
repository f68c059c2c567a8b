"""Kaldi's filterbanks: frames without their mean, pre-emphasised and windowed, side by side; then as any others."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.epilogues import Log
from ...design.framing import Framing
from ...design.kaldi import EPSILON, Extraction
from ...design.operators import KaldiFilterbank
from . import bank_table, filterbank, samples_to_bins
from .dialect import ROWS, Kernel, Launch, over_rows
from .plan import SIMD
from .programs import NoKernel, PackedWeight, Recipe, Shapes, Step, Table, as_floats, gpu, rows_of

# frames of a threadgroup; a simdgroup each
_TEAMS = 4

_SCALARS = {
    **ROWS,
    "length": "k_long",
    "left": "k_long",
    "frames": "int",
    "size": "int",
    "hop": "int",
    "whole": "int",
    "remove_mean": "int",
    "preemphasis": "float",
}

_HEADER = """
// beyond an end the signal is mirrored, its last sample included
K_FN float k_mirrored(const K_DEVICE float* x, k_long at, k_long length) {
  return x[at < 0 ? -1 - at : at >= length ? 2 * length - 1 - at : at];
}
"""

# The mean is the first sample plus the mean of what others are away from it: of a constant, nothing is left.
_BODY = """
K_SHARED_ARRAY(float, sums, TEAMS * SIMD);
const int id = int(thread_position_in_threadgroup.x), team = id / SIMD, lane = id % SIMD;
const int f = int(threadgroup_position_in_grid.x) * TEAMS + team;
const bool live = row < rows && f < frames;
const K_DEVICE float* audio = x + (live ? row * length : 0);
const k_long start = live ? k_long(f) * hop - left : 0;
const float first = remove_mean && live ? k_mirrored(audio, start, length) : 0.0f;
float mean = 0.0f;
if (remove_mean) {
  float sum = 0.0f;
  for (int i = lane; live && i < size; i += SIMD) sum += k_mirrored(audio, start + i, length) - first;
  sums[id] = sum;
  K_SIMD_BARRIER();
  for (int i = 0; i < SIMD; i++) mean += sums[team * SIMD + i];
  mean /= float(size);
}
K_DEVICE float* to = out + (live ? (row * frames + f) * whole : 0);
for (int i = lane; live && i < whole; i += SIMD) {
  float value = 0.0f;
  if (i < size) {
    const float now = (k_mirrored(audio, start + i, length) - first) - mean;
    const float before = i > 0 ? (k_mirrored(audio, start + i - 1, length) - first) - mean : now;
    value = (now - preemphasis * before) * window[i];
  }
  to[i] = value;
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel that takes frames out of audio; it serves any size."""
    constants = {"TEAMS": _TEAMS, "SIMD": SIMD}
    return Kernel(
        name="kaldi_frames",
        inputs={"x": "float", "window": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=_TEAMS * SIMD,
        registers=32,
        header="".join(f"#define {name} {value}\n" for name, value in constants.items()) + _HEADER,
        body=_BODY,
    )


def launch(how: Extraction, rows: int, length: int) -> Launch:
    """Frames ``[rows, frames, how.n_fft]`` of signals ``[rows, length]``, zeros after their samples."""
    frames = how.framing.frames(length)
    groups, scalars = over_rows(-(-frames // _TEAMS), rows)
    scalars |= {
        "length": length,
        "left": how.framing.left,
        "frames": frames,
        "size": how.framing.n_fft,
        "hop": how.framing.hop_length,
        "whole": how.n_fft,
        "remove_mean": int(how.remove_mean),
        "preemphasis": how.preemphasis,
    }
    return Launch(kernel(), scalars, groups, ((rows, frames, how.n_fft),))


def ones(_: npt.NDArray[Any], count: int) -> PackedWeight:
    """The window of frames that have one already."""
    return PackedWeight(np.ones(count, np.float32))


@gpu(KaldiFilterbank)
def _kaldi_filterbank(op: KaldiFilterbank, shapes: Shapes) -> Recipe:
    how, (signal, _, bank_shape) = op.extraction, shapes
    if op.energy:
        raise NoKernel("no kernel puts the energy among a frame's values")
    apart = Framing(how.n_fft, how.n_fft)
    samples_to_bins.check(apart)
    bank_table.check(bank_shape)
    rows, frames = rows_of(signal, 1), how.framing.frames(signal[-1])
    taking, kind = launch(how, rows, signal[-1]), filterbank.kind_of(op.power)
    numbers = filterbank.numbers_of(Log(EPSILON) if op.logarithmic else None)

    def steps(pieces: tuple[int, ...], _: Any) -> list[Step]:
        x, _window, _bank, window, flat, bank, taken = range(7)
        filtering = filterbank.launch(
            rows, frames * how.n_fft, frames, apart,
            filters=bank_shape[1], pieces=pieces[-1], kind=kind, epilogue=numbers,
        )  # fmt: skip
        return [Step(taking, (x, window)), Step(filtering, (taken, flat, bank))]

    return Recipe(steps, (Table(1, as_floats), Table(1, ones, (how.n_fft,)), Table(2, bank_table.pack)))
