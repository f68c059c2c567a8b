"""Every option of every function of librosa that we serve, with every value that people pass and should not."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np
import pytest
import scipy.stats

pytest.importorskip("librosa")

from mlx_spectro import compat
from mlx_spectro.compat import librosa as shim
from mlx_spectro.ops import backend

from ..table.case import OURS, find
from .librosa_calls import AUDIO, ENVELOPE, MAGNITUDES, PITCHED, SEED, SPECTRUM, Base, bases, told_apart

pytestmark = pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba")

NUMBERS = (0, 1, 2, -1, 2.0, 64.0, 512.5, 0.5, -0.5, 1e-30, 1e30, 1e300, np.nan, np.inf, -np.inf)
SCALARS = (
    *(np.int64(2), np.int64(64), np.int32(32), np.int8(64), np.float16(1), np.float32(2)),
    *(np.float64(2), np.float64(64), np.float64("nan"), np.bool_(True), np.bool_(False)),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, "512", "2", "", [], [1], (), np.array([]), np.array([1.0]), np.array(2), np.array(2.0), {}),
    *(("kaiser", [1]), ("kaiser", 4), "slaney", "reflect", "float32", np.float32, np.float64, 1j),
)
# what librosa makes so many of takes as much memory
COUNTS = {"n_mels", "n_mfcc", "n_chroma", "n_bands", "n_fft", "frame_length", "win_length", "length", "lag", "max_size"}

# of beats that are long, in frames, librosa makes large tables
_OF_TEMPO = {"hop_length": (64, np.inf), "ac_size": (0, 16), "sr": (0, 1e6), "bpm": (0.5, np.inf)}
LOCAL: dict[str, dict[str, tuple[float, float]]] = {
    "librosa.feature.tempo": _OF_TEMPO,
    "librosa.beat.beat_track": _OF_TEMPO,
}


def test_the_options_of_every_function_are_tried() -> None:
    rooms = ("beat", "feature", "filters", "onset", "decompose", "effects", "segment", "util", "feature.inverse")
    shown = {"": shim, **{f"{room}.": operator.attrgetter(room)(shim) for room in rooms}}
    names = {f"librosa.{prefix}{name}" for prefix, module in shown.items() for name in vars(module)["_ours"]}
    # which makes functions: what these make of options, test_segment tells
    assert {base.name for base in bases()} == names - {"librosa.segment.timelag_filter"}


def number_of(value: Any) -> float:
    """What a value counts as in arithmetic with arrays; NaN where it is no number."""
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError):
        return np.nan


def affordable(name: str, option: str, value: Any) -> bool:
    if name == "librosa.iirt" and option == "sr" and isinstance(value, (int, float, np.number, np.bool_)):
        return float(value) > 100  # at the rates of its filters, other audio takes gigabytes
    if option == "bpm" and isinstance(value, float) and np.isnan(value):  # for which librosa reads and writes elsewhere
        return False
    # of which SciPy's medians are of memory that nobody wrote
    if option == "kernel_size" and isinstance(value, float) and value % 1 > 0:
        return False
    if option == SEED and value is None:  # what is drawn without a seed is no two times the same
        return False
    if option == "filter_scale" and number_of(value) == 512.5:  # which makes filters of minutes
        return False
    if option == "bins_per_octave" and isinstance(value, float) and 0 < value < 0.1:  # librosa lists so many octaves
        return False
    least, most = LOCAL.get(name, {}).get(option, (0, np.inf))
    if 0 < number_of(value) < least or number_of(value) > most:
        return False
    return not (option in COUNTS and isinstance(value, (int, float)) and value > 1e6)


@pytest.mark.slow
@pytest.mark.parametrize("base", list(bases()), ids=lambda base: base.label)
def test_an_option_s_value_is_taken_or_refused_as_librosa_does(base: Base, same_draws: None, ours: None) -> None:
    found = {}
    # librosa designs its filters in half a second, at each call
    each = 8 if base.name == "librosa.iirt" else 1
    for option in base.options():
        for value in (*NUMBERS, *SCALARS, *OTHERS)[::each]:
            if affordable(base.name, option, value):
                changed = {**base.kwargs, option: value}
                # what numba says of a loop of librosa's that it compiles, it says once
                difference = told_apart(base.name, base.args, changed)
                if difference and (difference := told_apart(base.name, base.args, changed)):
                    found[option, repr(value)] = difference
    assert not found


def test_an_argument_of_another_version_of_librosa_is_refused_as_librosa_does(same_draws: None, ours: None) -> None:
    found = {}
    for base in bases():
        planned, shown = (
            inspect.signature(function).parameters for function in (find(OURS + base.name).plan, find(base.name))
        )
        for name in planned.keys() - shown.keys():
            if difference := told_apart(base.name, base.args, {**base.kwargs, name: planned[name].default}):
                found[base.label, name] = difference
    assert not found


def is_spectrogram(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.ndim == 2


@pytest.mark.parametrize("lead", [(3,), (2, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_result_of_repeated_values_lies_as_librosa_s(
    order: Any, lead: tuple[int, ...], same_draws: None, ours: None
) -> None:
    def repeated(x: Any) -> Any:
        return np.broadcast_to(np.asarray(x, order=order), (*lead, *x.shape)) if is_spectrogram(x) else x

    found = {}
    for base in bases():
        if not any(map(is_spectrogram, (*base.args, *base.kwargs.values()))):
            continue
        kwargs = {name: repeated(value) for name, value in base.kwargs.items()}
        if difference := told_apart(base.name, tuple(map(repeated, base.args)), kwargs):
            found[base.label] = difference
    assert not found


@pytest.mark.parametrize("threshold", [0, 1, 0.5, -1, -0.5, True, np.float64(0.5), np.nan, np.inf, -np.inf])
def test_a_threshold_of_crossings_is_taken_or_refused_as_librosa_does(threshold: Any, ours: None) -> None:
    y = np.random.default_rng(84).standard_normal(400).astype(np.float32)
    options = {"frame_length": 64, "hop_length": 16, "threshold": threshold}
    assert not told_apart("librosa.feature.zero_crossing_rate", (y,), options)


REFERENCES = (np.float32(3), np.float64(3), np.int64(3), np.max, np.median, np.abs, lambda s: None)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("ref", [*REFERENCES, lambda s: np.float32(3)])
@pytest.mark.parametrize("name", ["librosa.power_to_db", "librosa.amplitude_to_db"])
def test_a_reference_of_decibels_is_taken_or_refused_as_librosa_does(
    name: str, ref: Any, kind: Any, ours: None
) -> None:
    assert not told_apart(name, (MAGNITUDES.astype(kind),), {"ref": ref})


def test_numpy_s_integers_and_a_pad_mode_that_is_not_read_are_served(ours: None) -> None:
    y = np.random.default_rng(85).standard_normal(400).astype(np.float32)
    framing = {"n_fft": np.int64(64), "hop_length": np.int32(16), "win_length": np.int64(64)}
    for options in (framing, {"n_fft": 64, "center": False, "pad_mode": None}, {"n_fft": 64, "center": 1}):
        assert not told_apart("librosa.stft", (y,), options)
        compat.reset()
        shim.stft(y, **options)
        assert [record.reason for record in compat.report()] == [""]


ONE_BIN = np.ones((1, 3), np.float32)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("feature.melspectrogram", {"y": AUDIO, "n_fft": 64, "n_mels": 0}),
        ("feature.mfcc", {"y": AUDIO, "n_fft": 64, "n_mels": 0}),
        ("stft", {"y": AUDIO, "n_fft": 64, "window": ("kaiser", [1])}),
        ("stft", {"y": AUDIO, "n_fft": 64, "window": "no such"}),
        ("stft", {"y": AUDIO, "n_fft": 64, "window": lambda length: 1 / 0}),
        ("feature.melspectrogram", {"y": AUDIO, "n_fft": 64, "norm": [1]}),
        ("feature.melspectrogram", {"y": AUDIO, "n_fft": 64, "fmax": np.array([1.0])}),
        ("feature.chroma_stft", {"y": AUDIO, "n_fft": 64, "octwidth": [1], "tuning": 0.0}),
        ("feature.spectral_flatness", {"S": ONE_BIN}),
        ("feature.spectral_centroid", {"S": ONE_BIN, "sr": np.nan}),
        ("feature.spectral_contrast", {"S": ONE_BIN}),
        ("feature.chroma_stft", {"S": ONE_BIN}),
        ("feature.mfcc", {"y": AUDIO, "n_fft": 64, "n_mels": 4, "lifter": 22}),
        ("feature.tonnetz", {"chroma": MAGNITUDES * np.float64(1e-310)}),
        ("feature.tonnetz", {"chroma": MAGNITUDES * np.float32(1e-39)}),
        ("feature.tonnetz", {"chroma": np.ones((12, 3), int)}),
        ("pyin", {"y": AUDIO, **PITCHED, "fmin": 100.0}),
        ("pyin", {"y": AUDIO, **PITCHED, "fmin": 1200.0}),
        ("pyin", {"y": AUDIO, **PITCHED, "max_transition_rate": 1000.0}),
        ("pyin", {"y": AUDIO[:20], **PITCHED, "center": False}),
        ("pyin", {"y": AUDIO, **PITCHED, "win_length": 32}),
        ("yin", {"y": AUDIO, **PITCHED, "fmin": 100.0}),
        ("yin", {"y": AUDIO, **PITCHED, "win_length": 32}),
        ("yin", {"y": AUDIO[:20], **PITCHED, "center": False}),
        ("yin", {"y": AUDIO * np.float32(1e18), **PITCHED}),
        ("pitch_tuning", {"frequencies": np.zeros(3)}),
        ("pitch_tuning", {"frequencies": np.array([-1.0, 440.0, np.nan])}),
        ("feature.poly_features", {"S": MAGNITUDES, "freq": np.zeros(33)}),
        ("feature.poly_features", {"S": MAGNITUDES, "freq": np.geomspace(1e100, 1e200, 33), "order": 2}),
        ("feature.tempogram_ratio", {"onset_envelope": np.tile(ENVELOPE, (3, 2, 1)), "win_length": 40, "bpm": 90.0}),
        ("beat.beat_track", {"onset_envelope": ENVELOPE[7:8]}),
        ("util.nnls", {"A": MAGNITUDES[:4], "B": MAGNITUDES[0]}),
        ("util.nnls", {"A": MAGNITUDES[:4], "B": MAGNITUDES[:5]}),
        ("util.nnls", {"A": MAGNITUDES[:4] * np.float32("nan"), "B": MAGNITUDES[:4]}),
        ("util.nnls", {"A": MAGNITUDES[:4], "B": MAGNITUDES[:4], "maxiter": 1}),
        ("feature.inverse.mel_to_stft", {"M": MAGNITUDES[:4], "n_fft": 64, "n_mels": 4}),
        ("feature.inverse.mel_to_stft", {"M": MAGNITUDES, "n_fft": 32, "sr": 8000}),
        ("decompose.hpss", {"S": AUDIO}),
        ("decompose.hpss", {"S": MAGNITUDES * np.float32(1e38), "margin": 100.0}),
        ("decompose.hpss", {"S": MAGNITUDES, "kernel_size": (3,)}),
        ("decompose.hpss", {"S": MAGNITUDES, "kernel_size": (1000, 3)}),
        ("decompose.hpss", {"S": MAGNITUDES, "margin": (1.0, np.float64(2))}),
        ("decompose.hpss", {"S": MAGNITUDES - 1}),
        ("effects.hpss", {"y": AUDIO, "n_fft": 64, "mask": True}),
        ("effects.harmonic", {"y": AUDIO}),
        ("util.softmask", {"X": MAGNITUDES, "X_ref": -MAGNITUDES}),
        ("util.softmask", {"X": MAGNITUDES, "X_ref": MAGNITUDES.astype(np.float64)}),
        ("onset.onset_strength", {"y": AUDIO, "n_fft": 64, "sr": None}),
        ("onset.onset_strength", {"y": AUDIO, "n_fft": 64, "channels": [0]}),
        ("power_to_db", {"S": MAGNITUDES, "ref": lambda s, **axes: 1 / 0}),
        ("amplitude_to_db", {"S": MAGNITUDES, "ref": lambda s, **axes: s}),
        ("power_to_db", {"S": MAGNITUDES, "axis": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else ", ".join(value),
)
def test_what_is_beyond_us_is_librosa_s(name: str, options: dict[str, Any], ours: None) -> None:
    assert not told_apart(f"librosa.{name}", (), options)


@pytest.mark.parametrize("width", [{"prior": scipy.stats.uniform(30, 300)}, {"std_bpm": 1e9}], ids=["flat", "wide"])
def test_where_rounding_decides_on_a_tempo_librosa_s_does(width: dict[str, Any], ours: None) -> None:
    rng = np.random.default_rng(88)
    for _ in range(40):
        envelope = (rng.random(60) > 0.9).astype(np.float32)
        assert not told_apart("librosa.feature.tempo", (), {"onset_envelope": envelope, "hop_length": 100, **width})


@pytest.mark.parametrize("frames", [33, 300])
@pytest.mark.parametrize("scale", [True, False])
def test_an_inverse_in_double_precision_is_as_exact_as_librosa_s(frames: int, scale: bool, ours: None) -> None:
    rng = np.random.default_rng(89)
    spectrum = rng.standard_normal((24, frames)) * np.exp(1j * rng.standard_normal((24, frames)))
    options = {"sr": 8000, "fmin": 200.0, "hop_length": 128, "scale": scale}
    mine, theirs = (find(f"{prefix}librosa.icqt")(spectrum, **options) for prefix in (OURS, ""))
    assert [record.reason for record in compat.report()] == [""]
    # Sums of a few thousand terms, each rounded. Where frames are many, librosa multiplies filters by their norms
    # first, and rounds these products to single precision: one for each of the bins that a sample is a sum of.
    rounded = not scale and frames > 33
    limit = 24 * np.finfo(np.float32).eps if rounded else 1e4 * np.finfo(np.float64).eps
    assert np.abs(mine - theirs).max() < limit * np.abs(theirs).max()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("lead", [(), (2,), (3, 2), (2, 1, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_cepstra_lie_in_memory_as_librosa_s(kind: Any, lead: tuple[int, ...], order: Any, ours: None) -> None:
    y = np.asarray(np.random.default_rng(86).standard_normal((*lead, 2600)), kind, order=order)
    assert not told_apart("librosa.feature.mfcc", (), {"y": y, "n_fft": 512, "n_mels": 40})
    decibels = np.asarray(np.random.default_rng(87).standard_normal((*lead, 40, 9)), kind, order=order)
    assert not told_apart("librosa.feature.mfcc", (), {"S": decibels})


# dies away to numbers with fewer digits, and to 0
DECAY = (np.exp(-np.arange(8000) / 50) * np.sin(0.3 * np.arange(8000))).astype(np.float32)
DECAYS: dict[str, dict[str, Any]] = {
    **{f"feature.spectral_{name}": {"y": DECAY, "n_fft": 512} for name in ("centroid", "bandwidth", "rolloff")},
    "feature.chroma_stft": {"y": DECAY, "n_fft": 512, "hop_length": 128, "tuning": 0.0},
    "feature.tempogram": {"onset_envelope": np.abs(DECAY[:6000:8])},
    "feature.zero_crossing_rate": {"y": DECAY, "threshold": 0},
    "piptrack": {"y": DECAY, "n_fft": 512},
    "estimate_tuning": {"y": DECAY * np.float32(1e-37), "n_fft": 512},
    "pseudo_cqt": {"y": DECAY * np.float32(1e-37), "sr": 8000, "fmin": 200.0, "n_bins": 12},
    "feature.poly_features": {"S": np.abs(DECAY[:6600]).reshape(33, 200) * np.float32(1e-37)},
}


@pytest.mark.parametrize(
    ("name", "given", "options"),
    [
        ("effects.time_stretch", AUDIO, {"rate": 0.01, "n_fft": 64, "center": False}),
        ("effects.pitch_shift", AUDIO, {"n_steps": 40, "sr": 8000, "n_fft": 64, "center": False}),
        ("phase_vocoder", SPECTRUM[:2], {"rate": 0.1, "hop_length": 4096}),
    ],
    ids=["a hundred times as slow", "from another pitch", "by hops of many samples"],
)
def test_phases_are_as_near_to_librosa_s_as_its_own_sums_are_long(
    name: str, given: Any, options: dict[str, Any], ours: None
) -> None:
    assert not told_apart(f"librosa.{name}", (given,), options)


@pytest.mark.parametrize("name", DECAYS)
def test_the_least_numbers_are_what_they_are_to_librosa(name: str, ours: None) -> None:
    assert not told_apart(f"librosa.{name}", (), DECAYS[name])
