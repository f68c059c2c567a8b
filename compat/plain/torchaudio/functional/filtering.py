"""Filters of second order, designed from frequencies and gains; effects and other filters are shown here, too.

By Bristow-Johnson's Cookbook formulae for audio EQ biquad filter coefficients (https://www.w3.org/TR/audio-eq-cookbook),
where nothing else is said; ``band_biquad``, ``deemph_biquad`` and ``riaa_biquad`` by SoX (https://sox.sourceforge.net).
Coefficients are calculated in the waveform's precision, and are differentiable by frequencies, gains and Q.
"""

import math

import torch
from torch import Tensor

from ._effects import _generate_wave_table as _generate_wave_table
from ._effects import contrast, dcshift, dither, flanger, gain, overdrive, phaser
from ._recursive import filtfilt, lfilter
from ._vad import vad

__all__ = [
    "allpass_biquad",
    "band_biquad",
    "bandpass_biquad",
    "bandreject_biquad",
    "bass_biquad",
    "biquad",
    "contrast",
    "dcshift",
    "deemph_biquad",
    "dither",
    "equalizer_biquad",
    "filtfilt",
    "flanger",
    "gain",
    "highpass_biquad",
    "lfilter",
    "lowpass_biquad",
    "overdrive",
    "phaser",
    "riaa_biquad",
    "treble_biquad",
    "vad",
]


def _angle(waveform: Tensor, sample_rate: int, freq: float, Q: float) -> tuple[Tensor, Tensor]:
    """The frequency in radians a sample, and the cookbook's alpha."""
    w0 = 2 * math.pi * torch.as_tensor(freq, dtype=waveform.dtype, device=waveform.device) / sample_rate
    return w0, torch.sin(w0) / 2 / torch.as_tensor(Q, dtype=waveform.dtype, device=waveform.device)


def _amplitude(waveform: Tensor, gain: float) -> Tensor:
    """The cookbook's A of a gain in dB."""
    return torch.exp(torch.as_tensor(gain, dtype=waveform.dtype, device=waveform.device) / 40 * math.log(10))


def biquad(waveform: Tensor, b0: float, b1: float, b2: float, a0: float, a1: float, a2: float) -> Tensor:
    """Audio ``[..., T]`` by a filter of the given coefficients, clamped to [-1, 1], see :func:`lfilter`."""
    dtype, device = waveform.dtype, waveform.device
    a = torch.cat([torch.as_tensor(each, dtype=dtype, device=device).view(1) for each in (a0, a1, a2)])
    b = torch.cat([torch.as_tensor(each, dtype=dtype, device=device).view(1) for each in (b0, b1, b2)])
    return lfilter(waveform, a, b)


def allpass_biquad(waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707) -> Tensor:
    """Audio ``[..., T]`` whose phase turns around ``central_freq`` Hz."""
    w0, alpha = _angle(waveform, sample_rate, central_freq, Q)
    middle = -2 * torch.cos(w0)
    return biquad(waveform, 1 - alpha, middle, 1 + alpha, 1 + alpha, middle, 1 - alpha)


def band_biquad(
    waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707, noise: bool = False
) -> Tensor:
    """Audio ``[..., T]`` through SoX's two-pole band around ``central_freq`` Hz, ``central_freq / Q`` Hz wide.

    Args:
        noise: Scaled for unpitched audio.
    """
    w0, _ = _angle(waveform, sample_rate, central_freq, Q)
    freq = torch.as_tensor(central_freq, dtype=waveform.dtype, device=waveform.device)
    width = freq / torch.as_tensor(Q, dtype=waveform.dtype, device=waveform.device)
    a2 = torch.exp(-2 * math.pi * width / sample_rate)
    a1 = -4 * a2 / (1 + a2) * torch.cos(w0)
    b0 = torch.sqrt(1 - a1 * a1 / (4 * a2)) * (1 - a2)
    if noise:
        b0 = torch.sqrt(((1 + a2) * (1 + a2) - a1 * a1) * (1 - a2) / (1 + a2)) / b0 * b0
    return biquad(waveform, b0, 0.0, 0.0, 1.0, a1, a2)


def bandpass_biquad(
    waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707, const_skirt_gain: bool = False
) -> Tensor:
    """Audio ``[..., T]`` around ``central_freq`` Hz.

    Args:
        const_skirt_gain: The gain is Q at ``central_freq``, and not 1.
    """
    w0, alpha = _angle(waveform, sample_rate, central_freq, Q)
    b0 = torch.sin(w0) / 2 if const_skirt_gain else alpha
    return biquad(waveform, b0, 0.0, -b0, 1 + alpha, -2 * torch.cos(w0), 1 - alpha)


def bandreject_biquad(waveform: Tensor, sample_rate: int, central_freq: float, Q: float = 0.707) -> Tensor:
    """Audio ``[..., T]`` without what lies around ``central_freq`` Hz."""
    w0, alpha = _angle(waveform, sample_rate, central_freq, Q)
    middle = -2 * torch.cos(w0)
    return biquad(waveform, 1.0, middle, 1.0, 1 + alpha, middle, 1 - alpha)


def _shelf(waveform: Tensor, w0: Tensor, alpha: Tensor, A: Tensor, side: float) -> list[Tensor]:
    """The cookbook's ``b0, b1, b2, a0, a1, a2`` of a low (``side`` 1) or high (-1) shelf."""
    slope = 2 * torch.sqrt(A) * alpha
    less, more = side * ((A - 1) * torch.cos(w0)), side * ((A + 1) * torch.cos(w0))
    return [
        A * (A + 1 - less + slope),
        side * 2 * A * (A - 1 - more),
        A * (A + 1 - less - slope),
        A + 1 + less + slope,
        side * -2 * (A - 1 + more),
        A + 1 + less - slope,
    ]


def bass_biquad(waveform: Tensor, sample_rate: int, gain: float, central_freq: float = 100, Q: float = 0.707) -> Tensor:
    """Audio ``[..., T]`` with what lies below ``central_freq`` Hz changed by ``gain`` dB."""
    w0, alpha = _angle(waveform, sample_rate, central_freq, Q)
    b0, b1, b2, a0, a1, a2 = _shelf(waveform, w0, alpha, _amplitude(waveform, gain), 1.0)
    return biquad(waveform, b0 / a0, b1 / a0, b2 / a0, a0 / a0, a1 / a0, a2 / a0)


def treble_biquad(
    waveform: Tensor, sample_rate: int, gain: float, central_freq: float = 3000, Q: float = 0.707
) -> Tensor:
    """Audio ``[..., T]`` with what lies above ``central_freq`` Hz changed by ``gain`` dB."""
    w0, alpha = _angle(waveform, sample_rate, central_freq, Q)
    b0, b1, b2, a0, a1, a2 = _shelf(waveform, w0, alpha, _amplitude(waveform, gain), -1.0)
    return biquad(waveform, b0, b1, b2, a0, a1, a2)


def equalizer_biquad(waveform: Tensor, sample_rate: int, center_freq: float, gain: float, Q: float = 0.707) -> Tensor:
    """Audio ``[..., T]`` with what lies around ``center_freq`` Hz changed by ``gain`` dB."""
    w0, alpha = _angle(waveform, sample_rate, center_freq, Q)
    A = _amplitude(waveform, gain)
    middle = -2 * torch.cos(w0)
    return biquad(waveform, 1 + alpha * A, middle, 1 - alpha * A, 1 + alpha / A, middle, 1 - alpha / A)


def highpass_biquad(waveform: Tensor, sample_rate: int, cutoff_freq: float, Q: float = 0.707) -> Tensor:
    """Audio ``[..., T]`` above ``cutoff_freq`` Hz."""
    w0, alpha = _angle(waveform, sample_rate, cutoff_freq, Q)
    b0 = (1 + torch.cos(w0)) / 2
    return biquad(waveform, b0, -1 - torch.cos(w0), b0, 1 + alpha, -2 * torch.cos(w0), 1 - alpha)


def lowpass_biquad(waveform: Tensor, sample_rate: int, cutoff_freq: float, Q: float = 0.707) -> Tensor:
    """Audio ``[..., T]`` below ``cutoff_freq`` Hz."""
    w0, alpha = _angle(waveform, sample_rate, cutoff_freq, Q)
    b0 = (1 - torch.cos(w0)) / 2
    return biquad(waveform, b0, 1 - torch.cos(w0), b0, 1 + alpha, -2 * torch.cos(w0), 1 - alpha)


def deemph_biquad(waveform: Tensor, sample_rate: int) -> Tensor:
    """Audio ``[..., T]`` of a compact disc without its emphasis (IEC 60908): a high shelf, fitted.

    Raises:
        ValueError: ``sample_rate`` is neither 44100 nor 48000.
    """
    if sample_rate == 44100:
        freq, slope, gain = 5283, 0.4845, -9.477
    elif sample_rate == 48000:
        freq, slope, gain = 5356, 0.479, -9.62
    else:
        raise ValueError(f"sample_rate must be 44100 or 48000, got {sample_rate}")
    w0 = 2 * math.pi * freq / sample_rate
    A = math.exp(gain / 40.0 * math.log(10))
    alpha = math.sin(w0) / 2 * math.sqrt((A + 1 / A) * (1 / slope - 1) + 2)
    root = 2 * math.sqrt(A) * alpha
    less, more = (A - 1) * math.cos(w0), (A + 1) * math.cos(w0)
    b0, b1, b2 = A * (A + 1 + less + root), -2 * A * (A - 1 + more), A * (A + 1 + less - root)
    return biquad(waveform, b0, b1, b2, A + 1 - less + root, 2 * (A - 1 - more), A + 1 - less - root)


def _magnitude(c1: float, c2: float, w: float) -> float:
    """Of ``1 + c1 z + c2 z^2`` at an angle."""
    real, imaginary = 1 + c1 * math.cos(w) + c2 * math.cos(2 * w), c1 * math.sin(w) + c2 * math.sin(2 * w)
    return math.sqrt(real**2 + imaginary**2)


def riaa_biquad(waveform: Tensor, sample_rate: int) -> Tensor:
    """Audio ``[..., T]`` of a record, equalised by the curve of the RIAA, with a gain of 1 at 1 kHz.

    Raises:
        ValueError: ``sample_rate`` is none of 44100, 48000, 88200 and 96000.
    """
    if sample_rate == 44100:
        zeros, poles = (-0.2014898, 0.923382), (0.7083149, 0.9924091)
    elif sample_rate == 48000:
        zeros, poles = (-0.1766069, 0.932159), (0.7396325, 0.993133)
    elif sample_rate == 88200:
        zeros, poles = (-0.1168735, 0.9648312), (0.8590646, 0.9964002)
    elif sample_rate == 96000:
        zeros, poles = (-0.1141486, 0.9676817), (0.8699137, 0.9966946)
    else:
        raise ValueError(f"sample_rate must be 44100, 48000, 88200 or 96000, got {sample_rate}")
    b1, b2 = -(zeros[0] + zeros[1]), zeros[0] * zeros[1]
    a1, a2 = -(poles[0] + poles[1]), poles[0] * poles[1]
    w = 2 * math.pi * 1000 / sample_rate
    gain = _magnitude(a1, a2, w) / _magnitude(b1, b2, w)
    return biquad(waveform, gain, b1 * gain, b2 * gain, 1.0, a1, a2)
