"""What a call asks of an STFT or its inverse, or why we cannot serve it as torch does."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

from mlx_spectro import envelope
from mlx_spectro.geometry import overlap_length

from . import tensors
from .reasons import REJECTED
from .spectral import Spectral
from .tensors import unfit

_PAD_MODES = ("reflect", "constant", "replicate", "circular")


def is_int(value: Any, at_least: int) -> TypeGuard[int]:
    """Whether ``value`` is an int, and not a bool, of some size."""
    return type(value) is int and value >= at_least


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is an int or a float, and not a bool."""
    return type(value) in (int, float)


def tensor_reason(x: Any) -> str:
    """Why a call cannot be served whatever else it asks for, seeing where it happens and its tensor; or empty."""
    if not isinstance(x, Tensor):
        # what stands for a tensor, as in a symbolic trace, is torch's to understand
        return f"{type(x).__name__} stands for a tensor" if hasattr(type(x), "__torch_function__") else REJECTED
    return tensors.traced() or ("autocast chooses dtypes" if torch._C._is_any_autocast_enabled() else unfit(x))


def weights_reason(name: str, weights: Any, dtype: torch.dtype, like: Tensor) -> str:
    """Why a transform of ``like`` cannot use these weights (a window, a filterbank); empty where it can."""
    if not isinstance(weights, Tensor):
        return REJECTED
    reason = unfit(weights)
    if reason:
        return f"{name}: {reason}"
    if tensors.gradient_wanted(weights):
        return f"the {name}'s gradient is wanted"
    if weights.dtype != dtype:
        return f"{name} of dtype {str(weights.dtype).removeprefix('torch.')}"
    return "" if weights.device == like.device else REJECTED


def _window_reason(window: Any, win_length: int, dtype: torch.dtype, like: Tensor) -> str:
    if window is None:
        return ""
    reason = weights_reason("window", window, dtype, like)
    return reason or ("" if window.shape == (win_length,) else REJECTED)


def _centred_window(window: Tensor | None, win_length: int, n_fft: int, dtype: torch.dtype, like: Tensor) -> Tensor:
    """``window`` (rectangular where there is none) in the middle of ``n_fft`` samples."""
    if window is None:
        window = torch.ones(win_length, dtype=dtype, device=like.device)
    if win_length == n_fft:
        return window
    left = (n_fft - win_length) // 2
    return torch.nn.functional.pad(window, (left, n_fft - win_length - left))


def analysis(
    x: Any,
    n_fft: int,
    hop_length: int | None,
    win_length: int,
    window: Tensor | None,
    center: bool,
    pad_mode: str,
    onesided: bool,
) -> Spectral | str:
    """The STFT of audio ``x [..., T]``, or why we cannot serve it."""
    reason = tensor_reason(x)
    if reason:
        return reason
    if not x.is_floating_point():
        return "a complex signal"
    if not (
        x.dim()
        and x.numel()
        and is_int(n_fft, 1)
        and is_int(hop_length, 1)
        and is_int(win_length, 1)
        and win_length <= n_fft
    ):
        return REJECTED
    reason = _window_reason(window, win_length, x.dtype, x)
    if reason:
        return reason
    length, pad = x.shape[-1], n_fft // 2 if center else 0
    widest = {"reflect": length - 1, "circular": length}.get(pad_mode, pad)
    if pad > widest or length + 2 * pad < n_fft or pad_mode not in _PAD_MODES:
        return REJECTED
    if not (pad or x.dim() < 2 or x.is_contiguous()) and x.stride(-2) < hop_length * x.stride(-1):
        return "signals closer in memory than frames, whose spectra torch interleaves"
    serving = tensors.engine_for(x, n_fft)
    if isinstance(serving, str):
        return serving
    centred = _centred_window(window, win_length, n_fft, x.dtype, x)
    return Spectral(serving, centred, hop_length, pad, pad, pad_mode, onesided=onesided)


def synthesis(
    z: Any,
    n_fft: int,
    hop_length: int | None,
    win_length: int,
    window: Tensor | None,
    center: bool,
    onesided: bool | None,
    length: int | None,
) -> tuple[Spectral, int] | str:
    """The inverse STFT of a spectrum ``z [..., F, N]`` and the samples of its result, or why we cannot serve it."""
    reason = tensor_reason(z)
    if reason:
        return reason
    if not (
        z.is_complex()
        and z.dim() > 1
        and z.numel()
        and is_int(n_fft, 2)  # of one sample, torch cuts off everything
        and is_int(win_length, 1)
        and win_length <= n_fft
        and is_int(hop_length, 1)
        and hop_length <= win_length
        and (length is None or is_int(length, 1))
    ):
        return REJECTED
    bins, frames = z.shape[-2:]
    onesided = bins != n_fft if onesided is None else onesided
    if bins != (n_fft // 2 + 1 if onesided else n_fft):
        return REJECTED
    real = tensors.counterpart(z)
    reason = _window_reason(window, win_length, real, z)
    if reason:
        return reason
    serving = tensors.engine_for(z, n_fft)
    if isinstance(serving, str):
        return serving
    left = n_fft // 2 if center else 0
    covered = overlap_length(frames, n_fft, hop_length)
    length = covered - 2 * left if length is None else length
    if left + length > covered:
        return "the length goes beyond the frames"
    if length < 1:
        return REJECTED
    centred = _centred_window(window, win_length, n_fft, real, z)
    samples = tensors.to_host(centred.cpu())
    if envelope.smallest(np.ascontiguousarray(samples), hop_length, frames, left, length) < envelope.FLOOR:
        return REJECTED
    return Spectral(serving, centred, hop_length, left, onesided=onesided), length
