"""The STFT and its adjoint, and the gradient of a power spectrogram."""

from __future__ import annotations

from ...design.framing import Framing
from ...design.operators import PowerAdjoint, Stft, StftAdjoint
from . import bins_to_samples, samples_to_bins
from .plan import Geometry, TuningKey
from .programs import NoKernel, Recipe, Shapes, Step, gpu, rows_of


def check(framing: Framing, onesided: bool) -> None:
    """Raise :class:`NoKernel` where none computes such spectra."""
    samples_to_bins.check(framing)
    if not onesided:
        raise NoKernel("kernels compute one-sided spectra")


@gpu(Stft, double=True)
def _stft(op: Stft, shapes: Shapes) -> Recipe:
    check(op.framing, op.onesided)
    return spectra(op.framing, op.scale, "complex", shapes)


def spectra(framing: Framing, scale: float, kind: samples_to_bins.Kind, shapes: Shapes) -> Recipe:
    """Spectra of audio with a window, or their magnitudes or powers."""
    rows, length = rows_of(shapes[0], 1), shapes[0][-1]
    frames = framing.frames(length)

    def steps(_: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        x, window = 0, 1
        launch = samples_to_bins.launch(rows, length, frames, framing, kind=kind, scale=scale, geometry=geometry)
        return [Step(launch, (x, window))]

    return Recipe(steps, tuning=TuningKey.of("stft", framing, rows * frames))


@gpu(StftAdjoint, double=True)
def _adjoint(op: StftAdjoint, shapes: Shapes) -> Recipe:
    check(op.framing, op.onesided)
    rows, frames = rows_of(shapes[0], 2), shapes[0][-2]

    def steps(_: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        launches = bins_to_samples.transpose_launches(
            rows, frames, op.framing, op.length, scale=op.scale, geometry=geometry
        )
        g, window, edges = range(3)
        # where nothing has summed the edges, nothing reads them
        return [Step(launch, (g, window, edges if at else window)) for at, launch in enumerate(launches)]

    return Recipe(steps)


@gpu(PowerAdjoint, double=True)
def _power_adjoint(op: PowerAdjoint, shapes: Shapes) -> Recipe:
    check(op.stft.framing, op.stft.onesided)
    rows, frames = rows_of(shapes[0], 2), shapes[0][-2]

    def steps(_: tuple[int, ...], geometry: Geometry | None) -> list[Step]:
        launches = bins_to_samples.transpose_launches(
            rows, frames, op.stft.framing, op.length, scale=2 * op.stft.scale, gained=True, geometry=geometry
        )
        g, z, window, edges = range(4)
        return [Step(launch, (z, window, edges if at else window, g)) for at, launch in enumerate(launches)]

    return Recipe(steps)
