"""Random options, good and bad, for arrays that lie in memory in any way: all is as librosa has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

librosa = pytest.importorskip("librosa")

from mlx_spectro import compat
from mlx_spectro.ops import backend

from .librosa_calls import told_apart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(backend.for_host_arrays() != "host", reason="host kernels need numba"),
]


def some(*values: Any) -> Any:
    return st.sampled_from(values)


FRAMES = {
    "n_fft": some(64, 64, 63, 16, 2, 5, 256, np.int64(64)),
    "hop_length": some(16, 7, 1, 64, 100, None, np.int64(16)),
    "win_length": some(None, 32, 64, 20),
    "window": some("hann", "hamming", ("kaiser", 4.0), 8.6, np.hamming(32), [1.0] * 64, np.hanning),
    "center": some(True, False, 0, np.bool_(True)),
    "pad_mode": some("constant", "reflect", "edge", "wrap", "linear_ramp"),
}
RATE = {"sr": some(8000, 22050.0, np.int64(4000), 1)}
MELS = {
    "n_mels": some(4, 8, 1, 2, 40),
    "fmin": some(0, 50.0, 5000),
    "fmax": some(None, 3000.0, 4500),
    "htk": st.booleans(),
    "norm": some("slaney", None, 2, np.inf),
}
POWER = {"power": some(2.0, 1, 1.5, 3, np.float64(2))}
DECIBELS = {
    "ref": some(1.0, np.max, np.median, np.float32(3), -2, lambda x, **axes: np.mean(x, **axes)),
    "amin": some(1e-10, 1e-5, 1.0),
    "top_db": some(80.0, None, 30, np.float64(80)),
}
FRAMED = {"frame_length": FRAMES["n_fft"], "hop_length": some(16, 7, 1, 64, 100)}
CENTERED = {**FRAMED, "center": FRAMES["center"]}
# what a function makes of audio, and what of a spectrogram
OF_AUDIO: dict[str, dict[str, Any]] = {
    "stft": {**FRAMES, "dtype": some(None, np.complex64)},
    "feature.melspectrogram": {**FRAMES, **RATE, **MELS, **POWER},
    "feature.mfcc": {
        **FRAMES,
        **RATE,
        **MELS,
        **POWER,
        "norm": some("ortho", None),
        "n_mfcc": some(3, 4, 20),
        "lifter": some(0, 22, 2.5),
        "dct_type": some(2, 2, 3),
    },
    # what has no clear peaks has no tuning to estimate
    "feature.chroma_stft": {
        **FRAMES,
        **RATE,
        "tuning": some(0.0, 0.3),
        "n_chroma": some(12, 7),
        "norm": some(np.inf, 2, None, 0),
        "octwidth": some(2, None),
    },
    "feature.spectral_centroid": {**FRAMES, **RATE},
    "feature.spectral_bandwidth": {**FRAMES, **RATE, "p": some(2, 1, 3)},
    "feature.spectral_contrast": {**FRAMES, "sr": some(8000, 4000), "n_bands": some(1, 2), "linear": st.booleans()},
    "feature.spectral_flatness": {**FRAMES, "amin": some(1e-10, 1e-3), "power": some(2.0, 1, 3)},
    "feature.rms": {**CENTERED, "pad_mode": FRAMES["pad_mode"], "dtype": some(np.float32, np.float64)},
    "feature.zero_crossing_rate": {**CENTERED, "threshold": some(1e-10, 0.1, -1)},
    "onset.onset_strength": {
        **{k: v for k, v in FRAMES.items() if k != "center"},
        **RATE,
        **MELS,
        "lag": some(1, 2),
        "max_size": some(1, 3),
        "detrend": st.booleans(),
        "center": st.booleans(),
    },
    "onset.onset_strength_multi": {**FRAMED, **RATE, "channels": some(None, [0, 2], [slice(0, 2)])},
}
OF_SPECTROGRAM: dict[str, dict[str, Any]] = {
    name: {key: value for key, value in options.items() if key not in FRAMES} | {"n_fft": some(64, 65, None, 32)}
    for name, options in OF_AUDIO.items()
    if name.startswith("feature.") and name not in ("feature.zero_crossing_rate", "feature.rms", "feature.mfcc")
}
OF_SPECTROGRAM["feature.mfcc"] = {key: OF_AUDIO["feature.mfcc"][key] for key in ("n_mfcc", "norm", "lifter")}
OF_SPECTROGRAM["feature.rms"] = {"frame_length": some(64, 65, 32), "dtype": some(np.float32, np.float64)}
OF_SPECTROGRAM["feature.poly_features"] = {
    "sr": RATE["sr"],
    "n_fft": some(64, 65, None),
    "order": some(0, 1, 2, 3),
    "freq": some(None, np.linspace(0, 1000, 33), np.zeros(33), np.full(33, 1e200), np.geomspace(1e-200, 1, 33)),
}
OF_VALUES: dict[str, dict[str, Any]] = {
    "istft": {
        **{k: FRAMES[k] for k in ("hop_length", "window", "center")},
        "length": some(None, 300, 10, 0, np.int64(400)),
        "n_fft": some(None, 64, 65),
    },
    "magphase": {"power": some(1, 2, 0.5, np.float64(1))},
    "power_to_db": DECIBELS,
    "amplitude_to_db": DECIBELS,
    "db_to_power": {"ref": some(1.0, 2, -0.5)},
    "util.normalize": {
        "norm": some(np.inf, -np.inf, 0, 1, 2, 2.0, 3, 0.5, -1, None, np.float64(2), True, "l2"),
        "axis": some(0, 1, -1, None, 2, np.int64(0)),
        "threshold": some(None, 0.5, 3, 1e-12, 0, -1.0, np.float64(1)),
        "fill": some(None, True, False, 0, 1, 2, np.bool_(True)),
    },
    "db_to_amplitude": {"ref": some(1.0, 2, -0.5)},
}
# a flat prior leaves what rounding decides
PRIORS = some(None, None, scipy.stats.uniform(30, 300))
LOCAL = {
    **RATE,
    "hop_length": some(64, 512, 100, None),
    "win_length": some(40, 41, 10, 384, 2),
    "center": FRAMES["center"],
    "window": some("hann", "hamming", ("kaiser", 4.0), np.ones(40, np.float32)),
}
AGGREGATES = some(None, np.mean, np.median, np.max)
OF_TEMPO = {
    **RATE,
    "hop_length": LOCAL["hop_length"],
    "start_bpm": some(120, 60.0, 0),
    "prior": PRIORS,
}
OF_ENVELOPE: dict[str, dict[str, Any]] = {
    "feature.tempogram": {**LOCAL, "norm": some(np.inf, 2, None, 0)},
    "feature.fourier_tempogram": LOCAL,
    "feature.tempogram_ratio": {
        **LOCAL,
        "win_length": some(40, 41),
        "prior": PRIORS,
        "bpm": some(None, 120.0, np.full(60, 90.0)),
        "freqs": some(None, np.linspace(1.0, 300, 40), np.linspace(300, 1.0, 41)),
        "factors": some(None, [1, 2], []),
        "aggregate": AGGREGATES,
    },
    "feature.tempo": {**OF_TEMPO, "std_bpm": some(1.0, 0.5, 1e9), "ac_size": some(8.0, 2), "aggregate": AGGREGATES},
    "beat.plp": {
        **RATE,
        "hop_length": LOCAL["hop_length"],
        "win_length": LOCAL["win_length"],
        "tempo_min": some(30, None, 400),
        "tempo_max": some(300, None),
        "prior": PRIORS,
    },
    "beat.beat_track": {
        **OF_TEMPO,
        "tightness": some(100, 1.0, 0),
        "trim": FRAMES["center"],
        "units": some("frames", "time", "beats"),
        "sparse": some(True, False),
        "bpm": some(None, None, 100.0),
    },
}
LEADS = some((), (), (2,), (1,), (3, 2), (1, 2), (2, 1))
KINDS = some(np.float32, np.float32, np.float64)
VALUES: dict[str, Callable[[Any], Any]] = {
    "noise": lambda x: x,
    "silence": lambda x: 0 * x,
    "loud": lambda x: 1e4 * x,
    "quiet": lambda x: 1e-4 * x,
    "steps": np.round,
    "infinite": lambda x: np.where(np.arange(x.shape[-1]) == x.shape[-1] // 2, np.inf, x),
    "not a number": lambda x: np.where(np.arange(x.shape[-1]) == 0, np.nan, x),
}


def _padded(x: Any) -> Any:
    memory = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    memory[...] = x
    return memory


VIEWS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda x: x,
    "Fortran's order": np.asfortranarray,
    "interleaved": lambda x: np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0),
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
    "upside down": lambda x: x[::-1].copy("F")[::-1],
    "repeated": lambda x: np.broadcast_to(x[..., :1], x.shape),
    "repeated in front": lambda x: np.broadcast_to(x[:1], x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "unaligned": _padded,
    "of the other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "integers": lambda x: x.real.astype(np.int16) if np.isfinite(x).all() else x,
}


def _array(draw: Any, shape: tuple[int, ...], kind: Any, positive: bool = False) -> Any:
    rng = np.random.default_rng(sum(shape))
    x = rng.standard_normal(shape)
    if np.dtype(kind).kind == "c":
        x = x * np.exp(1j * rng.standard_normal(shape))
    x = VALUES[draw(some(*["noise"] * 5, *VALUES))](np.abs(x) if positive else x)
    return VIEWS[draw(some(*["as it is"] * 3, *VIEWS))](x.astype(kind))


def _randomly(
    name: str, options: dict[str, Any], array: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]
) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(data=st.data())
    def run(data: Any) -> None:
        args, kwargs = array(data.draw)
        kwargs |= data.draw(st.fixed_dictionaries({}, optional=options))
        with compat.route("ours"):
            assert not told_apart(f"librosa.{name}", args, kwargs)

    run()


@pytest.mark.parametrize("name", OF_AUDIO)
def test_random_calls_of_audio_are_librosa_s(name: str) -> None:
    def audio(draw: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        y = _array(draw, (*draw(LEADS), draw(some(400, 401, 300, 64, 7))), draw(KINDS))
        return ((y,), {}) if name in ("stft", "feature.zero_crossing_rate") else ((), {"y": y})

    _randomly(name, OF_AUDIO[name], audio)


@pytest.mark.parametrize("name", OF_SPECTROGRAM)
def test_random_calls_of_spectrograms_are_librosa_s(name: str) -> None:
    def spectrogram(draw: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        shape = (*draw(LEADS), draw(some(33, 33, 33, 2, 1)), draw(some(9, 9, 2, 1, 0)))
        return (), {"S": _array(draw, shape, draw(KINDS), positive=draw(st.integers(0, 9)) > 0)}

    _randomly(name, OF_SPECTROGRAM[name], spectrogram)


@pytest.mark.parametrize("name", OF_ENVELOPE)
def test_random_calls_of_envelopes_are_librosa_s(name: str) -> None:
    def envelope(draw: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        shape = (*draw(LEADS), draw(some(60, 60, 61, 40, 7, 1)))
        return (), {"onset_envelope": _array(draw, shape, draw(KINDS), positive=draw(st.booleans()))}

    _randomly(name, OF_ENVELOPE[name], envelope)


@pytest.mark.parametrize("name", OF_VALUES)
def test_random_calls_of_values_are_librosa_s(name: str) -> None:
    def values(draw: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        shape = (*draw(LEADS), 33, draw(some(9, 9, 2, 1)))
        kind = draw(KINDS)
        if name in ("istft", "magphase"):
            return (_array(draw, shape, np.result_type(kind, np.complex64)),), {}
        return (_array(draw, shape, kind, positive=draw(st.booleans())),), {}

    _randomly(name, OF_VALUES[name], values)
