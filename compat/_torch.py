"""torch.stft and torch.istft."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from . import gradients, installing, limits, tensors
from .dispatch import Function, Plan
from .planning import analysis, synthesis
from .reasons import REJECTED


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
    if newer:
        return f"unknown arguments {', '.join(newer)}"
    hop_length = n_fft // 4 if hop_length is None and type(n_fft) is int else hop_length
    win_length = n_fft if win_length is None else win_length
    found = analysis(input, n_fft, hop_length, win_length, window, center, pad_mode, onesided is not False)
    if isinstance(found, str):
        return found
    if not (input.dim() < 3 and type(normalized) is bool and type(return_complex) is bool):
        return REJECTED
    if align_to_window is not None:
        return "align_to_window"
    transform = found._replace(scale=n_fft**-0.5 if normalized else 1.0)

    def work() -> Tensor:
        _warn_as_torch_does(window is None, return_complex)
        z = gradients.stft(input, transform).transpose(-1, -2)
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
    if newer:
        return f"unknown arguments {', '.join(newer)}"
    if return_complex is not False:
        return "a complex result"
    hop_length = n_fft // 4 if hop_length is None and type(n_fft) is int else hop_length
    win_length = n_fft if win_length is None else win_length
    found = synthesis(input, n_fft, hop_length, win_length, window, center, onesided, length)
    if isinstance(found, str):
        return found
    if input.dim() > 3 or type(normalized) is not bool:
        return REJECTED
    inverse, samples = found
    transform = inverse._replace(scale=n_fft**0.5 if normalized else 1.0)

    def work() -> Tensor:
        if window is None:
            _warn_of_inverse_as_torch_does()
        return gradients.istft(input.transpose(-1, -2), transform, samples)

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
