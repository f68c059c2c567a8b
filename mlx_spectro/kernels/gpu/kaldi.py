"""Kaldi's features: frames without their mean, pre-emphasised and windowed, side by side; then as any others."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from ...design.epilogues import Log
from ...design.framing import Framing
from ...design.kaldi import EPSILON, Extraction, Place
from ...design.operators import KaldiFilterbank, KaldiSpectrogram
from . import bank_table, filterbank, samples_to_bins
from .dialect import ROWS, Kernel, Launch, over_rows
from .plan import SIMD
from .programs import PackedWeight, Recipe, Shapes, Step, Table, as_floats, gpu, rows_of

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
# of frames whose energies are taken
_ENERGIES = {"raw": "int", "amin": "float", "least": "float"}

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
float square = 0.0f;
for (int i = lane; live && i < whole; i += SIMD) {
  float value = 0.0f;
  if (i < size) {
    const float now = (k_mirrored(audio, start + i, length) - first) - mean;
    const float before = i > 0 ? (k_mirrored(audio, start + i - 1, length) - first) - mean : now;
    value = (now - preemphasis * before) * window[i];
    ADD(now, value)
  }
  to[i] = value;
}
ENERGY
"""

# The logarithm of the sum of squares, of samples without their mean or of windowed ones.
_ENERGY = """
#define ADD(now, value) square += raw ? (now) * (now) : (value) * (value);
#define ENERGY \\
  K_SIMD_BARRIER(); \\
  sums[id] = square; \\
  K_SIMD_BARRIER(); \\
  if (live && lane == 0) { \\
    float energy = 0.0f; \\
    for (int i = 0; i < SIMD; i++) energy += sums[id + i]; \\
    const float level = k_log(energy < amin ? amin : energy); \\
    energies[row * frames + f] = level < least ? least : level; \\
  }
"""
_NO_ENERGY = """
#define ADD(now, value)
#define ENERGY
"""

# A frame's energy stands among its values, or in the place of one.
_BESIDE = """
const int id = int(thread_position_in_threadgroup.x), f = int(threadgroup_position_in_grid.x) * TEAMS + id / SIMD;
if (row < rows && f < frames) {
  const k_long frame = row * frames + f;
  const K_DEVICE float* from = x + frame * given;
  K_DEVICE float* to = out + frame * count;
  for (int k = id % SIMD; k < count; k += SIMD) {
    float value = energies[frame];
    if (k != place) {
      value = from[k - moved];
      if (logarithmic) value = k_log(value < amin ? amin : value);
    }
    to[k] = value;
  }
}
"""
_BESIDE_SCALARS = {
    **ROWS,
    "frames": "int",
    "given": "int",
    "count": "int",
    "place": "int",
    "moved": "int",
    "logarithmic": "int",
    "amin": "float",
}
_CONSTANTS = f"#define TEAMS {_TEAMS}\n#define SIMD {SIMD}\n"


@functools.cache
def kernel(energetic: bool = False) -> Kernel:
    """The kernel that takes frames out of audio, and their energies if ``energetic``; it serves any size."""
    return Kernel(
        name="kaldi_frames_and_energies" if energetic else "kaldi_frames",
        inputs={"x": "float", "window": "float"},
        tables={},
        outputs={"out": "float", **({"energies": "float"} if energetic else {})},
        scalars={**_SCALARS, **(_ENERGIES if energetic else {})},
        threads=_TEAMS * SIMD,
        registers=32,
        header=_CONSTANTS + _HEADER + (_ENERGY if energetic else _NO_ENERGY),
        body=_BODY,
    )


@functools.cache
def beside() -> Kernel:
    """The kernel that puts energies among frames' values."""
    return Kernel(
        name="kaldi_energies_beside",
        inputs={"x": "float", "energies": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_BESIDE_SCALARS,
        threads=_TEAMS * SIMD,
        registers=32,
        header=_CONSTANTS,
        body=_BESIDE,
    )


def launch(how: Extraction, rows: int, length: int, energetic: bool = False) -> Launch:
    """Frames ``[rows, frames, how.n_fft]`` of signals ``[rows, length]``, zeros after their samples.

    Their energies' logarithms ``[rows, frames]`` too, if ``energetic``.
    """
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
    shapes: tuple[tuple[int, ...], ...] = ((rows, frames, how.n_fft),)
    if energetic:
        scalars |= {"raw": int(how.raw_energy), "amin": EPSILON, "least": how.least}
        shapes += ((rows, frames),)
    return Launch(kernel(energetic), scalars, groups, shapes)


def beside_launch(rows: int, frames: int, given: int, place: Place, *, logarithmic: bool = False) -> Launch:
    """Values ``[rows, frames, given]``, or their logarithms, with energies ``[rows, frames]`` before or after them.

    Where there is no ``place``, an energy takes that of the first value.
    """
    count = given + bool(place)
    groups, scalars = over_rows(-(-frames // _TEAMS), rows)
    scalars |= {
        "frames": frames,
        "given": given,
        "count": count,
        "place": given if place == "last" else 0,
        "moved": int(place == "first"),
        "logarithmic": int(logarithmic),
        "amin": EPSILON,
    }
    return Launch(beside(), scalars, groups, ((rows, frames, count),))


def ones(_: npt.NDArray[Any], count: int) -> PackedWeight:
    """The window of frames that have one already."""
    return PackedWeight(np.ones(count, np.float32))


@gpu(KaldiSpectrogram)
def _kaldi_spectrogram(op: KaldiSpectrogram, shapes: Shapes) -> Recipe:
    how, signal = op.extraction, shapes[0]
    apart = Framing(how.n_fft, how.n_fft)
    samples_to_bins.check(apart)
    rows, frames = rows_of(signal, 1), how.framing.frames(signal[-1])

    def steps(_pieces: tuple[int, ...], _: Any) -> list[Step]:
        x, _window, window, flat, taken, energies, powers = range(7)
        return [
            Step(launch(how, rows, signal[-1], energetic=True), (x, window)),
            Step(samples_to_bins.launch(rows, frames * how.n_fft, frames, apart, kind="power"), (taken, flat)),
            Step(beside_launch(rows, frames, how.n_fft // 2 + 1, "", logarithmic=True), (powers, energies)),
        ]

    return Recipe(steps, (Table(1, as_floats), Table(1, ones, (how.n_fft,))))


@gpu(KaldiFilterbank)
def _kaldi_filterbank(op: KaldiFilterbank, shapes: Shapes) -> Recipe:
    how, (signal, _, bank_shape) = op.extraction, shapes
    apart = Framing(how.n_fft, how.n_fft)
    samples_to_bins.check(apart)
    bank_table.check(bank_shape)
    rows, frames = rows_of(signal, 1), how.framing.frames(signal[-1])
    taking, kind = launch(how, rows, signal[-1], bool(op.energy)), filterbank.kind_of(op.power)
    numbers = filterbank.numbers_of(Log(EPSILON) if op.logarithmic else None)

    def steps(pieces: tuple[int, ...], _: Any) -> list[Step]:
        x, _window, _bank, window, flat, bank, taken, energies, filtered = range(9)
        filtering = filterbank.launch(
            rows, frames * how.n_fft, frames, apart,
            filters=bank_shape[1], pieces=pieces[-1], kind=kind, epilogue=numbers,
        )  # fmt: skip
        whole = [Step(taking, (x, window)), Step(filtering, (taken, flat, bank))]
        if op.energy:
            whole.append(Step(beside_launch(rows, frames, bank_shape[1], op.energy), (filtered, energies)))
        return whole

    return Recipe(steps, (Table(1, as_floats), Table(1, ones, (how.n_fft,)), Table(2, bank_table.pack)))
