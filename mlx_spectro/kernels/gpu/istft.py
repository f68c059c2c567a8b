"""The inverse STFT and its adjoint."""

from __future__ import annotations

from ...design.envelope import FLOOR
from ...design.operators import Istft, IstftAdjoint
from . import bins_to_samples, samples_to_bins, stft
from .plan import Geometry, TuningKey
from .programs import NoKernel, Recipe, Shapes, Step, gpu, rows_of


def check_floor(floor: float) -> None:
    """Raise :class:`NoKernel` where none takes such envelopes for zero."""
    if floor != FLOOR:
        raise NoKernel(f"kernels take an envelope below {FLOOR} for zero")


def _check(op: Istft | IstftAdjoint) -> None:
    stft.check(op.framing._replace(pad_mode="constant"), op.onesided)
    check_floor(op.floor)


@gpu(Istft, double=True)
def _istft(op: Istft, shapes: Shapes) -> Recipe:
    _check(op)
    rows, frames = rows_of(shapes[0], 2), shapes[0][-2]
    samples = bins_to_samples.Range(op.framing.left, op.length)

    def steps(_: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        z, window = 0, 1
        launch = bins_to_samples.launch(rows, frames, op.framing, samples, scale=op.scale, geometry=geometry)
        return [Step(launch, (z, window))]

    return Recipe(steps, tuning=TuningKey.of("istft", op.framing, rows * frames))


@gpu(IstftAdjoint, double=True)
def _adjoint(op: IstftAdjoint, shapes: Shapes) -> Recipe:
    _check(op)
    rows, length = rows_of(shapes[0], 1), shapes[0][-1]
    framing = op.framing._replace(pad_mode="constant")
    scale = 2 * op.scale / framing.n_fft

    def steps(_: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        g, window = 0, 1
        launch = samples_to_bins.launch(
            rows, length, op.frames, framing, scale=scale, edge=0.5, divided=True, geometry=geometry
        )
        return [Step(launch, (g, window))]

    return Recipe(steps)
