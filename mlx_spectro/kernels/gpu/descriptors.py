"""Descriptors of given magnitudes: centroid, bandwidth, rolloff, flatness, and the extremes of a contrast's bands."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...design.descriptors import DescriptorSpec
from ...design.operators import Describe, DescribeMagnitudes, Stft
from . import samples_to_bins, stft
from .dialect import ROWS, Kernel, Launch, defines, over_rows
from .plan import SHARED_BYTES, SIMD, Geometry
from .programs import NoKernel, PackedWeight, Recipe, Shapes, Step, Table, gpu, rows_of

# teams of a threadgroup: a simdgroup shares a frame, so that its barriers are cheap
_MOST_TEAMS = 8
# floats in which a team's threads show each other what they found: four each
_MET = 4 * SIMD
# bins of the longest frame: beyond, too few threads would fill a threadgroup's memory
_MOST_BINS = 4097

_ROWS = ("centroid", "bandwidth", "rolloff", "flatness", "contrast")
_SCALARS = {
    **ROWS,
    "frames": "int",
    "numbers": "int",
    "bands": "int",
    **{f"{name}_row": "int" for name in _ROWS},
    "order": "int",
    "power": "int",
    "share": "float",
    "amin": "float",
}

_FUNCTIONS = """
// adds to a sum, and to what rounding lost of it
K_FN void k_add(K_LOCAL float* sum, float a) {
  const float whole = sum[0] + a, part = whole - sum[0];
  sum[1] += (sum[0] - (whole - part)) + (a - part);
  sum[0] = whole;
}
// what an infinite sum lost is NaN
K_FN float k_sum(const K_LOCAL float* sum) {
  const float whole = sum[0] + sum[1];
  return whole == whole ? whole : sum[0];
}
// of what the threads of a team found
K_FN float k_total(const K_SHARED float* met) {
  float a[8];
  K_UNROLL for (int j = 0; j < 8; j++) a[j] = (met[j] + met[j + 8]) + (met[j + 16] + met[j + 24]);
  return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
}
K_FN float k_raised(float a, int power, float amin) {
  const float b = power == 2 ? a * a : a;
  return b < amin ? amin : b;
}
// NaN counts as the largest
K_FN bool k_less(float a, float b) { return a < b || b != b; }
"""

# A team's thread takes every 32nd bin, and for the running sum a block of neighbours. The bins of a block are odd in
# number, so that threads which walk along their blocks don't meet in one bank of memory.
_BODY = """
K_SHARED_ARRAY(float, held, TEAMS * (BINS + MET));
const int id = int(thread_position_in_threadgroup.x);
const int lane = id % 32;
const int frame = int(threadgroup_position_in_grid.x) * TEAMS + id / 32;
if (row < rows && frame < frames) {
  K_SHARED float* values = held + id / 32 * (BINS + MET);
  K_SHARED float* met = values + BINS;
  const K_DEVICE float* magnitudes = x + (row * frames + frame) * BINS;
  const K_DEVICE float* hz = table + 3 * bands;
  K_DEVICE float* results = out + row * numbers * frames + frame;
  const bool weighed = centroid_row >= 0 || bandwidth_row >= 0;

  float sum[2] = {0.0f, 0.0f}, weighted[2] = {0.0f, 0.0f}, raised[2] = {0.0f, 0.0f};
  for (int i = lane; i < BINS; i += 32) {
    const float value = magnitudes[i];
    values[i] = value;
    k_add(sum, value);
    if (weighed) k_add(weighted, value * hz[i]);
    if (flatness_row >= 0) k_add(raised, k_raised(value, power, amin));
  }
  met[lane] = k_sum(sum);
  met[lane + 32] = k_sum(weighted);
  met[lane + 64] = k_sum(raised);
  K_SIMD_BARRIER();
  const float total = k_total(met);
  const float whole = total < TINY ? 1.0f : total;
  const float middle = k_total(met + 32) / whole;
  const float mean = k_total(met + 64) / float(BINS);
  K_SIMD_BARRIER();
  if (lane == 0 && centroid_row >= 0) results[k_long(centroid_row) * frames] = middle;

  if (bandwidth_row >= 0 || flatness_row >= 0) {
    float moment[2] = {0.0f, 0.0f}, logs[2] = {0.0f, 0.0f};
    for (int i = lane; i < BINS; i += 32) {
      const float value = values[i];
      if (bandwidth_row >= 0) {
        const float apart = hz[i] - middle;
        k_add(moment, value * (order == 2 ? apart * apart : apart < 0.0f ? -apart : apart));
      }
      if (flatness_row >= 0) k_add(logs, k_log(k_raised(value, power, amin) / mean));
    }
    met[lane] = k_sum(moment);
    met[lane + 32] = k_sum(logs);
    K_SIMD_BARRIER();
    const float spread = k_total(met) / whole;
    const float level = k_total(met + 32) / float(BINS);
    K_SIMD_BARRIER();
    if (lane == 0 && bandwidth_row >= 0) results[k_long(bandwidth_row) * frames] = order == 2 ? k_sqrt(spread) : spread;
    if (lane == 0 && flatness_row >= 0) results[k_long(flatness_row) * frames] = k_exp(level);
  }

  if (rolloff_row >= 0) {
    const int begin = lane * BLOCK;
    const int end = begin + BLOCK < BINS ? begin + BLOCK : BINS;
    float block = 0.0f;
    for (int i = begin; i < end; i++) block += values[i];
    met[lane] = block;
    K_SIMD_BARRIER();
    float running = 0.0f, before = 0.0f;
    for (int j = 0; j < 32; j++) {
      before = j == lane ? running : before;
      running += met[j];
    }
    const float threshold = share * running;
    // where rounding lets nothing reach it, the last bin does
    int reached = BINS - 1;
    for (int i = begin; i < end; i++) {
      before += values[i];
      if (!(before < threshold)) { reached = i; break; }
    }
    met[lane + 32] = float(reached);
    K_SIMD_BARRIER();
    float least = met[32];
    for (int j = 1; j < 32; j++) least = met[j + 32] < least ? met[j + 32] : least;
    K_SIMD_BARRIER();
    if (lane == 0) results[k_long(rolloff_row) * frames] = hz[int(least)];
  }

  if (contrast_row >= 0) {
    // Each thread shows the smallest and the largest of its part of a band; the team takes the extremes of them, and
    // whose is taken looks for what follows it in the order of values and then of places.
    for (int band = 0; band < bands; band++) {
      const int end = int(table[3 * band + 1]), count = int(table[3 * band + 2]);
      const int begin = int(table[3 * band]) + lane;
      float low = 0.0f, high = 0.0f, low_taken = k_bits(-0x800000), high_taken = k_bits(0x7fc00000);
      int low_at = -1, high_at = -1, low_next = 0, high_next = 0;
      float valley[2] = {0.0f, 0.0f}, peak[2] = {0.0f, 0.0f};
      bool stale = true;
      for (int n = 0; n < count; n++) {
        if (stale) {
          low = k_bits(0x7fc00000);
          high = k_bits(-0x800000);
          low_next = high_next = end;
          for (int i = begin; i < end; i += 32) {
            const float value = values[i];
            if ((k_less(low_taken, value) || (value == low_taken && i > low_at)) && k_less(value, low)) {
              low = value;
              low_next = i;
            }
            if ((k_less(value, high_taken) || (value == high_taken && i > high_at)) && k_less(high, value)) {
              high = value;
              high_next = i;
            }
          }
        }
        met[lane] = low;
        met[lane + 32] = high;
        K_SIMD_BARRIER();
        // sixteen threads look at four each, eight of them for the smallest; then all look at what these found
        if (lane < 16) {
          const int from = 4 * lane;
          float best = met[from];
          int of = from;
          for (int j = from + 1; j < from + 4; j++) {
            if (from < 32 ? k_less(met[j], best) : k_less(best, met[j])) { best = met[j]; of = j; }
          }
          met[lane + 64] = best;
          met[lane + 80] = float(of % 32);
        }
        K_SIMD_BARRIER();
        float lowest = met[64], highest = met[72];
        int at_lowest = 0, at_highest = 8;
        K_UNROLL for (int j = 1; j < 8; j++) {
          const float a = met[j + 64], b = met[j + 72];
          if (k_less(a, lowest)) { lowest = a; at_lowest = j; }
          if (k_less(highest, b)) { highest = b; at_highest = j + 8; }
        }
        const int of_lowest = int(met[at_lowest + 80]), of_highest = int(met[at_highest + 80]);
        stale = of_lowest == lane || of_highest == lane;
        if (of_lowest == lane) { low_taken = low; low_at = low_next; }
        if (of_highest == lane) { high_taken = high; high_at = high_next; }
        k_add(valley, lowest);
        k_add(peak, highest);
      }
      if (lane == 0) {
        results[k_long(contrast_row + band) * frames] = k_sum(valley) / float(count);
        results[k_long(contrast_row + bands + band) * frames] = k_sum(peak) / float(count);
      }
    }
  }
}
"""


@functools.lru_cache(maxsize=64)
def kernel(bins: int) -> Kernel:
    """The kernel for frames of ``bins`` magnitudes; it serves all descriptors and any number of bands."""
    teams = min(_MOST_TEAMS, SHARED_BYTES // (4 * (bins + _MET)))
    constants = {
        "TEAMS": teams,
        "BINS": bins,
        "MET": _MET,
        "BLOCK": -(-bins // SIMD) | 1,
        "TINY": f"{float(np.finfo(np.float32).tiny)!r}f",
    }
    return Kernel(
        name=f"descriptors_{bins}",
        inputs={"x": "float", "table": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_SCALARS,
        threads=teams * SIMD,
        registers=56,
        header=defines(constants) + _FUNCTIONS,
        body=_BODY,
    )


def pack(hz: npt.NDArray[np.floating], bands: Sequence[tuple[int, int, int]]) -> PackedWeight:
    """What the kernel takes beside magnitudes: first bin, end and extremes of each band, then the bins' frequencies."""
    return PackedWeight(np.concatenate([np.array(bands).ravel(), hz]).astype(np.float32))


def _check(spec: DescriptorSpec, bins: int) -> None:
    if not spec.in_kernels:
        raise NoKernel("kernels have no descriptors of such an order or power, or of so many extremes")
    if bins > _MOST_BINS:
        raise NoKernel(f"{bins} bins a frame are more than {_MOST_BINS}")


def launch(rows: int, frames: int, bins: int, spec: DescriptorSpec) -> Launch:
    """Descriptors ``[rows, numbers, frames]`` of magnitudes ``[rows, frames, bins]``."""
    code, places, numbers = kernel(bins), dict.fromkeys(_ROWS, -1), 0
    for name in spec.names:
        places[name] = numbers
        numbers += 2 * len(spec.bands) if name == "contrast" else 1
    groups, scalars = over_rows(-(-frames * SIMD // code.threads), rows)
    scalars |= {
        "frames": frames,
        "numbers": numbers,
        "bands": len(spec.bands),
        **{f"{name}_row": at for name, at in places.items()},
        "order": spec.order,
        "power": spec.power,
        "share": spec.share,
        "amin": spec.amin,
    }
    return Launch(code, scalars, groups, ((rows, numbers, frames),))


@gpu(Describe)
def _describe(op: Describe, shapes: Shapes) -> Recipe:
    magnitudes = Stft(op.framing).shape(shapes[0])
    _check(op.spec, magnitudes[-1])
    samples_to_bins.check(op.framing)
    spectra = stft.spectra(op.framing, 1.0, "magnitude", shapes)
    rows, (frames, bins) = rows_of(magnitudes, 2), magnitudes[-2:]

    def steps(pieces: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        _x, _window, _hz, table, values = range(5)
        return [*spectra.steps(pieces, geometry), Step(launch(rows, frames, bins, op.spec), (values, table))]

    return Recipe(steps, (Table(2, pack, (op.spec.bands,)),), spectra.tuning)


@gpu(DescribeMagnitudes)
def _describe_magnitudes(op: DescribeMagnitudes, shapes: Shapes) -> Recipe:
    rows, (frames, bins) = rows_of(shapes[0], 2), shapes[0][-2:]
    _check(op.spec, bins)

    def steps(_: tuple[int, ...], __: Geometry | None) -> list[Step]:
        values, _hz, table = range(3)
        return [Step(launch(rows, frames, bins, op.spec), (values, table))]

    return Recipe(steps, (Table(1, pack, (op.spec.bands,)),))
