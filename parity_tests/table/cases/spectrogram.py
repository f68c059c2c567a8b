"""torchaudio's spectrograms and their inverses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise
from .stft import WHY, spectrum, time_istft, window


def torch_window_fn(name: str) -> Any:
    """torch's function for windows of that name."""
    import torch

    return getattr(torch, f"{name}_window")


_OPTIONS: dict[str, tuple[Any, ...]] = {
    "n_fft": (400, 513, 1024),
    "win_length": (None, 301),
    "hop_length": (None, 100),
    "pad": (0, 60),
    "window_fn": ("hann", "hamming"),
    "normalized": (False, True, "window", "frame_length"),
    "center": (True, False),
    "onesided": (True, False),
    "rows": (slice(None), 0, (0, 0)),
}


def _made(label: str, x: Any, o: dict[str, Any], *call: Any) -> Sample:
    """The call of a torchaudio transform."""
    return Sample(label, (x, *call), {**o, "window_fn": torch_window_fn(o["window_fn"])})


def _called(label: str, x: Any, o: dict[str, Any], *before: Any) -> Sample:
    """The call of the torchaudio function behind a transform."""
    win_length = o["win_length"] or o["n_fft"]
    hop = o["hop_length"] or win_length // 2
    framing = (o["pad"], window(win_length, o["window_fn"]), o["n_fft"], hop, win_length)
    power = (o["power"],) if "power" in o else ()
    options: dict[str, Any] = {key: o[key] for key in ("center", "pad_mode", "onesided") if key in o}
    return Sample(label, (x, *before, *framing, *power, o["normalized"]), options)


def clicks(rng: np.random.Generator, shape: tuple[int, ...], n_fft: int, apart: int) -> np.ndarray[Any, Any]:
    """Clicks, at most one of them in each frame, so that no bin of it is much smaller than the others.

    The gradient of a magnitude is the phase, and of a small bin among large ones that is rounding.
    """
    x = np.zeros(shape, np.float32)
    x[..., n_fft : shape[-1] - n_fft : apart] = 1
    return x * rng.uniform(0.5, 2, shape).astype(np.float32)


def _spectrograms() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    rng = np.random.default_rng(51)
    x = rng.standard_normal((2, 3, 3001)).astype(np.float32)
    for o in pairwise(power=(2.0, None, 1.0, 0.7, 3), pad_mode=("reflect", "constant", "replicate"), **_OPTIONS):
        label = f"{o}"
        if o["power"] in (1.0, 0.7):
            yield label, clicks(rng, x.shape, o["n_fft"], o["win_length"] or o["n_fft"])[o.pop("rows")], o
        else:
            yield label, x[o.pop("rows")], o


def spectrogram_samples() -> Iterator[Sample]:
    """torchaudio's defaults on every signal, and its options crossed."""
    yield from each_signal(lambda x: Sample("", (x,)))
    yield from each_signal(lambda x: Sample("complex", (x,), {"power": None}), ("speech", "nan_in_the_middle"))
    for each in _spectrograms():
        yield _made(*each)


def functional_spectrogram_samples() -> Iterator[Sample]:
    win = window(400)
    yield from each_signal(lambda x: Sample("", (x, 0, win, 400, 200, 400, 2.0, False)))
    for each in _spectrograms():
        yield _called(*each)


_INVERTIBLE = ("silence", "impulse", "dc", "chirp", "white_noise", "stereo_batch", "odd_length", "speech", "music")


def _inverses() -> Iterator[tuple[str, Any, dict[str, Any], int | None]]:
    x = np.random.default_rng(52).standard_normal((24, 3001)).astype(np.float32)
    for o in pairwise(length=(None, 1500, 2301), **_OPTIONS):
        label, n_fft = f"{o}", o["n_fft"]
        if not o["center"]:
            # the frames' edges have to be covered by more than a Hann window leaves of them
            o |= {"window_fn": "hamming", "win_length": None}
        hop = o["hop_length"] or (o["win_length"] or n_fft) // 2
        z = spectrum(x, n_fft, hop, window(n_fft), o["center"], o["onesided"])
        yield label, z.reshape(4, 6, *z.shape[1:])[o.pop("rows")], o, o.pop("length")


def inverse_spectrogram_samples() -> Iterator[Sample]:
    win = window(400)
    yield from each_signal(lambda x: Sample("", (spectrum(x, 400, 200, win, True),)), _INVERTIBLE)
    for each in _inverses():
        yield _made(*each)


def functional_inverse_spectrogram_samples() -> Iterator[Sample]:
    win = window(400)
    arguments = (None, 0, win, 400, 200, 400, False)
    yield from each_signal(lambda x: Sample("", (spectrum(x, 400, 200, win, True), *arguments)), _INVERTIBLE)
    for each in _inverses():
        yield _called(*each)


_X = np.zeros(1000, np.float32)
_Z = np.ones((33, 63), np.complex64)
_R = (0, window(64), 64, 32, 64, 2.0, False)
SPECTROGRAM_REJECTS = (
    Reject("an unknown normalization", (_X, *_R[:-1], "energy"), {}, "ValueError"),
    Reject("a normalization that is a number", (_X, *_R[:-1], 1), {}, "TypeError"),
    Reject("n_fft beyond the signal", (_X[:20], *_R), {}, "RuntimeError"),
    Reject("window of another length", (_X, 0, window(63), 64, 32, 64, 2.0, False), {}, "RuntimeError"),
    Reject("integers", (_X.astype(np.int32), *_R), {}, "RuntimeError"),
    Reject("an unknown padding", (_X, *_R), {"pad_mode": "wrap"}, "NotImplementedError"),
    Reject("arguments missing", (_X, 0), {}, "TypeError"),
    Reject("arguments of another function", (_X, *_R), {"length": 3}, "TypeError"),
)
INVERSE_REJECTS = (
    Reject("a real spectrum", (_Z.real.copy(), None, *_R[:-2], False), {}, "ValueError"),
    Reject("bins missing", (_Z[:-1], None, *_R[:-2], False), {}, "RuntimeError"),
    Reject("one axis", (_Z[0], None, *_R[:-2], False), {}, "IndexError"),
    Reject("windows that do not overlap", (_Z, None, 0, window(64), 64, 64, 64, False), {}, "RuntimeError"),
)


def _time_spectrogram(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length), np.float32)
    return Sample("", (x,), {"n_fft": n_fft, "hop_length": hop})


def _time_inverse(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    z, *_ = time_istft(batch, length, n_fft, hop).args
    return Sample("", (z, length), {"n_fft": n_fft, "hop_length": hop})


ROWS = [
    Row(
        "torchaudio.transforms.Spectrogram",
        "torchaudio.transforms.Spectrogram",
        spectrogram_samples,
        WHY,
        against="torchaudio",
        gradient=True,
        transform=True,
        timing=Timing(_time_spectrogram),
    ),
    Row(
        "torchaudio.transforms.InverseSpectrogram",
        "torchaudio.transforms.InverseSpectrogram",
        inverse_spectrogram_samples,
        WHY,
        against="torchaudio",
        gradient=True,
        transform=True,
        timing=Timing(_time_inverse),
    ),
    Row(
        "torchaudio.functional.spectrogram",
        "torchaudio.functional.spectrogram",
        functional_spectrogram_samples,
        WHY,
        against="torchaudio",
        rejects=SPECTROGRAM_REJECTS,
        gradient=True,
        transform=True,
    ),
    Row(
        "torchaudio.functional.inverse_spectrogram",
        "torchaudio.functional.inverse_spectrogram",
        functional_inverse_spectrogram_samples,
        WHY,
        against="torchaudio",
        rejects=INVERSE_REJECTS,
        gradient=True,
        transform=True,
    ),
]
