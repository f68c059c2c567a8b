"""Constant-Q and variable-Q transforms, on MLX arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Row, Sample, each_signal, pairwise
from ..native import frames_of, lazily

WHY = "sums over a float32 spectrum of up to 16384 samples; librosa's filters, and no resampling"


def by_librosa_s_filters(
    x: Any,
    *,
    sample_rate: float = 22050,
    hop_length: int = 512,
    f_min: float = 32.70319566257483,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    gamma: Any = None,
    tuning: float = 0.0,
    filter_scale: float = 1.0,
    norm: float | None = 1,
    sparsity: float = 0.01,
    scale: bool = True,
    center_pad_mode: str = "constant",
) -> Any:
    """librosa's filters of each octave, times SciPy's spectra at the sample rate itself, in the audio's precision."""
    import librosa
    import scipy.fft

    low = f_min * 2 ** (tuning / bins_per_octave)
    hz = librosa.cqt_frequencies(n_bins, fmin=low, bins_per_octave=bins_per_octave)
    alpha: Any = librosa.filters._relative_bandwidth(freqs=hz)
    octaves: list[Any] = []
    top = n_bins
    while top:
        part = slice(max(0, top - bins_per_octave), top)
        basis, lengths = librosa.filters.wavelet(
            freqs=hz[part], sr=sample_rate, filter_scale=filter_scale, norm=norm, gamma=gamma, alpha=alpha[part],
            dtype=np.complex128,
        )  # fmt: skip
        n_fft = basis.shape[1]
        bank = np.fft.fft(basis * (lengths[:, None] / n_fft))[:, : n_fft // 2 + 1]
        bank = librosa.util.sparsify_rows(bank, quantile=sparsity).toarray()
        bank /= np.sqrt(lengths)[:, None] if scale else 1.0
        frames = frames_of(x, n_fft, hop_length, True, center_pad_mode)
        spectrum = scipy.fft.rfft(np.ascontiguousarray(frames))
        octaves.insert(0, np.swapaxes(spectrum @ bank.astype(spectrum.dtype).T, -1, -2))
        top = part.start
    return np.concatenate(octaves, axis=-2)


def constant_q(x: Any, **parameters: Any) -> Any:
    return by_librosa_s_filters(x, gamma=0, **parameters)


def samples(**more: Any) -> Iterator[Sample]:
    names = ("silence", "impulse", "chirp", "white_noise", "shorter_than_a_frame", "stereo_batch", "speech")
    yield from each_signal(lambda x: Sample("", (x,), {"n_bins": 48, "f_min": 110.0}), names)
    x = np.random.default_rng(107).standard_normal((2, 2, 9001)).astype(np.float32)
    yield Sample("as by default", (x[0],), batched=True)
    for o in pairwise(
        sample_rate=(22050, 44100, 8000.5),
        hop_length=(512, 333),
        f_min=(110.0, 55.3),
        n_bins=(30, 24),
        bins_per_octave=(12, 24, 10),
        tuning=(0.0, 0.3),
        filter_scale=(1.0, 0.5),
        norm=(1, 2, math.inf, None),
        sparsity=(0.01, 0.0, 0.2),
        scale=(True, False),
        center_pad_mode=("constant", "reflect"),
        rows=(slice(None), 0, (0, 0)),
        **more,
    ):
        audio = x[o.pop("rows")]
        yield Sample(f"{o} {audio.shape}", (audio,), o, batched=audio.ndim > 2)


ROWS = [
    Row("cqt", constant_q, samples, WHY, against="librosa", ours=lazily("cqt")),
    Row(
        "vqt",
        by_librosa_s_filters,
        lambda: samples(gamma=(None, 0, 20.0)),
        WHY,
        against="librosa",
        ours=lazily("vqt"),
    ),
]
