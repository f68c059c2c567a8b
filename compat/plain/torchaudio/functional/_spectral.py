"""Spectrograms, there and back, and what is told of them."""

import math
import warnings

import torch
from torch import Tensor


def _norms(normalized: bool | str) -> tuple[bool, bool]:
    """Whether to divide by the root of the frame's length, and by that of the window's energy."""
    if isinstance(normalized, str):
        if normalized not in ("frame_length", "window"):
            raise ValueError(f'normalized must be a bool, "frame_length" or "window", got {normalized}')
        return normalized == "frame_length", normalized == "window"
    elif isinstance(normalized, bool):
        return False, normalized
    raise TypeError('normalized must be a bool, "frame_length" or "window"')


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
) -> Tensor:
    """Spectrogram ``[..., bins, frames]`` of audio ``[..., T]``.

    Args:
        pad: Zeros on both sides, in samples.
        power: Exponent of the magnitude; None for the complex spectrogram.
        normalized: Divide by the root of the window's energy (True, ``"window"``), or length (``"frame_length"``).
        return_complex: No longer of any effect; anything but None is warned of.

    Raises:
        ValueError: an unknown ``normalized``.
    """
    if return_complex is not None:
        warnings.warn("return_complex has no effect: the spectrogram is complex where power is None", stacklevel=2)
    if pad > 0:
        waveform = torch.nn.functional.pad(waveform, (pad, pad), "constant")
    by_length, by_window = _norms(normalized)
    bins = torch.stft(
        waveform.reshape(-1, waveform.shape[-1]),
        n_fft,
        hop_length,
        win_length,
        window,
        center,
        pad_mode,
        by_length,
        onesided,
        return_complex=True,
    )
    bins = bins.reshape(waveform.shape[:-1] + bins.shape[-2:])
    if by_window:
        bins = bins / window.pow(2.0).sum().sqrt()
    if power is None:
        return bins
    return bins.abs() if power == 1.0 else bins.abs().pow(power)


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
) -> Tensor:
    """Audio ``[..., T]`` of a complex spectrogram ``[..., bins, frames]``.

    Args:
        length: Samples of the result, ``pad`` not counted.
        pad: Samples to leave out on both sides, where ``length`` is given.
        normalized: How the spectrogram was divided, see :func:`spectrogram`.

    Raises:
        ValueError: the spectrogram is not complex, or ``normalized`` is unknown.
    """
    by_length, by_window = _norms(normalized)
    if not spectrogram.is_complex():
        raise ValueError(f"spectrogram must be complex, got {spectrogram.dtype}")
    if by_window:
        spectrogram = spectrogram * window.pow(2.0).sum().sqrt()
    whole = length + 2 * pad if length is not None else None
    waveform = torch.istft(
        spectrogram.reshape(-1, spectrogram.shape[-2], spectrogram.shape[-1]),
        n_fft,
        hop_length,
        win_length,
        window,
        center,
        by_length,
        onesided,
        whole,
        return_complex=False,
    )
    if length is not None and pad > 0:
        waveform = waveform[:, pad:-pad]
    return waveform.reshape(spectrogram.shape[:-2] + waveform.shape[-1:])


def _get_complex_dtype(real_dtype: torch.dtype) -> torch.dtype:
    if real_dtype == torch.float:
        return torch.cfloat
    if real_dtype == torch.double:
        return torch.cdouble
    if real_dtype == torch.half:
        return torch.complex32
    raise ValueError(f"there are no complex numbers of {real_dtype}")


def griffinlim(
    specgram: Tensor,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float,
    n_iter: int,
    momentum: float,
    length: int | None,
    rand_init: bool,
) -> Tensor:
    """Audio ``[..., T]`` whose spectrogram comes near ``specgram [..., bins, frames]``.

    By the fast Griffin-Lim algorithm: Perraudin, Balazs and Søndergaard, WASPAA 2013.

    Args:
        power: Exponent of the magnitude that ``specgram`` holds.
        momentum: Of the algorithm, from 0 (Griffin and Lim's own) up to 1.
        rand_init: Begin with random phases, drawn from torch's generator, not with zeros.

    Raises:
        ValueError: ``momentum`` is not in [0, 1).
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in [0, 1), got {momentum}")
    momentum = momentum / (1 + momentum)
    magnitude = specgram.reshape(-1, specgram.shape[-2], specgram.shape[-1]).pow(1 / power)
    dtype = _get_complex_dtype(magnitude.dtype)
    if rand_init:
        phases = torch.rand(magnitude.shape, dtype=dtype, device=magnitude.device)
    else:
        phases = torch.ones(magnitude.shape, dtype=dtype, device=magnitude.device)
    before = torch.zeros(1, dtype=dtype, device=magnitude.device)
    for _ in range(n_iter):
        waveform = torch.istft(magnitude * phases, n_fft, hop_length, win_length, window, length=length)
        rebuilt = torch.stft(waveform, n_fft, hop_length, win_length, window, return_complex=True)
        phases = rebuilt - momentum * before if momentum else rebuilt
        phases = phases / (phases.abs() + 1e-16)
        before = rebuilt
    waveform = torch.istft(magnitude * phases, n_fft, hop_length, win_length, window, length=length)
    return waveform.reshape(specgram.shape[:-2] + waveform.shape[-1:])


def spectral_centroid(
    waveform: Tensor, sample_rate: int, pad: int, window: Tensor, n_fft: int, hop_length: int, win_length: int
) -> Tensor:
    """The mean frequency of each frame in Hz, ``[..., frames]``, weighted by magnitudes."""
    magnitude = spectrogram(waveform, pad, window, n_fft, hop_length, win_length, 1.0, False)
    freqs = torch.linspace(0, sample_rate // 2, n_fft // 2 + 1, device=magnitude.device)[:, None]
    return (freqs * magnitude).sum(-2) / magnitude.sum(-2)


def amplitude_to_DB(
    x: Tensor, multiplier: float, amin: float, db_multiplier: float, top_db: float | None = None
) -> Tensor:
    """Decibels of ``x [..., freq, time]``: ``multiplier * (log10(max(x, amin)) - db_multiplier)``.

    Args:
        multiplier: 10 for powers, 20 for amplitudes.
        db_multiplier: The logarithm of the reference's value.
        top_db: Levels below the largest of their ``[channel, freq, time]`` less ``top_db`` are raised to that.
    """
    levels = multiplier * torch.log10(torch.clamp(x, min=amin)) - multiplier * db_multiplier
    if top_db is None:
        return levels
    channels = levels.shape[-3] if levels.dim() > 2 else 1
    signals = levels.reshape(-1, channels, levels.shape[-2], levels.shape[-1])
    floor = signals.amax((-3, -2, -1), keepdim=True) - top_db
    return torch.max(signals, floor).reshape(levels.shape)


def DB_to_amplitude(x: Tensor, ref: float, power: float) -> Tensor:
    """``ref * (10 ** (x / 10)) ** power``: amplitudes (0.5) or powers (1) of decibels."""
    return ref * torch.pow(torch.pow(10.0, 0.1 * x), power)


def phase_vocoder(complex_specgrams: Tensor, rate: float, phase_advance: Tensor) -> Tensor:
    """Spectrogram ``[..., freq, ceil(time / rate)]`` that sounds ``rate`` times as fast.

    Flanagan and Golden, Phase vocoder, 1966: magnitudes between frames, phases that go on at each bin's own frequency.

    Args:
        phase_advance: ``[freq, 1]``, what a bin's phase gains from frame to frame, in radians.
    """
    if rate == 1.0:
        return complex_specgrams
    shape = complex_specgrams.shape
    bins = complex_specgrams.reshape(-1, shape[-2], shape[-1])
    steps = torch.arange(0, shape[-1], rate, device=bins.device, dtype=torch.real(bins).dtype)
    beyond = torch.nn.functional.pad(bins, [0, 2])
    this, following = beyond.index_select(-1, steps.long()), beyond.index_select(-1, (steps + 1).long())
    gain = following.angle() - this.angle() - phase_advance
    gain = gain - 2 * math.pi * torch.round(gain / (2 * math.pi)) + phase_advance
    phase = torch.cumsum(torch.cat([bins[..., :1].angle(), gain[..., :-1]], -1), -1)
    share = steps % 1.0
    result = torch.polar(share * following.abs() + (1 - share) * this.abs(), phase)
    return result.reshape(shape[:-2] + result.shape[1:])
