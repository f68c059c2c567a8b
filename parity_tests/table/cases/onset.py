"""Onset strength."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, Timing, each_signal, pairwise
from ..native import lazily, spectrogram
from .descriptors import timed
from .mel import LOUD

WHY = "differences of logarithms of sums of squares over a float32 spectrum"


def _librosa(name: str) -> Any:
    """librosa's onset strength of a float32 spectrum, called with native parameters, one signal at a time."""

    def reference(y: Any, **parameters: Any) -> Any:
        import librosa

        if y.ndim > 1:
            return np.stack([reference(signal, **parameters) for signal in y])
        n_fft, hop = parameters["n_fft"], parameters["hop_length"]
        center = parameters.get("center", True)
        basis = librosa.filters.mel(
            sr=parameters.get("sample_rate", 22050),
            n_fft=n_fft,
            n_mels=parameters.get("n_mels", 128),
            fmax=parameters.get("f_max"),
            htk=parameters.get("mel_scale", "slaney") == "htk",
            norm=parameters.get("norm", "slaney"),
            dtype=y.dtype,
        )
        pad_mode = parameters.get("center_pad_mode", "reflect")
        power = spectrogram(y, n_fft=n_fft, hop_length=hop, center=center, center_pad_mode=pad_mode, power=2.0)
        mel = librosa.power_to_db(basis @ power, top_db=parameters.get("top_db", 80.0))
        bands = [slice(i, i + 1) for i in range(mel.shape[0])] if name == "multi" else None
        strength = librosa.onset.onset_strength_multi(
            S=mel, lag=parameters.get("lag", 1), center=center, n_fft=n_fft, hop_length=hop, channels=bands
        )
        strength = strength if bands else strength[0]
        # librosa lets an uncentred result grow by the lag; ours has a value a frame
        return strength[..., : mel.shape[-1]]

    return reference


def samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), {"n_fft": 512, "hop_length": 128, "n_mels": 40}), LOUD)
    x = np.random.default_rng(61).standard_normal((4, 6001)).astype(np.float32)
    for o in pairwise(
        sample_rate=(22050, 16000),
        n_fft=(2048, 600),
        hop_length=(512, 160),
        n_mels=(128, 40),
        f_max=(None, 6000.0),
        norm=("slaney", None),
        mel_scale=("slaney", "htk"),
        top_db=(80.0, 20.0),
        lag=(1, 3),
        center=(True, False),
        center_pad_mode=("constant", "reflect"),
        rows=(slice(None), 0),
    ):
        rows = o.pop("rows")
        yield Sample(f"{o}", (x[rows],), o, batched=rows == slice(None))


ROWS = [
    Row(
        "onset_strength",
        _librosa("mean"),
        samples,
        WHY,
        against="librosa",
        ours=lazily("onset_strength"),
        timing=Timing(timed()),
    ),
    Row(
        "onset_strength_multi",
        _librosa("multi"),
        samples,
        WHY,
        against="librosa",
        ours=lazily("onset_strength_multi"),
    ),
]
