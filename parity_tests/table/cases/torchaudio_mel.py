"""torchaudio's mel spectrograms, and those of models that people depend on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlx_spectro.design import banks

from .. import signals
from ..case import Program, Reject, Row, Sample, Timing, each_signal, pairwise
from .mel import BANK, DECIBEL, POWER, timed
from .spectrogram import clicks, torch_window_fn
from .stft import window

SUM = "sums of products in float32"


def mel_scale_samples() -> Iterator[Sample]:
    rng = np.random.default_rng(71)
    for o in pairwise(
        shape=((201, 40), (3, 201, 40), (2, 3, 201, 1)),
        bins_last=(True, False),
        n_mels=(40, 23),
        sample_rate=(16000, 22050),
        f_min=(0.0, 40.0),
        f_max=(None, 7600.0),
        norm=(None, "slaney"),
        mel_scale=("htk", "slaney"),
    ):
        label = f"{o}"
        s = rng.chisquare(2, o.pop("shape")).astype(np.float32)
        s = np.swapaxes(s.swapaxes(-1, -2).copy(), -1, -2) if o.pop("bins_last") else s
        yield Sample(label, (s,), {**o, "n_stft": 201})


def inverse_mel_samples() -> Iterator[Sample]:
    rng = np.random.default_rng(73)
    for o in pairwise(
        shape=((40,), (3, 17), (2, 3, 1)),
        n_mels=(40, 23),
        sample_rate=(16000, 22050),
        f_min=(0.0, 40.0),
        f_max=(None, 7600.0),
        norm=(None, "slaney"),
        mel_scale=("htk", "slaney"),
        driver=("gels", "gelsd", "gelss"),
    ):
        label = f"{o}"
        *rows, frames = o.pop("shape")
        yield Sample(label, (rng.chisquare(2, (*rows, o["n_mels"], frames)).astype(np.float32),), {**o, "n_stft": 257})
    x = rng.chisquare(2, (23, 9)).astype(np.float32)
    made = {"n_mels": 23, "n_stft": 257}
    yield Sample("gelsy", (x,), {**made, "driver": "gelsy"}, "the driver is gelsy")


def mel_samples() -> Iterator[Sample]:
    """torchaudio's defaults on every signal, and its options crossed."""
    yield from each_signal(lambda x: Sample("", (x,), {"n_mels": 80}))
    rng = np.random.default_rng(72)
    x = rng.standard_normal((2, 3, 6001)).astype(np.float32)
    for o in pairwise(
        sample_rate=(16000, 22050),
        n_fft=(400, 1024, 513),
        win_length=(None, 301),
        hop_length=(None, 160),
        f_min=(0.0, 40.0),
        f_max=(None, 7600.0),
        pad=(0, 60),
        n_mels=(20, 40),
        window_fn=("hann", "hamming"),
        power=(2.0, 1.0, 1.5),
        normalized=(False, True),
        center=(True, False),
        pad_mode=("reflect", "constant"),
        norm=(None, "slaney"),
        mel_scale=("htk", "slaney"),
        rows=(slice(None), 0, (0, 0)),
    ):
        label, rows = f"{o}", o.pop("rows")
        # the gradient of a magnitude that is small among others is rounding
        audio = x if o["power"] == 2 else clicks(rng, x.shape, o["n_fft"], o["win_length"] or o["n_fft"])
        yield Sample(label, (audio[rows],), {**o, "window_fn": torch_window_fn(o["window_fn"])})


def _bank(n_fft: int, n_mels: int, sample_rate: int) -> Any:
    """Slaney's filters up to 8 kHz, ``[n_mels, F]``."""
    hz = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    return np.ascontiguousarray(banks.mel_bank(hz, 0.0, 8000.0, n_mels, "slaney", "slaney").T.astype(np.float32))


# these models take one signal at a time
SINGLE = [name for name in signals.SIGNALS if name != "stereo_batch"]


def _whisper(torch: Any, audio: Any, filters: Any, win: Any) -> Any:
    """Whisper's log-mel spectrogram, as its audio.py computes it."""
    z = torch.stft(audio, 400, 160, window=win, return_complex=True)
    mel = filters @ z[..., :-1].abs() ** 2
    log_mel = torch.clamp(mel, min=1e-10).log10()
    return (torch.maximum(log_mel, log_mel.max() - 8.0) + 4.0) / 4.0


def whisper_samples() -> Iterator[Sample]:
    for n_mels in (80, 128):
        filters = _bank(400, n_mels, 16000)

        def sample(x: Any, filters: Any = filters) -> Sample:
            return Sample(f"{len(filters)} mels", (x, filters, window(400)))

        yield from each_signal(sample, SINGLE)


def _hifi_gan(torch: Any, y: Any, basis: Any, win: Any) -> Any:
    """HiFi-GAN's log-mel spectrogram, as its meldataset.py computes it."""
    y = torch.nn.functional.pad(y.reshape(-1, 1, y.shape[-1]), (384, 384), mode="reflect").squeeze(1)
    z = torch.stft(y, 1024, 256, 1024, win, center=False, normalized=False, onesided=True, return_complex=True)
    magnitude = torch.sqrt(torch.view_as_real(z).pow(2).sum(-1) + 1e-9)
    return torch.log(torch.clamp(torch.matmul(basis, magnitude), min=1e-5))


def hifi_gan_samples() -> Iterator[Sample]:
    basis, win = _bank(1024, 80, 22050), window(1024)
    # one cannot be mirrored by 384 samples; of the other's empty bins, the logarithm's gradient is rounding
    names = [name for name in SINGLE if name not in ("shorter_than_a_frame", "dc")]
    yield from each_signal(lambda x: Sample("", (x, basis, win)), names)


def _time_inverse(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    mels = np.random.default_rng(0).random((batch, 80, 1 + length // hop), np.float32)
    return Sample("", (mels,), {"n_stft": n_fft // 2 + 1, "n_mels": 80, "norm": "slaney", "mel_scale": "slaney"})


ROWS = [
    Row(
        "torchaudio.transforms.MelScale",
        "torchaudio.transforms.MelScale",
        mel_scale_samples,
        SUM,
        against="torchaudio",
        gradient=True,
    ),
    Row(
        "torchaudio.transforms.InverseMelScale",
        "torchaudio.transforms.InverseMelScale",
        inverse_mel_samples,
        "a product with a factor of double precision, where a solver rounds its steps to float32",
        against="torchaudio",
        rejects=(
            Reject("other filters", (np.ones((9, 5), np.float32),), {"n_mels": 23, "n_stft": 257}, "ValueError"),
            Reject("empty filters", (np.ones((128, 5), np.float32),), {"n_mels": 128, "n_stft": 201}, "_LinAlgError"),
        ),
        timing=Timing(_time_inverse),
        host=True,
    ),
    Row(
        "torchaudio.transforms.MelSpectrogram",
        "torchaudio.transforms.MelSpectrogram",
        mel_samples,
        f"{POWER}; {BANK}",
        against="torchaudio",
        gradient=True,
        timing=timed(),
    ),
    Row("Whisper's log-mel", Program(_whisper), whisper_samples, DECIBEL),
    Row("HiFi-GAN's log-mel", Program(_hifi_gan), hifi_gan_samples, DECIBEL, gradient=True),
]
