"""Modules that change spectrograms and audio for training: masks, stretching, pitch, speed, noise."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter

from .. import functional as F
from ..functional._pitch_shift import _fix_waveform_shape, _stretch_waveform
from ..functional._resample import _apply_sinc_resample_kernel, _get_sinc_resample_kernel, _source_target_sample_rate
from ._spectrograms import _Windowed


class TimeStretch(torch.nn.Module):
    """Complex spectrograms at another speed, see :func:`torchaudio.functional.phase_vocoder`.

    Args:
        hop_length: Samples between frames. Default: ``n_freq - 1``.
        fixed_rate: The speed, where a call names no other.
    """

    __constants__ = ("fixed_rate",)

    phase_advance: Tensor

    def __init__(self, hop_length: int | None = None, n_freq: int = 201, fixed_rate: float | None = None) -> None:
        super().__init__()
        self.fixed_rate = fixed_rate
        hop = n_freq - 1 if hop_length is None else hop_length
        self.register_buffer("phase_advance", torch.linspace(0, math.pi * hop, n_freq)[..., None])

    def forward(self, complex_specgrams: Tensor, overriding_rate: float | None = None) -> Tensor:
        if not torch.is_complex(complex_specgrams):
            warnings.warn("a spectrogram to be stretched must be complex: the result is not valid", stacklevel=4)
        rate = self.fixed_rate if overriding_rate is None else overriding_rate
        if rate is None:
            raise ValueError("a rate is needed: fixed_rate, or one for the call")
        return F.phase_vocoder(complex_specgrams, rate, self.phase_advance)


class _AxisMasking(torch.nn.Module):
    """Masks over an axis, counted as of ``[channels, freq, time]``."""

    __constants__ = ("mask_param", "axis", "iid_masks", "p")

    def __init__(self, mask_param: int, axis: int, iid_masks: bool, p: float = 1.0) -> None:
        super().__init__()
        self.mask_param = mask_param
        self.axis = axis
        self.iid_masks = iid_masks
        self.p = p

    def forward(self, specgram: Tensor, mask_value: float | Tensor = 0.0) -> Tensor:
        axis = self.axis + specgram.dim() - 3
        if self.iid_masks:
            return F.mask_along_axis_iid(specgram, self.mask_param, mask_value, axis, self.p)
        value = float(mask_value) if isinstance(mask_value, Tensor) else mask_value
        return F.mask_along_axis(specgram, self.mask_param, value, axis, self.p)


class FrequencyMasking(_AxisMasking):
    """Masks over bands of frequency, narrower than ``freq_mask_param``.

    Args:
        iid_masks: A mask of its own for each spectrogram, see :func:`torchaudio.functional.mask_along_axis_iid`.
    """

    def __init__(self, freq_mask_param: int, iid_masks: bool = False) -> None:
        super().__init__(freq_mask_param, 1, iid_masks)


class TimeMasking(_AxisMasking):
    """Masks over spans of time, narrower than ``time_mask_param`` and than the share ``p`` of all frames.

    Args:
        iid_masks: A mask of its own for each spectrogram, see :func:`torchaudio.functional.mask_along_axis_iid`.

    Raises:
        ValueError: ``p`` is not in [0, 1].
    """

    def __init__(self, time_mask_param: int, iid_masks: bool = False, p: float = 1.0) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p must be between 0 and 1, got {p}")
        super().__init__(time_mask_param, 2, iid_masks, p)


class SpecAugment(torch.nn.Module):
    """Several masks over time, and then over frequency: Park et al., SpecAugment, 2019.

    Args:
        iid_masks: Masks of its own for each spectrogram.
        p: The largest share of an axis that may be masked.
        zero_masking: By zeros, and not by the mean of all values.
    """

    __constants__ = (
        "n_time_masks",
        "time_mask_param",
        "n_freq_masks",
        "freq_mask_param",
        "iid_masks",
        "p",
        "zero_masking",
    )

    def __init__(
        self,
        n_time_masks: int,
        time_mask_param: int,
        n_freq_masks: int,
        freq_mask_param: int,
        iid_masks: bool = True,
        p: float = 1.0,
        zero_masking: bool = False,
    ) -> None:
        super().__init__()
        self.n_time_masks = n_time_masks
        self.time_mask_param = time_mask_param
        self.n_freq_masks = n_freq_masks
        self.freq_mask_param = freq_mask_param
        self.iid_masks = iid_masks
        self.p = p
        self.zero_masking = zero_masking

    def forward(self, specgram: Tensor) -> Tensor:
        if self.zero_masking:  # noqa: SIM108 (in TorchScript the types differ)
            mask_value = 0.0
        else:
            mask_value = specgram.mean()  # type: ignore[assignment]
        dim = specgram.dim()
        singly = dim > 2 and self.iid_masks is True
        for _ in range(self.n_time_masks):
            specgram = self._masked(specgram, self.time_mask_param, mask_value, dim - 1, singly)
        for _ in range(self.n_freq_masks):
            specgram = self._masked(specgram, self.freq_mask_param, mask_value, dim - 2, singly)
        return specgram

    def _masked(self, specgram: Tensor, mask_param: int, mask_value: float, axis: int, singly: bool) -> Tensor:
        if singly:
            return F.mask_along_axis_iid(specgram, mask_param, mask_value, axis, self.p)
        return F.mask_along_axis(specgram, mask_param, mask_value, axis, self.p)


class Resample(torch.nn.Module):
    """Audio ``[..., T]`` at another rate, see :func:`torchaudio.functional.resample`, by the buffer ``kernel``.

    Args:
        dtype: In which the kernel is calculated and held. Default: in float64, and float32.
    """

    def __init__(
        self,
        orig_freq: int = 16000,
        new_freq: int = 16000,
        resampling_method: str = "sinc_interp_hann",
        lowpass_filter_width: int = 6,
        rolloff: float = 0.99,
        beta: float | None = None,
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.orig_freq = orig_freq
        self.new_freq = new_freq
        self.gcd = math.gcd(int(orig_freq), int(new_freq))
        self.resampling_method = resampling_method
        self.lowpass_filter_width = lowpass_filter_width
        self.rolloff = rolloff
        self.beta = beta
        if orig_freq != new_freq:
            kernel, self.width = _get_sinc_resample_kernel(
                orig_freq, new_freq, self.gcd, lowpass_filter_width, rolloff, resampling_method, beta, dtype=dtype
            )
            self.register_buffer("kernel", kernel)

    def forward(self, waveform: Tensor) -> Tensor:
        if self.orig_freq == self.new_freq:
            return waveform
        return _apply_sinc_resample_kernel(waveform, self.orig_freq, self.new_freq, self.gcd, self.kernel, self.width)


class Speed(torch.nn.Module):
    """Audio ``factor`` times as fast, and the lengths of its signals, see :func:`torchaudio.functional.speed`."""

    def __init__(self, orig_freq, factor) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.orig_freq = orig_freq
        self.factor = factor
        self.source_sample_rate, self.target_sample_rate = _source_target_sample_rate(orig_freq, factor)
        self.resampler = Resample(self.source_sample_rate, self.target_sample_rate)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if lengths is None:
            after = None
        else:
            after = torch.ceil(lengths * self.target_sample_rate / self.source_sample_rate).to(lengths.dtype)
        return self.resampler(waveform), after


class SpeedPerturbation(torch.nn.Module):
    """:class:`Speed` by one of ``factors``, drawn by torch's generator: Ko et al., Audio augmentation, 2015."""

    def __init__(self, orig_freq: int, factors: Sequence[float]) -> None:
        super().__init__()
        self.speeders = torch.nn.ModuleList([Speed(orig_freq, factor) for factor in factors])

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        drawn = int(torch.randint(len(self.speeders), ()))
        # TorchScript takes no submodule by a number that it does not know
        for i, speeder in enumerate(self.speeders):
            if i == drawn:
                return speeder(waveform, lengths)
        raise RuntimeError("no factor was drawn")


class PitchShift(LazyModuleMixin, _Windowed):
    """Audio ``[..., T]`` shifted in pitch, see :func:`torchaudio.functional.pitch_shift`.

    The kernel that it is resampled with, a parameter, is made at the first call, in the audio's dtype.
    """

    __constants__ = ("sample_rate", "n_steps", "bins_per_octave", "n_fft", "win_length", "hop_length")

    kernel: UninitializedParameter
    width: int

    def __init__(
        self,
        sample_rate: int,
        n_steps: int,
        bins_per_octave: int = 12,
        n_fft: int = 512,
        win_length: int | None = None,
        hop_length: int | None = None,
        window_fn: Callable[..., Tensor] = torch.hann_window,
        wkwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_fft, win_length, hop_length, window_fn, wkwargs, 4)
        self.sample_rate = sample_rate
        self.n_steps = n_steps
        self.bins_per_octave = bins_per_octave
        self.orig_freq = int(sample_rate / 2.0 ** (-float(n_steps) / bins_per_octave))
        self.gcd = math.gcd(self.orig_freq, int(sample_rate))
        if self.orig_freq != sample_rate:
            self.width = -1
            self.kernel = UninitializedParameter()

    def initialize_parameters(self, input: Tensor) -> None:
        """Make the kernel for audio like ``input``, if it is not there."""
        if self.has_uninitialized_params() and self.orig_freq != self.sample_rate:
            with torch.no_grad():
                kernel, self.width = _get_sinc_resample_kernel(
                    self.orig_freq, self.sample_rate, self.gcd, dtype=input.dtype, device=input.device
                )
                self.kernel.materialize(kernel.shape)
                self.kernel.copy_(kernel)

    def forward(self, waveform: Tensor) -> Tensor:
        y = _stretch_waveform(
            waveform,
            self.n_steps,
            self.bins_per_octave,
            self.n_fft,
            self.win_length,
            self.hop_length,
            self.window,
        )
        if self.orig_freq != self.sample_rate:
            y = _apply_sinc_resample_kernel(y, self.orig_freq, self.sample_rate, self.gcd, self.kernel, self.width)
        return _fix_waveform_shape(y, waveform.size())


class AddNoise(torch.nn.Module):
    """Audio with noise at a ratio, see :func:`torchaudio.functional.add_noise`."""

    def forward(self, waveform: Tensor, noise: Tensor, snr: Tensor, lengths: Tensor | None = None) -> Tensor:
        return F.add_noise(waveform, noise, snr, lengths)
