"""add_noise of torchaudio.functional: by torchaudio's operations, in the memory of one result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...arrays import torch_results
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_other, check_pays
from ...arrays.torch_tensors import check_kind, gradient_wanted
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED, BySize, unread
from .filtering import check_signal

# where lengths are given, all samples and those of a signal, below which torchaudio is as fast
_MANY, _LONG = 1 << 17, 1 << 14


def _check_other(name: str, value: Any, waveform: Tensor) -> None:
    check_other(name, value)
    if gradient_wanted(value):
        raise Decline(f"{name} requires a gradient, which torchaudio's operations give")
    if value.dtype != waveform.dtype or not value.is_cpu:
        raise Decline(f"{name} and the waveform differ in dtype or device")


def _tails(waveform: Tensor, lengths: Any) -> list[tuple[int, int]]:
    """Of each signal that is longer than it counts, its number and how much of it counts."""
    if not isinstance(lengths, Tensor):
        raise Decline(unread("lengths", lengths))
    check_kind(lengths, whole=True)
    if lengths.shape != waveform.shape[:-1] or not lengths.is_cpu:
        raise Decline("lengths are not those of each signal, or lie elsewhere")
    samples = waveform.shape[-1]
    return [(row, max(length, 0)) for row, length in enumerate(lengths.reshape(-1).tolist()) if length < samples]


@adapter("torchaudio.functional.add_noise", tolerances.same)
def add_noise(waveform: Tensor, noise: Tensor, snr: Tensor, lengths: Tensor | None = None) -> Work:
    """torchaudio.functional.add_noise. Same arguments, same defaults.

    To the bit, without gradients. Ours under ``route("auto")`` for long signals with lengths, of which torchaudio makes
    masks.
    """
    check_signal(waveform)
    if not waveform.is_cpu:
        raise Decline(BySize("torch's operations are as fast on a GPU"))
    if gradient_wanted(waveform):
        raise Decline("the waveform requires a gradient, which torchaudio's operations give")
    _check_other("noise", noise, waveform)
    _check_other("snr", snr, waveform)
    if noise.dim() != waveform.dim() or snr.dim() != waveform.dim() - 1:
        raise Decline(REJECTED)
    if noise.shape != waveform.shape or snr.shape != waveform.shape[:-1]:
        raise Decline("noise and snr are not of the waveform's shape")
    if not (waveform.is_contiguous() and noise.is_contiguous()):
        raise Decline("the signals do not lie side by side in memory: x.contiguous() is served")
    if lengths is None and settings.route.get() == "auto":
        raise Decline(BySize("without lengths, torchaudio's operations are as fast; route('ours') has us serve them"))
    check_pays(waveform, waveform.numel(), _MANY, "samples")
    check_pays(waveform, waveform.shape[-1], _LONG, "samples of a signal")
    tails = None if lengths is None else _tails(waveform, lengths)

    def energy(x: Tensor, y: Tensor) -> Tensor:
        """Of what counts of ``x``, which is put into ``y`` where it is not all."""
        if tails:
            rows = y.copy_(x).view(-1, x.shape[-1])
            for row, length in tails:
                # what is not finite is not finite afterwards
                rows[row, length:].mul_(0)
            x = y
        norm: Tensor = torch.linalg.vector_norm(x, ord=2, dim=-1)
        return norm**2

    def work() -> Tensor:
        y = torch_results.empty(waveform.shape, waveform.dtype)
        given = 10 * (torch.log10(energy(waveform, y)) - torch.log10(energy(noise, y)))
        scale = 10 ** ((given - snr) / 20.0)
        return torch.mul(scale.unsqueeze(-1), noise, out=y).add_(waveform)

    return work
