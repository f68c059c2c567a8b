"""melscale_fbanks, linear_fbanks and create_dct of torchaudio.functional."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design import banks

from ...arrays import torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_options import exact, integer
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED, ByDesign

# where rounding decides whether a filter holds a bin, torchaudio does
_NOTHING = 1e-3


def _check_place() -> None:
    """Decline where torchaudio has to make its matrices itself."""
    if settings.route.get() == "auto":
        raise Decline(
            ByDesign(
                "filters are left to torchaudio, to equal those in checkpoints to the bit; "
                "route('ours') has us make them"
            )
        )
    if torch.get_default_device().type != "cpu":
        raise Decline(f"torch's default device is {torch.get_default_device().type}")
    if torch.get_default_dtype() not in (torch.float32, torch.float64):
        raise Decline(f"torch's default dtype is {torch.get_default_dtype()}")
    torch_tensors.check_untraced()


def _units_of_bank(corners: banks.Matrix, errors: banks.Matrix, norm: Any) -> float:
    """By how many units of precision a weight of triangular filters may be off.

    A weight on the slope from ``a`` to ``b`` is ``(f - a) / (b - a)``, or that from 1, so that to first order errors
    ``F`` of the bin and ``A``, ``B`` of the corners move it by at most ``(F + max(A, B)) / (b - a)``, and its three
    operations by half a unit each. Bins are evenly spaced from 0: five roundings, half a unit each of their own
    frequency, and in the upper half of the highest one, which is at most twice as high, come to 5 units of it.

    Args:
        corners: Hz between which the filters rise and fall.
        errors: By how many units of precision each is off, in Hz.
        norm: ``"slaney"`` divides by half a filter's width, which is off by both its ends.
    """
    slopes = (5 * corners + errors)[1:] / np.diff(corners)
    units = np.maximum(slopes[:-1], slopes[1:]) + 2
    if norm is not None:
        widths = corners[2:] - corners[:-2]
        units = (units + 2 * errors[2:] / widths + 1.5) * (2 / widths)
    return float(units.max())


def _units_of_mel(call: dict[str, Any]) -> float:
    """:func:`_units_of_bank` of a mel bank.

    With ``L = log(1 + f_max / 700)``, a unit of the highest mel is ``(c + 700) L`` Hz at a corner ``c`` of
    O'Shaughnessy's scale. Corners are off by the five roundings of evenly spaced mels and one unit of the highest
    mel's logarithm, ``3.5 L``; by the half unit of the exponential's argument, ``L / 2`` at most; by one unit of the
    exponential, and two roundings after it. On Slaney's scale they are off by less than the sum of these.
    """
    f_max = float(call["f_max"])
    corners = banks.mel_corners(float(call["f_min"]), f_max, int(call["n_mels"]), call.get("mel_scale", "htk"))
    return _units_of_bank(corners, 4 * (corners + 700) * (1 + math.log1p(f_max / 700)), call.get("norm"))


def _units_of_linear(call: dict[str, Any]) -> float:
    """:func:`_units_of_bank` of a linear bank, whose corners are evenly spaced as the bins are."""
    corners = banks.linear_corners(float(call["f_min"]), float(call["f_max"]), int(call["n_filter"]))
    return _units_of_bank(corners, 5 * corners, None)


def _tensor(matrix: banks.Matrix) -> Tensor:
    return torch.from_numpy(matrix).to(torch.get_default_dtype())


def _is(option: Any, *names: str | None) -> bool:
    return (option is None or isinstance(option, str)) and option in names


def _count(name: str, value: Any) -> int:
    """How many rows or columns a matrix has."""
    count = integer(name, value)
    if count < 1:
        raise Decline(f"{name} is not a whole number above 0")
    return count


def _bins(n_freqs: Any, f_min: Any, f_max: Any, filters: Any, sample_rate: Any) -> tuple[Any, float, float, int]:
    """Frequencies of bins, the lowest and the highest of a bank, and its filters."""
    bins, count = _count("n_freqs", n_freqs), _count("the number of filters", filters)
    low, high, rate = exact("f_min", f_min), exact("f_max", f_max), exact("sample_rate", sample_rate)
    if not 0 <= low < high < math.inf or not math.isfinite(rate):
        raise Decline("f_min and f_max do not rise from 0 or more, or sample_rate is not finite")
    return np.linspace(0.0, rate // 2, bins), low, high, count


@adapter("torchaudio.functional.melscale_fbanks", tolerances.designed, order=_units_of_mel)
def melscale_fbanks(
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    norm: Any = None,
    mel_scale: Any = "htk",
) -> Work:
    """torchaudio.functional.melscale_fbanks. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    _check_place()
    if not (_is(norm, None, "slaney") and _is(mel_scale, "htk", "slaney")):
        raise Decline("norm or mel_scale is not one that torchaudio names")
    bins = _bins(n_freqs, f_min, f_max, n_mels, sample_rate)
    shape = banks.mel_bank(*bins, None, mel_scale)
    if shape.max(axis=0).min() < _NOTHING:
        raise Decline(ByDesign("some filters hold no frequency, of which torchaudio warns"))
    bank = shape if norm is None else banks.mel_bank(*bins, norm, mel_scale)
    return lambda: _tensor(bank)


@adapter("torchaudio.functional.linear_fbanks", tolerances.designed, order=_units_of_linear)
def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> Work:
    """torchaudio.functional.linear_fbanks. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    _check_place()
    bins = _bins(n_freqs, f_min, f_max, n_filter, sample_rate)
    return lambda: _tensor(banks.linear_bank(*bins))


def _units_of_dct(call: dict[str, Any]) -> float:
    """By how many units of precision a cosine of :func:`create_dct` may be off.

    Three roundings, half a unit each, turn the largest phase, and the cosine follows; it is itself right to a unit, and
    its two factors are rounded and multiplied.
    """
    rows, columns = int(call["n_mfcc"]), int(call["n_mels"])
    phase = math.pi * (rows - 1) * (columns - 0.5) / columns
    return (1.5 * phase + 3) * (2.0 if call["norm"] is None else math.sqrt(2 / columns))


@adapter("torchaudio.functional.create_dct", tolerances.designed, order=_units_of_dct)
def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> Work:
    """torchaudio.functional.create_dct. Same arguments, same defaults.

    Ours under ``route("ours")`` alone: trained models need the library's own, to the bit.
    """
    _check_place()
    rows, columns = _count("n_mfcc", n_mfcc), _count("n_mels", n_mels)
    if not _is(norm, None, "ortho"):
        raise Decline(REJECTED)
    return lambda: _tensor(banks.dct_basis(rows, columns, norm)).t()
