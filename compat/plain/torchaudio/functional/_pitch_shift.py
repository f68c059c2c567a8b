"""Pitch shifted: stretched in time, and resampled."""

import math

import torch
from torch import Tensor

from ._resample import resample
from ._spectral import phase_vocoder


def pitch_shift(
    waveform: Tensor,
    sample_rate: int,
    n_steps: int,
    bins_per_octave: int = 12,
    n_fft: int = 512,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: Tensor | None = None,
) -> Tensor:
    """Audio ``[..., T]`` shifted by ``n_steps`` of which ``bins_per_octave`` are an octave.

    Args:
        win_length: Samples of the window. Default: ``n_fft``.
        hop_length: Samples between frames. Default: ``n_fft // 4``.
        window: Default: Hann's.
    """
    stretched = _stretch_waveform(waveform, n_steps, bins_per_octave, n_fft, win_length, hop_length, window)
    rate = 2.0 ** (-float(n_steps) / bins_per_octave)
    return _fix_waveform_shape(resample(stretched, int(sample_rate / rate), sample_rate), waveform.size())


def _stretch_waveform(
    waveform: Tensor,
    n_steps: int,
    bins_per_octave: int = 12,
    n_fft: int = 512,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: Tensor | None = None,
) -> Tensor:
    """Signals ``[channels, T * 2 ** (n_steps / bins_per_octave)]``, as high as before."""
    hop = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length
    if window is None:
        window = torch.hann_window(size, device=waveform.device)
    rate = 2.0 ** (-float(n_steps) / bins_per_octave)
    length = waveform.shape[-1]
    bins = torch.stft(waveform.reshape(-1, length), n_fft, hop, size, window, return_complex=True)
    advance = torch.linspace(0, math.pi * hop, bins.shape[-2], device=bins.device)[..., None]
    samples = int(round(length / rate))  # noqa: RUF046 (in TorchScript it is none)
    stretched = phase_vocoder(bins, rate, advance)
    return torch.istft(stretched, n_fft, hop, size, window, length=samples)


def _fix_waveform_shape(waveform_shift: Tensor, shape: list[int]) -> Tensor:
    """Signals cut or padded to ``shape``."""
    length = shape[-1]
    # a negative number of zeros would copy
    if waveform_shift.shape[-1] > length:
        y = waveform_shift[..., :length]
    else:
        y = torch.nn.functional.pad(waveform_shift, [0, length - waveform_shift.shape[-1]])
    return y.view(list(shape[:-1]) + list(y.shape[-1:]))
