"""melscale_fbanks, linear_fbanks and create_dct of torchaudio.functional."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro import banks

from .. import limits, modes, tensors
from ..dispatch import Plan
from ..planning import is_int, is_number
from ..reasons import REJECTED, ByDesign
from ._serving import serves


def _reason(*lengths: Any) -> str:
    """Why torchaudio has to make a matrix of these lengths; empty where we can."""
    if modes.route.get() == "auto":
        return ByDesign("checkpoints hold torchaudio's own rounding")
    if torch.get_default_device().type != "cpu":
        return f"device {torch.get_default_device().type}"
    if torch.get_default_dtype() not in (torch.float32, torch.float64):
        return f"dtype {torch.get_default_dtype()}"
    return tensors.traced() or ("" if all(is_int(length, 1) for length in lengths) else REJECTED)


def _tensor(matrix: banks.Matrix) -> Tensor:
    return torch.from_numpy(matrix).to(torch.get_default_dtype())


def _ordered(f_min: Any, f_max: Any) -> bool:
    return is_number(f_min) and is_number(f_max) and 0 <= f_min < f_max


@serves("torchaudio.functional.melscale_fbanks", limits.sums)
def melscale_fbanks(
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    norm: Any = None,
    mel_scale: Any = "htk",
) -> Plan:
    reason = _reason(n_freqs, n_mels, sample_rate)
    if reason:
        return reason
    if not (_ordered(f_min, f_max) and norm in (None, "slaney") and mel_scale in ("htk", "slaney")):
        return REJECTED
    bin_hz = np.linspace(0.0, sample_rate // 2, n_freqs)
    bank = banks.mel_bank(bin_hz, f_min, f_max, n_mels, norm, mel_scale)
    return (lambda: _tensor(bank)) if bank.any(axis=0).all() else "torchaudio warns of empty filters"


@serves("torchaudio.functional.linear_fbanks", limits.sums)
def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> Plan:
    reason = _reason(n_freqs, n_filter, sample_rate)
    if reason:
        return reason
    if not _ordered(f_min, f_max):
        return REJECTED
    return lambda: _tensor(banks.linear_bank(np.linspace(0.0, sample_rate // 2, n_freqs), f_min, f_max, n_filter))


@serves("torchaudio.functional.create_dct", limits.sums)
def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> Plan:
    reason = _reason(n_mfcc, n_mels)
    if reason:
        return reason
    return (lambda: _tensor(banks.dct_basis(n_mfcc, n_mels, norm)).t()) if norm in (None, "ortho") else REJECTED
