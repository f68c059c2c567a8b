"""Magnitudes, norms and their gradients of very soft and very loud signals, and where float32 ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")

import mlx_spectro
from mlx_spectro import compat
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import FrameStatistic, Spectrogram
from mlx_spectro.kernels import cpu
from mlx_spectro.kernels.gpu import frame_statistics, samples_to_bins
from mlx_spectro.ops import backend, numerics

from ..kernels.kernel_host import host
from ..kernels.test_cpu import bound, close, defined_stft, frames_of, hann
from ..kernels.test_kernels import run

pytestmark = pytest.mark.usefixtures("ours")
on_host = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")
by_text = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")
# squares of these are no numbers of float32
SIZES = (1e-30, 1e-22, 1e-20, 1e18, 1e20, 1e30)
N_FFT, HOP = 400, 160
FRAMING = {"hop_length": HOP, "left": 0, "right": 0, "pad_mode": "constant"}


def noise(size: float, *shape: int, dtype: Any = np.float32) -> np.ndarray:
    return (np.random.default_rng(3).standard_normal(shape) * size).astype(dtype)


def truth_of(x: np.ndarray, window: np.ndarray) -> np.ndarray:
    return np.abs(defined_stft(x, window, {**FRAMING, "onesided": True, "scale": 1.0}))


@on_host
@pytest.mark.parametrize("n_fft", [400, 101, 1024])
@pytest.mark.parametrize(
    ("dtype", "sizes"), [(np.float32, (*SIZES, 1.0)), (np.float64, (1e-290, 1e-160, 1.0, 1e160, 1e290))]
)
def test_host_kernels_magnitudes_are_right_whatever_their_squares(n_fft: int, dtype: Any, sizes: Any) -> None:
    window = hann(n_fft, dtype)
    # a frame of each size beside the others, so that lanes of a vector differ
    x = np.concatenate([noise(size, 3, n_fft, dtype=dtype) for size in sizes], axis=-1)
    found = cpu.run(Spectrogram(Framing(n_fft, n_fft)), x, window)
    for row in range(3):
        for i in range(len(sizes)):
            frame = x[row, i * n_fft : (i + 1) * n_fft]
            close(found[row, i], truth_of(frame, window)[0], bound(dtype, n_fft))


@by_text
@pytest.mark.parametrize("size", SIZES)
def test_the_gpu_s_magnitudes_and_norms_are_right_whatever_their_squares(size: float) -> None:
    x, window = noise(size, 2, 4 * N_FFT), hann(N_FFT)
    frames = 1 + 3 * N_FFT // HOP
    launch = samples_to_bins.launch(2, x.shape[1], frames, Framing(N_FFT, HOP), kind="magnitude")
    close(run(launch, {"order": "random"}, x=x, window=window), truth_of(x, window), bound(np.float32, N_FFT))
    launch = frame_statistics.launch(FrameStatistic(Framing(N_FFT, HOP), "norm"), 2, x.shape[1])
    close(run(launch, {"order": "random"}, x=x), norms_of(x), bound(np.float32, N_FFT))


def norms_of(x: np.ndarray) -> np.ndarray:
    norms: np.ndarray = np.sqrt(np.square(frames_of(x, N_FFT, HOP, 0, 0, "constant")).sum(axis=-1))
    return norms


@pytest.mark.parametrize("size", SIZES)
def test_native_magnitudes_and_norms_are_right_whatever_their_squares(size: float, implementation: str) -> None:
    x = noise(size, 2, 4 * N_FFT)
    options: dict[str, Any] = {"n_fft": N_FFT, "hop_length": HOP, "center": False}
    mel = mlx_spectro.MelSpectrogramTransform(n_mels=20, power=1.0, output_scale="linear", **options)
    window = np.array(mel.spectral.window)
    close(np.array(mel.spectrogram(mx.array(x))), truth_of(x, window).swapaxes(-1, -2), bound(np.float32, N_FFT))
    rms = np.array(mlx_spectro.rms(mx.array(x), frame_length=N_FFT, hop_length=HOP, center=False))[:, 0]
    close(rms, norms_of(x) / np.sqrt(N_FFT), bound(np.float32, N_FFT))
    # of a signal's size, neither its centroid nor the gradients depend
    unit = mx.array((x / np.float64(size)).astype(np.float32))
    for function in (
        lambda x: mlx_spectro.spectral_centroid(x, **options),
        mx.grad(lambda x: mel(x).sum()),
        mx.grad(lambda x: mlx_spectro.rms(x, frame_length=N_FFT, hop_length=HOP, center=False).sum()),
    ):
        close(np.array(function(mx.array(x))), np.array(function(unit)), 2 * bound(np.float32, N_FFT))


DESCRIPTORS = ("centroid", "bandwidth", "rolloff", "contrast", "flatness")


@pytest.mark.parametrize("name", [*(f"spectral_{name}" for name in DESCRIPTORS), "rms", "mfcc", "onset_strength"])
def test_a_native_feature_says_nothing_of_what_overflows(name: str, implementation: str) -> None:
    """A warning is an error here."""
    function = getattr(mlx_spectro, name)
    shapes = set()
    for size in (1.0, 1e20, 3e37):
        x = mx.array(noise(size, 2, 6000))
        result, gradient = function(x), mx.grad(lambda x: function(x).sum())(x)
        mx.eval(result, gradient)
        shapes.add((result.shape, gradient.shape))
    assert len(shapes) == 1


@pytest.mark.parametrize("size", [*SIZES, 1.0])
def test_the_gradient_of_a_magnitude_is_its_direction(size: float) -> None:
    z = (noise(size, 2, 500) + 1j * noise(size, 2, 500)[::-1]).astype(np.complex64)
    z[0, 0] = 0
    wide, eps = z.astype(np.complex128), float(np.finfo(np.float32).eps)
    direction = wide / np.where(wide == 0, 1, np.abs(wide))
    close(np.array(numerics.magnitude(mx.array(z))), np.abs(wide), 2 * eps)
    ones = mx.array(np.ones_like(z))
    (slope,) = mx.vjp(numerics.magnitude, [mx.array(z)], [mx.ones(z.shape)])[1]
    close(np.array(slope), direction, 4 * eps)
    (tangent,) = mx.jvp(numerics.magnitude, [mx.array(z)], [ones])[1]
    close(np.array(tangent), direction.real, 4 * eps)
    assert np.array_equal(np.array(mx.vmap(numerics.magnitude)(mx.array(z))), np.array(numerics.magnitude(mx.array(z))))
    x, unit = noise(size, 3, 200), noise(1.0, 3, 200)
    (slope,) = mx.vjp(numerics.norm, [mx.array(x)], [mx.ones((3, 1))])[1]
    close(np.array(slope), unit / np.linalg.norm(unit.astype(np.float64), axis=-1, keepdims=True), 4 * eps)


@pytest.mark.parametrize("norm", [1, 2, 3.0, np.inf])
def test_chroma_of_a_soft_signal_is_normalized_as_of_a_loud_one(norm: float) -> None:
    x = noise(1.0, 8000)
    loud, soft = (np.array(mlx_spectro.chroma_stft(mx.array(x * np.float32(a)), norm=norm)) for a in (1.0, 2.0**-40))
    close(soft, loud, 4 * bound(np.float32, 2048))


def transforms(name: str, **options: Any) -> tuple[Any, Any]:
    theirs = pytest.importorskip("torchaudio").transforms
    return getattr(compat.torchaudio.transforms, name)(**options), getattr(theirs, name)(**options)


MAGNITUDES: dict[str, dict[str, Any]] = {
    "Spectrogram": {"n_fft": N_FFT, "power": 1.0},
    "MelSpectrogram": {"n_fft": N_FFT, "n_mels": 40, "power": 1.0},
    "SpectralCentroid": {"sample_rate": 16000},
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MAGNITUDES)
def test_torchaudio_s_magnitudes_and_gradients_are_right_whatever_their_squares(name: str, size: float) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = transforms(name, **MAGNITUDES[name])
    weights: list[Any] = []

    def of(module: Any, x: Any) -> tuple[Any, Any]:
        x = x.clone().requires_grad_()
        y = module(x)
        weights[:] = weights or [torch.from_numpy(noise(1.0, *y.shape))]
        (y * weights[0].to(y)).sum().backward()
        return y.detach().numpy(), x.grad.numpy()

    x = torch.from_numpy(noise(size, 2, 4000))
    found, truth = of(ours, x), of(theirs.double(), x.double())
    assert [record.reason for record in compat.report()] == [""]
    close(found[0], truth[0], bound(np.float32, N_FFT, 2))
    # of a bin near 0, the direction is off by the bin's own relative error: a few bins of a thousand, a hundred times
    assert np.sqrt(np.mean((found[1] - truth[1]) ** 2)) <= 4 * bound(np.float32, N_FFT) * np.abs(truth[1]).max()


def test_a_tone_that_dies_away_has_a_centroid_and_a_logarithm_to_its_end() -> None:
    torch = pytest.importorskip("torch")
    t = torch.arange(16000) / 16000
    x = torch.exp(-50 * t) * torch.sin(2 * torch.pi * 440 * t)
    ours, theirs = transforms("SpectralCentroid", sample_rate=16000)
    truth = theirs.double()(x.double())
    assert (ours(x) - truth).abs().max() <= bound(np.float32, N_FFT) * 8000
    ours, theirs = transforms("MelSpectrogram", n_fft=N_FFT, n_mels=20, power=1.0)
    assert torch.isfinite(theirs(x).log()).all()
    assert torch.isfinite(ours(x).log()).all()


@on_host
@pytest.mark.parametrize("frame_length", [512, 511])
@pytest.mark.parametrize("size", (1e-30, 1e-22, 1e-20, 1.0))
def test_librosa_s_rms_of_a_soft_signal_is_right(size: float, frame_length: int) -> None:
    librosa = pytest.importorskip("librosa")
    for given in ({"y": noise(size, 6000)}, {"S": np.abs(noise(size, frame_length // 2 + 1, 30))}):
        found = compat.librosa.feature.rms(frame_length=frame_length, **given)
        wide = {key: value.astype(np.float64) for key, value in given.items()}
        truth = librosa.feature.rms(frame_length=frame_length, dtype=np.float64, **wide)
        close(found, truth, bound(np.float32, frame_length))
    assert {record.reason for record in compat.report()} == {""}


LOUD = (1e17, 1e18, 3e18, 1e19, 3e19, 1e25, 1e30, 1e35, 1e36, 1e37, 1e38)
FEATURES: dict[str, Callable[[Any, Any], Any]] = {
    "melspectrogram": lambda library, y: library.feature.melspectrogram(y=y),
    "melspectrogram of magnitudes": lambda library, y: library.feature.melspectrogram(y=y, power=1.0),
    "mfcc": lambda library, y: library.feature.mfcc(y=y),
    "spectral_flatness": lambda library, y: library.feature.spectral_flatness(y=y),
    "spectral_contrast": lambda library, y: library.feature.spectral_contrast(y=y),
    "spectral_centroid": lambda library, y: library.feature.spectral_centroid(y=y),
    "spectral_bandwidth": lambda library, y: library.feature.spectral_bandwidth(y=y),
    "spectral_rolloff": lambda library, y: library.feature.spectral_rolloff(y=y),
    "chroma_stft": lambda library, y: library.feature.chroma_stft(y=y, tuning=0.0),
    "rms": lambda library, y: library.feature.rms(y=y),
    "rms of magnitudes": lambda library, y: library.feature.rms(S=np.abs(y[:7175]).reshape(1025, 7)),
    "onset_strength": lambda library, y: library.onset.onset_strength(y=y),
    "magphase": lambda library, y: library.magphase(library.stft(y))[0],
    "power_to_db": lambda library, y: library.power_to_db(np.abs(y).reshape(80, 100), ref=np.max),
    "amplitude_to_db": lambda library, y: library.amplitude_to_db(np.abs(y).reshape(80, 100), ref=np.max),
}


@on_host
@pytest.mark.parametrize("feature", FEATURES)
def test_librosa_s_frames_are_finite_where_librosa_s_are(feature: str) -> None:
    librosa = pytest.importorskip("librosa")
    t = np.arange(8000)
    tone = np.sin(0.3 * t)
    for size in LOUD:
        for shape in (noise(0.3, 8000), tone, np.ones(8000), np.exp(-t / 200) * tone):
            y = np.clip(shape * size, -3e38, 3e38).astype(np.float32)
            with np.errstate(all="ignore"):
                found, expected = (outcome(FEATURES[feature], library, y) for library in (compat.librosa, librosa))
            assert type(found) is type(expected), (size, found, expected)
            if isinstance(expected, np.ndarray):
                finite = [np.isfinite(np.atleast_2d(x)).all(axis=-2) for x in (found, expected)]
                assert np.array_equal(*finite), size


def outcome(function: Callable[[Any, Any], Any], library: Any, y: np.ndarray) -> Any:
    """A result, or the exception in its place."""
    try:
        return function(library, y)
    except Exception as error:  # noqa: BLE001 - it is compared
        return error


@on_host
@pytest.mark.parametrize("power", [1.0, 2.0, None])
def test_a_frame_is_finite_where_float32_holds_it(power: float | None) -> None:
    """torch's own intermediate values overflow where a bin comes within a factor of two of float32's end."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchaudio")
    largest, window = float(np.finfo(np.float32).max), hann(N_FFT).astype(np.float64)
    for size in np.geomspace(1e16, 1e19, 8) if power == 2 else np.geomspace(3e34, 3e37, 8):
        x = noise(size, 9000)
        z = defined_stft(x, window, {**FRAMING, "onesided": True, "scale": 1.0})
        parts = [z.real, z.imag] if power is None else [np.abs(z) ** power]
        size_of_frame = np.max(np.abs(parts), axis=(0, -1))
        options = {"n_fft": N_FFT, "hop_length": HOP, "power": power, "center": False}
        found, theirs = (
            np.isfinite(module(torch.from_numpy(x)).numpy()).all(axis=0)
            for module in transforms("Spectrogram", **options)
        )
        clear = np.abs(size_of_frame / largest - 1) > bound(np.float32, N_FFT)
        assert np.array_equal(found[clear], (size_of_frame < largest)[clear])
        far = clear & ((size_of_frame < largest / 2) | (size_of_frame > largest))
        assert np.array_equal(found[far], theirs[far])
