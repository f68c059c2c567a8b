"""The transform that ends in a filterbank: magnitudes stay on the chip, and filtered values leave it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ...design.epilogues import Decibels, Epilogue, Log
from ...design.framing import Framing
from ...design.logarithms import LOG10_2, LOG10_E, SINGLE, halves, reference_level
from ...design.operators import Cepstrum, ClippedFilterbank, Filterbank, Shape, Spectrogram
from . import bank_table, peaks, projection, samples_to_bins, stft
from .bank_table import AT_ONCE, GROUP
from .dialect import Kernel, Launch
from .plan import Geometry, Plan, TuningKey, from_environment
from .programs import NoKernel, Recipe, Shapes, Step, Table, gpu, rows_of
from .samples_to_bins import ABS, VALUES, Sink

Magnitudes = Literal["magnitude", "power"]

# what is taken of a filtered value
LINEAR, LOG, LOG_ADDED, DECIBEL = range(4)

# The scalars of an epilogue: one of the above; the smallest value told apart; of decibels their factor, the reference's
# level, and the first and the last value that are at that level.
EPILOGUE = {
    "epilogue": "int",
    "amin": "float",
    "factor": "float",
    "zero": "float",
    "first_zero": "float",
    "last_zero": "float",
}
_SCALARS = {
    "filters": "int",
    "pieces": "int",
    "groups": "int",
    **EPILOGUE,
}

_HALF = 12  # bits
(_TWO, _TWO_REST), (_E, _E_REST) = (halves(number, _HALF) for number in (LOG10_2, LOG10_E))

# With a = 2**e * (1 + f) and s = f / (2 + f), log(1 + f) is 2 s + 2/3 s**3 + ..., most of which is f - f**2 / 2. Of it
# and of the constants the leading halves of the digits are taken apart: products of halves are exact, and what the sum
# of two of them loses is added to all that is small.
EPILOGUE_TEXT = f"""
K_FN float k_log10(float a) {{
  const int bits = k_word(a), e = (bits - 0x3f3504f3) >> 23;
  const float f = k_bits(bits - e * 0x800000) - 1.0f, s = f / (f + 2.0f), z = s * s, less = f * (f * 0.5f);
  const float rest = s * (less + z * ({SINGLE[0]}f + z * ({SINGLE[1]}f + z * {SINGLE[2]}f)));
  const float high = k_bits(k_word(f - less) & -0x1000), low = ((f - high) - less) + rest;
  const float one = float(e) * {_TWO}f, other = high * {_E}f, sum = one + other;
  const float lost = ((one - sum) + other) + (float(e) * {_TWO_REST}f + ((low + high) * {_E_REST}f + low * {_E}f));
  return a < k_bits(0x7f800000) ? sum + lost : a;
}}
K_FN float k_epilogue(float a, int epilogue, float amin, float factor, float zero, float first, float last) {{
  if (epilogue == 0) return a;
  if (epilogue == 2) return k_log(a + amin);
  const float b = a < amin ? amin : a;
  if (epilogue == 1) return k_log(b);
  return (b >= first && b <= last ? zero : k_log10(b) * factor) - zero;
}}
"""

_GATHER = """
float value[AT_ONCE];
K_UNROLL for (int j = 0; j < AT_ONCE; j++) value[j] = from[2 * SLOTS * j + k + u];
"""

# The threadgroup's frames are filtered together, 32 neighbouring pieces by 32 neighbouring threads. Sums of pieces wait
# where a frame's slot holds no bins.
_CLOSE = """
K_BARRIER();
const int some = frames - first < TEAMS ? frames - first : TEAMS;
for (int i = int(id); i < TEAMS / AT_ONCE * LANES(pieces); i += ALIGNED) {
  const int here = i / LANES(pieces) * AT_ONCE, p = i % LANES(pieces);
  if (id < ALIGNED && p < pieces && here < some) {
    float a[AT_ONCE];
    k_weigh(a, (const K_SHARED float*)(exchange + here * SLOTS), bank, p);
    K_UNROLL for (int j = 0; j < AT_ONCE; j++) {
      if (pieces > filters) ((K_SHARED float*)(exchange + (here + j) * SLOTS))[N / 2 + 1 + p] = a[j];
      else if (here + j < some) { STORE(here + j, p, a[j]) }
    }
  }
}
if (pieces > filters) {
  K_BARRIER();
  for (int i = int(id); i < some * filters; i += THREADS) {
    const int here = i / filters, m = i - here * filters;
    STORE(here, m, k_summed((const K_SHARED float*)(exchange + here * SLOTS) + N / 2 + 1, bank, pieces, m))
  }
}
"""

_STORE = """
#define STORE(f, m, sum) { \\
  const float b = k_epilogue(sum, epilogue, amin, factor, zero, first_zero, last_zero); \\
  values[(f) * filters + (m)] = b; \\
  SEEN(b) \\
}
"""

_FINISH = """
K_BARRIER();
K_SHARED float* best = (K_SHARED float*)exchange;
K_HIGHEST(best, id, THREADS, highest)
if (id == 0) peaks[row * groups + k_long(threadgroup_position_in_grid.x)] = highest;
"""


def sink(plan: Plan, kind: Magnitudes, *, peaked: bool = False) -> Sink:
    """Magnitudes, or their squares, through a filterbank, frames first; ``peaked``: with the largest a threadgroup."""
    at_once = next(n for n in range(AT_ONCE, 0, -1) if plan.teams % n == 0)
    track = "highest = k_higher(highest, b);" if peaked else ""
    return Sink(
        f"filtered_{kind}{'_peaked' if peaked else ''}",
        "float",
        (ABS if kind == "magnitude" else "")
        + f"#define PUT(k, c, value) {{ const float2 z = value; (stage + (k))[c] = {VALUES[kind]}; }}\n"
        + f"#define ALIGNED {plan.threads // GROUP * GROUP or plan.threads}\n"
        + f"#define SEEN(b) {track}\n"
        + bank_table.weigh(
            at_once, "const K_SHARED float* frame", "const K_SHARED float* from = frame + first;", _GATHER
        )
        + _STORE
        + EPILOGUE_TEXT
        + (peaks.HIGHEST if peaked else ""),
        "K_DEVICE float* values = out + (row * frames + first) * filters;\n"
        "K_SHARED float* stage = (K_SHARED float*)slot;\nK_TEAM();",
        _CLOSE,
        start="float highest = k_lowest;" if peaked else "",
        finish=_FINISH if peaked else "",
        apart=True,
        inputs={"bank": "float"},
        scalars=_SCALARS,
        outputs={"peaks": "float"} if peaked else {},
    )


@functools.lru_cache(maxsize=64)
def kernel(n_fft: int, kind: Magnitudes, peaked: bool, threads: int, double: bool = False) -> tuple[Plan, Kernel]:
    """The plan and the kernel for frames of ``n_fft`` samples, with about ``threads`` threads a threadgroup."""
    fft, _ = samples_to_bins.fitting(n_fft, threads, double)
    code = samples_to_bins.build(fft, sink(fft, kind, peaked=peaked))
    return fft, code.in_double if double else code


def numbers_of(epilogue: Epilogue | None) -> dict[str, float]:
    """The scalars :data:`EPILOGUE`.

    Raises:
        NoKernel: no kernel takes that of filtered values.
    """
    values: tuple[float, ...]
    match epilogue:
        case None:
            values = (LINEAR, 0.0, 1.0, 0.0, 0.0, 0.0)
        case Log(amin, added):
            values = (LOG_ADDED if added else LOG, amin, 1.0, 0.0, 0.0, 0.0)
        case Decibels(multiplier, amin, reference):
            level = reference_level(reference, amin, np.finfo(np.float32))
            values = (DECIBEL, amin, multiplier, multiplier * level.logarithm, level.low, level.high)
        case _:
            raise NoKernel(f"no kernel takes {type(epilogue).__name__} of filtered values")
    return dict(zip(EPILOGUE, values, strict=True))


def launch(
    rows: int,
    length: int,
    frames: int,
    framing: Framing,
    *,
    filters: int,
    pieces: int,
    kind: Magnitudes,
    epilogue: Mapping[str, float],
    scale: float = 1.0,
    peaked: bool = False,
    geometry: Geometry | None = None,
) -> Launch:
    """Filtered spectrograms ``[rows, frames, filters]`` of ``[rows, length]``; see :func:`.samples_to_bins.launch`.

    Args:
        pieces: Of the bank's table.
        epilogue: What :func:`numbers_of` gives.
        peaked: And the largest of some frames each, ``[rows, n]``.
    """
    threads, steps, _, double = geometry or from_environment("filterbank")
    if double and epilogue["epilogue"] == DECIBEL:
        raise NoKernel("decibels are computed in single precision")
    fft, code = kernel(framing.n_fft, kind, peaked, threads, double)
    grid, scalars = samples_to_bins.over_frames(fft, rows, length, frames, framing, scale=scale, steps=steps)
    shapes = ((rows, frames, filters), *([(rows, grid[0])] if peaked else []))
    bank = {"filters": filters, "pieces": pieces, "groups": grid[0]}
    return Launch(code, {**scalars, **bank, **epilogue}, grid, shapes)


def kind_of(power: float) -> Magnitudes:
    """What kernels call magnitudes to a power.

    Raises:
        NoKernel: none takes them to that power.
    """
    if power not in (1, 2):
        raise NoKernel(f"kernels take magnitudes to the power 1 or 2, not {power}")
    return "power" if power == 2 else "magnitude"


@gpu(Spectrogram, double=True)
def _spectrogram(op: Spectrogram, shapes: Shapes) -> Recipe:
    stft.check(op.framing, op.onesided)
    return stft.spectra(op.framing, op.scale, kind_of(op.power), shapes)


_TABLE = Table(2, bank_table.pack)


class _Filters:
    """The launch of a :class:`Filterbank`, for arguments of certain shapes."""

    def __init__(self, op: Filterbank, x: Shape, bank: Shape) -> None:
        samples_to_bins.check(op.framing)
        bank_table.check(bank)
        self.rows, self.frames, self.filters = rows_of(x, 1), op.framing.frames(x[-1]), bank[1]
        self.tuning = TuningKey.of("filterbank", op.framing, self.rows * self.frames)
        self._sizes, self._audio = (self.rows, x[-1], self.frames, op.framing), x
        self._options: dict[str, Any] = {
            "filters": self.filters,
            "kind": kind_of(op.power),
            "epilogue": numbers_of(op.epilogue),
            "scale": op.scale,
        }

    def launch(self, pieces: int, geometry: Geometry | None, *, peaked: bool = False) -> Launch:
        return launch(*self._sizes, **self._options, pieces=pieces, peaked=peaked, geometry=geometry)

    def together(self, packed: bool) -> int:
        """Rows that share a peak."""
        return self._audio[-2] if packed and len(self._audio) > 1 else 1


@gpu(Filterbank, double=True)
def _filterbank(op: Filterbank, shapes: Shapes) -> Recipe:
    filters = _Filters(op, shapes[0], shapes[2])

    def steps(pieces: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        x, window, _, bank = range(4)
        return [Step(filters.launch(pieces[0], geometry), (x, window, bank))]

    return Recipe(steps, (_TABLE,), filters.tuning)


@gpu(ClippedFilterbank)
def _clipped(op: ClippedFilterbank, shapes: Shapes) -> Recipe:
    filters = _Filters(op.filterbank, shapes[0], shapes[2])
    together = filters.together(op.packed)

    def steps(pieces: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        x, window, _, bank, values, peak, following = range(7)
        filtering = filters.launch(pieces[0], geometry, peaked=True)
        size = together * filtering.shapes[1][1]
        looking, parts, highest = peaks.steps(peak, following, filters.rows // together, size)
        clipping = peaks.clip_launch(
            filters.rows, filters.frames * filters.filters, top=op.top_db, parts=parts, together=together
        )
        return [Step(filtering, (x, window, bank)), *looking, Step(clipping, (values, highest))]

    return Recipe(steps, (_TABLE,), filters.tuning)


@gpu(Cepstrum)
def _cepstrum(op: Cepstrum, shapes: Shapes) -> Recipe:
    _, _, _, basis_shape = shapes
    filters = _Filters(op.filterbank, shapes[0], shapes[2])
    projection.check((filters.frames, filters.filters), basis_shape)
    together = filters.together(op.packed)

    def steps(pieces: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        x, window, _, _, bank, basis, values, peak, following = range(9)
        filtering = filters.launch(pieces[0], geometry, peaked=op.top_db is not None)
        looking: list[Step] = []
        parts, highest = 1, values  # nothing reads them
        if op.top_db is not None:
            size = together * filtering.shapes[1][1]
            looking, parts, highest = peaks.steps(peak, following, filters.rows // together, size)
        projecting = projection.launch(
            filters.rows,
            filters.frames,
            filters.filters,
            filters=basis_shape[1],
            pieces=pieces[1],
            top=op.top_db,
            parts=parts,
            together=together,
        )
        return [Step(filtering, (x, window, bank)), *looking, Step(projecting, (values, basis, highest))]

    return Recipe(steps, (_TABLE, projection.table(3)), filters.tuning)
