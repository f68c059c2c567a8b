"""Phase vocoders and Griffin-Lim of torchaudio and librosa: times, random numbers, and what a rounding decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchaudio = pytest.importorskip("torchaudio")
librosa = pytest.importorskip("librosa")

from mlx_spectro import compat
from mlx_spectro.compat import librosa as our_librosa
from mlx_spectro.compat import torchaudio as shim
from mlx_spectro.ops import backend

from .librosa_calls import SEED, told_apart

pytestmark = [
    pytest.mark.usefixtures("ours"),
    pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba"),
]

RNG = np.random.default_rng(31)
AUDIO = RNG.standard_normal((2, 6000)).astype(np.float32)
Z = torch.stft(torch.from_numpy(AUDIO), 64, 16, window=torch.hann_window(64), return_complex=True)
ADVANCE = torch.linspace(0, 16 * torch.pi, 33)[:, None]
POWER = Z.abs().square()


def reasons() -> set[str]:
    return {record.reason for record in compat.report()}


def served() -> bool:
    return reasons() == {""}


@pytest.mark.parametrize("rate", [1.2, 0.9, 1.3, 0.37, 3.3])
def test_frames_are_at_torchaudio_s_own_times(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are rounded to float32, by which frames are others than in double precision: the truth is given them."""
    mine, theirs = (lib.functional.phase_vocoder(Z, rate, ADVANCE) for lib in (shim, torchaudio))
    assert served()
    arange = torch.arange
    monkeypatch.setattr(torch, "arange", lambda *a, dtype, **o: arange(*a, dtype=torch.float32, **o).to(dtype))
    truth = torchaudio.functional.phase_vocoder(Z.to(torch.complex128), rate, ADVANCE.double())
    errors = [float((y - truth).abs().max() / truth.abs().max()) for y in (mine, theirs)]
    # a few roundings a turn; torchaudio's phases are rounded by more than their own size takes
    assert errors[0] <= 8 * np.finfo(np.float32).eps * truth.shape[-1]
    assert errors[0] < errors[1]


def test_a_rate_of_1_gives_back_the_same_tensor() -> None:
    for rate in (1, 1.0, torch.tensor(1.0)):
        assert shim.functional.phase_vocoder(Z, rate, ADVANCE) is Z
    assert shim.transforms.TimeStretch(n_freq=33, fixed_rate=1.0)(Z) is Z
    assert served()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_the_library_s(bad: float) -> None:
    z = Z.clone()
    z[1, 5, 40] = bad
    mine, theirs = (lib.functional.phase_vocoder(z, 1.25, ADVANCE) for lib in (shim, torchaudio))
    assert torch.equal(mine.nan_to_num(), theirs.nan_to_num())
    assert reasons() == {"the spectrum holds values that are not finite"}
    assert not told_apart("librosa.phase_vocoder", (z.numpy(),), {"rate": 1.25})


def test_gradients_are_torchaudio_s() -> None:
    gradients = []
    for library in (shim, torchaudio):
        z, s = Z.clone().requires_grad_(), (POWER + 0.1).requires_grad_()
        library.transforms.TimeStretch(n_freq=33, fixed_rate=1.25)(z).abs().sum().backward()
        library.transforms.GriffinLim(n_fft=64, n_iter=1, hop_length=16, rand_init=False)(s).square().sum().backward()
        gradients.append((z.grad, s.grad))
    for mine, theirs in zip(*gradients, strict=True):
        assert torch.equal(mine, theirs)
    assert any("requires a gradient" in reason for reason in reasons())


@pytest.mark.parametrize("n_iter", [0, 1, 4])
def test_random_phases_are_torchaudio_s_and_leave_its_generator_as_it_does(n_iter: int) -> None:
    results = []
    for library in (shim, torchaudio):
        torch.manual_seed(11)
        y = library.transforms.GriffinLim(n_fft=64, n_iter=n_iter, hop_length=16)(POWER)
        results.append((y, torch.rand(3)))
    (mine, after), (theirs, after_theirs) = results
    assert served()
    assert torch.equal(after, after_theirs)
    assert (mine - theirs).abs().max() <= 1e-3 * theirs.abs().max()


def convergence(y: Any) -> float:
    """How far the magnitudes of audio are from those that were given."""
    z = torch.stft(torch.as_tensor(y), 64, 16, window=torch.hann_window(64), return_complex=True, pad_mode="reflect")
    return float(torch.linalg.vector_norm(z.abs() - POWER.sqrt()) / torch.linalg.vector_norm(POWER.sqrt()))


def test_after_many_iterations_audio_comes_as_near_to_the_magnitudes_as_torchaudio_s() -> None:
    found = []
    for library in (shim, torchaudio):
        torch.manual_seed(11)
        found.append(convergence(library.transforms.GriffinLim(n_fft=64, hop_length=16)(POWER)))
    assert served()
    # the magnitudes' own distance is a sum over thousands of bins, each of which ends somewhere near
    assert abs(found[0] - found[1]) <= 0.01 * found[1] < 0.01


def test_after_many_iterations_audio_comes_as_near_to_the_magnitudes_as_librosa_s() -> None:
    s = POWER.sqrt().numpy()
    options = {"hop_length": 16, "pad_mode": "reflect", SEED: 2}
    found = [convergence(library.griffinlim(s, **options)) for library in (our_librosa, librosa)]
    assert served()
    assert abs(found[0] - found[1]) <= 0.01 * found[1] < 0.01


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_a_generator_s_numbers_are_drawn_as_librosa_draws_them(kind: Any) -> None:
    s = POWER.sqrt().numpy()
    results = []
    for library in (our_librosa, librosa):
        generator = kind(5)
        y = library.griffinlim(s, hop_length=16, n_iter=1, **{SEED: generator})
        results.append((y, generator.random(3)))
    (mine, after), (theirs, after_theirs) = results
    assert served()
    assert np.array_equal(after, after_theirs)
    assert np.abs(mine - theirs).max() <= 1e-3 * np.abs(theirs).max()


def test_without_a_seed_no_two_results_are_the_same() -> None:
    s = POWER[0].sqrt().numpy()
    first, second = (our_librosa.griffinlim(s, hop_length=16, n_iter=0) for _ in range(2))
    assert served()
    assert not np.array_equal(first, second)


def test_random_results_are_not_verified_against_other_random_ones() -> None:
    with compat.numerics("verify"):
        shim.transforms.GriffinLim(n_fft=64, n_iter=1, hop_length=16)(POWER)
        our_librosa.griffinlim(POWER[0].sqrt().numpy(), hop_length=16, n_iter=1)
    assert len(compat.report()) == 2
    assert all("drawn at random" in reason for reason in reasons())


def _half_silent() -> Any:
    """Between sounds, windows' ends of 0 make -0 of what is below 0, whose phase is half a turn."""
    y = AUDIO[0].copy()
    y[2000:4000] = 0
    return y


SIGNALS: dict[str, Any] = {
    "constant": np.full(6000, 0.5, np.float32),
    "sine": np.sin(2 * np.pi * 250 / 8000 * np.arange(6000)),
    "half silent": _half_silent(),
    "silence": np.zeros(6000, np.float32),
}


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_that_are_nothing_but_rounding_turn_as_librosa_s(name: str, dtype: Any) -> None:
    y = SIGNALS[name].astype(dtype)
    options = {"rate": 1.25, "n_fft": 512, "win_length": 400, "hop_length": 100}
    mine, theirs = (library.effects.time_stretch(y, **options) for library in (our_librosa, librosa))
    truth = librosa.effects.time_stretch(y.astype(np.float64), **options)
    assert served()
    error, limit = np.abs(mine - truth).max(), np.abs(theirs - truth).max()
    # in double precision the truth is librosa's own, of phases that are rounded when they are summed up
    assert error <= max(1.5 * limit, 1e-6 * np.abs(truth).max())


def test_torch_s_own_spectrum_is_stretched_where_bins_are_0() -> None:
    x = torch.from_numpy(_half_silent())
    mine, theirs = (library.functional.pitch_shift(x, 8000, 12, win_length=400) for library in (shim, torchaudio))
    assert served()
    assert (mine - theirs).abs().max() <= 1e-2 * theirs.abs().max()


def test_a_pitch_shifter_s_kernel_is_made_and_trained_as_torchaudio_s() -> None:
    x = torch.from_numpy(AUDIO)
    results = []
    for library in (shim, torchaudio):
        module = library.transforms.PitchShift(1200, 4)
        assert isinstance(module, torchaudio.transforms.PitchShift)
        y = module(x)
        y.square().sum().backward()
        results.append((y.detach(), module.kernel.grad, y.stride(), list(module.state_dict())))
    assert served()
    (mine, gradient, *others), (theirs, expected, *others_theirs) = results
    assert others == others_theirs
    assert (mine - theirs).abs().max() <= 1e-2 * theirs.abs().max()
    assert (gradient - expected).abs().max() <= 1e-2 * expected.abs().max()


def test_what_librosa_calls_itself_is_ours_under_install() -> None:
    compat.install("librosa")
    try:
        librosa.effects.time_stretch(AUDIO[0], rate=1.5)
        librosa.griffinlim(POWER[0].sqrt().numpy(), hop_length=16, n_iter=1)
    finally:
        compat.uninstall()
    assert {record.function for record in compat.report()} == {"librosa.effects.time_stretch", "librosa.griffinlim"}
    assert served()


def test_phases_of_another_default_dtype_are_torchaudio_s_error() -> None:
    x, window = torch.from_numpy(AUDIO), torch.hann_window(64)
    errors = []
    before = torch.get_default_dtype()
    for lib in (shim, torchaudio):
        module = lib.transforms.PitchShift(16000, 12, n_fft=64)
        module(x)
        torch.set_default_dtype(torch.float64)
        try:
            with pytest.raises(RuntimeError) as of_module:
                module(x)
            with pytest.raises(RuntimeError) as of_function:
                lib.functional.pitch_shift(x, 16000, 12, n_fft=64, window=window)
        finally:
            torch.set_default_dtype(before)
        errors.append((str(of_module.value), str(of_function.value)))
    assert errors[0] == errors[1]
