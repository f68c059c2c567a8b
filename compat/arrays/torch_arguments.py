"""What a call asks of an STFT or its inverse, or why we cannot serve it as torch does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design import envelope
from mlx_spectro.design.framing import Framing, overlap_length

from ..contract.reasons import REJECTED, unread
from . import torch_tensors
from .torch_ops import Spectral
from .torch_options import integer, truth
from .torch_tensors import unfit

_PAD_MODES = ("reflect", "constant", "replicate", "circular")
# torch sums an envelope in single precision
_ROUNDING = 1e-4


def tensor_reason(x: Any) -> str:
    """Why a call cannot be served whatever else it asks for, seeing where it happens and its tensor; or empty."""
    if not isinstance(x, Tensor):
        return f"a {type(x).__name__} is no plain tensor: plain tensors and parameters are served"
    if torch._C._is_any_autocast_enabled():
        return torch_tensors.traced() or "inside torch.autocast, which chooses the dtypes"
    return torch_tensors.traced() or unfit(x)


def weights_reason(name: str, weights: Any, dtype: torch.dtype, like: Tensor) -> str:
    """Why a transform of ``like`` cannot use these weights (a window, a filterbank); empty where it can."""
    if not isinstance(weights, Tensor):
        return unread(name, weights)
    reason = unfit(weights)
    if reason:
        return f"{name}: {reason}"
    if torch_tensors.gradient_wanted(weights):
        return f"the {name} requires a gradient, which torch computes: detach it if it is not trained"
    if weights.dtype != dtype:
        return f"the {name} is {_short(weights.dtype)} and not {_short(dtype)}, as the signal needs it"
    return "" if weights.device == like.device else REJECTED


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _lengths(n_fft: Any, hop_length: Any, win_length: Any) -> tuple[int, int, int] | str:
    """The three with torch's defaults, or why torch or we do not take them."""
    n = integer(n_fft)
    if n is None:
        return unread("n_fft", n_fft)
    hop = n // 4 if hop_length is None else integer(hop_length)
    if hop is None:
        return unread("hop_length", hop_length)
    length = n if win_length is None else integer(win_length)
    if length is None:
        return unread("win_length", win_length)
    return (n, hop, length) if hop > 0 and 0 < length <= n else REJECTED


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
    x: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: Any, pad_mode: Any, onesided: Any
) -> Spectral | str:
    """The STFT of audio ``x [..., T]``, or why we cannot serve it."""
    reason = tensor_reason(x)
    if reason:
        return reason
    if not x.is_floating_point():
        return "the signal is complex: real signals are served"
    if not (x.dim() and x.numel()):
        return "the signal is empty"
    lengths = _lengths(n_fft, hop_length, win_length)
    if isinstance(lengths, str):
        return lengths
    n_fft, hop_length, win_length = lengths
    reason = _window_reason(window, win_length, x.dtype, x)
    if reason:
        return reason
    if not (onesided is None or type(onesided) is bool):
        return unread("onesided", onesided)
    centred = truth(center)
    if centred is None:
        return unread("center", center)
    pad = n_fft // 2 if centred else 0
    if not centred:
        pad_mode = "constant"  # which is not read
    elif not isinstance(pad_mode, str):
        return unread("pad_mode", pad_mode)
    elif pad_mode not in _PAD_MODES:
        return REJECTED
    length = x.shape[-1]
    widest = {"reflect": length - 1, "circular": length}.get(pad_mode, pad)
    if pad > widest or length + 2 * pad < n_fft:
        return REJECTED
    if not (pad or x.dim() < 2 or x.is_contiguous()):
        rows = x.reshape(-1, length)
        if len(rows) > 1 and rows.stride(0) < hop_length * rows.stride(1):
            return "the signals overlap in memory, and torch lays their spectra out alike: x.contiguous() is served"
    serving = torch_tensors.engine_for(x, n_fft)
    if isinstance(serving, str):
        return serving
    samples = _centred_window(window, win_length, n_fft, x.dtype, x)
    # of torch's operations, two pads keep what they extend, and a transform that no window precedes its frames
    kept = pad_mode in ("reflect", "replicate") or (window is None and win_length == n_fft and not centred)
    framing = Framing(n_fft, hop_length, pad, pad, pad_mode)
    return Spectral(serving, samples, framing, 1.0, onesided is not False, kept)


def synthesis(
    z: Any, n_fft: Any, hop_length: Any, win_length: Any, window: Any, center: bool, onesided: Any, length: Any
) -> tuple[Spectral, int] | str:
    """The inverse STFT of a spectrum ``z [..., F, N]`` and the samples of its result, or why we cannot serve it."""
    reason = tensor_reason(z)
    if reason:
        return reason
    lengths = _lengths(n_fft, hop_length, win_length)
    if isinstance(lengths, str):
        return lengths
    n_fft, hop_length, win_length = lengths
    if n_fft == 1:
        return "n_fft is 1"
    if not (z.is_complex() and z.dim() > 1 and z.numel() and hop_length <= win_length):
        return REJECTED
    bins, frames = z.shape[-2:]
    if onesided is None:
        onesided = bins != n_fft
    elif type(onesided) is not bool:
        return unread("onesided", onesided)
    if bins != (n_fft // 2 + 1 if onesided else n_fft):
        return REJECTED
    real = torch_tensors.counterpart(z)
    reason = _window_reason(window, win_length, real, z)
    if reason:
        return reason
    serving = torch_tensors.engine_for(z, n_fft)
    if isinstance(serving, str):
        return serving
    left = n_fft // 2 if center else 0
    covered = overlap_length(frames, n_fft, hop_length)
    wanted = covered - 2 * left if length is None else integer(length)
    if wanted is None:
        return unread("length", length)
    if left + wanted > covered:
        return "length asks for more samples than the frames cover"
    if wanted < 1:
        return "length is negative" if wanted < 0 and length is not None else REJECTED
    samples = _centred_window(window, win_length, n_fft, real, z)
    smallest = envelope.smallest(
        np.ascontiguousarray(torch_tensors.to_host(samples.cpu())), hop_length, frames, left, wanted
    )
    if smallest < (1 + _ROUNDING) * envelope.FLOOR:
        return (
            REJECTED
            if smallest < (1 - _ROUNDING) * envelope.FLOOR
            else "the windows overlap to next to nothing somewhere, where torch may refuse"
        )
    return Spectral(serving, samples, Framing(n_fft, hop_length, left), onesided=onesided), wanted
