"""librosa's ways back from mel spectrograms and cepstra.

Audio is that of silence here, whose phases do not matter: librosa draws them at random, and takes no seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Reject, Sample, Timing, each_signal, pairwise
from .librosa_core import ACCEPTED, row
from .torchaudio_griffinlim import powers

WHY = "none: the same steps of SciPy's, from the same start"
MELS = {"sr": 8000, "n_fft": 256}


def bank(n_mels: int, n_fft: int = 256, dtype: Any = np.float32, **options: Any) -> Any:
    """librosa's mel filters."""
    import librosa

    return librosa.filters.mel(sr=8000, n_fft=n_fft, n_mels=n_mels, dtype=dtype, **options)


def mel_power(x: Any, n_mels: int = 20) -> Any:
    """Mel spectrograms ``[..., mels, N]``, contiguous."""
    return np.ascontiguousarray(bank(n_mels) @ powers(x, 256, 64))


def noise(*shape: int) -> Any:
    """What a magnitude is a sum of, and some silence."""
    x = np.random.default_rng(101).chisquare(2, shape).astype(np.float32)
    x[..., -2:] = 0
    return x


def nnls_samples() -> Iterator[Sample]:
    for o in pairwise(
        shape=((20, 9), (2, 20, 5), (2, 1, 20, 3), (20, 1)),
        bins=(129, 33, 7),
        order=("C", "F"),
        quiet=(False, True),
        double=(False, True),
    ):
        kind = np.float64 if o["double"] else np.float32
        basis = np.abs(np.random.default_rng(102).standard_normal((20, o["bins"]))).astype(kind)
        targets = noise(*o["shape"]).astype(kind) * (1e-3 if o["quiet"] else 1)
        yield Sample(f"{o}", (basis, np.asarray(targets, order=o["order"])))
    # librosa solves 512 columns of 128 rows at once
    yield Sample("blocks", (np.eye(128, 9, dtype=np.float32), 0.01 * noise(128, 600)))
    yield Sample("one column", (basis, np.ones(20)), {}, "what is to be reached has one axis")
    yield Sample("an option of SciPy's", (basis, noise(20, 2).astype(kind)), {"maxiter": 2}, "arguments for SciPy")
    yield Sample("other dtypes", (basis.astype(np.float32), noise(20, 2).astype(float)), {}, "A is no basis")


def stft_samples() -> Iterator[Sample]:
    # of a batch, librosa weighs signals together
    alone = [name for name in ACCEPTED if name != "stereo_batch"]
    yield from each_signal(lambda x: Sample("", (mel_power(x),), MELS), alone)
    x = np.random.default_rng(103).standard_normal((2, 2000)).astype(np.float32)
    m = mel_power(x)
    for o in pairwise(
        power=(2.0, 1, 0.5),
        fmin=(0.0, 60),
        fmax=(None, 3500.0),
        htk=(False, True),
        norm=("slaney", None, 1, np.inf),
        order=("C", "F"),
        rows=(slice(None), 0),
        double=(False, True),
    ):
        values = m[o.pop("rows")].astype(np.float64 if o.pop("double") else np.float32)
        values = np.asarray(values, order=o.pop("order"))
        yield Sample(f"{o} {values.shape} {values.dtype}", (values,), {**MELS, **o})
    yield Sample("complex", (m.astype(complex),), MELS, "what is to be reached is complex")


def audio_samples() -> Iterator[Sample]:
    for o in pairwise(
        shape=((20, 30), (2, 20, 30)),
        hop_length=(None, 60),
        length=(None, 10),
        n_iter=(0, 2, 32),
        center=(True, False),
        power=(2.0, 1.0),
        double=(False, True),
    ):
        shape, length = o.pop("shape"), o.pop("length")
        m = np.zeros(shape, np.float64 if o.pop("double") else np.float32)
        if length and o["center"]:
            o["length"] = 29 * (o["hop_length"] or 64) + length
        o["window"] = "hann" if o["center"] else "hamming"
        yield Sample(f"{o} {shape} {m.dtype}", (m,), {**MELS, **o, "dtype": m.dtype})


def cepstrum_samples() -> Iterator[Sample]:
    m = noise(13, 30)
    for o in pairwise(n_mels=(20, 30), dct_type=(2, 3), norm=("ortho", None), n_iter=(1, 3), double=(False, True)):
        values = m.astype(np.float64 if o.pop("double") else np.float32)
        # powers relative to nothing
        options = {**MELS, **o, "ref": 0.0, "dtype": values.dtype}
        yield Sample(f"{o} {values.dtype}", (values,), options)
    yield Sample("liftered", (m,), {**MELS, "ref": 0.0, "lifter": 22}, "lifter is given")


def _time(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    m = np.random.default_rng(0).chisquare(2, (batch, 128, 1 + length // hop)).astype(np.float32)
    return Sample("", (1e-3 * (m[0] if batch == 1 else m),), {"n_fft": max(n_fft, 2048)})


_BAD = (Reject("one axis", (np.ones(9, np.float32),), MELS, "IndexError"),)

ROWS = [
    row("util.nnls", nnls_samples, WHY),
    row("feature.inverse.mel_to_stft", stft_samples, WHY, rejects=_BAD, timing=Timing(_time)),
    row("feature.inverse.mel_to_audio", audio_samples, WHY, rejects=_BAD),
    row("feature.inverse.mfcc_to_audio", cepstrum_samples, WHY),
]
