"""spectrogram, inverse_spectrogram and spectral_centroid of torchaudio.functional."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .. import gradients, limits
from ..dispatch import Plan
from ..planning import analysis, is_int, is_number, synthesis, weights_reason
from ..reasons import REJECTED
from ..spectral import Ending, Spectral
from ._serving import serves

# bins that are summed in a row
_FEW = 8


def _norm(normalized: bool | str, window: Tensor, n_fft: int) -> float | str:
    """What torchaudio divides a spectrum by."""
    if normalized is False:
        return 1.0
    if normalized is True or normalized == "window":
        norm: float = torch.linalg.vector_norm(window, dtype=torch.float64).item()
        return norm if norm > 0 else "a window of zeros"
    return math.sqrt(n_fft) if normalized == "frame_length" else REJECTED


def _padded(
    waveform: Any,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    normalized: bool | str,
    center: bool,
    pad_mode: str,
    onesided: bool,
) -> tuple[Tensor, Spectral] | str:
    """Audio between ``pad`` zeros, and its STFT; or why we cannot serve it."""
    if window is None:
        return "no window"
    if type(pad) is not int:
        return REJECTED
    if pad > 0 and isinstance(waveform, Tensor) and waveform.dim():
        waveform = torch.nn.functional.pad(waveform, (pad, pad))
    found = analysis(waveform, n_fft, hop_length, win_length, window, center, pad_mode, onesided)
    if isinstance(found, str):
        return found
    norm = _norm(normalized, window, n_fft)
    return norm if isinstance(norm, str) else (waveform, found._replace(scale=1 / norm))


class Magnitudes(NamedTuple):
    """Audio, its STFT, and the power to which its magnitudes are wanted."""

    x: Tensor
    spectral: Spectral
    power: float

    def spectrogram(self) -> Tensor:
        """Magnitudes ``[..., N, F]``."""
        return gradients.spectrogram(self.x, self.spectral, self.power)

    def filtered(self, bank: Tensor, ending: Ending = None) -> Tensor:
        """Magnitudes times ``bank [F, filters]``, ``[..., N, filters]``, and what follows."""
        return gradients.spectrogram(self.x, self.spectral, self.power, bank, ending)

    def bank_reason(self, bank: Any) -> str:
        """Why ``bank`` cannot filter the magnitudes; empty where it can."""
        if not self.spectral.onesided:
            return "a two-sided spectrum"
        reason = weights_reason("filterbank", bank, self.x.dtype, self.x)
        return reason or ("" if bank.dim() == 2 and bank.shape[0] == self.spectral.bins else REJECTED)


def magnitudes(
    waveform: Any,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: Any,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
) -> Magnitudes | str:
    """What torchaudio's arguments ask for where the result is real, or why we cannot serve it."""
    if not (is_number(power) and power > 0):
        return "a power that is no number above 0"
    found = _padded(waveform, pad, window, n_fft, hop_length, win_length, normalized, center, pad_mode, onesided)
    return found if isinstance(found, str) else Magnitudes(*found, power)


@serves("torchaudio.functional.spectrogram", limits.energy)
def spectrogram(
    waveform: Tensor,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float | None,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
    return_complex: bool | None = None,
) -> Plan:
    if return_complex is not None:
        return "return_complex is deprecated"
    arguments = (waveform, pad, window, n_fft, hop_length, win_length)
    options = (normalized, center, pad_mode, onesided)
    if power is not None:
        wanted = magnitudes(*arguments, power, *options)
        return wanted if isinstance(wanted, str) else lambda: wanted.spectrogram().transpose(-1, -2)
    found = _padded(*arguments, *options)
    return found if isinstance(found, str) else lambda: gradients.stft(*found).transpose(-1, -2)


@serves("torchaudio.functional.inverse_spectrogram", limits.spectrum)
def inverse_spectrogram(
    spectrogram: Tensor,
    length: int | None,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
) -> Plan:
    if window is None:
        return "no window"
    if not (type(pad) is int and (length is None or is_int(length, 0))):
        return REJECTED
    whole = None if length is None else length + 2 * pad
    found = synthesis(spectrogram, n_fft, hop_length, win_length, window, center, onesided, whole)
    if isinstance(found, str):
        return found
    norm = _norm(normalized, window, n_fft)
    if isinstance(norm, str):
        return norm
    inverse, samples = found

    def work() -> Tensor:
        y = gradients.istft(spectrogram.transpose(-1, -2), inverse._replace(scale=norm), samples)
        return y[..., pad:-pad] if length is not None and pad > 0 else y

    return work


@serves("torchaudio.functional.spectral_centroid", limits.sums)
def spectral_centroid(
    waveform: Tensor, sample_rate: int, pad: int, window: Tensor, n_fft: int, hop_length: int, win_length: int
) -> Plan:
    wanted = magnitudes(waveform, pad, window, n_fft, hop_length, win_length, 1.0, False)
    if isinstance(wanted, str):
        return wanted
    if not is_number(sample_rate):
        return REJECTED
    dtype = torch.promote_types(torch.get_default_dtype(), wanted.x.dtype)
    if dtype != wanted.x.dtype:
        return "the default dtype is wider than the signal's"
    bank = _moments(wanted.spectral.bins, sample_rate, torch.get_default_dtype()).to(wanted.x)

    def work() -> Tensor:
        moment, total = wanted.filtered(bank).tensor_split(2, -1)
        return moment.sum(-1) / total.sum(-1)

    return work


@functools.lru_cache(maxsize=16)
def _moments(bins: int, sample_rate: float, dtype: torch.dtype) -> Tensor:
    """Filters ``[bins, 2 parts]`` that sum a few bins each, in the first half times their frequencies.

    Few, because sums of hundreds of bins in a row are rounded more than torch's are.
    """
    few = torch.eye(-(-bins // _FEW), dtype=dtype, device="cpu").repeat_interleave(_FEW, 0)[:bins]
    hz = torch.linspace(0, sample_rate // 2, bins, dtype=dtype, device="cpu")
    return torch.cat([few * hz[:, None], few], dim=-1)
