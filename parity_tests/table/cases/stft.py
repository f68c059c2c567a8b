"""torch.stft, torch.istft and SpectralTransform."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..case import Reject, Row, Sample, Timing, each_signal, pairwise

WHY = "two float32 FFTs of one length round differently"


def window(length: int, name: str = "hann") -> np.ndarray[Any, Any]:
    """Periodic window in float32."""
    phase = 2 * np.pi * np.arange(length) / length
    a = {"hann": 0.5, "hamming": 0.54, "rect": 1.0}[name]
    return (a - (1 - a) * np.cos(phase)).astype(np.float32)


def _stft(x: Any, n_fft: int, hop: int, label: str = "", **options: Any) -> Sample:
    win_length = options.get("win_length") or n_fft
    options.setdefault("window", window(win_length))
    return Sample(label, (x, n_fft, hop), {**options, "return_complex": True})


def stft_samples() -> Iterator[Sample]:
    yield from each_signal(lambda x: _stft(x, 512, 128))
    yield from each_signal(lambda x: _stft(x, 400, 160, "n_fft=400"), ("speech", "odd_length"))
    yield from each_signal(lambda x: _stft(x, 4096, 1024, "n_fft=4096"), ("music",))
    x = np.random.default_rng(11).standard_normal((8, 3001)).astype(np.float32)
    for o in pairwise(
        n_fft=(1, 15, 64, 255, 441, 512, 1009),
        hop=(1, 0.25, 0.4, 1.5),
        win_length=(1.0, 0.7),
        center=(True, False),
        pad_mode=("reflect", "constant", "replicate", "circular"),
        normalized=(False, True),
        onesided=(None, True, False),
        named=("hann", "hamming", "rect"),
        rows=(slice(None), 0),
    ):
        n_fft = o["n_fft"]
        win_length = max(1, int(n_fft * o["win_length"]))
        options = {key: o[key] for key in ("center", "pad_mode", "normalized", "onesided")}
        hop = max(1, int(n_fft * o["hop"])) if o["hop"] != 1 else 1
        signal = x[o["rows"], : 1200 if hop == 1 else 3001]
        yield _stft(signal, n_fft, hop, f"{o}", win_length=win_length, window=window(win_length, o["named"]), **options)


def spectrum(signal: Any, n_fft: int, hop: int, win: Any, center: bool, onesided: bool = True) -> Any:
    """A spectrum in float64 rounded once, frames first in memory as torch leaves it, and not quite consistent."""
    x = np.nan_to_num(np.atleast_2d(signal).astype(np.float64))
    if center:
        x = np.pad(x, ((0, 0), (n_fft // 2, n_fft // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(x, n_fft, axis=-1)[:, ::hop] * win
    z = np.fft.rfft(frames) if onesided else np.fft.fft(frames)
    z = z * (1 + 0.1 * np.random.default_rng(3).standard_normal(z.shape[-1]))
    z = np.swapaxes(z.astype(np.complex64), -1, -2)
    return z[0] if signal.ndim == 1 else z


def istft_samples() -> Iterator[Sample]:
    names = ("silence", "impulse", "dc", "chirp", "white_noise", "stereo_batch", "odd_length", "speech", "music")
    win = window(512)
    yield from each_signal(lambda x: Sample("", (spectrum(x, 512, 128, win, True), 512, 128), {"window": win}), names)
    x = np.random.default_rng(12).standard_normal((24, 3001)).astype(np.float32)
    # an uncentred inverse divides by the square of what a window has at its edges: there all errors are large, and the
    # largest of few of them says nothing of who makes larger ones
    for o in pairwise(
        n_fft=(15, 64, 255, 441, 512, 1009),
        overlap=(0.25, 0.4),
        center=(True, False),
        normalized=(False, True),
        onesided=(None, True, False),
        length=(None, 2000, 2801),
        contiguous=(False, True),
        rows=(slice(None), slice(3, 7), 0),
    ):
        n_fft, two = o["n_fft"], o["onesided"] is False
        win = window(n_fft) if o["center"] else (window(n_fft) + np.float32(0.5)) / np.float32(1.5)
        hop = max(1, int(n_fft * o["overlap"]))
        z = spectrum(x[o["rows"]], n_fft, hop, win, o["center"], not two)
        z = np.ascontiguousarray(z) if o["contiguous"] else z
        options = {key: o[key] for key in ("center", "normalized", "onesided", "length")}
        yield Sample(f"{o}", (z, n_fft, hop), {"window": win, **options})


def source_separation_samples() -> Iterator[Sample]:
    """The STFT of Demucs (normalized) and Open-Unmix (not): 4096 samples, a quarter apart."""
    names = ("music", "speech", "stereo_batch", "chirp")
    for model, normalized in (("Demucs", True), ("Open-Unmix", False)):
        yield from each_signal(partial(_stft, n_fft=4096, hop=1024, label=model, normalized=normalized), names)


def source_separation_inverse_samples() -> Iterator[Sample]:
    win = window(4096)
    for model, normalized in (("Demucs", True), ("Open-Unmix", False)):
        options = {"window": win, "center": True, "normalized": normalized}

        def call(x: Any, label: str = model, options: dict[str, Any] = options) -> Sample:
            z = spectrum(x, 4096, 1024, win, True)
            return Sample(label, (z, 4096, 1024), {**options, "length": x.shape[-1] // 1024 * 1024})

        yield from each_signal(call, ("music", "speech", "stereo_batch"))


def _transform(n_fft: int, hop: int, **options: Any) -> Any:
    import mlx.core as mx

    from mlx_spectro import SpectralTransform

    win_length = options.pop("win_length", None)
    given = options.pop("window")
    options["center_pad_mode"] = options.pop("pad_mode", "reflect")
    options["onesided"] = options.get("onesided") is not False
    return SpectralTransform(n_fft, hop, win_length, window=mx.array(np.array(given)), **options)


def native_stft(x: Any, n_fft: int, hop: int, **options: Any) -> Any:
    """SpectralTransform.stft with torch.stft's arguments."""
    del options["return_complex"]
    z = _transform(n_fft, hop, **options).stft(x)
    return z[0] if x.ndim == 1 else z


def native_istft(z: Any, n_fft: int, hop: int, *, length: int | None = None, **options: Any) -> Any:
    """SpectralTransform.istft with torch.istft's arguments."""
    y = _transform(n_fft, hop, **options).istft(z, length)
    return y[0] if z.ndim == 2 else y


def native_window(name: str, win_length: int, n_fft: int, periodic: bool, like: Any) -> Any:
    """make_window; ``like`` sets the reference's dtype."""
    from mlx_spectro import make_window

    return make_window(None, name, win_length, n_fft, periodic)


def torch_window(name: str, win_length: int, n_fft: int, periodic: bool, like: Any) -> Any:
    """torch's window of that name, centred in the frame."""
    import torch

    named = (lambda n, **options: torch.ones(n)) if name == "rect" else getattr(torch, f"{name}_window")
    left = (n_fft - win_length) // 2
    samples = named(win_length, periodic=periodic, dtype=like.dtype).to(like.dtype)
    return torch.nn.functional.pad(samples, (left, n_fft - win_length - left))


def window_samples() -> Iterator[Sample]:
    for o in pairwise(
        name=("hann", "hamming", "blackman", "rect"),
        sizes=((512, 512), (400, 512), (7, 12), (1, 1)),
        periodic=(True, False),
    ):
        yield Sample(f"{o}", (o["name"], *o["sizes"], o["periodic"], np.zeros(1, np.float32)))


_X = np.zeros(1000, np.float32)
_Z = np.ones((33, 63), np.complex64)
_W = {"window": window(64)}
_C = {**_W, "return_complex": True}
STFT_REJECTS = (
    Reject("three axes", (np.zeros((2, 5, 100), np.float32), 64), _C, "RuntimeError"),
    Reject("n_fft below zero", (_X, -1), _C, "RuntimeError"),
    Reject("n_fft zero", (_X, 0), {"return_complex": True}, "RuntimeError"),
    Reject("n_fft beyond the signal", (_X[:30], 64), _C, "RuntimeError"),
    Reject("n_fft beyond the signal, not centred", (_X[:30], 64), {**_C, "center": False}, "RuntimeError"),
    Reject("hop zero", (_X, 64, 0), _C, "RuntimeError"),
    Reject("hop a float", (_X, 64, 16.0), _C, "TypeError"),
    Reject("window of another length", (_X, 64, 16, 63), _C, "RuntimeError"),
    Reject("window longer than the frame", (_X, 64, 16, 65), {**_C, "window": window(65)}, "RuntimeError"),
    Reject("window of two axes", (_X, 64, 16), {**_C, "window": window(64)[None]}, "RuntimeError"),
    Reject("return_complex missing", (_X, 64), _W, "RuntimeError"),
    Reject("integers", (_X.astype(np.int32), 64), _C, "RuntimeError"),
    Reject("an empty batch", (np.zeros((0, 100), np.float32), 64), _C, "RuntimeError"),
    Reject("circular padding more than once around", (_X[:3], 64), {**_C, "pad_mode": "circular"}, "RuntimeError"),
    Reject("an unknown padding", (_X, 64), {**_C, "pad_mode": "wrap"}, "NotImplementedError"),
    Reject("align_to_window of centred frames", (_X, 64), {**_C, "align_to_window": True}, "RuntimeError"),
)
ISTFT_REJECTS = (
    Reject("a real spectrum", (_Z.real.copy(), 64), _W, "RuntimeError"),
    Reject("four axes", (_Z[None, None], 64), _W, "RuntimeError"),
    Reject("bins missing", (_Z[:-1], 64), _W, "RuntimeError"),
    Reject("one side where two are meant", (_Z, 64), {**_W, "onesided": False}, "RuntimeError"),
    Reject("hop beyond the window", (_Z, 64, 65), _W, "RuntimeError"),
    Reject("windows that do not overlap", (_Z, 64, 64), _W, "RuntimeError"),
    Reject("uncentred windows that vanish at the edge", (_Z, 64), {**_W, "center": False}, "RuntimeError"),
    Reject("no frames", (_Z[:, :0], 64), _W, "RuntimeError"),
    Reject("an empty batch", (_Z[None][:0], 64), _W, "RuntimeError"),
    Reject("no samples asked for", (_Z, 64, 16), {**_W, "length": 0}, "RuntimeError"),
    Reject("a complex window", (_Z, 64), {"window": window(64) + 0j}, "RuntimeError"),
)


def _time_stft(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    x = np.random.default_rng(0).standard_normal((batch, length)).astype(np.float32)
    return _stft(x, n_fft, hop)


def time_istft(batch: int, length: int, n_fft: int, hop: int) -> Sample:
    shape = (batch, 1 + length // hop, n_fft // 2 + 1)
    parts = np.random.default_rng(0).standard_normal((2, *shape), np.float32)
    z = np.swapaxes(parts[0] + 1j * parts[1], -1, -2)
    return Sample("", (z, n_fft, hop), {"window": window(n_fft), "length": length})


ROWS = [
    Row(
        "torch.stft",
        "torch.stft",
        stft_samples,
        WHY,
        rejects=STFT_REJECTS,
        gradient=True,
        transform=True,
        timing=Timing(_time_stft),
    ),
    Row(
        "torch.istft",
        "torch.istft",
        istft_samples,
        WHY,
        rejects=ISTFT_REJECTS,
        gradient=True,
        transform=True,
        timing=Timing(time_istft),
    ),
    Row(
        "torch.stft of Demucs and Open-Unmix",
        "torch.stft",
        source_separation_samples,
        WHY,
        gradient=True,
        transform=True,
    ),
    Row(
        "torch.istft of Demucs and Open-Unmix",
        "torch.istft",
        source_separation_inverse_samples,
        WHY,
        gradient=True,
        transform=True,
    ),
    Row("make_window", torch_window, window_samples, "ours is rounded from float64", ours=native_window),
    Row("SpectralTransform.stft", "torch.stft", stft_samples, WHY, ours=native_stft, gradient=True, transform=True),
    Row("SpectralTransform.istft", "torch.istft", istft_samples, WHY, ours=native_istft, gradient=True, transform=True),
]
