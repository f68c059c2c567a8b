"""Samples to bins: padding, framing, windowing, transform and what becomes of the bins, in one kernel."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from string import Template
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ...design.framing import Framing
from . import fft_passes
from .dialect import ROWS, Kernel, Launch, over_rows
from .plan import DEFAULT, IN_DOUBLE, Geometry, Plan, from_environment, plan, why_not
from .programs import NoKernel
from .window import FUNCTIONS, held_window

Kind = Literal["complex", "magnitude", "power"]
Layout = Literal["bnf", "bfn"]

PAD_MODES = {"constant": 0, "reflect": 1, "replicate": 2, "circular": 3}

_SCALARS = {
    **ROWS,
    "length": "k_long",
    "left": "k_long",
    "frames": "int",
    "hop": "int",
    "mode": "int",
    "steps": "int",
    "scale": "float",
    "edge": "float",
}

# One team a frame. Neighbouring teams take neighbouring frames, so that their common samples come from the cache.
# Where a threadgroup has a frame that reaches beyond the signal, all its samples pass through threadgroup memory.
_FRAMES = Template("""
K_SHARED_ARRAY(float2, exchange, TEAMS * SLOTS);
$declare
const uint id = uint(thread_position_in_threadgroup.x), team = id / NT, t = id % NT;
K_SHARED float2* slot = exchange + team * SLOTS;
K_SHARED float* frame = (K_SHARED float*)slot;
const K_DEVICE float2* table = (const K_DEVICE float2*)twiddles;
if (row < rows) {
  const K_DEVICE float* audio = x + row * length;
  $window
  for (int step = 0; step < steps; step++) {
    const int first = (int(threadgroup_position_in_grid.x) * steps + step) * TEAMS, last = first + TEAMS - 1;
    const bool live = first + int(team) < frames;
    const int f = live ? first + int(team) : frames - 1;
    const k_long start = k_long(f) * hop - left;
    float2 v[NR];
    $settle
    if (k_long(first) * hop >= left && k_long(last) * hop - left + N <= length && WHOLE(first, last)) {
      const K_DEVICE float* from = audio + start;
      if (k_paired(from)) { POINTS(FIRST) v[n] = GET_PAIR(from, i); }
      else { POINTS(FIRST) v[n] = PAIR(FROM, i); }
    } else {
      for (uint o8 = t; o8 < N; o8 += 8 * NT) {
        float a[8];
        K_UNROLL for (uint j = 0; j < 8; j++) a[j] = SAMPLE((o8 + NT * j) % N);
        K_UNROLL for (uint j = 0; j < 8; j++) if (o8 + NT * j < N) frame[o8 + NT * j] = a[j];
      }
      K_TEAM();
      POINTS(FIRST) v[n] = PAIR(FRAME, i);
      K_TEAM();
    }
    $weigh
    $passes
    $open
    $bins
    $close
  }
  $finish
}
""")

SAMPLE = """
// sample i of a signal extended at both ends
K_FN float k_sample(const K_DEVICE float* x, k_long i, k_long length, int mode) {
  if (mode == 1) i = i < 0 ? -i : i < length ? i : 2 * (length - 1) - i;
  if (mode == 2) i = i < 0 ? 0 : i < length ? i : length - 1;
  if (mode == 3) i = i < 0 ? i + length : i < length ? i : i - length;
  return i >= 0 && i < length ? x[i] : 0.0f;
}
"""

_PLACES = """
#define FROM(o) from[o]
#define FRAME(o) frame[o]
#define WINDOW(o) window[o]
"""

_PLAIN = """
#define WHOLE(first, last) true
#define SAMPLE(o) k_sample(audio, start + (o), length, mode)
"""
_WEIGH = """
if (k_paired(window)) { POINTS(FIRST) v[n] = k_each(v[n], GET_PAIR(window, i)); }
else { POINTS(FIRST) v[n] = k_each(v[n], PAIR(WINDOW, i)); }
"""

_DIVIDED = """
#define WHOLE(first, last) ((first + 1) * k_long(hop) >= N && (frames - last) * k_long(hop) >= N)
#define SAMPLE(o) \\
  k_sample(audio, start + (o), length, mode) * k_correction(window, (o) % hop, hop, f + (o) / hop, frames)
"""
_WEIGH_HELD = """
POINTS(FIRST) v[n] = k_each(v[n], HELD(n, i));
"""

# An even frame holds two samples a point, an odd one a sample and a zero.
EVEN = """
#define PAIR(f, i) k_c(f(2 * (i)), f(2 * (i) + 1))
#define GET_PAIR(p, i) k_get2((p) + 2 * (i))
"""
ODD = """
#define PAIR(f, i) k_c(f(i), 0.0f)
#define GET_PAIR(p, i) k_c((p)[i], 0.0f)
"""

# Of the half-length transform Z, X[k] = (Z[k] + conj Z[M - k]) / 2 - i exp(-pi i k / M) (Z[k] - conj Z[M - k]) / 2;
# the factor comes with `gain`.
_SPLIT = Template("""
const K_LOCAL float2 *a = v, *b = v + L;
const float2 turn = table[$turns + t] * gain, turn_high = k_pick(t == 0, k_turn_high(0, turn) * gain, turn);
K_UNROLL for (uint s = 0; s < L; s++) {
  const bool low = s < HALF;
  const float2 p = low ? a[s] : k_pick(t == 0, b[(s + 1) % L], a[s]);
  const float2 q = low ? k_pick(t == 0, a[(L - s) % L], b[(L - s) % L]) : b[(L - s) % L];
  const float2 e = k_c(p.x + q.x, p.y - q.y);
  const float2 o = k_mul(k_mul(low ? turn : turn_high, k_turn(s)), k_c(p.y + q.y, q.x - p.x));
  const uint k = low ? t : k_mirror(t);
  const float c = s == 0 && t == 0 ? edge : 1.0f;
  if (low || t > 0 || C % 2 == 0) {
    PUT(k, C * s, k_c((e.x * gain + o.x) * c, (e.y * gain + o.y) * c));
    PUT(M - k, -int(C * s), k_c((e.x * gain - o.x) * c, (o.y - e.y * gain) * c));
  }
}
if (M % 2 == 0 && t == 0) {
  const float2 c = L % 2 == 0 ? a[L / 2] : b[(L + 1) / 2 % L];
  PUT(M / 2, 0, k_c(2.0f * gain * c.x, -2.0f * gain * c.y));
}
""")

_WHOLE = """
POINTS(LAST) if (i <= N / 2) {
  const float c = i == 0 ? gain * edge : gain;
  PUT(i, 0, v[n] * c);
}
"""

# powers of two, one over the other: times the first, a number's square is in the range of float32
SCALING = """
K_FN float k_up(float a) { return a < 1e-15f ? 7.9228163e28f : a > 1e15f ? 1.2621774e-29f : 1.0f; }
K_FN float k_down(float a) { return a < 1e-15f ? 1.2621774e-29f : a > 1e15f ? 7.9228163e28f : 1.0f; }
"""
ABS = (
    SCALING
    + """
K_FN float k_abs(float2 z) {
  const float a = z.x < 0.0f ? -z.x : z.x, b = z.y < 0.0f ? -z.y : z.y, m = a > b ? a : b;
  const float up = k_up(m);
  return k_sqrt(a * up * (a * up) + b * up * (b * up)) * k_down(m);
}
"""
)

VALUES: dict[Kind, str] = {"complex": "z", "magnitude": "k_abs(z)", "power": "z.x * z.x + z.y * z.y"}

# Rows of bins begin anywhere in a cache line. Where a team is small, its stores would be short pieces of one; so the
# bins wait in threadgroup memory, and all threads store what lies side by side.
_CLOSE_STAGED = """
K_BARRIER();
const int count = (frames - first < TEAMS ? frames - first : TEAMS) * (N / 2 + 1);
for (int i = int(id); i < count; i += THREADS) bins[i] = STAGE(i / (N / 2 + 1), i % (N / 2 + 1));
"""


class Sink(NamedTuple):
    """What becomes of a frame's bins.

    Attributes:
        name: Part of the kernel's name.
        kind: Element type of the output ``out``.
        header: Text that defines ``PUT(k, c, value)``, which bin ``k + c`` of frame ``f`` goes through, ``c`` constant.
        open: Statements before a frame's first ``PUT``.
        close: Statements after its last.
        start, finish: Statements before all frames of a threadgroup and after them.
        apart: It leaves threadgroup memory to other teams' threads.
        inputs, scalars: What the kernel takes for it.
        outputs: What it gives beside ``out``.
    """

    name: str
    kind: str
    header: str
    open: str
    close: str = ""
    start: str = ""
    finish: str = ""
    apart: bool = False
    inputs: Mapping[str, str] = MappingProxyType({})
    scalars: Mapping[str, str] = MappingProxyType({})
    outputs: Mapping[str, str] = MappingProxyType({})


def spectrum(kind: Kind, layout: Layout, *, staged: bool = False) -> Sink:
    """Bins stored with frames first (``"bnf"``) or bins first (``"bfn"``)."""
    scalar = "float2" if kind == "complex" else "float"
    header = ABS if kind == "magnitude" else ""
    first, close = "(row * frames + f) * (N / 2 + 1)", ""
    if layout == "bfn":
        first, place = "row * (N / 2 + 1) * frames + f", "(bins + k_long(k) * frames)[k_long(c) * frames]"
    elif staged:
        first, place = "(row * frames + first) * (N / 2 + 1)", "(stage + (k))[c]"
        header += f"#define STAGE(f, k) ((K_SHARED {scalar}*)(exchange + (f) * SLOTS))[k]\n"
        close = _CLOSE_STAGED
    else:
        place = "(bins + (k))[c]"
    guard = "" if close else "if (live) "
    header += f"#define PUT(k, c, value) {{ const float2 z = value; {guard}{place} = {VALUES[kind]}; }}\n"
    opening = f"K_DEVICE {scalar}* bins = (K_DEVICE {scalar}*)out + {first};"
    if close:
        opening += f"\nK_SHARED {scalar}* stage = (K_SHARED {scalar}*)slot;\nK_TEAM();"
    element = "complex" if kind == "complex" else "float"
    return Sink(f"{kind}_{layout}", element, header, opening, close, apart=bool(close))


def build(plan: Plan, sink: Sink, *, divided: bool = False, room: int = DEFAULT.room) -> Kernel:
    """The kernel of a plan. ``divided``: samples are first divided by the envelope of the windows over them."""
    twiddles, starts = plan.twiddles()
    shared = plan.bytes + 4 * plan.n_fft <= room
    declare, window = held_window(divided=True, shared=shared) if divided else ("", "")
    gain = "const float gain = " + ("0.5f" if plan.even else "1.0f") + ("" if divided else " * scale") + ";\n"
    return Kernel(
        name=f"stft{'_divided' if divided else ''}_{plan.n_fft}_{sink.name}",
        inputs={"x": "float", "window": "float", **sink.inputs},
        tables={"twiddles": twiddles},
        outputs={"out": sink.kind, **sink.outputs},
        scalars={**_SCALARS, **sink.scalars},
        threads=plan.threads,
        # what leaves its team's threads has more use for threadgroups
        registers=16 + (7 if divided and not shared else 4) * plan.registers + (0 if sink.apart else 6 * plan.crowding),
        header=fft_passes.header(plan, inverse=False)
        + SAMPLE
        + _PLACES
        + (EVEN if plan.even else ODD)
        + (FUNCTIONS + _DIVIDED if divided else _PLAIN)
        + sink.header,
        body=_FRAMES.substitute(
            declare=declare,
            window=gain + window + sink.start,
            settle="K_BARRIER();" if sink.apart else "K_TEAM();",
            weigh=_WEIGH_HELD if divided else _WEIGH,
            passes=fft_passes.forward(plan),
            open=sink.open,
            bins=_SPLIT.substitute(turns=starts[-1]) if plan.even else _WHOLE,
            close=sink.close,
            finish=sink.finish,
        ),
    )


@functools.lru_cache(maxsize=64)
def kernel(
    n_fft: int, kind: Kind, layout: Layout, divided: bool, threads: int, double: bool = False
) -> tuple[Plan, Kernel]:
    """The plan and the kernel for frames of ``n_fft`` samples, with about ``threads`` threads a threadgroup."""
    fft, room = fitting(n_fft, threads, double)
    code = build(fft, spectrum(kind, layout), divided=divided, room=room)
    return fft, code.in_double if double else code


def fitting(n_fft: int, threads: int, double: bool, *, inverse: bool = False) -> tuple[Plan, int]:
    """A plan, and the threadgroup memory that it may take.

    Raises:
        NoKernel: a frame does not fit there in double precision.
    """
    room = (IN_DOUBLE if double else DEFAULT).room
    fft = plan(n_fft, inverse=inverse, threads=threads, room=room)
    if 8 * fft.points > room:
        raise NoKernel(f"in double precision, n_fft={n_fft} is too large for threadgroup memory")
    return fft, room


def check(framing: Framing) -> None:
    """Raise :class:`NoKernel` where none transforms such frames."""
    if reason := why_not(framing.n_fft):
        raise NoKernel(reason)
    check_padding(framing)


def check_padding(framing: Framing) -> None:
    """Raise :class:`NoKernel` where none extends signals that way."""
    if framing.pad_mode not in PAD_MODES:
        raise NoKernel(f"no kernel pads by {framing.pad_mode!r}")


def launch(
    rows: int,
    length: int,
    frames: int,
    framing: Framing,
    *,
    kind: Kind = "complex",
    layout: Layout = "bnf",
    scale: float = 1.0,
    edge: float = 1.0,
    divided: bool = False,
    geometry: Geometry | None = None,
) -> Launch:
    """Transform signals ``[rows, length]``, extended at the start and as far as ``frames`` need behind.

    Args:
        edge: Factor of the bins 0 and ``n_fft / 2`` besides ``scale``.
        divided: Divide the samples by the windows' envelope before.
        geometry: Threads and steps to take instead of the default ones.
    """
    threads, steps, _, double = geometry or from_environment("stft")
    fft, code = kernel(framing.n_fft, kind, layout, divided, threads, double)
    groups, scalars = over_frames(fft, rows, length, frames, framing, scale=scale, edge=edge, steps=steps)
    shape = (rows, frames, fft.bins) if layout == "bnf" else (rows, fft.bins, frames)
    return Launch(code, scalars, groups, (shape,))


def over_frames(
    fft: Plan,
    rows: int,
    length: int,
    frames: int,
    framing: Framing,
    *,
    scale: float,
    edge: float = 1.0,
    steps: int = 0,
) -> tuple[tuple[int, int, int], dict[str, Any]]:
    """Threadgroups for all frames of signals ``[rows, length]``, and the scalars that every such kernel takes."""
    if not steps:
        steps = 2 if rows * frames > 2048 * fft.teams else 1
    groups, scalars = over_rows(-(-frames // (fft.teams * steps)), rows)
    return groups, {
        **scalars,
        "length": length,
        "left": framing.left,
        "frames": frames,
        "hop": framing.hop_length,
        "mode": PAD_MODES[framing.pad_mode],
        "steps": steps,
        "scale": scale,
        "edge": edge,
    }
