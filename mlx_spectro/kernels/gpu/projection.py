"""Filters over given values: a spectrogram, the gradient of a filtered one, decibels for a DCT."""

from __future__ import annotations

import functools

from ...design.operators import Operator, Project, ProjectClipped, ProjectPower, Shape
from . import bank_table, peaks
from .dialect import Kernel, Launch, over_rows
from .plan import SHARED_IN_DOUBLE, Geometry
from .programs import NoKernel, Recipe, Shapes, Step, Table, gpu, rows_of

_THREADS = 256
# floats of threadgroup memory that hold the values of a few frames
_ROOM = 6400
# frames a threadgroup: more would leave small arrays to few threadgroups
_MOST_FRAMES = 16
# pieces of filters whose sums a threadgroup holds for each of its frames
MOST_PIECES = 160

_PROJECTION = {
    **peaks.FLOOR,
    "frames": "int",
    "tile": "int",
    "pitch": "int",
    "count": "int",
    "filters": "int",
    "pieces": "int",
    "squared": "int",
}

# The values of the frames that a thread filters at once lie side by side, so that it reads them at once.
_SIDE_BY_SIDE = {
    4: ("float4", "const float4 a = from[(k + u) * pitch]; const float value[4] = {a.x, a.y, a.z, a.w};"),
    1: ("float", "const float value[1] = {from[(k + u) * pitch]};"),
}

# Behind the values of all frames stand the sums of pieces.
_PROJECT = f"""
K_SHARED_ARRAY(SIDE, held, ROOM / AT_ONCE);
K_SHARED_ARRAY(float, best, THREADS);
const int id = int(thread_position_in_threadgroup.x);
if (row < rows) {{
  const int first = int(threadgroup_position_in_grid.x) * tile;
  const int some = frames - first < tile ? frames - first : tile;
  const K_DEVICE float* values = x + (row * frames + first) * count;
  {peaks.LEAST}
  K_SHARED float* to = (K_SHARED float*)held;
  const float per_count = 1.0f / float(count);
  for (int i8 = id; i8 < tile * count; i8 += 8 * THREADS) {{
    float a[8];
    K_UNROLL for (int j = 0; j < 8; j++) a[j] = i8 + j * THREADS < some * count ? values[i8 + j * THREADS] : 0.0f;
    K_UNROLL for (int j = 0; j < 8; j++) {{
      const int i = i8 + j * THREADS, f = int((float(i) + 0.5f) * per_count);
      const float b = FLOORED(a[j]);
      if (i < tile * count) to[(i - f * count) * pitch * AT_ONCE + f] = squared ? b * b : b;
    }}
  }}
  K_BARRIER();
  K_DEVICE float* results = out + (row * frames + first) * filters;
  K_SHARED float* parts_of = to + count * pitch * AT_ONCE;
  for (int i = id; i < (some + AT_ONCE - 1) / AT_ONCE * LANES(pieces); i += THREADS) {{
    const int here = i / LANES(pieces), p = i % LANES(pieces);
    if (p < pieces) {{
      float a[AT_ONCE];
      k_weigh(a, held + here, pitch, bank, p);
      K_UNROLL for (int j = 0; j < AT_ONCE; j++) {{
        const int f = here * AT_ONCE + j;
        if (pieces > filters) parts_of[f * pieces + p] = a[j];
        else if (f < some) results[f * filters + p] = a[j];
      }}
    }}
  }}
  if (pieces > filters) {{
    K_BARRIER();
    for (int i = id; i < some * filters; i += THREADS) {{
      const int f = i / filters;
      results[i] = k_summed(parts_of + f * pieces, bank, pieces, i - f * filters);
    }}
  }}
}}
"""


@functools.cache
def kernel(at_once: int = bank_table.AT_ONCE, double: bool = False) -> Kernel:
    """The kernel that projects so many frames at once; it serves any number of filters."""
    side, gather = _SIDE_BY_SIDE[at_once]
    values, begin = f"const K_SHARED {side}* held, int pitch", f"const K_SHARED {side}* from = held + first * pitch;"
    code = Kernel(
        name=f"projection_{at_once}",
        inputs={"x": "float", "bank": "float", "peaks": "float"},
        tables={},
        outputs={"out": "float"},
        scalars=_PROJECTION,
        threads=_THREADS,
        registers=64,
        header=f"#define THREADS {_THREADS}\n#define ROOM {_room(double)}\n#define SIDE {side}\n"
        + peaks.HIGHEST
        + bank_table.weigh(at_once, values, begin, gather),
        body=_PROJECT,
    )
    return code.in_double if double else code


def _room(double: bool) -> int:
    return SHARED_IN_DOUBLE // 4 - _THREADS if double else _ROOM


def launch(
    rows: int,
    frames: int,
    count: int,
    *,
    filters: int,
    pieces: int,
    top: float | None = None,
    parts: int = 1,
    together: int = 1,
    squared: bool = False,
    double: bool = False,
) -> Launch:
    """Filters over ``[rows, frames, count]`` or, ``squared``, over the squares.

    ``pieces``: of the bank's table. With ``top``, nothing counts as less than a peak minus it, that of ``together``
    rows: the largest of ``parts`` numbers.
    """
    sums, room = pieces if pieces > filters else 0, _room(double)
    if count + MOST_PIECES > room:
        raise NoKernel(f"{count} values a frame are more than {room - MOST_PIECES}")
    # frames at once, frames of a threadgroup, and places that a value of all its frames takes: where there is room for
    # one more than there are frames, neighbouring values meet in fewer banks
    at_once, tile, pitch = next(
        shape
        for shape in ((4, _MOST_FRAMES, _MOST_FRAMES // 4 + 1), (4, 4, 1), (1, 1, 1))
        if shape[0] * shape[2] * count + shape[1] * sums <= room
    )
    groups, scalars = over_rows(-(-frames // tile), rows)
    scalars |= {
        "parts": 0 if top is None else parts,
        "together": together,
        "top": top or 0.0,
        "frames": frames,
        "tile": tile,
        "pitch": pitch,
        "count": count,
        "filters": filters,
        "pieces": pieces,
        "squared": int(squared),
    }
    return Launch(kernel(at_once, double), scalars, groups, ((rows, frames, filters),))


def check(shape: Shape, bank: Shape) -> None:
    """Raise :class:`NoKernel` where the values ``shape`` of a frame are too many, or the weights of a bank."""
    if shape[-1] + MOST_PIECES > _ROOM:
        raise NoKernel(f"{shape[-1]} values a frame are more than {_ROOM - MOST_PIECES}")
    bank_table.check(bank)


def table(weight: int, *, transposed: bool = False) -> Table:
    """A bank as the kernel takes it."""
    return Table(weight, bank_table.pack, (MOST_PIECES, transposed))


def _recipe(op: Operator, shapes: Shapes, *, transposed: bool = False, squared: bool = False) -> Recipe:
    check(*shapes)
    rows, (frames, count) = rows_of(shapes[0], 2), shapes[0][-2:]
    filters = op.shape(*shapes)[-1]

    def steps(pieces: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        x, _bank, bank = range(3)
        double = geometry is not None and geometry.double
        filtering = launch(rows, frames, count, filters=filters, pieces=pieces[0], squared=squared, double=double)
        return [Step(filtering, (x, bank, x))]  # no parts: nothing reads the peaks

    return Recipe(steps, (table(1, transposed=transposed),))


@gpu(Project, double=True)
def _project(op: Project, shapes: Shapes) -> Recipe:
    return _recipe(op, shapes, transposed=op.transposed)


@gpu(ProjectPower)
def _project_power(op: ProjectPower, shapes: Shapes) -> Recipe:
    if op.epilogue is not None:
        raise NoKernel(f"no kernel takes {type(op.epilogue).__name__} of projected values")
    return _recipe(op, shapes, squared=op.power == 2)


@gpu(ProjectClipped)
def _project_clipped(op: ProjectClipped, shapes: Shapes) -> Recipe:
    check(*shapes)
    rows, (frames, count), filters = rows_of(shapes[0], 2), shapes[0][-2:], shapes[1][1]

    def steps(pieces: tuple[int, ...], _: Geometry | None) -> list[Step]:
        x, _bank, bank, first = range(4)
        looking, parts, highest = peaks.steps(x, first, rows, frames * count)
        filtering = launch(rows, frames, count, filters=filters, pieces=pieces[0], top=op.top_db, parts=parts)
        return [*looking, Step(filtering, (x, bank, highest))]

    return Recipe(steps, (table(1),))
