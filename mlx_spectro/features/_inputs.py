"""What callers give: arrays told from other things, audio in the type and with the axes that operators take."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ..design.framing import Framing
from ..ops import backend
from ..ops.frames import pad


def array(name: str, x: Any) -> mx.array:
    """``x``; TypeError where it is no MLX array."""
    if isinstance(x, mx.array):
        return x
    kind = type(x)
    shown = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"{name} must be an mlx.core.array, got {shown}; mlx.core.array(...) makes one of it")


def real(name: str, x: Any) -> mx.array:
    """``x`` in float32; TypeError where it is no MLX array of real floating-point numbers that MLX transforms."""
    values = array(name, x)
    if values.dtype == mx.float32:
        return values
    if not mx.issubdtype(values.dtype, mx.floating) or values.dtype == mx.float64:
        raise TypeError(
            f"{name} must be float32, float16 or bfloat16, got {values.dtype}; astype(mlx.core.float32) converts"
        )
    return values.astype(mx.float32)


def numbers(name: str, x: Any) -> mx.array:
    """``x`` in floating point, integers in float32; TypeError where it is no MLX array of real numbers."""
    values = array(name, x)
    if mx.issubdtype(values.dtype, mx.complexfloating):
        raise TypeError(f"{name} must hold real numbers, got {values.dtype}")
    return values if mx.issubdtype(values.dtype, mx.floating) else values.astype(mx.float32)


def samples(name: str, x: Any) -> npt.NDArray[np.float32]:
    """Samples or weights given as an array of MLX's or NumPy's, or as a list; TypeError where they are none."""
    if isinstance(x, mx.array):
        return np.array(numbers(name, x).astype(mx.float32))
    try:
        values = np.asarray(x)
    except ValueError:  # lists of different lengths
        values = np.asarray(None)
    if values.dtype.kind not in "biuf":
        kind = type(x).__name__ if values.dtype.kind == "O" else values.dtype
        raise TypeError(f"{name} must be an array of real numbers, got {kind}")
    return values.astype(np.float32)


def as_audio(x: Any) -> mx.array:
    """Audio ``[..., T]`` in float32; a single signal ``[T]`` becomes a batch of one.

    Raises:
        TypeError: no MLX array, not floating point, or float64, which MLX does not transform.
        ValueError: an array without axes.
    """
    backend.require_mlx()
    audio = real("audio", x)
    if audio.ndim > 1:
        return audio
    if audio.ndim == 0:
        raise ValueError("audio must have a time axis, [..., T], got an array of shape ()")
    return audio[None]


def extended(x: mx.array, framing: Framing) -> tuple[mx.array, Framing]:
    """``x`` and where its frames lie, with what no kernel knows done already: symmetric padding, and no samples."""
    length = x.shape[-1]
    if length and framing.pad_mode != "symmetric":
        return x, framing
    framing.check(length)
    plain = Framing(framing.n_fft, framing.hop_length)
    if not length:
        return mx.zeros((*x.shape[:-1], framing.n_fft)), plain
    return pad(x, framing.left, framing.right, "symmetric"), plain
