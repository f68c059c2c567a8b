"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, each_signal, pairwise
from ..native import STFT_PARAMETERS, lazily, spectrogram
from .mel import LOUD

WHY = "a DCT of logarithms of sums of squares over a float32 spectrum"


def native_dct(like: Any, **parameters: Any) -> Any:
    """dct_matrix; ``like`` sets the reference's dtype."""
    from mlx_spectro import dct_matrix

    return dct_matrix(**parameters)


def scipy_dct(like: Any, n_mfcc: int, n_mels: int, norm: str | None) -> Any:
    """The DCT of the unit vectors."""
    import scipy.fft

    return scipy.fft.dct(np.eye(n_mels, dtype=like.dtype), axis=0, norm=norm)[:n_mfcc]


def dct_samples() -> Iterator[Sample]:
    for o in pairwise(n_mfcc=(1, 13, 40), n_mels=(40, 128), norm=("ortho", None)):
        yield Sample(f"{o}", (np.zeros(1, np.float32),), o)


def librosa_mfcc(y: Any, **parameters: Any) -> Any:
    """librosa's MFCC of a float32 spectrum, called with native parameters, one signal at a time."""
    import librosa

    if y.ndim > 1:
        return np.stack([librosa_mfcc(signal, **parameters) for signal in y])
    of_stft = {key: parameters[key] for key in STFT_PARAMETERS if key in parameters}
    basis = librosa.filters.mel(
        sr=parameters.get("sample_rate", 22050),
        n_fft=parameters["n_fft"],
        n_mels=parameters.get("n_mels", 128),
        fmin=parameters.get("f_min", 0.0),
        fmax=parameters.get("f_max"),
        htk=parameters.get("mel_scale", "slaney") == "htk",
        norm=parameters.get("norm", "slaney"),
        dtype=y.dtype,
    )
    mel = librosa.power_to_db(basis @ spectrogram(y, power=2.0, **of_stft), top_db=parameters.get("top_db", 80.0))
    return librosa.feature.mfcc(
        S=mel,
        n_mfcc=parameters.get("n_mfcc", 20),
        lifter=parameters.get("lifter", 0),
        norm=parameters.get("dct_norm", "ortho"),
    )


def mfcc_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"n_fft": 512, "hop_length": 128, "n_mels": 40}), LOUD)
    x = np.random.default_rng(41).standard_normal((4, 6001)).astype(np.float32)
    for o in pairwise(
        sample_rate=(22050, 16000),
        n_mfcc=(20, 13),
        n_fft=(2048, 600),
        hop_length=(512, 160),
        n_mels=(128, 40),
        norm=("slaney", None),
        mel_scale=("slaney", "htk"),
        top_db=(80.0, 20.0, None),
        center_pad_mode=("constant", "reflect"),
        lifter=(0, 22),
        dct_norm=("ortho", None),
        rows=(slice(None), 0),
    ):
        rows = o.pop("rows")
        yield Sample(f"{o}", (x[rows],), o, batched=rows == slice(None))


ROWS = [
    Row("dct_matrix", scipy_dct, dct_samples, "ours is rounded from float64", against="librosa", ours=native_dct),
    Row("mfcc", librosa_mfcc, mfcc_samples, WHY, against="librosa", ours=lazily("mfcc")),
    Row("MFCCTransform", librosa_mfcc, mfcc_samples, WHY, against="librosa", ours=lazily("MFCCTransform", call=True)),
]
