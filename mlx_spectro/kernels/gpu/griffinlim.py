"""Griffin-Lim: an inverse and a transform in turn, and between them spectra that get their magnitudes back."""

from __future__ import annotations

import functools
import math

from ...design.operators import GriffinLim
from .dialect import ROWS, Kernel, Launch, over_rows
from .programs import NoKernel, Recipe, Shapes, Step, gpu, recipe, rows_of
from .samples_to_bins import ABS

_THREADS = 256
# bins of a thread
_EACH = 4

_BODY = """
const k_long begin = k_long(threadgroup_position_in_grid.x) * (THREADS * EACH);
const K_DEVICE float2* now = (const K_DEVICE float2*)rebuilt + row * size;
const K_DEVICE float2* then = (const K_DEVICE float2*)before + row * size;
K_UNROLL for (int i = 0; i < EACH; i++) {
  const k_long at = begin + i * THREADS + k_long(thread_position_in_threadgroup.x);
  if (row < rows && at < size) {
    const float2 change = k_c(now[at].x - momentum * then[at].x, now[at].y - momentum * then[at].y);
    const float level = magnitudes[row * size + at] / (k_abs(change) + eps);
    ((K_DEVICE float2*)out)[row * size + at] = k_c(level * change.x, level * change.y);
  }
}
"""


@functools.cache
def kernel() -> Kernel:
    """The kernel that gives spectra their magnitudes; it serves any number of bins."""
    return Kernel(
        name="griffinlim_spectra",
        inputs={"magnitudes": "float", "rebuilt": "complex", "before": "complex"},
        tables={},
        outputs={"out": "complex"},
        scalars={**ROWS, "size": "k_long", "momentum": "float", "eps": "float"},
        threads=_THREADS,
        registers=32,
        header=f"#define THREADS {_THREADS}\n#define EACH {_EACH}\n{ABS}",
        body=_BODY,
    )


def launch(rows: int, size: int, momentum: float, eps: float) -> Launch:
    """Magnitudes ``[rows, size]`` in the directions of spectra less ``momentum`` times those before."""
    groups, scalars = over_rows(-(-size // (_THREADS * _EACH)), rows)
    return Launch(kernel(), scalars | {"size": size, "momentum": momentum, "eps": eps}, groups, ((rows, size),))


@gpu(GriffinLim)
def _griffinlim(op: GriffinLim, shapes: Shapes) -> Recipe:
    magnitudes, spectra, window = shapes
    parts = recipe(op.istft, (spectra, window)), recipe(op.stft, (op.istft.shape(spectra), window))
    launches: list[Launch] = []
    for part in parts:
        if isinstance(part, str):
            raise NoKernel(part)
        launches += (step.launch for step in part.steps((), None))
    inverse, transform = launches
    rows, size = rows_of(magnitudes, 2), math.prod(magnitudes[-2:])
    updates = launch(rows, size, 0.0, op.eps), launch(rows, size, op.momentum, op.eps)

    def steps(_pieces: tuple[int, ...], _geometry: object) -> list[Step]:
        levels, spectrum, samples, made = 0, 1, 2, 3
        whole, before = list[Step](), -1
        for _ in range(op.iterations):
            audio, rebuilt, made = made, made + 1, made + 3
            update = updates[before >= 0]
            whole += (
                Step(inverse, (spectrum, samples)),
                Step(transform, (audio, samples)),
                Step(update, (levels, rebuilt, before if before >= 0 else rebuilt)),
            )
            before, spectrum = rebuilt, made - 1
        return [*whole, Step(inverse, (spectrum, samples))]

    return Recipe(steps)
