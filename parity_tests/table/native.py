"""References for the native feature functions: librosa's, of a spectrogram in the audio's own precision.

librosa itself transforms float32 audio in float64 and rounds the spectrum once, which no float32 FFT, on a GPU or
elsewhere, can equal. A native function is held to what librosa makes of SciPy's float32 FFT instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_COSINES = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "rect": (1.0, 0.0)}
_PADS = {"replicate": "edge", "circular": "wrap"}


def frames_of(y: Array, length: int, hop: int, center: bool, pad_mode: str) -> Array:
    """Frames ``[..., N, length]`` of audio ``[..., T]``."""
    if center:
        widths = [(0, 0)] * (y.ndim - 1) + [(length // 2, length // 2)]
        y = np.pad(y, widths, mode=_PADS.get(pad_mode, pad_mode))  # type: ignore[call-overload]
    return np.lib.stride_tricks.sliding_window_view(y, length, axis=-1)[..., ::hop, :]


def spectrogram(
    y: Array,
    *,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window_fn: str = "hann",
    periodic: bool = True,
    center: bool = True,
    center_pad_mode: str = "reflect",
    power: float = 1.0,
) -> Array:
    """Spectrogram ``[..., F, N]`` of audio ``[..., T]``, by SciPy's FFT in the audio's precision."""
    import scipy.fft

    length = win_length or n_fft
    a, b = _COSINES[window_fn]
    window = a - b * np.cos(2 * np.pi * np.arange(length) / (length if periodic else length - 1))
    left = (n_fft - length) // 2
    window = np.pad(window, (left, n_fft - length - left)).astype(y.dtype)
    z = scipy.fft.rfft(frames_of(y, n_fft, hop_length, center, center_pad_mode) * window)
    assert z.real.dtype == y.dtype
    return np.swapaxes(np.abs(z) ** power, -1, -2)


STFT_PARAMETERS = ("n_fft", "hop_length", "win_length", "window_fn", "periodic", "center", "center_pad_mode")


def by_librosa(name: str, power: float = 1.0) -> Callable[..., Any]:
    """``librosa.<name>(S=...)`` of a spectrogram to ``power``, called with native parameters, one signal at a time.

    One at a time, because librosa clips decibels below the maximum of a whole batch.
    """

    def reference(y: Array, **parameters: Any) -> Any:
        import librosa

        if y.ndim > 1:
            return np.stack([reference(signal, **parameters) for signal in y])
        function: Any = librosa
        for part in name.split("."):
            function = getattr(function, part)
        of_stft = {key: parameters.pop(key) for key in STFT_PARAMETERS if key in parameters}
        if "sample_rate" in parameters:
            parameters["sr"] = parameters.pop("sample_rate")
        if "n_fft" in inspect.signature(function).parameters:
            parameters["n_fft"] = of_stft["n_fft"]
        return function(S=spectrogram(y, power=power, **of_stft), **parameters)

    return reference


def lazily(path: str, call: bool = False) -> Callable[..., Any]:
    """``mlx_spectro.<path>``, imported when called; with ``call``, an instance of that class is called."""

    def ours(x: Any, *args: Any, **parameters: Any) -> Any:
        import mlx_spectro

        function = getattr(mlx_spectro, path)
        return function(**parameters)(x) if call else function(x, *args, **parameters)

    return ours
