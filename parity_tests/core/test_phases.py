"""The phase vocoder and Griffin-Lim on MLX arrays: each implementation, and every transformation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("mlx.core")

import mlx.core as mx

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import GriffinLim, Istft, PhaseVocoder, Stft
from mlx_spectro.ops.apply import apply, define

from ..kernels.kernel_host import phases

RNG = np.random.default_rng(8)
Z, T = ((RNG.standard_normal((2, 12, 9)) + 1j * RNG.standard_normal((2, 12, 9))).astype(np.complex64) for _ in range(2))
Z[0, 3, 2], Z[0, 5, 4] = 0, -0.0
EPS = float(np.finfo(np.float32).eps)
FRAMING = Framing(16, 4, 8, 8, "reflect")
LENGTH = 4 * 11
OP = GriffinLim(Istft(FRAMING._replace(right=0), LENGTH), Stft(FRAMING), 2, 0.4975, 1e-16)
WINDOW = np.hanning(17)[:-1].astype(np.float32)


def stretched(x: mx.array, rate: float = 0.83) -> mx.array:
    frames, fractions = phases.steps(x.shape[-2], rate)
    return apply(PhaseVocoder(), x, mx.array(frames), mx.array(fractions.astype(np.float32)))


@pytest.mark.parametrize("rate", [0.3, 0.83, 1.0, 1.7, 20.0])
def test_a_stretched_spectrum_is_its_definition_s(rate: float, implementation: str) -> None:
    frames, fractions = phases.steps(12, rate)
    truth = phases.vocoded(Z, frames, fractions)
    found = np.array(stretched(mx.array(Z), rate))
    assert found.shape == truth.shape
    # of as many turns, each of a few roundings
    assert np.abs(found - truth).max() <= 8 * EPS * (frames.shape[1] + 2) * np.abs(truth).max()


def rebuilt(levels: mx.array) -> mx.array:
    start = mx.array(np.abs(Z) * np.exp(1j * np.angle(T)).astype(np.complex64))
    return apply(OP, levels, start, mx.array(WINDOW))


def test_audio_of_magnitudes_is_the_definition_s(implementation: str) -> None:
    levels = mx.array(np.abs(Z))
    start = mx.array(np.abs(Z) * np.exp(1j * np.angle(T)).astype(np.complex64))
    found, defined = (np.array(f(OP, levels, start, mx.array(WINDOW))) for f in (apply, define))
    assert found.shape == (2, LENGTH)
    assert np.abs(found - defined).max() <= 1e3 * EPS * np.abs(defined).max()


CALLS: dict[str, tuple[Callable[[mx.array], mx.array], np.ndarray]] = {
    "a stretched spectrum": (lambda z: mx.abs(stretched(z) - 0.5).sum(), Z + np.complex64(0.1)),
    "audio of magnitudes": (lambda s: mx.square(rebuilt(s)).sum(), np.abs(Z) + np.float32(0.1)),
}


@pytest.mark.parametrize("name", CALLS)
def test_gradients_are_slopes(name: str, implementation: str) -> None:
    of, x = CALLS[name]
    direction = (T if np.iscomplexobj(x) else np.abs(T)).astype(x.dtype)
    gradient = np.array(mx.grad(of)(mx.array(x)))
    slope = float((gradient * direction.conj()).real.sum())
    step = 1e-2
    up, down = (float(of(mx.array(x + sign * np.float32(step) * direction))) for sign in (1, -1))
    # a slope over a distance errs by its square, and by roundings over it
    assert abs((up - down) / (2 * step) - slope) <= 0.02 * np.linalg.norm(gradient) * np.linalg.norm(direction)
    assert np.abs(gradient).max() > 0


def test_a_batch_and_a_compiled_function_are_as_each_alone(implementation: str) -> None:
    x = mx.array(Z)
    whole = np.array(stretched(x))
    for found in (mx.vmap(stretched)(x), mx.compile(stretched)(x), mx.stack([stretched(z) for z in x])):
        assert np.abs(np.array(found) - whole).max() <= 8 * EPS * 17 * np.abs(whole).max()
