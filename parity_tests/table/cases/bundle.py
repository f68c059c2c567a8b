"""Several descriptors from one STFT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import HeavyTail, Row, Sample, Timing, each_signal
from ..native import by_librosa, lazily
from .cepstrum import librosa_mfcc
from .chroma import librosa_chroma
from .descriptors import RECORDINGS, timed

REFERENCES = {
    "chroma_stft": librosa_chroma,
    "spectral_centroid": by_librosa("feature.spectral_centroid"),
    "spectral_bandwidth": by_librosa("feature.spectral_bandwidth"),
    "spectral_rolloff": by_librosa("feature.spectral_rolloff"),
    "spectral_contrast": by_librosa("feature.spectral_contrast"),
    "mfcc": librosa_mfcc,
}
# the bundle's names of parameters that single functions call otherwise
_OWN = {
    "chroma_stft": {"chroma_norm": "norm", "n_chroma": "n_chroma"},
    "spectral_bandwidth": {"bandwidth_p": "p"},
    "spectral_rolloff": {"roll_percent": "roll_percent"},
    "spectral_contrast": {"n_bands": "n_bands", "contrast_fmin": "fmin", "contrast_quantile": "quantile"},
    "mfcc": {"n_mfcc": "n_mfcc", "n_mels": "n_mels", "mel_norm": "norm", "lifter": "lifter"},
}
_SHARED = ("sample_rate", "n_fft", "hop_length", "window_fn", "center", "center_pad_mode")


def references(y: Any, include: tuple[str, ...] | None = None, **parameters: Any) -> list[Any]:
    """librosa's features, one by one, called with the bundle's parameters."""
    shared = {key: parameters[key] for key in _SHARED if key in parameters}
    results = []
    for name in include or REFERENCES:
        own = {theirs: parameters[ours] for ours, theirs in _OWN.get(name, {}).items() if ours in parameters}
        results.append(REFERENCES[name](y, **shared, **own))
    return results


def samples() -> Iterator[Sample]:
    small = {"n_fft": 512, "hop_length": 128, "center_pad_mode": "constant", "n_mels": 40, "include": None}
    names = ("white_noise", "odd_length", "stereo_batch", *RECORDINGS)
    yield from each_signal(lambda x: Sample("", (x,), dict(small)), names)
    x = np.random.default_rng(71).standard_normal((3, 6001)).astype(np.float32)
    chosen = {
        "include": ("mfcc", "spectral_bandwidth", "chroma_stft"),
        "sample_rate": 16000,
        "n_fft": 1024,
        "hop_length": 300,
        "window_fn": "hamming",
        "n_chroma": 24,
        "chroma_norm": 1,
        "bandwidth_p": 1.0,
        "n_mfcc": 13,
        "n_mels": 64,
        "mel_norm": None,
        "lifter": 22,
    }
    yield Sample("some, by other parameters", (x,), chosen)


WHY = "each feature's own reason; the contrast's errors are the largest"
ROWS = [
    Row(
        "spectral_features",
        references,
        samples,
        WHY,
        against="librosa",
        ours=lazily("spectral_features"),
        judged=HeavyTail(),
        timing=Timing(timed()),
    ),
    Row(
        "SpectralFeatureTransform",
        references,
        samples,
        WHY,
        against="librosa",
        ours=lazily("SpectralFeatureTransform", call=True),
        judged=HeavyTail(),
    ),
]
