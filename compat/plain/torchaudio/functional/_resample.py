"""Resampling by windowed sinc functions: Smith, Digital Audio Resampling (https://ccrma.stanford.edu/~jos/resample)."""

import math
import warnings

import torch
from torch import Tensor

_CPU = torch.device("cpu")


def _get_sinc_resample_kernel(
    orig_freq: int,
    new_freq: int,
    gcd: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    resampling_method: str = "sinc_interp_hann",
    beta: float | None = None,
    device: torch.device = _CPU,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, int]:
    """Filters ``[phases, 1, taps]``, one for each place of an output between inputs, and the taps before that place.

    Raises:
        Exception: frequencies that are no whole numbers.
        ValueError: an unknown method, or ``lowpass_filter_width`` is below 1.
    """
    if int(orig_freq) != orig_freq or int(new_freq) != new_freq:
        raise Exception(
            f"frequencies must be whole numbers, got {orig_freq} and {new_freq}: give others of the same ratio"
        )
    if resampling_method in ("sinc_interpolation", "kaiser_window"):  # earlier names
        now = "sinc_interp_hann" if resampling_method == "sinc_interpolation" else "sinc_interp_kaiser"
        warnings.warn(f"the resampling method '{resampling_method}' is called '{now}' now", stacklevel=3)
    elif resampling_method not in ("sinc_interp_hann", "sinc_interp_kaiser"):
        raise ValueError(
            f"resampling_method must be 'sinc_interp_hann' or 'sinc_interp_kaiser', got '{resampling_method}'"
        )
    if lowpass_filter_width <= 0:
        raise ValueError(f"lowpass_filter_width must be above 0, got {lowpass_filter_width}")
    source, target = int(orig_freq) // gcd, int(new_freq) // gcd
    # of the filter, in units of the common divisor
    cutoff = min(source, target) * rolloff
    width = math.ceil(lowpass_filter_width * source / cutoff)
    # without a dtype, calculated as exactly as may be, and float32
    taps = torch.arange(-width, width + source, dtype=torch.float64 if dtype is None else dtype, device=device)
    phases = torch.arange(0, -target, -1, dtype=dtype, device=device) / target
    t = (phases[:, None, None] + taps / source) * cutoff
    t = t.clamp(-lowpass_filter_width, lowpass_filter_width)
    # by either earlier name torchaudio takes Kaiser's
    if resampling_method == "sinc_interp_hann":
        window = torch.cos(t * math.pi / lowpass_filter_width / 2) ** 2
    else:
        # as tight as Smith's default in resample
        shape = torch.tensor(float(14.769656459379492 if beta is None else beta))
        window = torch.i0(shape * torch.sqrt(1 - (t / lowpass_filter_width) ** 2)) / torch.i0(shape)
    angle = t * math.pi
    kernel = torch.where(angle == 0, torch.ones_like(angle), angle.sin() / angle) * (window * (cutoff / source))
    return kernel if dtype is not None else kernel.to(torch.float32), width


def _apply_sinc_resample_kernel(
    waveform: Tensor, orig_freq: int, new_freq: int, gcd: int, kernel: Tensor, width: int
) -> Tensor:
    """Audio ``[..., T]`` filtered by what :func:`_get_sinc_resample_kernel` designed for the same frequencies.

    Raises:
        TypeError: samples that are not floating point.
    """
    if not waveform.is_floating_point():
        raise TypeError(f"waveform must be floating point, got {waveform.dtype}")
    source, target = int(orig_freq) // gcd, int(new_freq) // gcd
    signals = waveform.view(-1, waveform.shape[-1])
    padded = torch.nn.functional.pad(signals, (width, width + source))
    phases = torch.nn.functional.conv1d(padded[:, None], kernel, stride=source)
    y = phases.transpose(1, 2).reshape(signals.shape[0], -1)
    length = torch.ceil(torch.as_tensor(target * signals.shape[1] / source)).long()
    y = y[..., :length]
    return y.view(waveform.shape[:-1] + y.shape[-1:])


def resample(
    waveform: Tensor,
    orig_freq: int,
    new_freq: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    resampling_method: str = "sinc_interp_hann",
    beta: float | None = None,
) -> Tensor:
    """Audio ``[..., T]`` at another rate, ``[..., ceil(T * new_freq / orig_freq)]``, band-limited.

    Args:
        lowpass_filter_width: Zero crossings of the filter on either side.
        rolloff: Its cutoff, as a share of the lower of both rates' Nyquist frequencies.
        resampling_method: Its window, ``"sinc_interp_hann"`` or ``"sinc_interp_kaiser"``.
        beta: Shape of Kaiser's window.

    Raises:
        ValueError: a frequency that is not above 0, an unknown method, or ``lowpass_filter_width`` is below 1.
        TypeError: samples that are not floating point.
    """
    if orig_freq <= 0 or new_freq <= 0:
        raise ValueError(f"frequencies must be above 0, got {orig_freq} and {new_freq}")
    if orig_freq == new_freq:
        return waveform
    gcd = math.gcd(int(orig_freq), int(new_freq))
    kernel, width = _get_sinc_resample_kernel(
        orig_freq,
        new_freq,
        gcd,
        lowpass_filter_width,
        rolloff,
        resampling_method,
        beta,
        waveform.device,
        waveform.dtype,
    )
    return _apply_sinc_resample_kernel(waveform, orig_freq, new_freq, gcd, kernel, width)


def _source_target_sample_rate(orig_freq: int, speed: float) -> tuple[int, int]:
    """Rates between which to resample, without common divisors."""
    source, target = int(speed * orig_freq), int(orig_freq)
    gcd = math.gcd(source, target)
    return source // gcd, target // gcd


def speed(
    waveform: Tensor, orig_freq: int, factor: float, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Audio ``[..., T]`` that is ``factor`` times as fast, and so as high; and the ``lengths`` of its signals then."""
    source, target = _source_target_sample_rate(orig_freq, factor)
    after = torch.ceil(lengths * target / source).to(lengths.dtype) if lengths is not None else None
    return resample(waveform, source, target), after
