"""MLX arrays through the adapters, inside MLX's transformations: the true derivative or an error, never zero."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")

from mlx_spectro import compat
from mlx_spectro.compat import librosa
from mlx_spectro.compat import torch as ours
from mlx_spectro.compat import torchaudio as our_torchaudio

from ..table.cases.torchaudio_filtering import DESIGNS

rng = np.random.default_rng(5)
X = rng.standard_normal((2, 1600)).astype(np.float32)
W = torch.hann_window(128)
Z = (rng.standard_normal((2, 65, 20, 2)).astype(np.float32) @ np.array([1, 1j], np.complex64)).astype(np.complex64)
S = rng.random((2, 65, 20)).astype(np.float32) + 0.1
ADVANCE = torch.linspace(0, 32 * torch.pi, 65)[:, None]

NAMES_OF_PHASES = ("phase_vocoder", "pitch_shift", "griffinlim", "TimeStretch", "PitchShift", "GriffinLim")

Call = Callable[[Any, Any], Any]


def made(kind: str, **options: Any) -> Call:
    """A module's call, by the libraries of either side, in the precision of its input."""

    def call(libraries: Any, x: Any) -> Any:
        module = getattr(libraries["torchaudio"].transforms, kind)(**options)
        return (module.double() if x.dtype in (torch.float64, torch.complex128) else module)(x)

    return call


def designed(name: str, *options: Any) -> Call:
    """A call of a function of torchaudio that designs its filter."""
    return lambda lib, x: getattr(lib["torchaudio"].functional, name)(x, *options)


def by_coefficients(name: str) -> Call:
    """A call of a function that is given its filter, in the precision of its input."""

    def call(lib: Any, x: Any) -> Any:
        double = x.dtype in (torch.float64, torch.complex128)
        a, b = (torch.tensor(c, dtype=torch.float64 if double else torch.float32) for c in ([1.0, -0.5], [0.5, 0.2]))
        return getattr(lib["torchaudio"].functional, name)(x, a, b)

    return call


def response_for(x: Any) -> Any:
    """A filter for both signals, in the precision of its input."""
    double = x.dtype in (torch.float64, torch.complex128)
    return torch.linspace(1, -0.5, 50, dtype=torch.float64 if double else torch.float32)[None]


def convolved(name: str) -> Call:
    return lambda lib, x: getattr(lib["torchaudio"].functional, name)(x, response_for(x), "same")


def made_and_convolved(kind: str) -> Call:
    return lambda lib, x: getattr(lib["torchaudio"].transforms, kind)("valid")(x, response_for(x))


def masked(name: str) -> Call:
    return lambda lib, x: getattr(lib["torchaudio"].functional, name)(x, 1, 0.0, 2)


def window_for(x: Any) -> Any:
    return W.double() if x.dtype in (torch.float64, torch.complex128) else W


def of_speech(kind: str, libraries: Any, x: Any) -> Any:
    """A function of Kaldi's, of frames so short that no frequency is next to silent."""
    return getattr(libraries["torchaudio"].compliance.kaldi, kind)(x, channel=1, frame_length=2.0)


# each adapter of torch's arrays that takes MLX's, and an array for it
def weighed(kind: str) -> Callable[[Any, Any], Any]:
    """Spectra by weights of fixed covariances."""

    def call(lib: Any, z: Any) -> Any:
        channels, bins = z.shape[:2]
        noise = torch.eye(channels).expand(bins, -1, -1) + 0j
        speech = noise * 2 if kind == "SoudenMVDR" else torch.ones(bins, channels) + 0j
        given = (one.to(z.dtype) if isinstance(z, torch.Tensor) else to_mlx(one) for one in (speech, noise))
        return getattr(lib["torchaudio"].transforms, kind)()(z, *given, 0)

    return call


CALLS: dict[str, tuple[Call, Any]] = {
    "torch.stft": (lambda lib, x: lib["torch"].stft(x, 128, 32, window=window_for(x), return_complex=True), X),
    "torch.istft": (lambda lib, z: lib["torch"].istft(z, 128, 32, window=window_for(z)), Z),
    "torchaudio.functional.spectrogram": (
        lambda lib, x: lib["torchaudio"].functional.spectrogram(x, 0, window_for(x), 128, 32, 128, 2.0, False),
        X,
    ),
    "torchaudio.functional.inverse_spectrogram": (
        lambda lib, z: lib["torchaudio"].functional.inverse_spectrogram(z, None, 0, window_for(z), 128, 32, 128, False),
        Z,
    ),
    "torchaudio.functional.spectral_centroid": (
        lambda lib, x: lib["torchaudio"].functional.spectral_centroid(x, 16000, 0, window_for(x), 128, 32, 128),
        X,
    ),
    "torchaudio.functional.lfilter": (by_coefficients("lfilter"), X),
    "torchaudio.functional.filtfilt": (by_coefficients("filtfilt"), X),
    **{
        f"torchaudio.functional.{name}": (designed(name, *(next(iter(values)) for values in options.values())), X)
        for name, options in DESIGNS.items()
    },
    **{f"torchaudio.functional.{name}": (convolved(name), X) for name in ("convolve", "fftconvolve")},
    **{f"torchaudio.transforms.{name}": (made_and_convolved(name), X) for name in ("Convolve", "FFTConvolve")},
    "torchaudio.functional.preemphasis": (designed("preemphasis"), X),
    "torchaudio.functional.deemphasis": (designed("deemphasis"), X),
    "torchaudio.functional.loudness": (designed("loudness", 4000), X),
    "torchaudio.functional.compute_deltas": (lambda lib, x: lib["torchaudio"].functional.compute_deltas(x), X),
    "torchaudio.functional.amplitude_to_DB": (
        lambda lib, x: lib["torchaudio"].functional.amplitude_to_DB(x, 10.0, 1e-10, 0.0),
        S,
    ),
    "torchaudio.functional.DB_to_amplitude": (
        lambda lib, x: lib["torchaudio"].functional.DB_to_amplitude(x, 1.0, 1.0),
        S,
    ),
    "torchaudio.functional.phase_vocoder": (
        lambda lib, z: lib["torchaudio"].functional.phase_vocoder(z, 1.25, ADVANCE),
        Z,
    ),
    "torchaudio.functional.pitch_shift": (
        lambda lib, x: lib["torchaudio"].functional.pitch_shift(x, 1200, -12, n_fft=128, window=window_for(x)),
        X,
    ),
    "torchaudio.functional.griffinlim": (
        lambda lib, s: lib["torchaudio"].functional.griffinlim(
            s, window_for(s), 128, 32, 128, 2.0, 1, 0.0, None, False
        ),
        S,
    ),
    "torchaudio.transforms.TimeStretch": (made("TimeStretch", n_freq=65, hop_length=32, fixed_rate=0.75), Z),
    "torchaudio.transforms.PitchShift": (made("PitchShift", sample_rate=1200, n_steps=-12, n_fft=128), X),
    "torchaudio.transforms.GriffinLim": (made("GriffinLim", n_fft=128, n_iter=1, rand_init=False), S),
    **{
        f"torchaudio.compliance.kaldi.{kind}": (functools.partial(of_speech, kind), X)
        for kind in ("spectrogram", "fbank", "mfcc")
    },
    "torchaudio.functional.add_noise": (
        lambda lib, x: lib["torchaudio"].functional.add_noise(x, x * x, x[..., 0]),
        X,
    ),
    "torchaudio.transforms.AddNoise": (
        lambda lib, x: lib["torchaudio"].transforms.AddNoise()(x, x * x, x[..., 0]),
        X,
    ),
    "torchaudio.functional.psd": (lambda lib, x: lib["torchaudio"].functional.psd(x, energy(x[0])), Z),
    "torchaudio.transforms.PSD": (lambda lib, x: lib["torchaudio"].transforms.PSD()(x, energy(x[0])), Z),
    "torchaudio.functional.apply_beamforming": (
        lambda lib, x: lib["torchaudio"].functional.apply_beamforming(x[..., 0].T, x),
        Z,
    ),
    "torchaudio.transforms.SoudenMVDR": (weighed("SoudenMVDR"), Z),
    "torchaudio.transforms.RTFMVDR": (weighed("RTFMVDR"), Z),
    "torchaudio.transforms.MVDR": (
        lambda lib, x: lib["torchaudio"].transforms.MVDR()(x, energy(x[0]), energy(x[1])),
        Z,
    ),
    "torchaudio.functional.flanger": (
        lambda lib, x: lib["torchaudio"].functional.flanger(0.1 * x[..., :200], 4000, regen=20.0),
        X,
    ),
    "torchaudio.functional.phaser": (lambda lib, x: lib["torchaudio"].functional.phaser(0.1 * x[..., :200], 4000), X),
    "torchaudio.transforms.Spectrogram": (made("Spectrogram", n_fft=128), X),
    "torchaudio.transforms.InverseSpectrogram": (made("InverseSpectrogram", n_fft=128), Z),
    "torchaudio.transforms.SpectralCentroid": (made("SpectralCentroid", sample_rate=16000, n_fft=128), X),
    "torchaudio.transforms.MelSpectrogram": (made("MelSpectrogram", sample_rate=16000, n_fft=128, n_mels=10), X),
    "torchaudio.transforms.Preemphasis": (made("Preemphasis"), X),
    "torchaudio.transforms.Deemphasis": (made("Deemphasis"), X),
    "torchaudio.transforms.Loudness": (made("Loudness", sample_rate=4000), X),
    "torchaudio.functional.sliding_window_cmn": (
        lambda lib, x: lib["torchaudio"].functional.sliding_window_cmn(x, 9, 4),
        S,
    ),
    "torchaudio.transforms.SlidingWindowCmn": (made("SlidingWindowCmn", cmn_window=9, center=True), S),
    # spans of no length: others are drawn anew for each derivative
    **{f"torchaudio.functional.{name}": (masked(name), S) for name in ("mask_along_axis", "mask_along_axis_iid")},
    "torchaudio.transforms.FrequencyMasking": (made("FrequencyMasking", freq_mask_param=1), S),
    "torchaudio.transforms.TimeMasking": (made("TimeMasking", time_mask_param=1), S),
    "torchaudio.transforms.SpecAugment": (
        made("SpecAugment", n_time_masks=1, time_mask_param=1, n_freq_masks=1, freq_mask_param=1),
        S,
    ),
    "torchaudio.transforms.ComputeDeltas": (made("ComputeDeltas", mode="circular"), S),
    "torchaudio.functional.resample": (lambda lib, x: lib["torchaudio"].functional.resample(x, 11, 7), X),
    "torchaudio.transforms.Resample": (made("Resample", orig_freq=11, new_freq=7), X),
    "torchaudio.functional.speed": (lambda lib, x: lib["torchaudio"].functional.speed(x, 100, 1.25)[0], X),
    "torchaudio.transforms.Speed": (lambda lib, x: made("Speed", orig_freq=100, factor=1.25)(lib, x)[0], X),
    "torchaudio.transforms.SpeedPerturbation": (
        lambda lib, x: made("SpeedPerturbation", orig_freq=100, factors=[1.25])(lib, x)[0],
        X,
    ),
    "torchaudio.transforms.MelScale": (made("MelScale", sample_rate=16000, n_stft=65, n_mels=10), S),
    "torchaudio.transforms.InverseMelScale": (
        lambda lib, x: made("InverseMelScale", n_stft=65, n_mels=10)(lib, x[..., :10, :]),
        S,
    ),
    "torchaudio.transforms.AmplitudeToDB": (made("AmplitudeToDB", top_db=40.0), S),
    "torchaudio.transforms.MFCC": (
        made("MFCC", sample_rate=16000, n_mfcc=8, melkwargs={"n_fft": 128, "n_mels": 10}),
        X,
    ),
    "torchaudio.transforms.LFCC": (
        made("LFCC", sample_rate=16000, n_lfcc=8, n_filter=10, speckwargs={"n_fft": 128}),
        X,
    ),
}
# derivatives of phases are torchaudio's own: of sums that are rounded to float32, and as large as a bin is small
PHASES = [name for name in CALLS if name.rpartition(".")[2] in NAMES_OF_PHASES]
OF_PHASES = 2e-2
OURS = {"torch": ours, "torchaudio": our_torchaudio}
named = pytest.mark.parametrize("name", CALLS)


def to_mlx(x: Any) -> Any:
    return mx.array(x.detach().numpy())


def derivatives(name: str) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Input, tangent, cotangent, and torch's own value, gradient and derivative in double precision."""
    call, x = CALLS[name]
    theirs = {"torch": torch, "torchaudio": __import__("torchaudio")}
    exact = torch.from_numpy(x.astype(np.result_type(x, np.float64)))
    y = call(theirs, exact)
    g, t = (torch.from_numpy(rng.standard_normal(v.shape)).to(v.dtype) for v in (y, exact))
    _, gradient = torch.autograd.functional.vjp(lambda v: call(theirs, v), exact, g)
    _, derivative = torch.autograd.functional.jvp(lambda v: call(theirs, v), exact, t)
    single = {torch.float64: torch.float32, torch.complex128: torch.complex64}
    x, t, g = (to_mlx(v.to(single[v.dtype])) for v in (exact, t, g))
    return x, t, g, y, gradient, derivative


def assert_near(mine: Any, truth: Any, tolerance: float = 1e-4) -> None:
    """Within what float32 makes of sums of a few hundred terms, and of logarithms 80 dB below the largest value."""
    mine, truth = np.array(mine), truth.detach().resolve_conj().numpy()
    assert mine.shape == truth.shape
    assert np.abs(truth).max() > 0
    assert np.abs(mine - truth).max() < tolerance * np.abs(truth).max()


@named
def test_gradients_and_derivatives_are_torch_s(name: str, ours: None) -> None:
    x, t, g, y, gradient, derivative = derivatives(name)

    def function(x: Any) -> Any:
        return CALLS[name][0](OURS, x)

    value, (vjp,) = mx.vjp(function, [x], [g])
    tolerance = OF_PHASES if name in PHASES else 1e-4
    assert_near(value[0], y, tolerance)
    assert_near(vjp, gradient, tolerance)
    assert_near(mx.jvp(function, [x], [t])[1][0], derivative, tolerance)


def energy(y: Any) -> Any:
    """Squared magnitudes, without the root in ``mx.abs``, whose second derivative MLX has wrong for complex numbers."""
    kind = torch if isinstance(y, torch.Tensor) else mx
    return kind.real(y * kind.conj(y))


@named
def test_a_gradient_s_gradient_is_torch_s(name: str, ours: None) -> None:
    call, x = CALLS[name]

    def loss(libraries: Any, x: Any) -> Any:
        return (energy(call(libraries, x)) ** 2).sum()

    def twice(x: Any) -> Any:
        return energy(mx.grad(lambda v: loss(OURS, v))(x)).sum()

    theirs = {"torch": torch, "torchaudio": __import__("torchaudio")}
    exact = torch.from_numpy(x.astype(np.result_type(x, np.float64))).requires_grad_()
    (first,) = torch.autograd.grad(loss(theirs, exact), exact, create_graph=True)
    (second,) = torch.autograd.grad(energy(first).sum(), exact)
    assert_near(mx.grad(twice)(mx.array(x)), second, OF_PHASES if name in PHASES else 1e-4)


@named
@pytest.mark.parametrize("transformation", ["compile", "vmap"])
def test_where_arrays_have_no_values_the_call_says_so(name: str, transformation: str, ours: None) -> None:
    call, x = CALLS[name]
    with pytest.raises(ValueError, match=r"have none inside mx\.compile and mx\.vmap"):
        getattr(mx, transformation)(lambda v: call(OURS, v))(mx.array(x))


def test_a_window_s_gradient_is_torch_s(ours: None) -> None:
    window = mx.array(W.numpy())

    def loss(libraries: Any, x: Any, w: Any) -> Any:
        return abs(libraries.stft(x, 128, 32, window=w, return_complex=True)).sum()

    exact = W.double().requires_grad_()
    loss(torch, torch.from_numpy(X).double(), exact).backward()
    found = mx.grad(lambda w: mx.abs(compat.torch.stft(mx.array(X), 128, 32, window=w, return_complex=True)).sum())(
        window
    )
    assert_near(found, exact.grad)


def test_a_window_may_be_numpy_s(ours: None) -> None:
    x, exact = mx.array(X), torch.stft(torch.from_numpy(X).double(), 128, 32, window=W.double(), return_complex=True)
    spectrum = compat.torch.stft(x, 128, 32, window=W.numpy(), return_complex=True)
    assert_near(spectrum, exact)
    back = compat.torch.istft(spectrum, 128, 32, None, W.numpy())
    assert_near(back, torch.istft(exact, 128, 32, window=W.double()))
    assert {record.reason for record in compat.report()} == {""}


LIBROSA: dict[str, Callable[[Any], Any]] = {
    "stft": lambda x: librosa.stft(x, n_fft=128),
    "istft": lambda x: librosa.istft(librosa.stft(x, n_fft=128)),
    "melspectrogram": lambda x: librosa.feature.melspectrogram(y=x, n_fft=512, n_mels=8),
    "mfcc": lambda x: librosa.feature.mfcc(y=x, n_fft=512, n_mels=8, n_mfcc=4),
    "phase_vocoder": lambda x: librosa.phase_vocoder(librosa.stft(x, n_fft=128), rate=1.2),
    "griffinlim": lambda x: librosa.griffinlim(mx.abs(librosa.stft(x, n_fft=128)), n_iter=1, init=None),
    "time_stretch": lambda x: librosa.effects.time_stretch(x, rate=1.2, n_fft=128),
    "rms": lambda x: librosa.feature.rms(y=x, frame_length=128),
    "spectral_centroid": lambda x: librosa.feature.spectral_centroid(y=x, n_fft=128),
    "power_to_db": lambda x: librosa.power_to_db(x * x),
    "magphase": lambda x: librosa.magphase(librosa.stft(x, n_fft=128))[0],
}


@pytest.mark.parametrize("name", LIBROSA)
@pytest.mark.parametrize("transformation", ["grad", "jvp", "compile", "vmap"])
def test_librosa_s_functions_have_values_and_no_derivatives(name: str, transformation: str, ours: None) -> None:
    function = LIBROSA[name]
    x = mx.array(X)
    assert isinstance(function(x), mx.array)
    if transformation == "grad":
        with pytest.raises(TypeError, match="has no derivative"):
            mx.grad(lambda v: mx.abs(function(v)).sum())(x)
    elif transformation == "jvp":
        with pytest.raises(TypeError, match="has no derivative"):
            mx.jvp(function, [x], [x])
    else:
        with pytest.raises(ValueError, match=r"have none inside mx\.compile and mx\.vmap"):
            getattr(mx, transformation)(function)(x)


def test_every_adapter_of_torch_s_arrays_is_tried() -> None:
    from mlx_spectro.compat.contract.adapter import adapters

    made_of_nothing = {f"torchaudio.functional.{name}" for name in ("create_dct", "linear_fbanks", "melscale_fbanks")}
    made_of_nothing.add("torchaudio.compliance.kaldi.get_mel_banks")
    served = {name for name, adapter in adapters.items() if adapter.function.library.startswith("torch")}
    # torchaudio's loops, choices and steps have no derivative
    without = {"functional.overdrive", "functional.detect_pitch_frequency", "functional.dither"}
    without |= {"functional.vad", "transforms.Vad", "functional.dcshift"}
    without |= {"functional.mu_law_encoding", "functional.mu_law_decoding"}
    without |= {"transforms.MuLawEncoding", "transforms.MuLawDecoding"}
    assert served - made_of_nothing - {f"torchaudio.{name}" for name in without} == set(CALLS)
