"""Mel filterbanks and mel spectrograms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Row, Sample, Timing, each_signal, pairwise

BANK = "ours is designed in float64, torchaudio's in float32"
POWER = "sums of squares over a float32 spectrum"
DECIBEL = "logarithms of sums of squares over a float32 spectrum"


def native_fbanks(like: Any, **parameters: Any) -> Any:
    """melscale_fbanks; ``like`` sets the reference's dtype."""
    from mlx_spectro import melscale_fbanks

    return melscale_fbanks(**parameters)


def torchaudio_fbanks(like: Any, **parameters: Any) -> Any:
    """torchaudio's filters, designed in ``like``'s dtype."""
    import torch
    import torchaudio

    with torch.device("cpu"):
        before = torch.get_default_dtype()
        torch.set_default_dtype(like.dtype)
        try:
            return torchaudio.functional.melscale_fbanks(**parameters)
        finally:
            torch.set_default_dtype(before)


def fbanks_samples() -> Iterator[Sample]:
    for o in pairwise(
        n_freqs=(201, 1025),
        f_min=(0.0, 30.0),
        f_max=(4000.0, 7600.0),
        n_mels=(20, 40),
        sample_rate=(16000, 22050),
        norm=(None, "slaney"),
        mel_scale=("htk", "slaney"),
    ):
        yield Sample(f"{o}", (np.zeros(1, np.float32),), o)


def torchaudio_mel(x: Any, *, output_scale: str = "linear", mode: str = "torchaudio_compat", **parameters: Any) -> Any:
    """torchaudio's mel spectrogram called with native parameters, in the audio's dtype."""
    import torch
    import torchaudio

    renamed = {"center_pad_mode": "pad_mode"}
    options = {renamed.get(key, key): value for key, value in parameters.items()}
    top_db, amin = options.pop("top_db", 80.0), options.pop("log_amin", 1e-5)
    log_mode = options.pop("log_mode", "clamp")
    transform = torchaudio.transforms.MelSpectrogram(**options)
    if x.dtype == torch.float64:
        transform.mel_scale.fb = torchaudio_fbanks(
            x,
            n_freqs=options["n_fft"] // 2 + 1,
            f_min=options.get("f_min", 0.0),
            f_max=options.get("f_max", options["sample_rate"] / 2),
            n_mels=options["n_mels"],
            sample_rate=options["sample_rate"],
            norm=options.get("norm"),
            mel_scale=options.get("mel_scale", "htk"),
        )
        transform = transform.double()
        transform.spectrogram.window = torch.hann_window(options["n_fft"], dtype=torch.float64)
    mel = transform(x)
    if output_scale == "linear":
        return mel
    if output_scale == "log":
        return (mel.clamp(min=amin) if log_mode == "clamp" else mel + amin).log()
    kind = "power" if options.get("power", 2.0) == 2.0 else "magnitude"
    to_db = torchaudio.transforms.AmplitudeToDB(kind, top_db)
    if mode == "torchaudio_compat" or x.dim() == 1:
        return to_db(mel)
    return torch.stack([to_db(one) for one in mel])


def native_mel(x: Any, **parameters: Any) -> Any:
    """MelSpectrogramTransform with torchaudio's defaults where the two differ."""
    from mlx_spectro import MelSpectrogramTransform

    parameters.setdefault("output_scale", "linear")
    parameters.setdefault("mode", "torchaudio_compat")
    y = MelSpectrogramTransform(**parameters)(x)
    return y[0] if x.ndim == 1 else y


def native_log_mel(x: Any, **parameters: Any) -> Any:
    """LogMelSpectrogramTransform, without a single signal's batch axis."""
    from mlx_spectro import LogMelSpectrogramTransform

    parameters.pop("output_scale")
    y = LogMelSpectrogramTransform(**parameters)(x)
    return y[0] if x.ndim == 1 else y


SMALL = {"sample_rate": 16000, "n_fft": 400, "hop_length": 160, "n_mels": 40}


def _sample(x: Any, **options: Any) -> Sample:
    return Sample(f"{options}", (x,), {**SMALL, **options})


def linear_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: Sample("", (x,), dict(SMALL)))
    x = np.random.default_rng(31).standard_normal((4, 6001)).astype(np.float32)
    for o in pairwise(
        sample_rate=(16000, 22050),
        n_fft=(400, 1024, 513),
        hop_length=(160, 300),
        n_mels=(80, 20),
        f_min=(0.0, 40.0),
        f_max=(7000.0, 7600.0),
        power=(2.0, 1.0, 1.5),
        norm=(None, "slaney"),
        mel_scale=("htk", "slaney"),
        center=(True, False),
        center_pad_mode=("reflect", "constant"),
        normalized=(False,),
        rows=(slice(None), 0),
    ):
        rows = o.pop("rows")
        yield Sample(f"{o}", (x[rows],), o, batched=rows == slice(None))


LOUD = ("impulse", "white_noise", "odd_length", "shorter_than_a_frame", "stereo_batch", "speech", "music")


def decibel_samples() -> Iterator[Sample]:
    for options in (
        {"mode": "torchaudio_compat"},
        {"mode": "mlx_native"},
        {"top_db": 30.0},
        {"power": 1.0, "top_db": None},
    ):
        yield from each_signal(partial(_sample, output_scale="db", **options), LOUD)


def log_samples() -> Iterator[Sample]:
    for mode in ("clamp", "add"):
        yield from each_signal(partial(_sample, output_scale="log", log_mode=mode, log_amin=1e-5), LOUD)


def timed(**parameters: Any) -> Timing:
    """80 mels of a batch of noise at 16 kHz."""

    def make(batch: int, length: int, n_fft: int, hop: int) -> Sample:
        x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
        sizes = {"sample_rate": 16000, "n_fft": n_fft, "hop_length": hop, "n_mels": 80}
        return Sample("", (x,), {**sizes, **parameters})

    return Timing(make)


ROWS = [
    Row("melscale_fbanks", torchaudio_fbanks, fbanks_samples, BANK, against="torchaudio", ours=native_fbanks),
    Row(
        "MelSpectrogramTransform",
        torchaudio_mel,
        linear_samples,
        POWER,
        against="torchaudio",
        ours=native_mel,
        gradient=True,
    ),
    Row(
        "MelSpectrogramTransform in dB", torchaudio_mel, decibel_samples, DECIBEL, against="torchaudio", ours=native_mel
    ),
    Row("LogMelSpectrogramTransform", torchaudio_mel, log_samples, DECIBEL, against="torchaudio", ours=native_log_mel),
]
