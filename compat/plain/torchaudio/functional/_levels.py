"""What is done to samples one by one, or by a neighbour's help: companding, emphasis, noise."""

import warnings

import torch
from torch import Tensor

from ._recursive import lfilter


def mu_law_encoding(x: Tensor, quantization_channels: int) -> Tensor:
    """Samples in [-1, 1] as whole numbers from 0 to ``quantization_channels - 1``, by the mu-law of ITU-T G.711."""
    if not x.is_floating_point():
        warnings.warn(f"samples to be encoded should be floating point, not {x.dtype}", stacklevel=2)
        x = x.to(torch.float)
    mu = torch.tensor(quantization_channels - 1.0, dtype=x.dtype)
    companded = torch.sign(x) * torch.log1p(mu * torch.abs(x)) / torch.log1p(mu)
    return ((companded + 1) / 2 * mu + 0.5).to(torch.int64)


def mu_law_decoding(x_mu: Tensor, quantization_channels: int) -> Tensor:
    """Samples in [-1, 1] of what :func:`mu_law_encoding` gives."""
    if not x_mu.is_floating_point():
        x_mu = x_mu.to(torch.float)
    mu = torch.tensor(quantization_channels - 1.0, dtype=x_mu.dtype)
    companded = x_mu / mu * 2 - 1.0
    return torch.sign(companded) * (torch.exp(torch.abs(companded) * torch.log1p(mu)) - 1.0) / mu


def preemphasis(waveform: Tensor, coeff: float = 0.97) -> Tensor:
    """``x[t] - coeff * x[t - 1]`` of audio ``[..., T]``; the first sample stays."""
    y = waveform.clone()
    y[..., 1:] -= coeff * waveform[..., :-1]
    return y


def deemphasis(waveform: Tensor, coeff: float = 0.97) -> Tensor:
    """``y[t] = x[t] + coeff * y[t - 1]`` of audio ``[..., T]``, clamped to [-1, 1]: undoes :func:`preemphasis`."""
    a = torch.tensor([1.0, -coeff], dtype=waveform.dtype, device=waveform.device)
    b = torch.tensor([1.0, 0.0], dtype=waveform.dtype, device=waveform.device)
    return lfilter(waveform, a, b)


def add_noise(waveform: Tensor, noise: Tensor, snr: Tensor, lengths: Tensor | None = None) -> Tensor:
    """``waveform [..., T]`` with as much of ``noise [..., T]`` as makes the ratio of their energies ``snr [...]`` dB.

    Args:
        lengths: Samples ``[...]`` that count as signal.

    Raises:
        ValueError: dimensions or lengths that do not match.
    """
    if not (waveform.ndim == noise.ndim == snr.ndim + 1 and (lengths is None or lengths.ndim == snr.ndim)):
        raise ValueError("waveform, noise, snr and lengths differ in leading dimensions")
    length = waveform.size(-1)
    if noise.size(-1) != length:
        raise ValueError(f"waveform and noise must be of one length, got {length} and {noise.size(-1)}")
    heard, covering = waveform, noise
    if lengths is not None:
        counts = torch.arange(0, length, device=lengths.device).expand(waveform.shape) < lengths.unsqueeze(-1)
        heard, covering = waveform * counts, noise * counts
    of_signal = torch.linalg.vector_norm(heard, dim=-1) ** 2
    of_noise = torch.linalg.vector_norm(covering, dim=-1) ** 2
    present = 10 * (torch.log10(of_signal) - torch.log10(of_noise))
    scale = 10 ** ((present - snr) / 20.0)
    return waveform + scale.unsqueeze(-1) * noise
