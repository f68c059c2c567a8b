"""Memory that a program hands us: what is written to, what is read, and what is left alone."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_spectro import compat
from mlx_spectro.compat.arrays import kinds
from mlx_spectro.design.epilogues import Decibels
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import (
    Deltas,
    DeltasAdjoint,
    Elementwise,
    Filterbank,
    Istft,
    IstftAdjoint,
    Medians,
    Operator,
    RecursiveFilter,
    Resample,
    ResampleAdjoint,
    Spectrogram,
    Stft,
    StftAdjoint,
)
from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from ..table import measure
from ..table.cases import table

librosa = pytest.importorskip("librosa")
from numba.core.errors import NumbaError
from scipy.ndimage import median_filter

from mlx_spectro.compat import librosa as ours

pytestmark = [
    pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba"),
    pytest.mark.usefixtures("ours"),
]

Array = np.ndarray[Any, Any]
Y = np.random.default_rng(7).standard_normal(4000).astype(np.float32)
Z = librosa.stft(Y, n_fft=512)


class Doubling(np.ndarray):
    """An array that writes twice what it is given."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, 2 * np.asarray(value))


def mapped(folder: Path, mode: Any, x: Array) -> Array:
    np.memmap(folder / "map", x.dtype, "w+", shape=x.shape)[...] = x
    return np.memmap(folder / "map", x.dtype, mode, shape=x.shape)


def locked(x: Array) -> Array:
    x.flags.writeable = False
    return x


def off_by_a_byte(x: Array) -> Array:
    found = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    found[...] = x
    assert not found.flags.aligned
    return found


def strided(x: Array, strides: Callable[[int], tuple[int, ...]]) -> Array:
    return np.lib.stride_tricks.as_strided(np.resize(x, 2 * x.size), x.shape, strides(x.itemsize))


def apart(x: Array) -> Array:
    return np.resize(x, tuple(2 * size for size in x.shape))[tuple(slice(None, None, 2) for _ in x.shape)]


def masked(hard: bool) -> Callable[[Array], Array]:
    return lambda x: np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) % 3 == 0, hard_mask=hard)


# name, memory made of an array, and whether we write to it
PLACES: list[tuple[str, Callable[[Array], Any], bool]] = [
    ("C", lambda x: x, True),
    ("F", np.asfortranarray, True),
    ("backwards", lambda x: x[..., ::-1], True),
    ("apart", apart, True),
    ("off by a byte", off_by_a_byte, True),
    ("read-only", locked, False),
    ("bytes", lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape), False),
    ("broadcast", lambda x: np.broadcast_to(x[..., :1], x.shape), False),
    ("all in one place", lambda x: strided(x, lambda _: (0,) * x.ndim), False),
    ("rows that overlap", lambda x: strided(x, lambda size: (size,) * x.ndim), False),
    ("matrix", lambda x: x.view(np.matrix), False),
    ("masked", masked(hard=False), False),
    ("with a hard mask", masked(hard=True), False),
    ("that writes otherwise", lambda x: x.view(Doubling), False),
    ("other bytes first", lambda x: x.astype(x.dtype.newbyteorder()), False),
    ("longer", lambda x: np.resize(x, (*x.shape[:-1], x.shape[-1] + 3)), False),
    ("empty", lambda x: x[:0], False),
    ("list", lambda x: x.tolist(), False),
]
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "stft": lambda module, out: module.stft(Y, n_fft=512, out=out),
    "istft": lambda module, out: module.istft(Z, out=out),
}


def told(call: Callable[[], Any], out: Any) -> Any:
    """What a call that writes to ``out`` does: raises, or returns, and what it leaves there."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = call()
        except (ValueError, TypeError, AttributeError, librosa.ParameterError) as error:
            return (type(error), str(error)), [str(w.message) for w in said], None
    return (type(result), result.strides, result is out), [str(w.message) for w in said], result


def assert_alike(mine: Any, theirs: Any) -> None:
    for part in (np.ma.getmaskarray, np.ma.getdata):
        a, b = np.asarray(part(mine)), np.asarray(part(theirs))
        scale = np.abs(b[np.isfinite(b)]).max(initial=0)
        np.testing.assert_allclose(a, b, rtol=0, atol=4e-7 * scale)


# a single row has none to overlap, and numba, which librosa adds frames by, takes native numbers only
SENSELESS = [("istft", "rows that overlap"), ("istft", "other bytes first")]
CASES = [(name, *place) for name in CALLS for place in PLACES if (name, place[0]) not in SENSELESS]


@pytest.mark.parametrize(("name", "place", "make", "served"), CASES, ids=[" ".join(case[:2]) for case in CASES])
def test_memory_to_write_to_is_taken_as_librosa_takes_it(
    name: str, place: str, make: Callable[[Array], Any], served: bool
) -> None:
    natural = CALLS[name](librosa, None)
    filled = [make(np.full_like(natural, 7)) for _ in range(2)]
    (mine, said, a), (theirs, said_there, b) = (
        told(lambda module=module, out=out: CALLS[name](module, out), out)  # type: ignore[misc]
        for module, out in zip((ours, librosa), filled, strict=True)
    )
    assert (mine, said) == (theirs, said_there)
    if b is not None:
        assert_alike(a, b)
    if isinstance(filled[0], np.ndarray) and filled[0].size:
        assert_alike(*filled)
    assert [not record.reason for record in compat.report()] == [served]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_is_written_to_where_it_may_be(name: str, mode: str, tmp_path: Path) -> None:
    natural = CALLS[name](librosa, None)
    before = np.full_like(natural, 7)
    out = mapped(tmp_path, mode, before)
    if mode == "r":
        with pytest.raises(ValueError, match="read-only"):
            CALLS[name](ours, out)
    else:
        assert CALLS[name](ours, out) is out
        assert_alike(out, natural)
    kept = np.memmap(tmp_path / "map", natural.dtype, "r", shape=natural.shape)
    assert_alike(kept, natural if mode == "r+" else before)


def test_memory_that_the_input_lies_in_gives_what_librosa_makes_of_it() -> None:
    results = []
    for module in (ours, librosa):
        room = np.zeros(257 * 32, np.complex64)
        audio = room.view(np.float32)[100:4100]
        audio[...] = Y
        results.append(module.stft(audio, n_fft=512, out=room.reshape(257, 32)).copy())
        spectrum = Z.copy()
        samples = spectrum.reshape(-1).view(np.float32)[: 31 * 128]
        results.append(module.istft(spectrum, out=samples).copy())
        window = np.hanning(512).astype(np.float32)
        room = np.zeros(257 * 32, np.complex64)
        room.view(np.float32)[-512:] = window
        results.append(module.stft(Y, n_fft=512, window=room.view(np.float32)[-512:], out=room.reshape(257, 32)).copy())
    assert all(np.array_equal(a, b) for a, b in zip(results[:3], results[3:], strict=True))
    assert {record.reason for record in compat.report()} == {"out lies where an input does, or has values in one place"}


FRAMING = Framing(64, 32)


@pytest.mark.parametrize(
    "op",
    [
        Stft(FRAMING),
        StftAdjoint(FRAMING, 640),
        Istft(FRAMING, 640),
        IstftAdjoint(FRAMING, 19),
        Spectrogram(FRAMING),
        Filterbank(FRAMING),
        Deltas(2),
        DeltasAdjoint(2),
        Medians(3),
        Resample(3, 2, 4),
        ResampleAdjoint(3, 2, 4, 958),
        RecursiveFilter(),
    ],
    ids=lambda op: op.name,
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_no_kernel_writes_to_read_only_memory(op: Operator, order: Any) -> None:
    of_spectrum = isinstance(op, (StftAdjoint, Istft))
    x = np.ones((2, 19, 33), np.complex64) if of_spectrum else np.ones((2, 640), np.float32)
    needed = 2 if isinstance(op, Filterbank) else 0 if isinstance(op, (Deltas, Medians)) else 1
    weights = [np.ones(64, np.float32), np.ones((33, 5), np.float32)][:needed]
    if op.stem == "resample":
        weights = [np.ones((2, 9), np.float32)]
    weights = [np.ones(3, np.float32)] * 2 if isinstance(op, RecursiveFilter) else weights
    shape = op.shape(x.shape, *(weight.shape for weight in weights))
    out = locked(np.empty(shape, np.complex64 if op.is_complex else np.float32, order=order))
    before = out.copy()
    with pytest.raises(ValueError, match="read-only"):
        cpu.run(op, x, *weights, out=out)
    assert np.array_equal(out, before, equal_nan=True)


@pytest.mark.parametrize("make", [locked, lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape)])
def test_decibels_are_not_written_to_read_only_memory(make: Callable[[Array], Array]) -> None:
    out = make(np.ones((3, 5), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        cpu.run(Elementwise(Decibels(10.0, 1e-10)), np.full((3, 5), 10, np.float32), out=out)
    assert (out == 1).all()


def test_an_mlx_array_is_never_written_to() -> None:
    mx = pytest.importorskip("mlx.core")
    room = mx.zeros((257, 32), mx.complex64)
    twin = room + 0
    mx.eval(room, twin)
    calls: tuple[Callable[[], Any], ...] = (
        lambda: ours.stft(mx.array(Y), n_fft=512, out=room),
        lambda: ours.istft(mx.array(Z), out=twin),
    )
    for call in calls:
        with pytest.raises(TypeError, match="cannot write to an MLX array"):
            call()
    assert not np.array(room).any()
    memory = np.empty((257, 32), np.complex64)
    assert isinstance(ours.stft(mx.array(Y), n_fft=512, out=memory), mx.array)
    assert_alike(memory, Z)


S = np.abs(Z)
OCTAVES: dict[str, Any] = {"sr": 8000, "fmin": 200.0, "n_octaves": 2, "bins_per_octave": 12, "tuning": 0.0}
HARMONICS: dict[str, Any] = {"freqs": np.linspace(0, 4000, 257), "harmonics": [1, 2]}
STRENGTH = np.abs(Y[:300]) + 3 * (np.arange(300) % 23 == 7).astype(np.float32)
INPUTS: dict[str, Callable[[Any, Callable[[Array], Any]], Any]] = {
    "stft": lambda m, made: m.stft(made(Y), n_fft=512),
    "istft": lambda m, made: m.istft(made(Z)),
    # in double precision, where the errors of librosa's sums of phases are small
    "phase_vocoder": lambda m, made: m.phase_vocoder(made(Z.astype(np.complex128)), rate=1.5),
    "griffinlim": lambda m, made: m.griffinlim(made(S), n_iter=1, init=None),
    "time_stretch": lambda m, made: m.effects.time_stretch(made(Y.astype(np.float64)), rate=1.5, n_fft=512),
    "pitch_shift": lambda m, made: m.effects.pitch_shift(made(Y.astype(np.float64)), sr=8000, n_steps=3, n_fft=512),
    "magphase": lambda m, made: m.magphase(made(Z)),
    "power_to_db": lambda m, made: m.power_to_db(made(S)),
    "amplitude_to_db": lambda m, made: m.amplitude_to_db(made(S)),
    "db_to_power": lambda m, made: m.db_to_power(made(S)),
    "db_to_amplitude": lambda m, made: m.db_to_amplitude(made(S)),
    "melspectrogram": lambda m, made: m.feature.melspectrogram(y=made(Y), n_fft=512, n_mels=20),
    "melspectrogram of S": lambda m, made: m.feature.melspectrogram(S=made(S), n_mels=20),
    "mfcc": lambda m, made: m.feature.mfcc(y=made(Y), n_mfcc=5, n_fft=512, n_mels=20),
    "mfcc of S": lambda m, made: m.feature.mfcc(S=made(S), n_mfcc=5),
    "chroma_stft": lambda m, made: m.feature.chroma_stft(y=made(Y), tuning=0.0),
    "chroma_stft of S": lambda m, made: m.feature.chroma_stft(S=made(S)),
    "tonnetz": lambda m, made: m.feature.tonnetz(chroma=made(S)),
    "rms": lambda m, made: m.feature.rms(y=made(Y)),
    "rms of S": lambda m, made: m.feature.rms(S=made(S), frame_length=512),
    "zero_crossing_rate": lambda m, made: m.feature.zero_crossing_rate(made(Y)),
    "spectral_centroid": lambda m, made: m.feature.spectral_centroid(y=made(Y)),
    "spectral_centroid of S": lambda m, made: m.feature.spectral_centroid(S=made(S)),
    "spectral_bandwidth of S": lambda m, made: m.feature.spectral_bandwidth(S=made(S)),
    "spectral_rolloff of S": lambda m, made: m.feature.spectral_rolloff(S=made(S)),
    "spectral_contrast of S": lambda m, made: m.feature.spectral_contrast(S=made(S)),
    "spectral_flatness of S": lambda m, made: m.feature.spectral_flatness(S=made(S)),
    "onset_strength": lambda m, made: m.onset.onset_strength(y=made(Y)),
    "piptrack": lambda m, made: m.piptrack(S=made(S)),
    "estimate_tuning": lambda m, made: m.estimate_tuning(y=made(Y)),
    "pyin": lambda m, made: m.pyin(made(Y), fmin=100, fmax=800, sr=16000, frame_length=512),
    "yin": lambda m, made: m.yin(made(Y), fmin=100, fmax=800, sr=16000, frame_length=512),
    "nnls": lambda m, made: m.util.nnls(S[:20], made(S[:20])),
    "mel_to_stft": lambda m, made: m.feature.inverse.mel_to_stft(made(S[:20]), n_fft=512),
    "mel_to_audio": lambda m, made: m.feature.inverse.mel_to_audio(made(0 * S[:20]), n_fft=512, n_iter=1),
    "mfcc_to_audio": lambda m, made: m.feature.inverse.mfcc_to_audio(made(S[:13]), n_mels=20, ref=0.0, n_iter=1),
    "cqt": lambda m, made: m.cqt(made(Y), sr=8000, fmin=200, n_bins=30, hop_length=64),
    "vqt": lambda m, made: m.vqt(made(Y), sr=8000, fmin=200, n_bins=30, hop_length=64),
    "pseudo_cqt": lambda m, made: m.pseudo_cqt(made(Y), sr=8000, fmin=200, n_bins=30, hop_length=64),
    "hybrid_cqt": lambda m, made: m.hybrid_cqt(made(Y), sr=8000, fmin=200, n_bins=30, hop_length=64),
    "icqt": lambda m, made: m.icqt(made(Z[:24]), sr=8000, fmin=200, hop_length=64),
    "chroma_cqt": lambda m, made: m.feature.chroma_cqt(y=made(Y), **OCTAVES),
    "chroma_cens": lambda m, made: m.feature.chroma_cens(y=made(Y), **OCTAVES),
    "chroma_vqt": lambda m, made: m.feature.chroma_vqt(y=made(Y), sr=8000, fmin=200, n_octaves=2, intervals="ji3"),
    "tonnetz of audio": lambda m, made: m.feature.tonnetz(y=made(Y), **OCTAVES),
    "pitch_tuning": lambda m, made: m.pitch_tuning(made(S)),
    "lpc": lambda m, made: m.lpc(made(Y), order=3),
    "iirt": lambda m, made: m.iirt(made(Y), win_length=512, center=False),
    "trim": lambda m, made: m.effects.trim(made(Y)),
    "split": lambda m, made: m.effects.split(made(Y), top_db=3.3),
    "preemphasis": lambda m, made: m.effects.preemphasis(made(Y)),
    "deemphasis": lambda m, made: m.effects.deemphasis(made(Y)),
    "recurrence_matrix": lambda m, made: m.segment.recurrence_matrix(made(S)),
    "cross_similarity": lambda m, made: m.segment.cross_similarity(made(S), S),
    "path_enhance": lambda m, made: m.segment.path_enhance(made(S), 9),
    "recurrence_to_lag": lambda m, made: m.segment.recurrence_to_lag(made(S[:32])),
    "lag_to_recurrence": lambda m, made: m.segment.lag_to_recurrence(made(S[:32])),
    "timelag_filter": lambda m, made: m.segment.timelag_filter(median_filter)(made(S[:32]), size=(1, 7)),
    "nn_filter": lambda m, made: m.decompose.nn_filter(made(S)),
    "decompose.hpss of S": lambda m, made: m.decompose.hpss(made(S)),
    "decompose.hpss": lambda m, made: m.decompose.hpss(made(Z)),
    "hard masks": lambda m, made: m.decompose.hpss(made(S), mask=True, power=np.inf),
    "effects.hpss": lambda m, made: m.effects.hpss(made(Y)),
    "interp_harmonics": lambda m, made: m.interp_harmonics(made(S), **HARMONICS),
    "salience": lambda m, made: m.salience(made(S), fill_value=0, **HARMONICS),
    "f0_harmonics": lambda m, made: m.f0_harmonics(made(S), f0=np.full(S.shape[1], 200.0), **HARMONICS),
    "reassigned_spectrogram": lambda m, made: m.reassigned_spectrogram(made(Y.astype(np.float64)), fill_nan=True),
    "pcen": lambda m, made: m.pcen(made(S)),
    "mu_compress": lambda m, made: m.mu_compress(made(Y / 8)),
    "mu_expand": lambda m, made: m.mu_expand(made(np.arange(-90, 90).reshape(9, 20))),
    "resample": lambda m, made: m.resample(made(Y), orig_sr=22050, target_sr=16000, res_type="polyphase"),
    "poly_features": lambda m, made: m.feature.poly_features(y=made(Y)),
    "poly_features of S": lambda m, made: m.feature.poly_features(S=made(S)),
    "griffinlim_cqt": lambda m, made: m.griffinlim_cqt(
        made(S[:24]), sr=8000, fmin=200, hop_length=64, n_iter=1, init=None
    ),
    "tempogram": lambda m, made: m.feature.tempogram(onset_envelope=made(STRENGTH), win_length=40),
    "fourier_tempogram": lambda m, made: m.feature.fourier_tempogram(onset_envelope=made(STRENGTH), win_length=40),
    "tempo": lambda m, made: m.feature.tempo(onset_envelope=made(STRENGTH)),
    "tempogram_ratio": lambda m, made: m.feature.tempogram_ratio(onset_envelope=made(STRENGTH), win_length=40),
    "autocorrelate": lambda m, made: m.autocorrelate(made(Y), max_size=300),
    "beat_track": lambda m, made: m.beat.beat_track(onset_envelope=made(STRENGTH)),
    "plp": lambda m, made: m.beat.plp(onset_envelope=made(STRENGTH), win_length=40),
    "onset_detect": lambda m, made: m.onset.onset_detect(y=made(Y)),
    "normalize": lambda m, made: m.util.normalize(made(S), norm=2),
    "softmask": lambda m, made: m.util.softmask(made(S), np.ascontiguousarray(S[::-1]), power=2),
}

RESAMPLED = {"cqt", "vqt", "hybrid_cqt", "chroma_cqt", "chroma_cens", "chroma_vqt", "tonnetz of audio", "iirt"}


def parts(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


@pytest.mark.slow
# of librosa's own comparison, of which NumPy warns
@pytest.mark.filterwarnings("ignore:'where' used without 'out'")
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("mode", ["r", "c"])
def test_a_memory_map_is_an_array_like_any_other(name: str, mode: str, tmp_path: Path) -> None:
    mine, theirs = (INPUTS[name](module, lambda x: mapped(tmp_path, mode, x)) for module in (ours, librosa))
    for a, b in zip(parts(mine), parts(theirs), strict=True):
        assert type(a) is type(b)
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5 * np.abs(b).max())
    assert [record.reason for record in compat.report()] == [""]


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("MaskedArray", lambda x: np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) % 101 == 3)),
        ("Doubling", lambda x: x.view(Doubling)),
        ("matrix", lambda x: x.view(np.matrix)),
        ("list", lambda x: x.tolist()),
    ],
    ids=["masked", "subclass", "matrix", "list"],
)
def test_what_is_more_than_an_array_is_librosa_s_with_a_true_reason(
    name: str, kind: str, make: Callable[[Array], Any]
) -> None:
    if kind == "matrix" and name in RESAMPLED:
        pytest.skip("librosa resamples a row of a matrix as an array of two axes, which may end the process")
    outcomes: list[list[tuple[Any, Any]]] = []
    for module in (ours, librosa):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.append([(type(part), np.ma.filled(part, 0)) for part in parts(INPUTS[name](module, make))])
            # numba knows no masked array, unless it has met a plain one before
            except (ValueError, TypeError, AttributeError, IndexError, librosa.ParameterError, NumbaError) as error:
                outcomes.append([(type(error), str(error))])
    for (one, a), (other, b) in zip(*outcomes, strict=True):
        assert one is other
        assert np.array_equal(a, b, equal_nan=not isinstance(b, str))
    assert {record.reason for record in compat.report()} == {f"the array is a {kind}: plain NumPy arrays are served"}


@pytest.mark.parametrize("kind", [np.ma.masked_array, lambda x: x[None].view(np.matrix)], ids=["masked", "matrix"])
def test_torch_is_not_handed_an_array_that_is_more_than_one(kind: Callable[[Array], Any]) -> None:
    torch = pytest.importorskip("torch")
    from mlx_spectro.compat import torch as shim

    errors = []
    for module in (shim, torch):
        with pytest.raises((TypeError, AttributeError)) as caught:
            module.stft(kind(Y), 512, return_complex=True)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


def of_torch(kind: str) -> Any:
    """Two rows of audio of which the second is the first, in memory of a kind."""
    import torch

    x = torch.from_numpy(np.stack([Y, Y]))
    made: dict[str, Callable[[], Any]] = {
        "expanded": lambda: torch.from_numpy(Y).expand(2, -1),
        "stepped": lambda: x.repeat_interleave(2, -1)[:, ::2],
        "a leaf that requires a gradient": lambda: x.clone().requires_grad_(),
        "a parameter": lambda: torch.nn.Parameter(x.clone()),
        "of inference": lambda: torch.inference_mode()(x.clone)(),
        "a lazy negative": lambda: torch._neg_view(-x),
        "read-only": lambda: torch.from_numpy(locked(np.stack([Y, Y]))),
    }
    return made[kind]()


@pytest.mark.parametrize(
    "kind",
    [
        "expanded", "stepped", "a leaf that requires a gradient", "a parameter", "of inference", "a lazy negative",
        "read-only",
    ],
)  # fmt: skip
def test_tensors_of_any_memory_are_read_and_left_alone(kind: str) -> None:
    torch = pytest.importorskip("torch")
    from mlx_spectro.compat import torch as shim

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = of_torch(kind)
    window = x.detach()[0, :400]  # in the memory of the signal
    mine, theirs = (module.stft(x, 400, window=window, return_complex=True).detach() for module in (shim, torch))
    assert mine.shape == theirs.shape
    assert (mine - theirs).abs().max() <= 1e-6 * theirs.abs().max()
    assert [record.reason for record in compat.report()] == [""]
    mine.zero_()
    assert np.array_equal(x.detach().numpy(force=True), np.stack([Y, Y]))


@pytest.mark.parametrize("row", [row for row in table() if not row.native], ids=lambda row: row.name)
def test_a_result_is_its_caller_s_own(row: Any) -> None:
    if row.missing():
        pytest.skip(f"{row.missing()} is not installed")
    function, _ = row.resolve()
    sample = next(iter(row.samples()))

    def call() -> list[Any]:
        # which may be the result itself
        given = copy.deepcopy((sample.args, sample.kwargs))
        args, kwargs = (measure.to_library(row.their_arrays, arrays) for arrays in given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parts(function(*args, **kwargs))

    first = [part for part in call() if not isinstance(part, float)]
    kept = [kinds.to_numpy(part).copy() for part in first]
    for part in first:
        part[...] = 77
    assert all(
        np.array_equal(kinds.to_numpy(a), b, equal_nan=True) for a, b in zip(call()[: len(kept)], kept, strict=True)
    )
