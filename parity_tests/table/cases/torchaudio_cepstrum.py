"""torchaudio's cepstral coefficients and its spectral centroid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, Timing, each_signal, pairwise
from .mel import LOUD
from .stft import window

WHY = "a DCT of logarithms of sums of squares over a float32 spectrum"
CENTROID = "a quotient of sums over a float32 spectrum"


def _noise(seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((2, 3, 6001)).astype(np.float32)


def _sizes(o: dict[str, Any], *names: str) -> dict[str, Any]:
    """Options of the spectrogram behind, taken out of ``o``: torchaudio wants them together, and those given only."""
    found = {name: o.pop(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


_FRAMING = {
    "n_fft": (400, 1024, 513),
    "hop_length": (None, 160),
    "power": (2.0, 1.0),
    "center": (True, False),
    "normalized": (False, True),
}


def mfcc_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"melkwargs": {"n_mels": 40}, "n_mfcc": 20}))
    logarithms = {"melkwargs": {"n_mels": 40}, "log_mels": True}
    yield from each_signal(lambda x: Sample("logarithms", (x,), logarithms), LOUD)
    x = _noise(81)
    for o in pairwise(
        sample_rate=(16000, 22050),
        n_mfcc=(13, 20),
        norm=("ortho", None),
        log_mels=(False, True),
        n_mels=(40, 23),
        mel_scale=("htk", "slaney"),
        rows=(slice(None), 0, (0, 0)),
        **_FRAMING,
    ):
        label, rows = f"{o}", o.pop("rows")
        melkwargs = _sizes(o, "n_mels", "mel_scale", *_FRAMING)
        yield Sample(label, (x[rows],), {**o, "melkwargs": melkwargs})


def lfcc_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"speckwargs": {"hop_length": 160}}))
    x = _noise(82)
    for o in pairwise(
        sample_rate=(16000, 22050),
        n_filter=(128, 40),
        n_lfcc=(13, 40),
        f_min=(0.0, 40.0),
        f_max=(None, 7600.0),
        norm=("ortho", None),
        log_lf=(False, True),
        rows=(slice(None), 0, (0, 0)),
        **_FRAMING,
    ):
        label, rows = f"{o}", o.pop("rows")
        speckwargs = _sizes(o, *_FRAMING)
        yield Sample(label, (x[rows],), {**o, "speckwargs": speckwargs})


def _centroids() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    x = _noise(83)
    for o in pairwise(
        sample_rate=(16000, 22050),
        pad=(0, 60),
        n_fft=(400, 1024, 513),
        win_length=(None, 301),
        hop_length=(None, 160),
        rows=(slice(None), 0, (0, 0)),
    ):
        label, rows = f"{o}", o.pop("rows")
        yield label, x[rows], o


# of a signal that is silent anywhere, the centroid is a quotient of zeros; of a constant, it is rounding
_AUDIBLE = ("chirp", "white_noise", "nan_in_the_middle", "odd_length", "shorter_than_a_frame", "stereo_batch")


def centroid_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x, 16000, 0, window(400), 400, 160, 400)), _AUDIBLE)
    for label, x, o in _centroids():
        n_fft, win_length = o["n_fft"], o["win_length"] or o["n_fft"]
        hop = o["hop_length"] or win_length // 2
        yield Sample(label, (x, o["sample_rate"], o["pad"], window(win_length), n_fft, hop, win_length))


def centroid_module_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"sample_rate": 16000}), _AUDIBLE)
    for label, x, o in _centroids():
        yield Sample(label, (x,), o)


def _time_mfcc(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x,), {"n_mfcc": 40, "melkwargs": {"n_fft": n_fft, "hop_length": hop, "n_mels": 80}})


def _time_lfcc(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x,), {"speckwargs": {"n_fft": n_fft, "hop_length": hop}})


def _time_centroid(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x,), {"sample_rate": 16000, "n_fft": n_fft, "hop_length": hop})


ROWS = [
    Row(
        "torchaudio.transforms.MFCC",
        "torchaudio.transforms.MFCC",
        mfcc_samples,
        WHY,
        against="torchaudio",
        gradient=True,
        timing=Timing(_time_mfcc),
    ),
    Row(
        "torchaudio.transforms.LFCC",
        "torchaudio.transforms.LFCC",
        lfcc_samples,
        WHY,
        against="torchaudio",
        gradient=True,
        timing=Timing(_time_lfcc),
    ),
    Row(
        "torchaudio.functional.spectral_centroid",
        "torchaudio.functional.spectral_centroid",
        centroid_samples,
        CENTROID,
        against="torchaudio",
        gradient=True,
    ),
    Row(
        "torchaudio.transforms.SpectralCentroid",
        "torchaudio.transforms.SpectralCentroid",
        centroid_module_samples,
        CENTROID,
        against="torchaudio",
        gradient=True,
        timing=Timing(_time_centroid),
    ),
]
