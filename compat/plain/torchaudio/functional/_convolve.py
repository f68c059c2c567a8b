"""Convolution of signals, directly and by Fourier transforms."""

import torch
from torch import Tensor


def _check_shape_compatible(x: Tensor, y: Tensor) -> None:
    if x.ndim != y.ndim:
        raise ValueError(f"x and y must have as many dimensions, got {x.ndim} and {y.ndim}")
    for i in range(x.ndim - 1):
        if x.size(i) != y.size(i) and x.size(i) != 1 and y.size(i) != 1:
            raise ValueError(f"x and y cannot be broadcast, got {x.shape} and {y.shape}")


def _check_convolve_mode(mode: str) -> None:
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"mode must be 'full', 'valid' or 'same', got '{mode}'")


def _part(full: Tensor, x_length: int, y_length: int, mode: str) -> Tensor:
    """The middle of a convolution, as long as x (``"same"``) or as what both signals cover (``"valid"``)."""
    if mode == "full":
        return full
    length = x_length if mode == "same" else abs(x_length - y_length) + 1
    start = (full.size(-1) - length) // 2
    return full[..., start : start + length]


def fftconvolve(x: Tensor, y: Tensor, mode: str = "full") -> Tensor:
    """Convolution of ``x [..., N]`` and ``y [..., M]`` over time, by Fourier transforms.

    Args:
        mode: ``"full"`` (``N + M - 1`` samples), ``"valid"`` (``|N - M| + 1``) or ``"same"`` (``N``), of the middle.

    Raises:
        ValueError: leading dimensions that cannot be broadcast, or an unknown mode.
    """
    _check_shape_compatible(x, y)
    _check_convolve_mode(mode)
    n = x.size(-1) + y.size(-1) - 1
    full = torch.fft.irfft(torch.fft.rfft(x, n=n) * torch.fft.rfft(y, n=n), n=n)
    return _part(full, x.size(-1), y.size(-1), mode)


def convolve(x: Tensor, y: Tensor, mode: str = "full") -> Tensor:
    """Convolution of ``x [..., N]`` and ``y [..., M]`` over time, directly. Arguments as in :func:`fftconvolve`."""
    _check_shape_compatible(x, y)
    _check_convolve_mode(mode)
    longer, shorter = (x, y) if x.size(-1) >= y.size(-1) else (y, x)
    leading = [max(i, j) for i, j in zip(x.shape[:-1], y.shape[:-1])]  # noqa: B905 (TorchScript knows no strict)
    signals = longer.broadcast_to(leading + [longer.shape[-1]]).reshape(-1, longer.shape[-1])
    taps = shorter.broadcast_to(leading + [shorter.shape[-1]]).reshape(-1, shorter.shape[-1])
    full = torch.nn.functional.conv1d(
        signals, taps.flip(-1).unsqueeze(1), groups=signals.shape[0], padding=taps.shape[-1] - 1
    )
    return _part(full.reshape(leading + [-1]), x.size(-1), y.size(-1), mode)
