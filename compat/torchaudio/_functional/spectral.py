"""spectrogram, inverse_spectrogram and spectral_centroid of torchaudio.functional."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mlx_spectro.design.epilogues import Epilogue
from mlx_spectro.design.operators import Operator, Spectrogram, Stft

from ...arrays import torch_autograd, torch_ops
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import Analysis, analysis, check_weights, synthesis
from ...arrays.torch_ops import Spectral
from ...arrays.torch_options import integer, number
from ...arrays.torch_tensors import gradient_wanted, transformed
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned, Run
from ...contract.reasons import REJECTED, unread

# bins that are summed in a row
_FEW = 8
# what a window's norm on a GPU is known by
_NORM = "norm"


def _l2_norm(window: Tensor) -> float:
    if window.is_cpu:
        return float(torch.linalg.vector_norm(window, dtype=torch.float64).item())
    from ...arrays import torch_launch

    norm: float = torch_launch.of_weight(
        "window", window, _NORM, lambda values: float(np.linalg.norm(values.astype(float)))
    )
    return norm


def _check_normalized(normalized: Any) -> None:
    if not isinstance(normalized, (bool, str)) or normalized not in (False, True, "window", "frame_length"):
        raise Decline(REJECTED)


def _unknown_norm(normalized: bool | str, window: Tensor) -> Tensor | None:
    """What torchaudio divides a spectrum by, where the window has no values yet; None where it is a number."""
    if not transformed() or normalized in (False, "frame_length"):
        return None
    norm: Tensor = torch.linalg.vector_norm(window)
    return norm


def _norm(normalized: bool | str, window: Tensor, n_fft: int) -> float:
    """What torchaudio divides a spectrum by."""
    if normalized is False:
        return 1.0
    if normalized == "frame_length":
        return math.sqrt(n_fft)
    norm = _l2_norm(window)
    if not norm > 0:
        raise Decline("the window's norm is 0 or not finite")
    return norm


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
        if transformed():
            return y
        # torch's powers lie anew where an axis of 1 leaves it open how
        return y.reshape(-1).view(y.shape) if power != 1 and y.is_contiguous() else y

    def filtered(self, power: float, bank: Tensor, epilogue: Epilogue | None = None) -> Tensor:
        """Magnitudes to ``power`` times ``bank [F, filters]``, and what follows: ``[..., N, filters]``."""
        y = torch_autograd.spectrogram(self.x, self.spectral, power, bank, epilogue, own=self.own)
        return y if y.dim() == len(self.lead) + 2 else y.reshape(self.lead + y.shape[-2:])

    def _swapped(self, y: Tensor) -> Tensor:
        """``y [..., N, F]`` as torchaudio gives it back, ``[..., F, N]``."""
        y = self.spectral.swapped(y, self.x)
        if transformed():
            return y if y.dim() == len(self.lead) + 2 else y.reshape(self.lead + y.shape[-2:])
        # strides of an axis of 1 depend on how it came to be
        return y.reshape(self.lead + y.shape[-2:]) if 1 in y.shape or y.dim() != len(self.lead) + 2 else y

    def check_bank(self, bank: Tensor) -> None:
        """Decline a ``bank`` that cannot filter the magnitudes."""
        if not (bank.dim() == 2 and bank.shape[0] == self.spectral.bins and bank.numel()):
            raise Decline(f"the filterbank is {list(bank.shape)}, which does not fit the spectrogram")


class Transform(NamedTuple):
    """The STFT that a call asks for, of any audio between zeros and any window of their kinds."""

    zeros: int
    analysis: Analysis
    normalized: bool | str

    def of(self, waveform: Tensor, window: Tensor) -> Signal:
        """That of ``waveform [..., T]``; declined where shapes or values do not fit."""
        x, own = waveform, self.zeros > 0
        if own:
            x = torch.nn.functional.pad(x, (self.zeros, self.zeros))
        if x.dim() != 2 and x.numel() and gradient_wanted(x):
            # torchaudio does so, and thereby tells which tensors torch keeps for the backward pass
            x = x.reshape(-1, x.shape[-1])
        spectral = self.analysis.of(x, window)
        unknown = _unknown_norm(self.normalized, window)
        if unknown is not None:
            spectral = spectral._replace(window=spectral.window / unknown)
        elif self.normalized is not False:
            norm = _norm(self.normalized, window, spectral.framing.n_fft)
            spectral = spectral._replace(scale=1 / norm)
        return Signal(x, spectral, waveform.shape[:-1], own)

    def ready(
        self, y: Tensor, run: Run, op: Callable[[float], Operator], *arrays: Tensor, swapped: bool = False
    ) -> Run | None:
        """What computes ``y``, made by ``op`` of a scale, of tensors that lie like ``arrays``, as ``run`` does."""
        waveform, window, *_ = arrays
        if self.zeros or gradient_wanted(waveform):
            return None
        scale = self.of(waveform, window).spectral.scale
        call: Any = torch_ops.ready(y, self.analysis.engine, op(scale), *arrays, swapped=swapped)
        if call is None or self.normalized in (False, "frame_length"):
            return call  # type: ignore[no-any-return]
        return torch_ops.while_equal(call, run, window, _NORM)

    def check_bank(self, bank: Any, like: Tensor) -> None:
        """Decline a kind of ``bank`` that cannot filter the magnitudes."""
        if not self.analysis.onesided:
            raise Decline("onesided is False: filters are served over one-sided spectra")
        check_weights("filterbank", bank, like.dtype, like)


def transform(
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
) -> Transform:
    """The STFT of audio like ``waveform`` between ``pad`` zeros."""
    if window is None:
        raise Decline("window is None")
    zeros = integer("pad", pad)
    planned = analysis(waveform, n_fft, hop_length, win_length, window, center, pad_mode, onesided)
    _check_normalized(normalized)
    return Transform(zeros, planned, normalized)


def power_of(power: Any) -> float:
    """To what magnitudes are raised."""
    exponent = number("power", power)
    if not 0 < exponent < math.inf:
        raise Decline("power is not a number above 0")
    return exponent


@adapter("torchaudio.functional.spectrogram", tolerances.energy, traceable=True)
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
) -> Work:
    """torchaudio.functional.spectrogram. Same arguments, same defaults.

    Complex for ``power=None``; the deprecated ``return_complex`` is torchaudio's.
    """
    if return_complex is not None:
        raise Decline("return_complex is given, which torchaudio deprecates: leave it out")
    exponent = None if power is None else power_of(power)
    planned = transform(waveform, pad, window, n_fft, hop_length, win_length, normalized, center, pad_mode, onesided)

    def work(waveform: Tensor, window: Tensor) -> Tensor:
        audio = planned.of(waveform, window)
        return audio.spectrum() if exponent is None else audio.magnitudes(exponent)

    def ready(y: Tensor, waveform: Tensor, window: Tensor) -> Any:
        def op(scale: float) -> Operator:
            framing, both = planned.analysis.framing, planned.analysis.onesided
            return Stft(framing, scale, both) if exponent is None else Spectrogram(framing, exponent, scale, both)

        return planned.ready(y, work, op, waveform, window, swapped=True)

    return Planned(work, (waveform, window), ready)


@adapter("torchaudio.functional.inverse_spectrogram", tolerances.spectrum, traceable=True)
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
) -> Work:
    """torchaudio.functional.inverse_spectrogram. Same arguments, same defaults.

    Ours with a window; ``length`` and ``pad`` are whole numbers.
    """
    if window is None:
        raise Decline("window is None")
    if type(center) is not bool:
        raise Decline(unread("center", center))
    whole, cut = None, 0
    if length is not None:
        end, zeros = _exactly("length", length), _exactly("pad", pad)
        whole, cut = end + 2 * zeros, max(0, zeros)
    planned = synthesis(spectrogram, n_fft, hop_length, win_length, window, center, onesided, whole)
    _check_normalized(normalized)

    def work(spectrogram: Tensor, window: Tensor) -> Tensor:
        inverse, samples = planned.of(spectrogram, window)
        factor = _unknown_norm(normalized, window)
        norm = _norm(normalized, window, planned.framing.n_fft) if factor is None else 1.0
        y = torch_autograd.istft(spectrogram.transpose(-1, -2), inverse._replace(scale=norm), samples)
        y = y if factor is None else y * factor
        return y.reshape(-1, samples)[:, cut:-cut].reshape(*spectrogram.shape[:-2], -1) if cut else y

    def ready(y: Tensor, spectrogram: Tensor, window: Tensor) -> Any:
        return None if cut else planned.ready(y, work, _norm(normalized, window, n), spectrogram, window)

    n = planned.framing.n_fft
    return Planned(work, (spectrogram, window), ready)


def _exactly(name: str, value: Any) -> int:
    """An int with which torchaudio can calculate as with Python's."""
    if type(value) not in (int, np.int64, torch.SymInt):
        raise Decline(unread(name, value))
    return integer(name, value)


@adapter("torchaudio.functional.spectral_centroid", tolerances.sums, traceable=True)
def spectral_centroid(
    waveform: Tensor, sample_rate: int, pad: int, window: Tensor, n_fft: int, hop_length: int, win_length: int
) -> Work:
    """torchaudio.functional.spectral_centroid. Same arguments, same defaults.

    Ours as two sums over the filtered magnitudes: times their frequencies, and alone.
    """
    audio = transform(waveform, pad, window, n_fft, hop_length, win_length, False).of(waveform, window)
    rate = number("sample_rate", sample_rate)
    if not math.isfinite(rate):
        raise Decline("sample_rate is not a finite number")
    dtype = torch.promote_types(torch.get_default_dtype(), audio.x.dtype)
    if dtype != audio.x.dtype:
        raise Decline("torch's default dtype is wider than the signal, and so is torchaudio's result")
    # what is traced is part of one program
    moments = _moments.__wrapped__ if transformed() else _moments
    bank = moments(audio.spectral.bins, rate // 2, torch.get_default_dtype(), audio.x.dtype, audio.x.device)

    def work() -> Tensor:
        moment, total = (part.sum(-1) for part in audio.filtered(1.0, bank).tensor_split(2, -1))
        if total.is_cpu and not transformed():
            _check_faintness(audio.x.detach(), total.detach(), n_fft)
        return moment / total

    return work


def _check_faintness(x: Tensor, total: Tensor, n_fft: int) -> None:
    """Decline frames of so small magnitudes that shares of them are wrong where denormal numbers are taken for 0."""
    numbers = torch.finfo(x.dtype)
    # each product of a transform may lose the smallest normal number, which is then no more than a rounding
    faint = n_fft * numbers.tiny / numbers.eps
    if total.numel() and not total.min() >= faint:
        levels = x.abs()
        if ((levels > 0) & (levels < faint)).any():
            raise Decline("some samples are denormal numbers, or nearly")


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)  # a later call may want a gradient, for which torch keeps it
def _moments(bins: int, highest: float, made_in: torch.dtype, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Filters ``[bins, 2 parts]`` that sum a few bins each, in the first half times their frequencies.

    Few, because sums of hundreds of bins in a row are rounded more than torch's are.
    """
    if device.type == "cuda":
        from ...arrays import torch_launch

        torch_launch.check_not_capturing("such filters are needed")
    few = torch.eye(-(-bins // _FEW), dtype=made_in, device="cpu").repeat_interleave(_FEW, 0)[:bins]
    hz = torch.linspace(0, highest, bins, dtype=made_in, device="cpu")
    return torch.cat([few * hz[:, None], few], dim=-1).to(dtype).to(device)
