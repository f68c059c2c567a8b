"""The STFT and its inverse as differentiable operators on MLX arrays, whoever computes them.

Both are linear, so one rule each gives every transform: the derivative is the operator itself, the gradient is its
transpose, and a batch axis is one more leading axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from . import kernels
from . import stft as plain
from .framing import overlap_add as add_overlapping
from .geometry import Framing


def is_traced(x: mx.array) -> bool:
    """Whether ``x`` stands for a value inside ``mx.compile`` or ``mx.vmap``; MLX tells in no other way."""
    try:
        mx.eval(x)
    except ValueError:
        return True
    return False


Operator = Callable[[mx.array], mx.array]


def linear(forward: Operator, transpose: Callable[[mx.array, tuple[int, ...]], mx.array]) -> Operator:
    """``forward`` with the rules of a linear operator for ``mx.vjp``, ``mx.jvp`` and ``mx.vmap``.

    Args:
        forward: Takes and returns one array, with any leading axes.
        transpose: Takes a cotangent and the shape of ``forward``'s input.
    """
    operator: Any = mx.custom_function(forward)

    def vjp(primal: mx.array, cotangent: mx.array, _output: mx.array) -> mx.array:
        shape = primal.shape
        return linear(lambda g: transpose(g, shape), lambda t, _: forward(t))(cotangent)

    def jvp(_primal: mx.array, tangent: mx.array) -> Any:
        return operator(tangent)

    def vmap(x: mx.array, axis: int | None) -> tuple[Any, int | None]:
        return (operator(x), None) if axis is None else (operator(mx.moveaxis(x, axis, 0)), 0)

    operator.vjp(vjp)
    operator.jvp(jvp)
    operator.vmap(vmap)
    return operator  # type: ignore[no-any-return]


def stft(x: mx.array, window: mx.array, framing: Framing, **options: Any) -> mx.array:
    """:func:`mlx_spectro.stft.stft` by the fastest implementation present."""
    return plain.stft(x, window, framing, **options)


def istft(z: mx.array, window: mx.array, framing: Framing, length: int, **options: Any) -> mx.array:
    """:func:`mlx_spectro.stft.istft` by the fastest implementation present."""
    return plain.istft(z, window, framing, length, **options)


def spectrogram(x: mx.array, window: mx.array, framing: Framing, *, power: float = 1.0, **options: Any) -> mx.array:
    """:func:`mlx_spectro.stft.spectrogram` by the fastest implementation present."""
    return plain.spectrogram(x, window, framing, power=power, **options)


def filterbank(
    x: mx.array, window: mx.array, framing: Framing, bank: mx.array, *, power: float = 1.0, **options: Any
) -> mx.array:
    """Filtered spectrogram ``[..., N, filters]``: the spectrogram to ``power``, times ``bank [F, filters]``."""
    return project(plain.spectrogram(x, window, framing, power=power, **options), bank)


def project(x: mx.array, bank: mx.array) -> mx.array:
    """``x [..., N, F] @ bank [F, filters]`` in true float32 on every device."""
    return linear(lambda x: plain.product(x, bank), lambda g, _: plain.product(g, bank.T))(x)


def overlap_add(frames: mx.array, hop_length: int) -> mx.array:
    """Sum of frames ``[..., N, n_fft]`` placed ``hop_length`` samples apart."""
    return add_overlapping(frames, hop_length)


def require_gpu(name: str, framing: Framing) -> None:
    """Raise RuntimeError where no fused GPU kernel serves the operator ``name``, saying why."""
    reason = kernels.why_not(name, framing.n_fft, framing.hop_length)
    if reason:
        raise RuntimeError(f"backend_policy='metal' needs the fused GPU kernels: {reason}")
