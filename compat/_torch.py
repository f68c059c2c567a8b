"""torch.stft and torch.istft."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro import envelope
from mlx_spectro.geometry import overlap_length

from . import installing, limits, tensors
from .dispatch import Function, Plan

_PAD_MODES = ("reflect", "constant", "replicate", "circular")
_REJECTED = "torch rejects the arguments"


def _is_int(value: Any, at_least: int) -> bool:
    return type(value) is int and value >= at_least


def _window_reason(window: Any, win_length: int, dtype: torch.dtype) -> str:
    if window is None:
        return ""
    if not isinstance(window, Tensor):
        return _REJECTED
    reason = tensors.unfit(window)
    if reason:
        return f"window: {reason}"
    if window.requires_grad and torch.is_grad_enabled():
        return "the window's gradient is wanted"
    if window.dtype != dtype:
        return f"window of dtype {str(window.dtype).removeprefix('torch.')}"
    return "" if window.dim() == 1 and len(window) == win_length else _REJECTED


def _plan_stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
    **newer: Any,
) -> Plan:
    reason = tensors.traced() or (tensors.unfit(input) if isinstance(input, Tensor) else _REJECTED)
    if reason or newer:
        return reason or f"unknown arguments {', '.join(newer)}"
    if not input.is_floating_point():
        return "a complex signal"
    hop_length = n_fft // 4 if hop_length is None and type(n_fft) is int else hop_length
    win_length = n_fft if win_length is None else win_length
    if not (
        _is_int(n_fft, 1)
        and _is_int(hop_length, 1)
        and _is_int(win_length, 1)
        and win_length <= n_fft
        and input.dim() in (1, 2)
        and input.numel()
        and type(normalized) is bool
        and type(return_complex) is bool
    ):
        return _REJECTED
    if align_to_window is not None:
        return "align_to_window"
    reason = _window_reason(window, win_length, input.dtype)
    if reason:
        return reason
    length, pad = input.shape[-1], n_fft // 2 if center else 0
    widest = {"reflect": length - 1, "circular": length}.get(pad_mode, pad)
    if pad > widest or length + 2 * pad < n_fft or pad_mode not in _PAD_MODES:
        return _REJECTED
    serving = tensors.engine_for(input)
    if isinstance(serving, str):
        return serving
    assert hop_length is not None
    spectral = tensors.Spectral(
        serving,
        tensors.centred_window(window, win_length, n_fft, input),
        hop_length,
        pad,
        pad,
        pad_mode,
        n_fft**-0.5 if normalized else 1.0,
        onesided is not False,
    )

    def work() -> Tensor:
        _warn_as_torch_does(window is None, return_complex)
        z = tensors.stft(input, spectral).transpose(-1, -2)
        return z if return_complex else torch.view_as_real(z)

    return work


@functools.cache
def _warn_as_torch_does(without_window: bool, complex_result: bool) -> None:
    """Have torch say, once a process, what it says once about a missing window and a real result."""
    if without_window or not complex_result:
        window = None if without_window else torch.ones(1)
        STFT.theirs(torch.ones(1), 1, 1, window=window, center=False, return_complex=complex_result)


def _plan_istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
    **newer: Any,
) -> Plan:
    reason = tensors.traced() or (tensors.unfit(input) if isinstance(input, Tensor) else _REJECTED)
    if reason or newer:
        return reason or f"unknown arguments {', '.join(newer)}"
    if return_complex is not False:
        return "a complex result"
    hop_length = n_fft // 4 if hop_length is None and type(n_fft) is int else hop_length
    win_length = n_fft if win_length is None else win_length
    if not (
        input.is_complex()
        and input.dim() in (2, 3)
        and input.numel()
        and _is_int(n_fft, 1)
        and _is_int(win_length, 1)
        and win_length <= n_fft
        and _is_int(hop_length, 1)
        and type(normalized) is bool
        and (length is None or _is_int(length, 1))
    ):
        return _REJECTED
    assert hop_length is not None
    if hop_length > win_length:
        return _REJECTED
    bins, frames = input.shape[-2:]
    onesided = bins != n_fft if onesided is None else onesided
    if bins != (n_fft // 2 + 1 if onesided else n_fft):
        return _REJECTED
    real = torch.float32 if input.dtype == torch.complex64 else torch.float64
    reason = _window_reason(window, win_length, real)
    if reason:
        return reason
    serving = tensors.engine_for(input)
    if isinstance(serving, str):
        return serving
    left = n_fft // 2 if center else 0
    covered = overlap_length(frames, n_fft, hop_length)
    length = covered - 2 * left if length is None else length
    if left + length > covered:
        return "the length goes beyond the frames"
    if length < 1:
        return _REJECTED
    centred = tensors.centred_window(window, win_length, n_fft, input)
    samples = tensors.to_host(centred.cpu())
    if envelope.smallest(np.ascontiguousarray(samples), hop_length, frames, left, length) < envelope.FLOOR:
        return _REJECTED
    spectral = tensors.Spectral(
        serving, centred, hop_length, left, scale=n_fft**0.5 if normalized else 1.0, onesided=onesided
    )

    def work() -> Tensor:
        if window is None:
            _warn_of_inverse_as_torch_does()
        return tensors.istft(input.transpose(-1, -2), spectral, length)

    return work


@functools.cache
def _warn_of_inverse_as_torch_does() -> None:
    """Have torch say, once a process, what it says once about a missing window."""
    ISTFT.theirs(torch.ones(1, 1, dtype=torch.complex64), 1, 1, center=False)


def _order(_: Any, n_fft: int, *args: Any, **kwargs: Any) -> int:
    return n_fft


STFT = Function("torch.stft", torch.stft, _plan_stft, limits.spectrum, _order, tensors.compiling)
ISTFT = Function("torch.istft", torch.istft, _plan_istft, limits.spectrum, _order, tensors.compiling)


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """torch.stft. Same arguments, same defaults."""
    served: Tensor = STFT(
        input,
        n_fft,
        hop_length,
        win_length,
        window,
        center,
        pad_mode,
        normalized,
        onesided,
        return_complex,
        align_to_window,
    )
    return served


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """torch.istft. Same arguments, same defaults."""
    served: Tensor = ISTFT(
        input, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex
    )
    return served


for _ours in (stft, istft):
    installing.replaces_method("torch", Tensor, _ours.__name__, _ours)
    # a scripted function that calls ours keeps torch's operator
    torch.jit._builtins._register_builtin(_ours, f"aten::{_ours.__name__}")
