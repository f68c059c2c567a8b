"""Programs: what a GPU does for every operator, as data, run without MLX by a launcher of NumPy arrays."""

from __future__ import annotations

import itertools
import pkgutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

mx = pytest.importorskip("mlx.core")

from mlx_spectro.design import operators
from mlx_spectro.design.descriptors import DescriptorSpec
from mlx_spectro.design.epilogues import Decibels, Power, Root
from mlx_spectro.design.framing import Framing
from mlx_spectro.design.kaldi import EPSILON, Extraction, kaldi_framing
from mlx_spectro.design.operators import (
    Cepstrum,
    ClampedFilter,
    ClippedFilterbank,
    Convolve,
    Correlate,
    Deltas,
    DeltasAdjoint,
    Describe,
    DescribeMagnitudes,
    Elementwise,
    Filterbank,
    Frames,
    FrameStatistic,
    GriffinLim,
    Istft,
    IstftAdjoint,
    KaldiFilterbank,
    KaldiSpectrogram,
    LaggedProducts,
    Linear,
    MaskSpans,
    Medians,
    Operator,
    OverlapAdd,
    PhaseVocoder,
    PowerAdjoint,
    Project,
    ProjectClipped,
    ProjectPower,
    RecursiveFilter,
    Resample,
    ResampleAdjoint,
    SlidingNormalization,
    Spectrogram,
    Stft,
    StftAdjoint,
    Synthesis,
)
from mlx_spectro.design.windows_in_time import bounds
from mlx_spectro.kernels import gpu
from mlx_spectro.kernels.gpu import peaks
from mlx_spectro.kernels.gpu.dialect import Launch, metal_program
from mlx_spectro.kernels.gpu.launch_mlx import MlxLauncher
from mlx_spectro.kernels.gpu.launcher import Launcher
from mlx_spectro.ops.apply import define

from .kernel_host import host, places, reference, speech
from .test_kernels import MODES, complex_noise, noise, window_of
from .test_sliding_normalization import truth as sliding_truth
from .test_sliding_normalization import variation as sliding_variation

on_the_cpu = pytest.mark.skipif(not host.has_compiler(), reason="no g++: the kernels' text cannot be run on the CPU")

N, HOP, T, FILTERS = 64, 16, 300, 8
F = N // 2 + 1
FRAMING = Framing(N, HOP, N // 2, N // 2, "reflect")
FRAMES = FRAMING.frames(T)
FEEDBACK = np.array([1.0, -1.6, 0.8], np.float32)
WINDOW, BANK, BASIS = window_of(N), np.abs(noise(F, FILTERS)), noise(FILTERS, 5)
HZ = np.linspace(0, 4000, F).astype(np.float32)
SPEC = DescriptorSpec(("rolloff", "contrast", "centroid"), bands=((0, 10, 2), (10, F, 3)))
pytestmark = pytest.mark.usefixtures("untuned")

DECIBELS = Decibels(10.0, 1e-10, 2.0)
SPEECH = Extraction(kaldi_framing(N, HOP, True), N)


class OnHost(Launcher[Any]):
    """Runs the Metal text of launches on NumPy arrays."""

    def prepare(self, launch: Launch) -> Callable[[list[Any]], list[Any]]:
        def call(arrays: list[Any]) -> list[Any]:
            inputs = dict(zip(launch.kernel.inputs, map(self.from_numpy, arrays), strict=True))
            outcome = host.compiled(launch.kernel).run(launch, inputs)
            assert outcome.wrong == {}
            return list(outcome.outputs.values())

        return call

    def from_numpy(self, values: Any) -> Any:
        values = np.ascontiguousarray(values)
        return values if values.size >= 8 else np.pad(values.ravel(), (0, 8))  # as MLX has it

    def to_numpy(self, array: Any) -> Any:
        return array

    def wait(self, arrays: list[Any]) -> None:
        pass

    def is_traced(self, array: Any) -> bool:
        return True  # and never timed

    def device(self) -> str:
        return "this machine"


def run(op: Operator, *arrays: Any) -> Any:
    return OnHost().run(op, *arrays)


def magnitudes(x: Any) -> Any:
    z = reference.stft(x.reshape(-1, T), WINDOW, HOP, FRAMING.left, FRAMING.right, "reflect", np.float64)
    return np.abs(z).reshape(*x.shape[:-1], FRAMES, F)


def decibels(x: Any) -> Any:
    return 10 * np.log10(np.maximum(x, 1e-10)) - 10 * np.log10(2.0)


def clipped(y: Any, top_db: float, axes: tuple[int, ...] = (-2, -1)) -> Any:
    return np.maximum(y, y.max(axis=axes, keepdims=True) - top_db)


ISTFT = Istft(FRAMING, T, 0.5)
MEL = Filterbank(FRAMING, 2.0, epilogue=DECIBELS)
# an operator, its weights, and what it makes of audio or of a spectrogram
OF_AUDIO: dict[str, tuple[Operator, tuple[Any, ...], Callable[[Any], Any]]] = {
    "magnitudes": (Spectrogram(FRAMING), (WINDOW,), magnitudes),
    "powers": (Spectrogram(FRAMING, 2.0), (WINDOW,), lambda x: magnitudes(x) ** 2),
    "filterbank": (Filterbank(FRAMING), (WINDOW, BANK), lambda x: magnitudes(x) @ BANK),
    "decibels": (MEL, (WINDOW, BANK), lambda x: decibels(magnitudes(x) ** 2 @ BANK)),
    "clipped": (
        ClippedFilterbank(MEL, 10.0),
        (WINDOW, BANK),
        lambda x: clipped(decibels(magnitudes(x) ** 2 @ BANK), 10.0),
    ),
    "clipped together": (
        ClippedFilterbank(MEL, 10.0, packed=True),
        (WINDOW, BANK),
        lambda x: clipped(decibels(magnitudes(x) ** 2 @ BANK), 10.0, (-3, -2, -1) if x.ndim > 1 else (-2, -1)),
    ),
    "cepstrum": (Cepstrum(MEL), (WINDOW, BANK, BASIS), lambda x: decibels(magnitudes(x) ** 2 @ BANK) @ BASIS),
    "clipped cepstrum": (
        Cepstrum(MEL, 10.0),
        (WINDOW, BANK, BASIS),
        lambda x: clipped(decibels(magnitudes(x) ** 2 @ BANK), 10.0) @ BASIS,
    ),
    "cepstrum clipped together": (
        Cepstrum(MEL, 10.0, packed=True),
        (WINDOW, BANK, BASIS),
        lambda x: clipped(decibels(magnitudes(x) ** 2 @ BANK), 10.0, (-3, -2, -1)[-x.ndim - 1 :]) @ BASIS,
    ),
    "deltas": (Deltas(2, "reflect"), (), lambda x: x @ places.slopes(T, 2, "reflect").T),
    "medians": (Medians(5), (), lambda x: places.medians(x, 5, -1)),
    "norms": (
        FrameStatistic(Framing(N, HOP), "norm"),
        (),
        lambda x: np.sqrt(np.square(np.lib.stride_tricks.sliding_window_view(x, N, axis=-1)[..., ::HOP, :]).sum(-1)),
    ),
}
OF_FRAMES: dict[str, tuple[Operator, tuple[Any, ...], Callable[[Any], Any]]] = {
    "project": (Project(), (BANK,), lambda s: s @ BANK),
    "project by the transpose": (Project(transposed=True), (BANK.T.copy(),), lambda s: s @ BANK),
    "decibels": (Elementwise(DECIBELS), (), decibels),
    "project squares": (ProjectPower(), (BANK,), lambda s: s**2 @ BANK),
    "project clipped": (ProjectClipped(0.5), (BANK,), lambda s: clipped(s, 0.5) @ BANK),
    "medians along bins": (Medians(31, -1), (), lambda s: places.medians(s, 31, -1)),
    "medians along frames": (Medians(4, -2), (), lambda s: places.medians(s, 4, -2)),
    "overlap-add": (
        OverlapAdd(HOP),
        (),
        lambda s: reference.overlap_add(s.reshape(-1, *s.shape[-2:]), HOP).reshape(*s.shape[:-2], -1),
    ),
}


def close(ours: Any, expected: Any) -> None:
    """Equal but for what float32 loses, a logarithm's cancellation of digits included; accuracy is tested elsewhere."""
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= 1e-5 * np.abs(expected).max()


@on_the_cpu
@pytest.mark.parametrize("lead", [(), (1,), (2,), (2, 3)], ids=str)
@pytest.mark.parametrize("name", OF_AUDIO)
def test_audio_with_any_leading_axes_comes_out_as_defined(name: str, lead: tuple[int, ...]) -> None:
    op, weights, expected = OF_AUDIO[name]
    x = noise(*lead, T) * (1 + np.arange(np.prod(lead, dtype=int), dtype=np.float32)).reshape(*lead, 1)
    ours = run(op, x, *weights)
    assert ours.shape == op.shape(x.shape, *(weight.shape for weight in weights))
    close(ours, expected(x.astype(np.float64)))


@on_the_cpu
@pytest.mark.parametrize("lead", [(), (2, 3)], ids=str)
@pytest.mark.parametrize("name", OF_FRAMES)
def test_frames_with_any_leading_axes_come_out_as_defined(name: str, lead: tuple[int, ...]) -> None:
    op, weights, expected = OF_FRAMES[name]
    s = noise(*lead, 200, F)  # so many that a row's peak takes a launch of its own
    assert 200 * F > peaks.MOST_PARTS
    close(run(op, s, *weights), expected(s.astype(np.float64)))


@on_the_cpu
def test_synthesis_is_as_defined() -> None:
    op, frames = Synthesis(ISTFT), noise(2, 3, FRAMES, N)
    close(run(op, frames, WINDOW), np.array(define(op, mx.array(frames), mx.array(WINDOW))))


@on_the_cpu
def test_descriptors_of_audio_are_those_of_its_magnitudes() -> None:
    x = noise(2, 3, T)
    given = run(DescribeMagnitudes(SPEC), run(Spectrogram(FRAMING), x, WINDOW), HZ)
    assert given.shape == (2, 3, SPEC.rows, FRAMES)
    assert np.array_equal(run(Describe(FRAMING, SPEC), x, WINDOW, HZ), given)


@on_the_cpu
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)], ids=str)
@pytest.mark.parametrize("axes", [(-1,), (-2,), (-1, -1, -2, -2), (-2, -1) * 15], ids=len)
def test_spans_of_each_example_are_overwritten_to_the_bit(axes: tuple[int, ...], lead: tuple[int, ...]) -> None:
    x, value = noise(*lead, 70, 41), np.array([np.nan], np.float32)
    drawn = np.random.default_rng(0).random((2, len(axes), *lead), np.float32)
    drawn[0] *= 9
    expected = x.copy()
    for at in np.ndindex(lead):
        for k, axis in enumerate(axes):
            length, share = drawn[(slice(None), k, *at)]
            start = int(share * (np.float32(x.shape[axis]) - length))
            span = slice(start, start + int(length))
            expected[at][span if axis == -2 else (slice(None), span)] = value
    assert np.array_equal(run(MaskSpans(axes), x, drawn, value), expected, equal_nan=True)
    defined = define(MaskSpans(axes), mx.array(x), mx.array(drawn), mx.array(value))
    assert np.array_equal(np.array(defined), expected, equal_nan=True)


TRANSPOSES: dict[str, tuple[Linear, tuple[int, ...], tuple[Any, ...]]] = {
    **{f"stft, {mode}": (Stft(FRAMING._replace(pad_mode=mode), 0.3), (2, 3, T), (WINDOW,)) for mode in MODES},
    **{f"deltas, {mode}": (Deltas(7, mode), (2, 3, T), ()) for mode in MODES},
    "istft": (ISTFT, (2, 3, FRAMES, F), (WINDOW,)),
    "resample": (Resample(3, 2, 4), (2, 3, T), (noise(2, 9),)),
    "recursive filter": (RecursiveFilter(), (2, 3, T), (FEEDBACK, np.ones(2, np.float32))),
    "recursive filters": (RecursiveFilter(), (2, 3, 5000), (np.stack([FEEDBACK] * 3), noise(3, 4))),
    "project": (Project(), (2, 7, F), (BANK,)),
    "convolution": (Convolve(), (2, 3, T), (noise(2, 3, 9),)),
}


def inner(a: Any, b: Any) -> float:
    return float((a.astype(np.complex128) * b.astype(np.complex128).conj()).real.sum())


@on_the_cpu
@pytest.mark.parametrize("name", TRANSPOSES)
def test_the_transpose_of_an_operator_is_its_transpose(name: str) -> None:
    op, shape, weights = TRANSPOSES[name]
    x = complex_noise(*shape) if isinstance(op, Istft) else noise(*shape)
    y = run(op, x, *weights)
    g = complex_noise(*y.shape) if op.is_complex else noise(*y.shape)
    back = run(op.transpose(x.shape), g, *weights)
    assert back.shape == x.shape
    # a few units in the last place of a transform, which errs at random over thousands of values
    size = np.linalg.norm(y.ravel()) * np.linalg.norm(g.ravel())
    assert abs(inner(y, g) - inner(x, back)) <= 1e-6 * size


@on_the_cpu
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_the_gradient_of_powers_is_that_of_their_definition(mode: str) -> None:
    stft = Stft(FRAMING._replace(pad_mode=mode), 0.3)
    z, g = run(stft, noise(2, 3, T), WINDOW), noise(2, 3, FRAMES, F)
    close(run(PowerAdjoint(stft, T), g, z, WINDOW), run(StftAdjoint(stft.framing, T, 0.3), z * (2 * g), WINDOW))


REFUSALS: dict[str, tuple[Operator, tuple[tuple[int, ...], ...], str]] = {
    "a prime factor": (Stft(Framing(74, 20)), ((300,), (74,)), "prime factor"),
    "long frames": (Istft(Framing(1 << 14, 64), 99), ((4, (1 << 13) + 1), (1 << 14,)), "larger than 8192"),
    "two sides": (Stft(FRAMING, onesided=False), ((T,), (N,)), "one-sided"),
    "another floor": (Istft(FRAMING, T, floor=1e-3), ((FRAMES, F), (N,)), "envelope"),
    "padding of features": (Deltas(2, "symmetric"), ((T,),), "'symmetric'"),
    "padding": (Spectrogram(FRAMING._replace(pad_mode="symmetric")), ((T,), (N,)), "'symmetric'"),
    "a power": (Filterbank(FRAMING, 0.5), ((T,), (N,), (F, 8)), "power 1 or 2"),
    "an epilogue": (Filterbank(FRAMING, epilogue=Root()), ((T,), (N,), (F, 8)), "Root"),
    "a large bank": (Project(), ((3, 2048), (2048, 4097)), "weights"),
    "a large basis": (Cepstrum(MEL), ((T,), (N,), (F, 6400), (6400, 8)), "values a frame"),
    "many values": (ProjectClipped(80.0), ((3, 6400), (6400, 8)), "values a frame"),
    "an epilogue of squares": (ProjectPower(epilogue=DECIBELS), ((3, F), (F, 8)), "Decibels"),
    "many bins": (DescribeMagnitudes(SPEC), ((3, 4098), (4098,)), "4098 bins"),
    "an order": (DescribeMagnitudes(DescriptorSpec(("bandwidth",), order=3)), ((3, F), (F,)), "order"),
    "no audio": (Stft(FRAMING), ((0, T), (N,)), "nothing"),
    "no frame": (Stft(Framing(N, HOP)), ((2, N - 1), (N,)), "nothing"),
    "frames": (Frames(FRAMING), ((T,),), "Frames"),
    "many phases": (Resample(1 << 16, 1 << 16, 4), ((T,), (1 << 16, 9)), "phases"),
    "results of many samples": (ResampleAdjoint(1, 4000, 1, T), ((4000 * T + 4000,), (4000, 3)), "samples"),
    "many frames": (PhaseVocoder(), ((1 << 24, 1), (4, 9), (9,)), "frames or more"),
    "medians of many": (Medians(129), ((F, T),), "more than 127 values"),
    "many spans": (MaskSpans((-1,) * 32), ((3, F, T), (2, 32, 3), (1,)), "more than 31 spans"),
    "a large example": (MaskSpans((-1,)), ((1 << 16, 1 << 16), (2, 1), (1,)), "too large"),
    "Griffin-Lim of a prime factor": (
        GriffinLim(Istft(Framing(74, 20), 200), Stft(Framing(74, 20)), 2, 0.5, 1e-16),
        ((9, 38), (9, 38), (74,)),
        "prime factor",
    ),
    "Kaldi's spectrogram of a prime factor": (KaldiSpectrogram(SPEECH._replace(n_fft=74)), ((T,), (N,)), "prime"),
    "a filter of many coefficients": (RecursiveFilter(), ((T,), (6,), (3,)), "order is above 4"),
    "a clamped one": (ClampedFilter(RecursiveFilter()), ((T,), (1,), (6,)), "order is above 4"),
    "lagged products": (LaggedProducts(3), ((2, T), (2, T)), "LaggedProducts"),
    "a convolution with many taps": (Convolve(), ((2, T), (2, 1025)), "more than 1024 taps"),
    "filters for several signals": (Convolve(), ((2, 3, T), (2, 1, 5)), "broadcast"),
    "an epilogue alone": (Elementwise(Power(1.0, 1.0)), ((T,),), "Power"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_no_kernel_serves_is_refused_with_the_reason(name: str) -> None:
    op, shapes, reason = REFUSALS[name]
    assert reason in (gpu.why_not(op, shapes) or "")
    assert gpu.program(op, shapes) is None
    assert run(op, *(np.empty(shape, np.float32) for shape in shapes)) is None


def test_every_operator_has_a_program_or_is_refused_above() -> None:
    kinds = {value for value in vars(operators).values() if isinstance(value, type) and issubclass(value, Operator)}
    cases = itertools.chain(OF_AUDIO.values(), OF_FRAMES.values(), TRANSPOSES.values(), REFUSALS.values())
    tried = {type(op) for op, *_ in cases} | {
        StftAdjoint,
        IstftAdjoint,
        DeltasAdjoint,
        PowerAdjoint,
        Synthesis,
        Describe,
        Correlate,
        KaldiFilterbank,
        SlidingNormalization,
    }
    assert tried == kinds - {Operator, Linear}


def test_a_program_is_made_once_for_an_operator_shapes_and_a_geometry() -> None:
    shapes = (2, T), (N,), (F, FILTERS)
    program = gpu.program(Filterbank(FRAMING), shapes, (9,))
    assert gpu.program(Filterbank(FRAMING), shapes, (9,)) is program
    assert gpu.program(Filterbank(FRAMING), shapes, (10,)) is not program
    assert gpu.program(Filterbank(FRAMING), ((3, T), *shapes[1:]), (9,)) is not program


class Idle(MlxLauncher):
    """Launches nothing, and counts the tables that it is given."""

    tables = 0

    def prepare(self, launch: Launch) -> Any:
        return lambda _arrays: [mx.zeros(shape) for shape in launch.shapes]

    def from_numpy(self, values: Any) -> Any:
        self.tables += 1
        return super().from_numpy(values)


def test_a_weight_s_table_is_made_once_whatever_the_audio() -> None:
    launcher, window, bank, basis = Idle(), *map(mx.array, (WINDOW, BANK, BASIS))
    for length in (T, T, 2 * T):
        launcher.run(Filterbank(FRAMING), mx.zeros(length), window, bank)
        launcher.run(Cepstrum(MEL), mx.zeros(length), window, bank, basis)
    assert launcher.tables == 2
    # looking at its values would wait for the GPU, so that what is equal is not the same
    launcher.run(Filterbank(FRAMING), mx.zeros(T), window, mx.array(BANK))
    assert launcher.tables == 3


def test_frequencies_are_known_by_their_values() -> None:
    launcher, window, hz = Idle(), mx.array(WINDOW), HZ.copy()
    for _ in range(2):
        launcher.run(Describe(FRAMING, SPEC), mx.zeros(T), window, hz)
        launcher.run(Describe(FRAMING, SPEC), mx.zeros(T), window, HZ)
    assert launcher.tables == 1
    hz[0] += 1
    launcher.run(Describe(FRAMING, SPEC), mx.zeros(T), window, hz)
    assert launcher.tables == 2


def test_only_the_mlx_launcher_imports_an_array_library_of_a_gpu() -> None:
    modules = [name for _, name, _ in pkgutil.iter_modules(gpu.__path__) if name != "launch_mlx"]
    script = (
        "import importlib, sys\n"
        "for library in ('mlx', 'mlx.core', 'torch'): sys.modules[library] = None\n"
        f"for name in {modules}: importlib.import_module('mlx_spectro.kernels.gpu.' + name)\n"
        "from mlx_spectro.design.framing import Framing\n"
        "from mlx_spectro.design.operators import Stft\n"
        "from mlx_spectro.kernels import gpu\n"
        "print(gpu.program(Stft(Framing(64, 16)), ((2, 300), (64,))).steps[0].launch.shapes)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("((2, 15, 33),)", 0), done.stderr


@on_the_cpu
@pytest.mark.parametrize("name", ["clipped cepstrum", "norms"])
def test_complete_metal_text_does_what_mlx_s_does(name: str) -> None:
    op, weights, _ = OF_AUDIO[name]

    class ByProgram(OnHost):
        def prepare(self, launch: Launch) -> Any:
            by_mlx, kernel = super().prepare(launch), launch.kernel
            by_itself = host.Compiled(metal_program(kernel))
            scalars = [np.array(n, np.float32 if type(n) is float else np.int64) for n in kernel.each(launch.scalars)]

            def call(arrays: list[Any]) -> list[Any]:
                expected = by_mlx(arrays)
                outputs = [np.full_like(values, np.nan) for values in expected]
                inputs = [*map(self.from_numpy, arrays), *kernel.constants, *scalars]
                given, results = ([host.Memory(x.ctypes.data, x.nbytes) for x in some] for some in (inputs, outputs))
                assert by_itself.launch(given, results, launch.groups, kernel.threads) == {}
                for ours, theirs in zip(outputs, expected, strict=True):
                    assert np.array_equal(ours, theirs)
                return expected

            return call

    assert ByProgram().run(op, noise(2, T), *weights) is not None


@on_the_cpu
@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize(("size", "n_fft", "shift"), [(50, 64, 20), (64, 64, 31), (33, 40, 40)])
@pytest.mark.parametrize(("power", "logarithmic"), [(1, True), (2, False), (2, True)])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_kaldi_s_filterbanks_are_as_defined(
    size: int, n_fft: int, shift: int, snip_edges: bool, power: Any, logarithmic: bool, remove_mean: bool
) -> None:
    how = Extraction(kaldi_framing(size, shift, snip_edges), n_fft, remove_mean, 0.97)
    x, window = 3 + noise(2, 400), window_of(size)
    bank = np.abs(noise(n_fft // 2 + 1, 5))
    op = KaldiFilterbank(how, power, logarithmic)
    # relative to the largest value; of logarithms, that of a magnitude 40 dB below the largest
    truth, ours = speech.features(op, x, window, bank.astype(np.float64)), run(op, x, window, bank)
    assert ours.shape == truth.shape
    limit = 2 * np.finfo(np.float32).eps * np.log2(n_fft) * 2 * (100 if logarithmic else 1)
    assert np.abs(ours - truth).max() <= limit * np.abs(truth).max()


@on_the_cpu
@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("least", [-np.inf, 5.0])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("place", ["first", "last", "spectrogram"])
def test_kaldi_s_energies_are_as_defined(place: Any, raw: bool, least: float, snip_edges: bool) -> None:
    how = Extraction(kaldi_framing(50, 20, snip_edges), 64, True, 0.97, raw, least)
    x, window, bank = 3 + noise(2, 400), window_of(50), np.abs(noise(33, 5))
    spectrogram = place == "spectrogram"
    op = KaldiSpectrogram(how) if spectrogram else KaldiFilterbank(how, energy=place)
    weights = (window,) if spectrogram else (window, bank)
    truth, ours = speech.features(op, x, *weights), run(op, x, *weights)
    assert ours.shape == truth.shape
    # of a bin far below the largest, a logarithm makes a small error a large one: power is compared there
    where = 0 if place != "last" else -1
    eps = np.finfo(np.float32).eps
    assert np.abs(ours[..., where] - truth[..., where]).max() <= 4 * eps * np.abs(truth[..., where]).max()
    others = [np.exp(np.delete(values, where, axis=-1)) for values in (ours.astype(np.float64), truth)]
    assert np.abs(others[0] - others[1]).max() <= 8 * eps * np.log2(64) * others[1].max()


@on_the_cpu
@pytest.mark.parametrize("lead", [(), (2, 3)], ids=str)
@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_griffinlim_is_as_defined(iterations: int, lead: tuple[int, ...]) -> None:
    op = GriffinLim(ISTFT, Stft(FRAMING), iterations, 0.4, 1e-16)
    levels = np.abs(noise(*lead, FRAMES, F))
    start = levels * np.exp(2j * np.pi * noise(*lead, FRAMES, F))
    ours = run(op, levels, start.astype(np.complex64), WINDOW)
    expected = np.array(define(op, *map(mx.array, (levels, start.astype(np.complex64), WINDOW))))
    assert ours.shape == expected.shape
    # each iteration makes a rounding of a bin's magnitude larger, by as much as it is smaller than the others
    assert np.abs(ours - expected).max() <= 1e-5 * 10**iterations * np.abs(expected).max()


@on_the_cpu
def test_what_griffinlim_has_used_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[int] = []

    class Watched(OnHost):
        def prepare(self, launch: Launch) -> Any:
            call = super().prepare(launch)

            def watched(arrays: list[Any]) -> Any:
                outputs = call(arrays)
                watch.extend(weakref.ref(output) for output in outputs)
                alive.append(sum(each() is not None for each in watch))
                return outputs

            return watched

    watch: list[Any] = []
    levels = np.abs(noise(FRAMES, F))
    op = GriffinLim(ISTFT, Stft(FRAMING), 6, 0.4, 1e-16)
    Watched().run(op, levels, levels.astype(np.complex64), WINDOW)
    assert len(alive) == 19
    # a result and what it was made of: spectra of this turn and the last
    assert max(alive) <= 4


@on_the_cpu
@pytest.mark.parametrize("filters", [(), (1, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("length", [1, 9, 300, 2500])
@pytest.mark.parametrize("taps", [1, 7, 8, 33, 100, 1024])
def test_convolutions_are_sums_of_products(taps: int, length: int, filters: tuple[int, ...]) -> None:
    x, y = noise(2, 3, length), noise(*filters, taps)
    each = np.broadcast_to(y, (2, 3, taps)).astype(np.float64)
    whole = np.stack([np.convolve(a, b) for a, b in zip(x.reshape(6, -1), each.reshape(6, -1), strict=True)])
    pairs = zip(np.abs(x).reshape(6, -1), np.abs(each).reshape(6, -1), strict=True)
    sizes = np.stack([np.convolve(a, b) for a, b in pairs])
    # each of a chunk's sums, and each sum of chunks, is rounded
    limit = (32 + -(-taps // 32)) * np.finfo(np.float32).eps * sizes.reshape(2, 3, -1)
    assert (np.abs(run(Convolve(), x, y) - whole.reshape(2, 3, -1)) <= limit).all()
    if length >= taps:
        begin, count = taps - 1, length - taps + 1
        back = run(Correlate(count), x, y[..., ::-1].copy())
        part = slice(begin, begin + count)
        assert (np.abs(back - whole.reshape(2, 3, -1)[..., part]) <= limit[..., part]).all()


@on_the_cpu
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spoils_the_sums_that_it_is_in(bad: float) -> None:
    x, y = noise(2, 3000), noise(2, 20)
    x[1, 1500] = bad
    spoiled = np.zeros((2, 3019), bool)
    spoiled[1, 1500:1520] = True
    assert np.array_equal(~np.isfinite(run(Convolve(), x, y)), spoiled)
    x[1, 1500], y[0, 3] = 0, bad
    spoiled[:] = False
    spoiled[0, 3:3003] = True
    assert np.array_equal(~np.isfinite(run(Convolve(), x, y)), spoiled)


SLIDING = [
    (window, least, centred, scaled, frames)
    for window, least in ((1, 0), (9, 20), (12, 999), (50, 1), (600, 100))
    for centred in (False, True)
    for scaled in (False, True)
    for frames in (1, 2, 33, 150)
]


@on_the_cpu
@pytest.mark.parametrize(("window", "least", "centred", "scaled", "frames"), SLIDING)
def test_sliding_normalization_is_as_defined(window: int, least: int, centred: bool, scaled: bool, frames: int) -> None:
    op = SlidingNormalization(window, least, centred, scaled)
    x = noise(2, frames, 5) + 1
    ours, truth = run(op, x), sliding_truth(op, x)
    # a variance that is within roundings of the squares is none
    eps = np.finfo(np.float32).eps
    clear = sliding_variation(op, x) > 2 * frames * eps if scaled else np.ones(x.shape, bool)
    assert clear.mean() > 0.9
    # a mean and a deviation in twice a float's digits, and a few roundings of what is left
    assert np.abs(ours - truth)[clear].max() <= 4 * eps * max(1.0, np.abs(truth[clear]).max())


@on_the_cpu
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("scaled", [False, True])
def test_what_is_not_finite_spoils_its_feature_from_its_first_window_on(bad: float, scaled: bool) -> None:
    x = noise(2, 190, 5)
    x[1, 40, 3] = bad
    op = SlidingNormalization(10, 5, centred=True, scaled=scaled)
    _, ends = bounds(190, 10, 5, True)
    wrong = np.zeros(x.shape, bool)
    wrong[1, ends > 40, 3] = True
    assert np.array_equal(~np.isfinite(run(op, x)), wrong)


@on_the_cpu
def test_of_a_constant_kaldi_s_filterbank_hears_nothing() -> None:
    op = KaldiFilterbank(SPEECH)
    y = run(op, np.full((2, 300), 12345.6, np.float32), WINDOW, BANK)
    assert np.array_equal(y, np.full_like(y, np.log(np.float32(EPSILON))))
