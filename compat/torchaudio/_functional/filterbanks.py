"""melscale_fbanks, linear_fbanks and create_dct of torchaudio.functional."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design import banks

from ...arrays import torch_tensors
from ...arrays.torch_adapter import serves
from ...arrays.torch_options import integer, number
from ...contract import settings, tolerances
from ...contract.reasons import REJECTED, ByDesign
from ...dispatch import Plan

# where rounding decides whether a filter holds a bin, torchaudio does
_NOTHING = 1e-3


def _reason() -> str:
    """Why torchaudio has to make its matrices itself; empty where we can."""
    if settings.route.get() == "auto":
        return ByDesign(
            "filters are left to torchaudio, to equal those in checkpoints to the bit; route('ours') has us make them"
        )
    if torch.get_default_device().type != "cpu":
        return f"torch's default device is {torch.get_default_device().type}"
    if torch.get_default_dtype() not in (torch.float32, torch.float64):
        return f"torch's default dtype is {torch.get_default_dtype()}"
    return torch_tensors.traced()


def _tensor(matrix: banks.Matrix) -> Tensor:
    return torch.from_numpy(matrix).to(torch.get_default_dtype())


def _is(option: Any, *known: str | None) -> bool:
    return (option is None or isinstance(option, str)) and option in known


def _bins(n_freqs: Any, f_min: Any, f_max: Any, filters: Any, sample_rate: Any) -> tuple[Any, float, float, int] | str:
    """Frequencies of bins, the lowest and the highest of a bank, and its filters; or why we cannot make it."""
    bins, count = integer(n_freqs), integer(filters)
    low, high, rate = (
        None if isinstance(hz, (Tensor, np.floating)) and type(hz) is not np.float64 else number(hz)
        for hz in (f_min, f_max, sample_rate)  # torchaudio calculates in the precision of these
    )
    if bins is None or count is None or bins < 1 or count < 1:
        return "n_freqs or the number of filters is not a whole number above 0"
    if low is None or high is None or rate is None or not 0 <= low < high < math.inf or not math.isfinite(rate):
        return "f_min and f_max do not rise from 0 or more, or sample_rate is not finite"
    return np.linspace(0.0, rate // 2, bins), low, high, count


@serves("torchaudio.functional.melscale_fbanks", tolerances.sums)
def melscale_fbanks(
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    norm: Any = None,
    mel_scale: Any = "htk",
) -> Plan:
    reason = _reason()
    if reason:
        return reason
    if not (_is(norm, None, "slaney") and _is(mel_scale, "htk", "slaney")):
        return "norm or mel_scale is not one that torchaudio names"
    found = _bins(n_freqs, f_min, f_max, n_mels, sample_rate)
    if isinstance(found, str):
        return found
    shape = banks.mel_bank(*found, None, mel_scale)
    if shape.max(axis=0).min() < _NOTHING:
        return ByDesign("some filters hold no frequency, of which torchaudio warns")
    bank = shape if norm is None else banks.mel_bank(*found, norm, mel_scale)
    return lambda: _tensor(bank)


@serves("torchaudio.functional.linear_fbanks", tolerances.sums)
def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> Plan:
    found = _reason() or _bins(n_freqs, f_min, f_max, n_filter, sample_rate)
    return found if isinstance(found, str) else lambda: _tensor(banks.linear_bank(*found))


@serves("torchaudio.functional.create_dct", tolerances.sums)
def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> Plan:
    reason = _reason()
    if reason:
        return reason
    rows, columns = integer(n_mfcc), integer(n_mels)
    if rows is None or columns is None or rows < 1 or columns < 1:
        return "n_mfcc or n_mels is not a whole number above 0"
    return (lambda: _tensor(banks.dct_basis(rows, columns, norm)).t()) if _is(norm, None, "ortho") else REJECTED
