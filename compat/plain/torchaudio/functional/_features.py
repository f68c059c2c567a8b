"""Features of frames: deltas, normalised cepstra, pitch."""

import math

import torch
from torch import Tensor


def compute_deltas(specgram: Tensor, win_length: int = 5, mode: str = "replicate") -> Tensor:
    """Slopes over time of ``specgram [..., freq, time]``, each fitted to ``win_length`` frames by least squares.

    Args:
        win_length: Frames, 3 at least; of an even number one fewer are taken.
        mode: How frames beyond the ends are padded, see :func:`torch.nn.functional.pad`.

    Raises:
        ValueError: ``win_length`` is below 3.
    """
    if win_length < 3:
        raise ValueError(f"win_length must be at least 3, got {win_length}")
    n = (win_length - 1) // 2
    signals = specgram.reshape(1, -1, specgram.shape[-1])
    padded = torch.nn.functional.pad(signals, (n, n), mode=mode)
    ramp = torch.arange(-n, n + 1, 1, device=specgram.device, dtype=specgram.dtype)
    ramp = ramp.repeat(signals.shape[1], 1, 1)
    # the sum of the squares of -n, ..., n
    squares = n * (n + 1) * (2 * n + 1) / 3
    slopes = torch.nn.functional.conv1d(padded, ramp, groups=signals.shape[1]) / squares
    return slopes.reshape(specgram.shape)


def _window(t: int, frames: int, cmn_window: int, min_cmn_window: int, center: bool) -> tuple[int, int]:
    """First frame, and the one after the last, over which frame ``t`` is normalised, by Kaldi's rules."""
    if center:
        start = t - cmn_window // 2
        end = start + cmn_window
        if start < 0:
            start, end = 0, end - start
    else:
        start, end = max(0, t - cmn_window), max(t + 1, min_cmn_window)
    if end > frames:
        start, end = max(0, start - (end - frames)), frames
    return start, end


def sliding_window_cmn(
    specgram: Tensor,
    cmn_window: int = 600,
    min_cmn_window: int = 100,
    center: bool = False,
    norm_vars: bool = False,
) -> Tensor:
    """``specgram [..., time, freq]`` less its mean over a window around or before each frame, as Kaldi's.

    Args:
        cmn_window: Frames of the window.
        min_cmn_window: Frames of the window at the beginning, where it lies before its frame.
        center: The window lies around its frame.
        norm_vars: Make the variance 1, too.
    """
    frames = specgram.shape[-2]
    signals = specgram.view(-1, frames, specgram.shape[-1])
    y = torch.zeros_like(signals, memory_format=torch.contiguous_format)
    for t in range(frames):
        start, end = _window(t, frames, cmn_window, min_cmn_window, center)
        part = signals[:, start:end]
        mean = part.mean(1)
        centred = signals[:, t] - mean
        if norm_vars:
            variance = part.square().mean(1) - mean.square()
            # of a single frame there is none
            y[:, t] = centred * variance.pow(-0.5) if end - start > 1 else torch.zeros_like(centred)
        else:
            y[:, t] = centred
    return y.view(specgram.shape)


def _compute_nccf(waveform: Tensor, sample_rate: int, frame_time: float, freq_low: int) -> Tensor:
    """Correlation ``[..., frames, lags]`` of each frame with what comes a lag later, over both energies."""
    lags, size = math.ceil(sample_rate / freq_low), math.ceil(sample_rate * frame_time)
    frames = math.ceil(waveform.shape[-1] / size)
    padded = torch.nn.functional.pad(waveform, (0, lags + frames * size - waveform.shape[-1]))
    correlations: list[Tensor] = []
    for lag in range(1, lags + 1):
        one = padded[..., :-lag].unfold(-1, size, size)[..., :frames, :]
        other = padded[..., lag:].unfold(-1, size, size)[..., :frames, :]
        of_one = (1e-9 + torch.linalg.vector_norm(one, dim=-1)).pow(2)
        of_other = (1e-9 + torch.linalg.vector_norm(other, dim=-1)).pow(2)
        correlations.append((one * other).sum(-1) / of_one / of_other)
    return torch.stack(correlations, -1)


def _find_max_per_frame(nccf: Tensor, sample_rate: int, freq_high: int) -> Tensor:
    """The best lag of each frame, from 1; of the first half unless the whole is better by more than a hundredth."""
    least = math.ceil(sample_rate / freq_high)
    best, lag = torch.max(nccf[..., least:], -1)
    early, early_lag = torch.max(nccf[..., least : nccf.shape[-1] // 2], -1)
    return torch.where(early > 0.99 * best, early_lag, lag) + (least + 1)


def _median_smoothing(indices: Tensor, win_length: int) -> Tensor:
    """The lower median of each index and those around it; before the first ones stands one of them."""
    before = (win_length - 1) // 2
    first = indices[..., :1].expand(indices.shape[:-1] + (before,))
    return torch.cat([first, indices], -1).unfold(-1, win_length, 1).median(-1)[0]


def detect_pitch_frequency(
    waveform: Tensor,
    sample_rate: int,
    frame_time: float = 10 ** (-2),
    win_length: int = 30,
    freq_low: int = 85,
    freq_high: int = 3400,
) -> Tensor:
    """Pitch in Hz of frames of audio ``[..., T]``, by normalised cross-correlation and a median over frames.

    Args:
        frame_time: Seconds of a frame.
        win_length: Frames of the median.
        freq_low, freq_high: Hz between which pitches are looked for.
    """
    signals = waveform.reshape([-1] + list(waveform.shape[-1:]))
    nccf = _compute_nccf(signals, sample_rate, frame_time, freq_low)
    lags = _median_smoothing(_find_max_per_frame(nccf, sample_rate, freq_high), win_length)
    pitch = sample_rate / (1e-9 + lags.to(torch.float))
    return pitch.reshape(waveform.shape[:-1] + pitch.shape[-1:])
