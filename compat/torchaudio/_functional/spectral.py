"""spectrogram, inverse_spectrogram and spectral_centroid of torchaudio.functional."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design.epilogues import Epilogue

from ...arrays import torch_autograd
from ...arrays.torch_adapter import serves
from ...arrays.torch_arguments import analysis, synthesis, tensor_reason, weights_reason
from ...arrays.torch_ops import Spectral
from ...arrays.torch_options import integer, number
from ...arrays.torch_tensors import PLAIN, gradient_wanted
from ...contract import tolerances
from ...contract.reasons import REJECTED, unread
from ...dispatch import Plan

# bins that are summed in a row
_FEW = 8


def _norm(normalized: bool | str, window: Tensor, n_fft: int) -> float | str:
    """What torchaudio divides a spectrum by."""
    if not isinstance(normalized, (bool, str)):
        return REJECTED
    if normalized is False:
        return 1.0
    if normalized is True or normalized == "window":
        norm: float = torch.linalg.vector_norm(window, dtype=torch.float64).item()
        return norm if norm > 0 else "the window's norm is 0 or not finite"
    return math.sqrt(n_fft) if normalized == "frame_length" else REJECTED


class Signal(NamedTuple):
    """Audio ``[..., T]``, and its STFT; leading axes may have become one, and come back in results."""

    x: Tensor
    spectral: Spectral
    lead: torch.Size
    own: bool
    """Nobody else holds ``x``'s memory."""

    def spectrum(self) -> Tensor:
        """Spectrum ``[..., F, N]``."""
        return self._swapped(torch_autograd.stft(self.x, self.spectral))

    def magnitudes(self, power: float) -> Tensor:
        """Magnitudes to ``power``, ``[..., F, N]``."""
        y = self._swapped(torch_autograd.spectrogram(self.x, self.spectral, power, own=self.own))
        # torch's powers lie anew where an axis of 1 leaves it open how
        return y.reshape(-1).view(y.shape) if power != 1 and y.is_contiguous() else y

    def filtered(self, power: float, bank: Tensor, epilogue: Epilogue | None = None) -> Tensor:
        """Magnitudes to ``power`` times ``bank [F, filters]``, and what follows: ``[..., N, filters]``."""
        y = torch_autograd.spectrogram(self.x, self.spectral, power, bank, epilogue, own=self.own)
        return y if y.dim() == len(self.lead) + 2 else y.reshape(self.lead + y.shape[-2:])

    def _swapped(self, y: Tensor) -> Tensor:
        """``y [..., N, F]`` as torchaudio gives it back, ``[..., F, N]``."""
        y = self.spectral.swapped(y, self.x)
        # strides of an axis of 1 depend on how it came to be
        return y.reshape(self.lead + y.shape[-2:]) if 1 in y.shape or y.dim() != len(self.lead) + 2 else y

    def bank_reason(self, bank: Any) -> str:
        """Why ``bank`` cannot filter the magnitudes; empty where it can."""
        if not self.spectral.onesided:
            return "onesided is False: filters are served over one-sided spectra"
        reason = weights_reason("filterbank", bank, self.x.dtype, self.x)
        fits = not reason and bank.dim() == 2 and bank.shape[0] == self.spectral.bins and bank.numel()
        return reason or ("" if fits else f"the filterbank is {list(bank.shape)}, which does not fit the spectrogram")


def signal(
    waveform: Any,
    pad: Any,
    window: Any,
    n_fft: Any,
    hop_length: Any,
    win_length: Any,
    normalized: Any,
    center: Any = True,
    pad_mode: Any = "reflect",
    onesided: Any = True,
) -> Signal | str:
    """Audio between ``pad`` zeros, and its STFT; or why we cannot serve it."""
    if window is None:
        return "window is None"
    zeros = integer(pad)
    if zeros is None:
        return unread("pad", pad)
    x, own = waveform, zeros > 0
    if own or (type(x) in PLAIN and x.requires_grad):
        reason = tensor_reason(x)
        if reason:
            return reason
        if own and x.dim():
            x = torch.nn.functional.pad(x, (zeros, zeros))
        if x.dim() != 2 and x.numel() and gradient_wanted(x):
            # torchaudio does so, and thereby tells which tensors torch keeps for the backward pass
            x = x.reshape(-1, x.shape[-1])
    spectral = analysis(x, n_fft, hop_length, win_length, window, center, pad_mode, onesided)
    if isinstance(spectral, str):
        return spectral
    norm = _norm(normalized, window, spectral.window.numel())
    return norm if isinstance(norm, str) else Signal(x, spectral._replace(scale=1 / norm), waveform.shape[:-1], own)


def power_of(power: Any) -> float | str:
    """To what magnitudes are raised, or why we cannot do so."""
    found = number(power)
    return found if found is not None and 0 < found < math.inf else "power is not a number above 0"


@serves("torchaudio.functional.spectrogram", tolerances.energy)
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
        return "return_complex is given, which torchaudio deprecates: leave it out"
    exponent = None if power is None else power_of(power)
    if isinstance(exponent, str):
        return exponent
    framing = (n_fft, hop_length, win_length)
    found = signal(waveform, pad, window, *framing, normalized, center, pad_mode, onesided)
    if isinstance(found, str):
        return found
    return found.spectrum if exponent is None else lambda: found.magnitudes(exponent)


@serves("torchaudio.functional.inverse_spectrogram", tolerances.spectrum)
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
        return "window is None"
    if type(center) is not bool:
        return unread("center", center)
    whole, cut = None, 0
    if length is not None:
        given, zeros = _exactly(length), _exactly(pad)
        if given is None or zeros is None:
            return unread("length", length) if given is None else unread("pad", pad)
        whole, cut = given + 2 * zeros, max(0, zeros)
    found = synthesis(spectrogram, n_fft, hop_length, win_length, window, center, onesided, whole)
    if isinstance(found, str):
        return found
    inverse, samples = found
    norm = _norm(normalized, window, inverse.window.numel())
    if isinstance(norm, str):
        return norm

    def work() -> Tensor:
        y = torch_autograd.istft(spectrogram.transpose(-1, -2), inverse._replace(scale=norm), samples)
        return y.reshape(-1, samples)[:, cut:-cut].reshape(*spectrogram.shape[:-2], -1) if cut else y

    return work


def _exactly(value: Any) -> int | None:
    """An int with which torchaudio can calculate as with Python's; None for any other."""
    return int(value) if type(value) in (int, np.int64) else None


@serves("torchaudio.functional.spectral_centroid", tolerances.sums)
def spectral_centroid(
    waveform: Tensor, sample_rate: int, pad: int, window: Tensor, n_fft: int, hop_length: int, win_length: int
) -> Plan:
    found = signal(waveform, pad, window, n_fft, hop_length, win_length, False)
    if isinstance(found, str):
        return found
    rate = number(sample_rate)
    if rate is None or not math.isfinite(rate):
        return "sample_rate is not a finite number"
    dtype = torch.promote_types(torch.get_default_dtype(), found.x.dtype)
    if dtype != found.x.dtype:
        return "torch's default dtype is wider than the signal, and so is torchaudio's result"
    bank = _moments(found.spectral.bins, rate // 2, torch.get_default_dtype()).to(found.x)

    def work() -> Tensor:
        moment, total = found.filtered(1.0, bank).tensor_split(2, -1)
        return moment.sum(-1) / total.sum(-1)

    return work


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)  # a later call may want a gradient, for which torch keeps it
def _moments(bins: int, highest: float, dtype: torch.dtype) -> Tensor:
    """Filters ``[bins, 2 parts]`` that sum a few bins each, in the first half times their frequencies.

    Few, because sums of hundreds of bins in a row are rounded more than torch's are.
    """
    few = torch.eye(-(-bins // _FEW), dtype=dtype, device="cpu").repeat_interleave(_FEW, 0)[:bins]
    hz = torch.linspace(0, highest, bins, dtype=dtype, device="cpu")
    return torch.cat([few * hz[:, None], few], dim=-1)
