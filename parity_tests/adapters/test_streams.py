"""Streams: signals that come in chunks have the frames, and frames the signal, of the offline call, bit for bit."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("numba")
mx = pytest.importorskip("mlx.core")
torch = pytest.importorskip("torch")
librosa = pytest.importorskip("librosa")
torchaudio = pytest.importorskip("torchaudio")

from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_spectro
from mlx_spectro import compat
from mlx_spectro.compat.contract.records import FallbackError
from mlx_spectro.ops import backend

Array = npt.NDArray[Any]
ROOT = Path(__file__).parents[2]
TO: dict[str, Callable[[Array], Any]] = {"torch": torch.tensor, "librosa": np.array, "native": mx.array}
JOINED: dict[str, Callable[[Any], Any]] = {
    "torch": lambda parts: torch.cat(parts, -1),
    "librosa": lambda parts: np.concatenate(parts, -1),
    "native": lambda parts: mx.concatenate(parts, -1),
}
MODES = {
    "torch": ["reflect", "constant", "replicate"],
    "librosa": ["reflect", "constant", "edge"],
    "native": ["reflect", "constant", "replicate", "symmetric"],
}


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def pieces(x: Any, lengths: list[int]) -> list[Any]:
    """``x`` in chunks of these lengths, again and again."""
    chunks, start = [], 0
    while start < x.shape[-1]:
        for length in [*lengths, 1]:
            chunks.append(x[..., start : start + length])
            start += length
    return chunks


def streamed(stream: Any, x: Any, lengths: list[int], door: str) -> Any:
    return JOINED[door]([*[stream.push(chunk) for chunk in pieces(x, lengths)], stream.flush()])


def assert_same_bits(a: Any, b: Any) -> None:
    a, b = np.asarray(a), np.asarray(b)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert a.tobytes() == b.tobytes()


def stft(door: str, n_fft: int, hop_length: int, center: bool, mode: Any, tail: Any) -> tuple[Any, Any]:
    """A stream and the offline call."""
    if door == "native":
        transform = mlx_spectro.SpectralTransform(
            n_fft, hop_length, center=center, center_pad_mode=mode, center_tail_pad=tail
        )
        return mlx_spectro.StreamingSTFT(transform), transform.stft
    options: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop_length, "center": center, "pad_mode": mode}
    if door == "torch":
        options |= {"window": torch.hann_window(n_fft), "return_complex": True}
        return mlx_spectro.StreamingSTFT(torch.stft, **options), lambda x: compat.torch.stft(x, **options)
    return mlx_spectro.StreamingSTFT(librosa.stft, **options), lambda x: compat.librosa.stft(x, **options)


def mel(door: str, n_fft: int, hop_length: int, center: bool, mode: Any, tail: Any) -> tuple[Any, Any]:
    options: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop_length, "center": center, "n_mels": 7}
    if door == "native":
        transform = mlx_spectro.MelSpectrogramTransform(
            **options, top_db=None, center_pad_mode=mode, center_tail_pad=tail
        )
        return mlx_spectro.StreamingMelSpectrogram(transform), transform
    if door == "torch":
        module = torchaudio.transforms.MelSpectrogram(8000, **options, pad_mode=mode)
        ours = compat.torchaudio.transforms.MelSpectrogram(8000, **options, pad_mode=mode)
        return mlx_spectro.StreamingMelSpectrogram(module), ours
    options |= {"sr": 8000, "pad_mode": mode}
    return (
        mlx_spectro.StreamingMelSpectrogram(librosa.feature.melspectrogram, **options),
        lambda y: compat.librosa.feature.melspectrogram(y=y, **options),
    )


def istft(door: str, n_fft: int, hop_length: int, center: bool) -> tuple[Any, Any]:
    """A stream and the offline call, which takes a length too."""
    # windows of nothing but ones overlap everywhere, without padding too
    if door == "native":
        transform = mlx_spectro.SpectralTransform(n_fft, hop_length, window_fn="rect", center=center)
        return mlx_spectro.StreamingISTFT(transform), lambda z, length: transform.istft(z, length)
    options: dict[str, Any] = {"n_fft": n_fft, "hop_length": hop_length, "center": center}
    if door == "torch":
        options |= {"window": torch.ones(n_fft)}
        return (
            mlx_spectro.StreamingISTFT(torch.istft, **options),
            lambda z, length: compat.torch.istft(z, length=length, **options),
        )
    options |= {"window": "boxcar"}
    return (
        mlx_spectro.StreamingISTFT(librosa.istft, **options),
        lambda z, length: compat.librosa.istft(z, length=length, **options),
    )


FRAMES = st.sampled_from([(64, 16), (64, 25), (50, 50), (31, 7), (24, 40), (128, 32)])
LENGTHS = st.lists(st.integers(0, 150), min_size=1, max_size=5)


@pytest.mark.slow
@pytest.mark.parametrize("make", [stft, mel])
@pytest.mark.parametrize("door", MODES)
@settings(max_examples=60, deadline=None)
@given(
    frames=FRAMES,
    center=st.booleans(),
    mode=st.integers(0, 3),
    minimal=st.booleans(),
    length=st.integers(128, 900),
    rows=st.integers(1, 3),
    lengths=LENGTHS,
)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank", "ignore:Empty filters")
def test_frames_of_chunks_are_those_of_the_offline_call(
    make: Any,
    door: str,
    frames: tuple[int, int],
    center: bool,
    mode: int,
    minimal: bool,
    length: int,
    rows: int,
    lengths: list[int],
) -> None:
    modes = MODES[door]
    padding = modes[mode % len(modes)]
    if door == "librosa" and padding == "reflect" and 2 * frames[1] >= frames[0]:
        return
    tail = "minimal" if minimal and padding != "reflect" else "symmetric"
    x = TO[door](noise(rows, length, seed=length))
    with compat.route("ours"):
        stream, offline = make(door, *frames, center, padding, tail)
        expected = offline(x)
        for _ in range(2):  # after a flush, the stream is new
            assert_same_bits(streamed(stream, x, lengths, door), expected)


@pytest.mark.parametrize("door", MODES)
@settings(max_examples=60, deadline=None)
@given(
    frames=st.sampled_from([(64, 16), (64, 25), (50, 50), (31, 7), (128, 32), (64, 40)]),
    center=st.booleans(),
    count=st.integers(4, 60),
    rows=st.integers(1, 3),
    longer=st.sampled_from([None, 0, -3]),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    bins_first=st.booleans(),
)
def test_samples_of_chunks_are_those_of_the_offline_call(
    door: str,
    frames: tuple[int, int],
    center: bool,
    count: int,
    rows: int,
    longer: int | None,
    lengths: list[int],
    bins_first: bool,
) -> None:
    n_fft, hop_length = frames
    values = noise(2, rows, n_fft // 2 + 1, count, seed=count)
    spectrum = (values[0] + 1j * values[1]).astype(np.complex64)
    if not bins_first:
        spectrum = np.ascontiguousarray(spectrum.swapaxes(-1, -2)).swapaxes(-1, -2)
    z = TO[door](spectrum)
    natural = n_fft + hop_length * (count - 1) - (2 * (n_fft // 2) if center else 0)
    length = None if longer is None else natural + longer
    with compat.route("ours"):
        stream, offline = istft(door, *frames, center)
        expected = offline(z, length)
        parts = [stream.push(chunk) for chunk in pieces(z, lengths)]
        if length is not None and sum(part.shape[-1] for part in parts) > length:
            with pytest.raises(ValueError, match="have been returned"):
                stream.flush(length)
            return
        assert_same_bits(JOINED[door]([*parts, stream.flush(length)]), expected)


@pytest.mark.parametrize("door", MODES)
def test_what_is_too_short_is_as_the_offline_call_has_it(door: str, ours: None) -> None:
    stream, offline = stft(door, 64, 16, True, "constant", "symmetric")
    x = TO[door](noise(1, 20))
    if door == "librosa":  # which warns of it
        with pytest.warns(UserWarning, match="n_fft=64 is too large"):
            assert_same_bits(streamed(stream, x, [3], door), offline(x))
        return
    assert_same_bits(streamed(stream, x, [3], door), offline(x))


@pytest.mark.parametrize("door", MODES)
def test_frames_and_samples_come_no_later_than_the_latency_says(door: str, ours: None) -> None:
    for center, mode in ((True, "reflect"), (True, "constant"), (False, "constant")):
        stream, _ = stft(door, 64, 16, center, mode, "symmetric")
        inverse, _ = istft(door, 64, 16, center)
        x, frames, samples = TO[door](noise(1, 600)), 0, 0
        for pushed in range(1, 601):
            z = stream.push(x[..., pushed - 1 : pushed])
            frames += z.shape[-1]
            least = max(0, 1 + (pushed - stream.latency) // 16)
            # the first waits for what is mirrored before it
            assert frames == least or (mode == "reflect" and frames == least + 1 and pushed % 16 == 0)
            samples += inverse.push(z).shape[-1]
            assert samples == max(0, frames * 16 - inverse.latency)
            assert pushed - samples < 64 + 16


@pytest.mark.parametrize("door", MODES)
def test_a_saved_state_goes_on_in_another_stream(door: str, ours: None) -> None:
    x = TO[door](noise(2, 700))
    first, offline = stft(door, 64, 16, True, "reflect", "symmetric")
    second, _ = stft(door, 64, 16, True, "reflect", "symmetric")
    third, _ = stft(door, 64, 16, False, "constant", "symmetric")
    before = first.push(x[..., :333])
    state = first.state_dict()
    if door != "native":  # MLX arrays have no pickles
        state = pickle.loads(pickle.dumps(state))
    first.push(x[..., 333:])
    second.load_state_dict(state)
    after = [second.push(x[..., 333:]), second.flush()]
    assert_same_bits(JOINED[door]([before, *after]), offline(x))
    with pytest.raises(ValueError, match="other frames"):
        third.load_state_dict(state)
    second.push(x)
    second.reset()
    assert_same_bits(streamed(second, x, [99], door), offline(x))

    inverse, synthesis = istft(door, 64, 16, True)
    other, _ = istft(door, 64, 16, True)
    z = offline(x)
    samples = [inverse.push(z[..., :20])]
    other.load_state_dict(inverse.state_dict())
    samples += [other.push(z[..., 20:]), other.flush()]
    assert_same_bits(JOINED[door](samples), synthesis(z, None))


@pytest.mark.parametrize("door", MODES)
def test_a_copied_stream_goes_on_apart_from_the_first(door: str, ours: None) -> None:
    x, other = TO[door](noise(2, 700)), TO[door](noise(2, 100))
    first, offline = stft(door, 64, 16, True, "reflect", "symmetric")
    before = first.push(x[..., :333])
    second = copy.deepcopy(first)
    second.push(other)
    with pytest.raises(ValueError, match="state has frame, held, length, start too, got framing"):
        first.load_state_dict({"framing": first.state_dict()["framing"]})
    assert_same_bits(JOINED[door]([before, first.push(x[..., 333:]), first.flush()]), offline(x))


@pytest.mark.parametrize("door", MODES)
def test_int16_is_what_it_is_in_floating_point(door: str, ours: None) -> None:
    pcm = (noise(1, 900) * 8000).astype(np.int16)
    stream, offline = stft(door, 64, 16, True, "reflect", "symmetric")
    expected = offline(TO[door](pcm.astype(np.float32) / 32768))
    assert_same_bits(streamed(stream, TO[door](pcm), [100, 7], door), expected)


def test_a_chunk_s_memory_may_be_used_again(ours: None) -> None:
    x = noise(1, 512)
    stream, offline = stft("librosa", 64, 16, True, "constant", "symmetric")
    buffer, parts = np.empty((1, 8), np.float32), []
    for start in range(0, 512, 8):
        buffer[...] = x[:, start : start + 8]
        parts.append(stream.push(buffer))
    buffer[...] = np.nan
    assert_same_bits(np.concatenate([*parts, stream.flush()], -1), offline(x))


def test_a_stream_s_memory_does_not_grow(ours: None) -> None:
    stream, _ = stft("librosa", 64, 16, True, "reflect", "symmetric")
    inverse, _ = istft("librosa", 64, 16, True)
    for _ in range(50):
        inverse.push(stream.push(noise(1, 100)))
    held, spectrum = stream.state_dict()["held"], inverse.state_dict()["held"]
    # a frame and a hop; the frames over a sample and half a frame of them before it
    assert held.shape[-1] < 64 + 16
    assert spectrum.shape[-1] <= 64 // 16 + 64 // 16 // 2
    assert held.base is None
    assert spectrum.base is None


def test_plain_mlx_operations_stream_too() -> None:
    with backend.implementation("plain"):
        stream, offline = stft("native", 64, 16, True, "reflect", "symmetric")
        x = mx.array(noise(2, 500))
        assert_same_bits(streamed(stream, x, [100, 7, 1], "native"), offline(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mlx_spectro.StreamingSTFT(torch.stft, n_fft=64, pad_mode="circular"), "circular padding puts"),
        (lambda: mlx_spectro.StreamingSTFT(n_fft=64, hop_length=16, center_pad_mode="wrap"), "circular padding puts"),
        (
            lambda: mlx_spectro.StreamingSTFT(librosa.stft, n_fft=64, hop_length=40, pad_mode="reflect"),
            "more than once",
        ),
        (lambda: mlx_spectro.StreamingSTFT(librosa.stft, pad_mode="linear_ramp"), "pad_mode must be"),
        (lambda: mlx_spectro.StreamingSTFT(librosa.stft, out=np.zeros(1)), "out cannot be streamed"),
        (lambda: mlx_spectro.StreamingSTFT(torch.stft, hop_length=4), "n_fft must be given"),
        (lambda: mlx_spectro.StreamingSTFT(torch.stft, n_fft=64, return_complex=False), "return_complex must be True"),
        (lambda: mlx_spectro.StreamingSTFT(torch.stft, n_fft=2), "hop_length must be at least 1"),
        (lambda: mlx_spectro.StreamingISTFT(torch.istft, n_fft=2), "hop_length must be at least 1"),
        (lambda: mlx_spectro.StreamingISTFT(librosa.istft), "n_fft must be given"),
        (lambda: mlx_spectro.StreamingISTFT(torch.istft, n_fft=64, length=100), "length cannot be streamed"),
        (lambda: mlx_spectro.StreamingMelSpectrogram(mlx_spectro.MelSpectrogramTransform()), "top_db=80.0 cannot"),
        (
            lambda: mlx_spectro.StreamingMelSpectrogram(torchaudio.transforms.MelSpectrogram, n_mels=8, pad=3),
            "pad=3 cannot be streamed",
        ),
    ],
)
def test_what_cannot_be_streamed_says_so(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_chunk_of_the_signal_is_an_error(ours: None) -> None:
    stream = mlx_spectro.StreamingSTFT(librosa.stft, n_fft=64)
    with pytest.raises(ValueError, match="needs a chunk"):
        stream.flush()
    with pytest.raises(TypeError, match="takes NumPy arrays, got Tensor"):
        stream.push(torch.zeros(100))
    stream.push(noise(2, 100))
    with pytest.raises(ValueError, match="goes on in kind"):
        stream.push(noise(3, 100))
    with pytest.raises(ValueError, match="goes on in kind"):
        stream.push(noise(2, 100).astype(np.float64))
    with pytest.raises(TypeError, match=r"offline must be one of librosa\.feature\.melspectrogram, torchaudio"):
        mlx_spectro.StreamingMelSpectrogram(librosa.stft)
    with pytest.raises(TypeError, match="got sorted"):
        mlx_spectro.StreamingSTFT(sorted)
    with pytest.raises(TypeError, match="options are those of the SpectralTransform that is given, got n_fft"):
        mlx_spectro.StreamingSTFT(mlx_spectro.SpectralTransform(64, 16), n_fft=64)
    with pytest.raises(ValueError, match="needs frames"):
        mlx_spectro.StreamingISTFT(torch.istft, n_fft=64).flush()


def test_what_our_kernels_do_not_serve_is_an_error() -> None:
    stream = mlx_spectro.StreamingSTFT(torch.stft, n_fft=64, window=torch.hann_window(64))
    with pytest.raises(FallbackError, match=r"torch\.stft was served by the reference"):
        stream.push(torch.zeros(100, dtype=torch.complex64))


def test_a_chunk_that_is_an_error_is_no_part_of_the_signal(ours: None) -> None:
    x = noise(3000)
    for bad in (np.full(500, np.nan, np.float32), np.zeros(500, np.float16)):
        stream = mlx_spectro.StreamingSTFT(librosa.stft, n_fft=256)
        parts = []
        for chunk in pieces(x, [700, 500]):
            with pytest.raises((FallbackError, ValueError, librosa.ParameterError)):
                stream.push(bad)
            parts.append(stream.push(chunk))
        spectrum = np.concatenate([*parts, stream.flush()], -1)
        assert_same_bits(spectrum, compat.librosa.stft(x, n_fft=256))
    inverse = mlx_spectro.StreamingISTFT(librosa.istft, n_fft=256)
    parts = []
    for chunk in pieces(spectrum, [5, 8]):
        with pytest.raises(FallbackError):
            inverse.push(np.full((129, 3), np.nan, np.complex64))
        parts.append(inverse.push(chunk))
        bad_lengths: list[tuple[Any, type[Exception]]] = [(1.5, TypeError), ("512", TypeError), (-1, ValueError)]
        for bad_length, error in bad_lengths:
            with pytest.raises(error, match="length must be"):
                inverse.flush(bad_length)
    assert_same_bits(np.concatenate([*parts, inverse.flush()], -1), compat.librosa.istft(spectrum, n_fft=256))


@pytest.mark.slow
def test_the_denoiser_takes_noise_out_of_speech_in_blocks_of_any_length() -> None:
    import soundfile

    speech, rate = soundfile.read(ROOT / "parity_tests/table/audio/speech_8k.flac", dtype="float32")
    rng = np.random.default_rng(5)
    speech = np.concatenate([np.zeros(rate // 2, np.float32), speech[: 4 * rate]])
    noisy = speech + 0.1 * np.std(speech) * rng.standard_normal(len(speech)).astype(np.float32)
    pcm = np.rint(noisy * 32768).astype("<i2")

    def run(block: int) -> Array:
        command = [sys.executable, str(ROOT / "docs/examples/denoise_stream.py"), "--rate", str(rate)]
        done = subprocess.run([*command, "--block", str(block)], input=pcm.tobytes(), capture_output=True, check=True)
        assert b"32 ms later" in done.stderr
        return np.frombuffer(done.stdout, "<i2")

    clean = run(80)
    assert len(clean) == len(pcm)
    assert clean.tobytes() == run(777).tobytes()
    pause = slice(rate // 8, rate // 2)
    # noise alone falls by 4 dB at least; what is said stays
    assert np.std(clean[pause] / 32768) < 10 ** (-4 / 20) * np.std(noisy[pause])
    error, before = clean / 32768 - speech, noisy - speech
    assert np.sum(error**2) < np.sum(before**2)
