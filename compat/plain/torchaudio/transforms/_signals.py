"""Modules of samples: levels, fades, companding, emphasis, convolution, voice activity."""

import inspect
import math

import torch
from torch import Tensor

from .. import functional as F
from ..functional._convolve import _check_convolve_mode


class MuLawEncoding(torch.nn.Module):
    """Samples as whole numbers, see :func:`torchaudio.functional.mu_law_encoding`."""

    __constants__ = ("quantization_channels",)

    def __init__(self, quantization_channels: int = 256) -> None:
        super().__init__()
        self.quantization_channels = quantization_channels

    def forward(self, x: Tensor) -> Tensor:
        return F.mu_law_encoding(x, self.quantization_channels)


class MuLawDecoding(torch.nn.Module):
    """Samples of whole numbers, see :func:`torchaudio.functional.mu_law_decoding`."""

    __constants__ = ("quantization_channels",)

    def __init__(self, quantization_channels: int = 256) -> None:
        super().__init__()
        self.quantization_channels = quantization_channels

    def forward(self, x_mu: Tensor) -> Tensor:
        return F.mu_law_decoding(x_mu, self.quantization_channels)


class Fade(torch.nn.Module):
    """Audio ``[..., T]`` faded in and out.

    Args:
        fade_in_len, fade_out_len: Samples.
        fade_shape: ``"linear"``, ``"exponential"``, ``"logarithmic"``, ``"quarter_sine"`` or ``"half_sine"``.
    """

    def __init__(self, fade_in_len: int = 0, fade_out_len: int = 0, fade_shape: str = "linear") -> None:
        super().__init__()
        self.fade_in_len = fade_in_len
        self.fade_out_len = fade_out_len
        self.fade_shape = fade_shape

    def forward(self, waveform: Tensor) -> Tensor:
        length, device = waveform.shape[-1], waveform.device
        return self._fade_in(length, device) * self._fade_out(length, device) * waveform

    def _fade_in(self, waveform_length: int, device: torch.device) -> Tensor:
        rise = torch.linspace(0, 1, self.fade_in_len, device=device)
        if self.fade_shape == "exponential":
            rise = 2 ** (rise - 1) * rise
        elif self.fade_shape == "logarithmic":
            rise = torch.log10(0.1 + rise) + 1
        elif self.fade_shape == "quarter_sine":
            rise = torch.sin(rise * math.pi / 2)
        elif self.fade_shape == "half_sine":
            rise = torch.sin(rise * math.pi - math.pi / 2) / 2 + 0.5
        ones = torch.ones(waveform_length - self.fade_in_len, device=device)
        return torch.cat((rise, ones)).clamp_(0, 1)

    def _fade_out(self, waveform_length: int, device: torch.device) -> Tensor:
        fall = torch.linspace(0, 1, self.fade_out_len, device=device)
        if self.fade_shape == "linear":
            fall = 1 - fall
        elif self.fade_shape == "exponential":
            fall = 2 ** (-fall) * (1 - fall)
        elif self.fade_shape == "logarithmic":
            fall = torch.log10(1.1 - fall) + 1
        elif self.fade_shape == "quarter_sine":
            fall = torch.sin(fall * math.pi / 2 + math.pi / 2)
        elif self.fade_shape == "half_sine":
            fall = torch.sin(fall * math.pi + math.pi / 2) / 2 + 0.5
        ones = torch.ones(waveform_length - self.fade_out_len, device=device)
        return torch.cat((ones, fall)).clamp_(0, 1)


class Vol(torch.nn.Module):
    """Audio amplified, in [-1, 1].

    Args:
        gain_type: Whether ``gain`` is an ``"amplitude"``, a ``"power"`` or in ``"db"``.

    Raises:
        ValueError: an amplitude or a power below 0.
    """

    def __init__(self, gain: float, gain_type: str = "amplitude") -> None:
        super().__init__()
        if gain_type in ("amplitude", "power") and gain < 0:
            raise ValueError(f"an amplitude or a power must be at least 0, got {gain}")
        self.gain = gain
        self.gain_type = gain_type

    def forward(self, waveform: Tensor) -> Tensor:
        if self.gain_type == "amplitude":
            waveform = waveform * self.gain
        if self.gain_type == "db":
            waveform = F.gain(waveform, self.gain)
        if self.gain_type == "power":
            waveform = F.gain(waveform, 10 * math.log10(self.gain))
        return torch.clamp(waveform, -1, 1)


class Loudness(torch.nn.Module):
    """Loudness in LKFS, see :func:`torchaudio.functional.loudness`."""

    __constants__ = ("sample_rate",)

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate

    def forward(self, wavefrom: Tensor) -> Tensor:
        return F.loudness(wavefrom, self.sample_rate)


class Preemphasis(torch.nn.Module):
    """Audio with higher frequencies emphasised, see :func:`torchaudio.functional.preemphasis`."""

    def __init__(self, coeff: float = 0.97) -> None:
        super().__init__()
        self.coeff = coeff

    def forward(self, waveform: Tensor) -> Tensor:
        return F.preemphasis(waveform, self.coeff)


class Deemphasis(torch.nn.Module):
    """What undoes :class:`Preemphasis`, see :func:`torchaudio.functional.deemphasis`."""

    def __init__(self, coeff: float = 0.97) -> None:
        super().__init__()
        self.coeff = coeff

    def forward(self, waveform: Tensor) -> Tensor:
        return F.deemphasis(waveform, self.coeff)


class Convolve(torch.nn.Module):
    """Convolution over time, see :func:`torchaudio.functional.convolve`.

    Raises:
        ValueError: an unknown mode.
    """

    def __init__(self, mode: str = "full") -> None:
        _check_convolve_mode(mode)
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.convolve(x, y, self.mode)


class FFTConvolve(torch.nn.Module):
    """Convolution over time, by Fourier transforms, see :func:`torchaudio.functional.fftconvolve`.

    Raises:
        ValueError: an unknown mode.
    """

    def __init__(self, mode: str = "full") -> None:
        _check_convolve_mode(mode)
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.fftconvolve(x, y, self.mode)


_OF_VAD = tuple(inspect.signature(F.vad).parameters)[1:]


class Vad(torch.nn.Module):
    """Audio from the beginning of speech on, see :func:`torchaudio.functional.vad`."""

    def __init__(
        self,
        sample_rate: int,
        trigger_level: float = 7.0,
        trigger_time: float = 0.25,
        search_time: float = 1.0,
        allowed_gap: float = 0.25,
        pre_trigger_time: float = 0.0,
        boot_time: float = 0.35,
        noise_up_time: float = 0.1,
        noise_down_time: float = 0.01,
        noise_reduction_amount: float = 1.35,
        measure_freq: float = 20.0,
        measure_duration: float | None = None,
        measure_smooth_time: float = 0.4,
        hp_filter_freq: float = 50.0,
        lp_filter_freq: float = 6000.0,
        hp_lifter_freq: float = 150.0,
        lp_lifter_freq: float = 2000.0,
    ) -> None:
        options = locals()
        super().__init__()
        for name in _OF_VAD:
            setattr(self, name, options[name])

    @torch.jit.unused
    def forward(self, waveform: Tensor) -> Tensor:
        return F.vad(waveform, *[getattr(self, name) for name in _OF_VAD])


class RNNTLoss(torch.nn.Module):
    """See :func:`torchaudio.functional.rnnt_loss`."""

    def __init__(
        self, blank: int = -1, clamp: float = -1.0, reduction: str = "mean", fused_log_softmax: bool = True
    ) -> None:
        super().__init__()
        self.blank = blank
        self.clamp = clamp
        self.reduction = reduction
        self.fused_log_softmax = fused_log_softmax

    def forward(self, logits: Tensor, targets: Tensor, logit_lengths: Tensor, target_lengths: Tensor) -> Tensor:
        return F.rnnt_loss(
            logits,
            targets,
            logit_lengths,
            target_lengths,
            self.blank,
            self.clamp,
            self.reduction,
            self.fused_log_softmax,
        )
