"""The fused transforms in double precision: their text, run on the CPU, against sums of longer numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_spectro.design.epilogues import Decibels, Log
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Deltas, Filterbank, Istft, Project, Spectrogram, Stft
from mlx_spectro.kernels.gpu import programs, texts
from mlx_spectro.kernels.gpu.dialect import Launch, cuda_program

from .kernel_host import host, reference
from .kernel_host.places import positions, starts
from .test_programs import OnHost

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untuned")]
on_the_cpu = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")
longer = pytest.mark.skipif(
    bool(np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps),
    reason="NumPy has no numbers longer than doubles here",
)

Array = npt.NDArray[Any]
EPS = float(np.finfo(np.float64).eps)
CASES = (
    (16, "random", "reflect"),
    (60, "forward", "constant"),
    (400, "reverse", "circular"),
    (1024, "random", "replicate"),
)
# bytes of threadgroup memory on CUDA, without asking for more
SHARED = 49152


class InDouble(OnHost):
    """Runs texts in double precision, the threads of a threadgroup in an order."""

    double = True

    def __init__(self, order: str) -> None:
        super().__init__()
        self._order = order

    def prepare(self, launch: Launch) -> Any:
        compiled = host.compiled(launch.kernel)
        assert compiled.shared_bytes <= SHARED

        def call(arrays: list[Any]) -> list[Any]:
            inputs = dict(zip(launch.kernel.inputs, map(self.from_numpy, arrays), strict=True))
            outcome = compiled.run(launch, inputs, self._order)
            assert outcome.wrong == {}
            return list(outcome.outputs.values())

        return call


def noise(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def turns(size: int) -> Array:
    """``exp(-2 pi i k n / size)`` for the bins of one side, ``[size, bins]``."""
    angle = -8 * np.arctan(np.longdouble(1)) * np.arange(size, dtype=np.longdouble) / size
    of_one: Array = np.cos(angle) + 1j * np.sin(angle)
    return of_one[np.outer(np.arange(size), np.arange(size // 2 + 1)) % size]


def spectra(x: Array, window: Array, framing: Framing) -> Array:
    """Spectra by definition."""
    where = positions(x.shape[-1], framing.left, framing.right, framing.pad_mode)
    signal = np.where(where < 0, 0, x.astype(np.longdouble)[:, where])
    frames = signal[:, starts(framing.frames(x.shape[-1]), framing.n_fft, framing.hop_length)]
    return frames * window @ turns(window.size)


def audio(z: Array, window: Array, framing: Framing, length: int) -> Array:
    """The inverse by definition."""
    size = window.size
    weights = np.full(size // 2 + 1, np.longdouble(2))
    weights[[0, -1] if size % 2 == 0 else 0] = 1
    frames = (z.astype(np.clongdouble) * weights @ turns(size).conj().T).real / size * window
    of_windows = np.broadcast_to(window.astype(np.longdouble) ** 2, (1, *frames.shape[1:]))
    total, envelope = (reference.overlap_add(some, framing.hop_length) for some in (frames, of_windows))
    inside = slice(framing.left, framing.left + length)
    return total[:, inside] / envelope[:, inside]


def check(ours: Array, theirs: Array, truth: Array) -> None:
    """Ours errs at most 1.5 times as much as torch's transforms, or by two roundings; twice for the worst value."""
    (rms, worst), (least, bound) = (
        (float(np.sqrt(np.mean(away**2))), float(away.max()))
        for away in (np.abs(y - truth) / np.abs(truth).max() for y in (ours, theirs))
    )
    assert ours.dtype.itemsize == (16 if ours.dtype.kind == "c" else 8)
    assert rms <= max(1.5 * least, 2 * EPS)
    assert worst <= 2 * max(bound, 2 * EPS)


@on_the_cpu
@longer
@pytest.mark.parametrize(("size", "order", "mode"), CASES)
def test_transforms_are_as_exact_as_torch_s(size: int, order: str, mode: str) -> None:
    hop, half, bins = size // 4, size // 2, size // 2 + 1
    framing, length = Framing(size, hop, half, half, mode), 5 * size + 3
    launcher: Any = InDouble(order)
    x, window = noise(2, length), 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(size) / size)
    truth = spectra(x, window, framing)
    theirs = reference.stft(x, window, hop, half, half, mode, np.float64)
    check(launcher.run(Stft(framing), x, window), theirs, truth)
    check(launcher.run(Spectrogram(framing, 1.0), x, window), np.abs(theirs), np.abs(truth))
    z = truth.astype(np.complex128)
    back = audio(z, window, framing, length)
    check(
        launcher.run(Istft(framing, length), z, window),
        reference.istft(z, window, hop, half, length, np.float64),
        back,
    )
    bank = np.maximum(0, 1 - np.abs(np.arange(bins)[:, None] - np.linspace(0, bins, 9)) / (bins / 6))
    powers, theirs = np.abs(truth) ** 2, np.abs(theirs) ** 2
    check(launcher.run(Filterbank(framing, 2.0), x, window, bank), theirs @ bank, powers @ bank)
    given = powers.astype(np.float64)
    check(launcher.run(Project(), given, bank), given @ bank, given.astype(np.longdouble) @ bank)
    logarithms = Log(1e-3, added=True)
    ours = launcher.run(Filterbank(framing, 2.0, 1.0, logarithms), x, window, bank)
    check(ours, np.log(theirs @ bank + 1e-3), np.log(powers @ bank + np.longdouble(1e-3)))


def test_no_single_precision_is_left_in_a_text() -> None:
    doubles = [kernel for kernel in texts.kernels() if kernel.double]
    assert len(doubles) > 6
    for kernel in doubles:
        program = cuda_program(kernel)
        assert not re.search(r"\bfloat\d?\b|\b(sqrt|log|exp)f\b|(?<![\w.])\d[\d.]*(e-?\d+)?[fF]\b", program)
        assert not re.search(r"(?<![\w.])\d\.\d{7,10}(?!\d)(?!e)", program)  # digits of a float's


FRAMING = Framing(64, 16, 32, 32, "reflect")
REFUSALS: dict[str, tuple[Any, tuple[tuple[int, ...], ...], str]] = {
    "another operator": (Deltas(2, "replicate"), ((2, 40),), "Deltas is computed in single precision"),
    "decibels": (
        Filterbank(FRAMING, 2.0, 1.0, Decibels(10.0, 1e-10, 1.0)),
        ((2, 300), (64,), (33, 4)),
        "decibels are computed in single precision",
    ),
    "a long frame": (
        Stft(Framing(8192, 2048)),
        ((1, 9000), (8192,)),
        "in double precision, n_fft=8192 is too large for threadgroup memory",
    ),
    "many values": (Project(), ((2, 6000), (6000, 4)), "6000 values a frame are more than 5728"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_has_no_text_in_double_precision_says_so(name: str) -> None:
    op, shapes, why = REFUSALS[name]
    assert programs.why_not(op, shapes, double=True) == why
    assert programs.why_not(op, shapes) is None
