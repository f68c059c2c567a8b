"""Host kernels that keep or find phases, against definitions in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import GriffinLim, Istft, PhaseVocoder, Stft
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.cpu import phase_vocoder

from ..table.case import pairwise
from .kernel_host import phases
from .test_cpu import Array, defined_istft, defined_stft, hann

if not cpu.available():
    pytest.skip("host kernels need numba", allow_module_level=True)


def noise(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    made: Array = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return made


def near(found: Array, truth: Array, steps: int, eps: float) -> bool:
    """Each step turns by two products and one step of Newton's: no more than 16 roundings, of half a unit each."""
    return bool(np.abs(found - truth).max() <= 8 * eps * (steps + 2) * np.abs(truth).max())


STEPS = list(
    pairwise(
        rate=(0.3, 0.83, 1.0, 1.7, 5.0),
        count=(1, 9, 60),
        bins=(1, 7, 16, 33, 129),
        lead=((), (3,), (2, 3)),
        dtype=(np.complex64, np.complex128),
        precise=(False, True),
        order=("C", "F", "apart", "rows last"),
    )
)


def rows_last(x: Array) -> Array:
    """``x [..., N, F]`` with its rows side by side in memory, frame by frame, as librosa has them."""
    return np.asfortranarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


@pytest.mark.parametrize("o", STEPS, ids=str)
def test_a_stretched_spectrum_is_its_definition(o: dict[str, Any]) -> None:
    x = noise((*o["lead"], o["count"], o["bins"]), o["dtype"])
    x[..., -1:, :1] = -0.0
    frames, fractions = phases.steps(o["count"], o["rate"])
    if o["count"] > 2:  # magnitudes of other frames than turns
        frames[2:, -1] = o["count"] - 2, o["count"] - 1
        fractions[-1] = 1.5
    truth = phases.vocoded(x, frames, fractions)
    if o["order"] == "F":
        x = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    elif o["order"] == "apart":
        x = np.repeat(x, 2, axis=-1)[..., ::2]
    elif o["order"] == "rows last":
        x = rows_last(x)
    # fractions and sums of magnitudes are computed in that precision
    eps = float(np.finfo(o["dtype"]).eps)
    found = cpu.run(PhaseVocoder(), x, frames, fractions, precise=o["precise"])
    assert found.dtype == o["dtype"]
    assert near(found, truth, frames.shape[1], eps)
    turned = np.empty(np.moveaxis(found, -1, -2).shape, found.dtype).swapaxes(-1, -2)
    for memory in (np.empty_like(found), turned, rows_last(turned)):
        assert cpu.run(PhaseVocoder(), x, frames, fractions, out=memory, precise=o["precise"]) is memory
        assert np.array_equal(memory, found)


@pytest.mark.parametrize("size", [1e-37, 1e-25, 1e18, 1e25, 1e37])
def test_phases_are_right_whatever_the_squares(size: float) -> None:
    x = noise((20, 40), np.complex64)
    x[::3] *= np.float32(size)
    frames, fractions = phases.steps(20, 0.7)
    found = cpu.run(PhaseVocoder(), x, frames, fractions)
    truth = phases.vocoded(x, frames, fractions)
    assert near(found, truth, frames.shape[1], float(np.finfo(np.float32).eps))
    loud = np.abs(truth) > 1e-30
    phase = (found[loud] / np.abs(found[loud])) / (truth[loud] / np.abs(truth[loud]))
    assert np.abs(phase - 1).max() <= 8 * np.finfo(np.float32).eps * (frames.shape[1] + 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_bin_from_there_to_the_end(bad: float) -> None:
    x = noise((2, 20, 40), np.complex64)
    x[1, 7, 33] = bad
    frames, fractions = phases.steps(20, 1.0)
    spoiled = np.zeros((2, 20, 40), bool)
    spoiled[1, 6:, 33] = True  # of which a part, be it 0, is in the frame before
    assert np.array_equal(~np.isfinite(cpu.run(PhaseVocoder(), x, frames, fractions)), spoiled)


def test_no_bin_depends_on_which_thread_has_it() -> None:
    x = noise((3, 700, 513), np.complex64)
    frames, fractions = phases.steps(700, 0.9)
    whole = cpu.run(PhaseVocoder(), x, frames, fractions)
    for row in range(3):
        assert np.array_equal(cpu.run(PhaseVocoder(), x[row, :, 100:131], frames, fractions), whole[row, :, 100:131])


def test_many_bins_side_by_side_are_those_of_spectra_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phase_vocoder, "_GROUPS", 5)
    x = rows_last(noise((3, 2, 40, 33), np.complex64))
    frames, fractions = phases.steps(40, 0.9)
    memory = rows_last(np.empty((3, 2, frames.shape[1], 33), x.dtype))
    cpu.run(PhaseVocoder(), x, frames, fractions, out=memory)
    for row in np.ndindex(3, 2):
        assert np.array_equal(memory[row], cpu.run(PhaseVocoder(), x[row], frames, fractions))


OPTIONS = list(
    pairwise(
        n_fft=(400, 512, 101, 74, 16),
        overlap=(0.25, 0.5),
        iterations=(0, 1, 2, 5),
        momentum=(0.0, 0.4975),
        pad_mode=("reflect", "constant"),
        more=(0, 7, -1),
        lead=((), (2,), (2, 3)),
        dtype=(np.float32, np.float64),
        precise=(False, True),
    )
)


@pytest.mark.parametrize("o", OPTIONS, ids=str)
def test_audio_of_magnitudes_is_what_the_definition_makes(o: dict[str, Any]) -> None:
    n_fft, dtype = o["n_fft"], o["dtype"]
    hop, frames = max(1, int(n_fft * o["overlap"])), 9
    length = hop * (frames - 1) + (n_fft % 2) + max(0, o["more"] % hop)
    framing = Framing(n_fft, hop, n_fft // 2, n_fft // 2, o["pad_mode"])
    window = hann(n_fft, np.float64 if o["precise"] else dtype)
    op = GriffinLim(Istft(framing._replace(right=0), length), Stft(framing), o["iterations"], o["momentum"], 1e-16)
    start = noise((*o["lead"], frames, n_fft // 2 + 1), np.result_type(dtype, np.complex64))
    levels = np.abs(start)
    options = {**framing._asdict(), "scale": 1.0, "onesided": True}
    truth = phases.rebuilt(
        op,
        levels.astype(np.float64),
        start.astype(np.complex128),
        lambda y: defined_stft(y, window, options),
        lambda z: defined_istft(z, window, hop, n_fft // 2, length, 1.0),
    )
    found = cpu.run(op, levels, start, window, precise=o["precise"])
    assert (found.dtype, found.shape) == (dtype, truth.shape)
    # a transform's rounding over the smallest of a few hundred bins, for each of a few iterations
    limit = 1e3 * float(np.finfo(dtype).eps) * 4.0 ** o["iterations"]
    assert np.abs(found - truth).max() <= limit * np.abs(truth).max()
    for out in (np.empty_like(found), np.empty((length, *o["lead"]), dtype)):
        memory = out if out.shape == found.shape else np.moveaxis(out, 0, -1)
        assert cpu.run(op, levels, start, window, out=memory, precise=o["precise"]) is memory
        assert np.array_equal(memory, found)


def test_one_thread_and_many_make_the_same_audio() -> None:
    framing = Framing(512, 128, 256, 256, "reflect")
    op = GriffinLim(Istft(framing._replace(right=0), 128 * 799), Stft(framing), 3, 0.4975, 1e-16)
    start = noise((3, 800, 257), np.complex64)
    found = []
    for threads in (1, 2, 4):
        cpu.set_num_threads(threads)
        try:
            found.append(cpu.run(op, np.abs(start), start, hann(512)))
        finally:
            cpu.set_num_threads(None)
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_audio_of_another_number_of_frames_is_refused() -> None:
    framing = Framing(64, 16, 32, 32, "reflect")
    op = GriffinLim(Istft(framing._replace(right=0), 16 * 9), Stft(framing), 1, 0.0, 1e-16)
    start = noise((9, 33), np.complex64)
    with pytest.raises(ValueError, match="144 samples have 10 frames, and not 9"):
        cpu.run(op, np.abs(start), start, hann(64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_of_given_phases_have_them(dtype: Any) -> None:
    rng = np.random.default_rng(4)
    levels, turns = rng.random((7, 33)).astype(dtype), rng.random((7, 33))
    turns[0, :5] = 0, 0.25, 0.5, 0.75, np.nextafter(1, 0)
    truth = levels * np.exp(2j * np.pi * turns)
    found = cpu.with_phases(levels, turns)
    assert found.dtype == np.result_type(dtype, np.complex64)
    # a few roundings of a phase, in double precision, and one of each part
    assert np.abs(found - truth).max() <= np.finfo(dtype).eps / 2 + 8 * np.finfo(np.float64).eps


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("place", [0, 17, -1])
def test_the_faintest_value_is_the_smallest_beside_the_largest(dtype: Any, place: int) -> None:
    z = noise((5, 33), dtype)
    sizes = np.maximum(np.abs(z.real), np.abs(z.imag))
    z.ravel()[place] = 1e-9j
    assert cpu.faintest(z) == pytest.approx(1e-9 / np.delete(sizes.ravel(), place).max(), rel=1e-6)
    z.ravel()[3] = 0
    assert cpu.faintest(z) == cpu.faintest(0 * z) == 0
