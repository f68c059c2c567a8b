"""Transforms by fused kernels, on MLX arrays with flat rows and without gradients."""

from __future__ import annotations

import functools
from typing import Any

import mlx.core as mx

from . import forward, inverse, overlap, plan, tune
from .forward import Kind, Layout
from .launch_mlx import Call, available
from .plan import Geometry


def why_not(n_fft: int, hop_length: int = 1) -> str | None:
    """Why no fused kernel transforms frames of ``n_fft`` samples; None where one does."""
    if not available():
        return "the default device is no GPU with kernels"
    return plan.why_not(n_fft)


def frames_of(length: int, n_fft: int, hop_length: int, left: int, right: int) -> int:
    """Whole frames in a signal of ``length`` samples extended by ``left`` and ``right``."""
    return 1 + (left + length + right - n_fft) // hop_length


@functools.lru_cache(maxsize=512)
def _stft(
    rows: int,
    length: int,
    frames: int,
    n_fft: int,
    hop_length: int,
    left: int,
    pad_mode: str,
    kind: Kind,
    layout: Layout,
    scale: float,
    geometry: Geometry | None,
) -> Call:
    return Call(
        forward.launch(
            rows,
            length,
            frames,
            n_fft=n_fft,
            hop_length=hop_length,
            left=left,
            pad_mode=pad_mode,
            kind=kind,
            layout=layout,
            scale=scale,
            geometry=geometry,
        )
    )


def stft(
    x: mx.array,
    window: mx.array,
    *,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    scale: float = 1.0,
    kind: Kind = "complex",
    layout: Layout = "bnf",
) -> mx.array:
    """Short-time Fourier transform of signals ``[R, T]``.

    Args:
        x: float32 ``[R, T]``.
        window: float32 ``[n_fft]``.
        hop_length: Samples between frame starts.
        left: Samples by which ``pad_mode`` extends the start: at most ``T``, for ``"reflect"`` less.
        right: The same for the end.
        pad_mode: ``"constant"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        scale: Factor of the spectrum, before its magnitude or power is taken.
        kind: ``"complex"``, ``"magnitude"`` or ``"power"``.
        layout: ``"bnf"`` or ``"bfn"``.

    Returns:
        ``[R, N, F]`` or ``[R, F, N]``, complex64 or float32.
    """
    rows, length = x.shape
    n_fft = window.size
    frames = frames_of(length, n_fft, hop_length, left, right)

    def make(geometry: Geometry | None) -> tune.Run:
        call = _stft(rows, length, frames, n_fft, hop_length, left, pad_mode, kind, layout, scale, geometry)
        return lambda: call(x, window)[0]

    return make(tune.geometry("stft", n_fft, hop_length, rows * frames, (x, window), make))()


@functools.lru_cache(maxsize=512)
def _istft(
    rows: int,
    frames: int,
    n_fft: int,
    hop_length: int,
    left: int,
    length: int,
    scale: float,
    geometry: Geometry | None,
) -> Call:
    wanted = inverse.Range(left, length)
    return Call(
        inverse.launch(rows, frames, wanted, n_fft=n_fft, hop_length=hop_length, scale=scale, geometry=geometry)
    )


def istft(z: mx.array, window: mx.array, *, hop_length: int, left: int, length: int, scale: float = 1.0) -> mx.array:
    """Inverse transforms of spectra, windowed, overlapped and divided by the squared windows' envelope.

    Args:
        z: complex64 ``[R, N, F]``; the imaginary parts of bin 0 and bin ``n_fft / 2`` don't matter.
        window: float32 ``[n_fft]``.
        hop_length: Samples between frame starts.
        left: Samples to leave out at the start.
        length: Samples to return.
        scale: Factor of the result.

    Returns:
        float32 ``[R, length]``; 0 where the envelope is below 1e-11.
    """
    rows, frames, _ = z.shape

    def make(geometry: Geometry | None) -> tune.Run:
        call = _istft(rows, frames, window.size, hop_length, left, length, scale, geometry)
        return lambda: call(z, window)[0]

    return make(tune.geometry("istft", window.size, hop_length, rows * frames, (z, window), make))()


@functools.lru_cache(maxsize=512)
def _istft_adjoint(rows: int, length: int, frames: int, n_fft: int, hop_length: int, left: int, scale: float) -> Call:
    return Call(
        forward.launch(
            rows,
            length,
            frames,
            n_fft=n_fft,
            hop_length=hop_length,
            left=left,
            scale=2 * scale / n_fft,
            edge=0.5,
            divided=True,
        )
    )


def istft_adjoint(
    g: mx.array, window: mx.array, *, hop_length: int, left: int, frames: int, scale: float = 1.0
) -> mx.array:
    """Transpose of :func:`istft`: cotangents ``[R, length]`` to complex64 ``[R, frames, F]``."""
    rows, length = g.shape
    return _istft_adjoint(rows, length, frames, window.size, hop_length, left, scale)(g, window)[0]


@functools.lru_cache(maxsize=512)
def _stft_adjoint(rows: int, frames: int, **options: Any) -> list[Call]:
    return [Call(launch) for launch in inverse.transpose_launches(rows, frames, **options)]


def stft_adjoint(
    g: mx.array,
    window: mx.array,
    *,
    hop_length: int,
    left: int = 0,
    right: int = 0,
    pad_mode: str = "constant",
    length: int,
    scale: float = 1.0,
    gain: mx.array | None = None,
) -> mx.array:
    """Transpose of :func:`stft`: cotangents complex64 ``[R, N, F]`` to float32 ``[R, length]``.

    ``gain``: Each is first multiplied by a number of its own, float32 ``[R, N, F]``.

    What falls on the padding goes to the samples that it was copied from: a small launch more.
    """
    rows, frames, _ = g.shape
    edges, given = window, () if gain is None else (gain,)
    for call in _stft_adjoint(
        rows,
        frames,
        n_fft=window.size,
        hop_length=hop_length,
        left=left,
        right=right,
        pad_mode=pad_mode,
        length=length,
        scale=scale,
        gained=gain is not None,
    ):
        edges = call(g, window, edges, *given)[0]
    return edges


@functools.lru_cache(maxsize=512)
def _overlap_add(
    rows: int, frames: int, size: int, hop_length: int, left: int, length: int, weigh: bool, divide: bool, scale: float
) -> Call:
    return Call(
        overlap.launch(
            rows, frames, size, hop_length=hop_length, left=left, length=length, weigh=weigh, divide=divide, scale=scale
        )
    )


def overlap_add(
    frames: mx.array,
    window: mx.array | None = None,
    *,
    hop_length: int,
    left: int = 0,
    length: int,
    weigh: bool = False,
    divide: bool = False,
    scale: float = 1.0,
) -> mx.array:
    """Sum frames ``[R, N, L]`` placed ``hop_length`` samples apart.

    Args:
        frames: float32 ``[R, N, L]``, ``L`` of any size.
        window: float32 ``[L]``, needed to ``weigh`` and to ``divide``.
        hop_length: Samples between frame starts.
        left: Samples to leave out at the start.
        length: Samples to return.
        weigh: Multiply the frames by the window.
        divide: Divide by the squared windows' envelope; 0 where that is below 1e-11.
        scale: Factor of the result.

    Returns:
        float32 ``[R, length]``.
    """
    rows, count, size = frames.shape
    call = _overlap_add(rows, count, size, hop_length, left, length, weigh, divide, scale)
    return call(frames, frames if window is None else window)[0]
