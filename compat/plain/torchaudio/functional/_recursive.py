"""Recursive filters: difference equations of numerators ``b`` and denominators ``a``."""

from typing import Any

import torch
from torch import Tensor


def _recursion(x: Tensor, a: Tensor) -> Tensor:
    """``y[t] = x[t] - a[1] y[t - 1] - a[2] y[t - 2] - ...`` of signals ``x [batch, filters, T]``, ``a[0]`` being 1."""
    order = a.shape[1] - 1
    coefficients = a.unbind(1)
    samples: list[Tensor] = []
    for t, y in enumerate(x.unbind(2)):
        for k in range(1, min(order, t) + 1):
            y = torch.addcmul(y, coefficients[k], samples[t - k], value=-1)
        samples.append(y)
    # each signal lies after the zeros that it starts from, as it does in torchaudio
    roomy = torch.zeros(x.shape[0], x.shape[1], order + x.shape[2], dtype=x.dtype, device=x.device)
    if len(samples):
        roomy[:, :, order:] = torch.stack(samples, 2)
    return roomy[:, :, order:]


class _Recursion(torch.autograd.Function):
    """:func:`_recursion`, whose gradient is one, backward in time, and not a graph of all samples."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor) -> Tensor:
        y = _recursion(x, a)
        ctx.save_for_backward(x, a, y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        _, a, y = ctx.saved_tensors
        of_x: Tensor = _Recursion.apply(g.flip(2), a).flip(2)
        if not ctx.needs_input_grad[1]:
            return of_x, None
        length, order = y.shape[2], a.shape[1] - 1
        later = torch.nn.functional.pad(y, (order, 0))
        lags = [(of_x * later[..., order - k : order - k + length]).sum((0, 2)) for k in range(order + 1)]
        return of_x, -torch.stack(lags, 1)


def _filtered(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Signals ``[batch, filters, T]`` by coefficients ``[filters, order + 1]``."""
    taps = (b / a[:, :1]).flip(1).unsqueeze(1)
    moved = torch.nn.functional.conv1d(torch.nn.functional.pad(x, (b.shape[1] - 1, 0)), taps, groups=b.shape[0])
    a = a / a[:, :1]
    if torch.jit.is_scripting() or torch.jit.is_tracing():
        return _recursion(moved, a)
    else:
        y: Tensor = _Recursion.apply(moved, a)
        return y


def lfilter(waveform: Tensor, a_coeffs: Tensor, b_coeffs: Tensor, clamp: bool = True, batching: bool = True) -> Tensor:
    """Audio ``[..., T]`` filtered by a difference equation of the coefficients, lowest delay first.

    ``a[0] y[t] = b[0] x[t] + b[1] x[t - 1] + ... - a[1] y[t - 1] - ...``: Oppenheim and Schafer, Discrete-Time Signal
    Processing. Differentiable by the audio and by the coefficients.

    Args:
        a_coeffs, b_coeffs: ``[order + 1]``, or ``[filters, order + 1]`` for several filters.
        clamp: Limit the result to [-1, 1].
        batching: Of several filters each takes its own signal of ``[..., filters, T]``; otherwise each takes every
            signal, and the result is ``[..., filters, T]``.

    Raises:
        ValueError: coefficients of different or too many dimensions, or not as many filters as signals.
    """
    if a_coeffs.size() != b_coeffs.size():
        raise ValueError(f"a_coeffs and b_coeffs must be of one shape, got {a_coeffs.size()} and {b_coeffs.size()}")
    if a_coeffs.ndim > 2:
        raise ValueError(f"coefficients must be [order + 1] or [filters, order + 1], got {a_coeffs.ndim} dimensions")
    if a_coeffs.ndim < 2:
        a_coeffs, b_coeffs = a_coeffs.unsqueeze(0), b_coeffs.unsqueeze(0)
    elif not batching:
        waveform = torch.stack([waveform] * a_coeffs.shape[0], -2)
    elif waveform.ndim <= 0:
        raise ValueError("waveform must have a dimension")
    elif waveform.shape[-2] != a_coeffs.shape[0]:
        raise ValueError(f"as many filters as signals are needed, got {a_coeffs.shape[0]} and {waveform.shape[-2]}")
    y = _filtered(waveform.reshape(-1, a_coeffs.shape[0], waveform.shape[-1]), a_coeffs, b_coeffs)
    if clamp:
        y = torch.clamp(y, min=-1.0, max=1.0)
    return y.reshape(waveform.shape[:-1] + y.shape[-1:])


def filtfilt(waveform: Tensor, a_coeffs: Tensor, b_coeffs: Tensor, clamp: bool = True) -> Tensor:
    """Audio ``[..., T]`` filtered forward and then backward, so that nothing is delayed: see :func:`lfilter`."""
    forward = lfilter(waveform, a_coeffs, b_coeffs, clamp=False, batching=True)
    return lfilter(forward.flip(-1), a_coeffs, b_coeffs, clamp=clamp, batching=True).flip(-1)
