"""Features as Kaldi computes them (https://kaldi-asr.org) in compute-{spectrogram,fbank,mfcc}-feats.

Audio is ``[channels, T]``, of which one channel is taken, in the range of 16-bit samples if values are to be Kaldi's.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ..functional import create_dct

__all__ = [
    "fbank",
    "get_mel_banks",
    "inverse_mel_scale",
    "inverse_mel_scale_scalar",
    "mel_scale",
    "mel_scale_scalar",
    "mfcc",
    "spectrogram",
    "vtln_warp_freq",
    "vtln_warp_mel_freq",
]

EPSILON = torch.tensor(torch.finfo(torch.float).eps)
MILLISECONDS_TO_SECONDS = 0.001

HAMMING = "hamming"
HANNING = "hanning"
POVEY = "povey"
RECTANGULAR = "rectangular"
BLACKMAN = "blackman"
WINDOWS = [HAMMING, HANNING, POVEY, RECTANGULAR, BLACKMAN]


def _get_epsilon(device: torch.device, dtype: torch.dtype) -> Tensor:
    return EPSILON.to(device=device, dtype=dtype)


def _next_power_of_2(x: int) -> int:
    return 1 if x == 0 else 1 << (x - 1).bit_length()


def _get_strided(waveform: Tensor, window_size: int, window_shift: int, snip_edges: bool) -> Tensor:
    """Frames ``[N, window_size]``: those that fit, or, of audio mirrored at its ends, one a shift."""
    assert waveform.dim() == 1
    samples = waveform.size(0)
    if snip_edges:
        if samples < window_size:
            return torch.empty((0, 0), dtype=waveform.dtype, device=waveform.device)
        frames, stride = 1 + (samples - window_size) // window_shift, waveform.stride(0)
    else:
        frames, before = (samples + window_shift // 2) // window_shift, window_size // 2 - window_shift // 2
        mirrored = waveform.flip(0)
        stride = waveform.stride(0)
        parts = (mirrored[-before:], waveform, mirrored) if before > 0 else (waveform[-before:], mirrored)
        waveform = torch.cat(parts)
    return waveform.as_strided((frames, window_size), (window_shift * stride, stride))


def _feature_window_function(
    window_type: str, window_size: int, blackman_coeff: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """A window ``[window_size]``, which ends where it begins.

    Raises:
        Exception: an unknown type.
    """
    where: dict[str, Any] = {"device": device, "dtype": dtype}
    if window_type == HAMMING:
        return torch.hamming_window(window_size, periodic=False, alpha=0.54, beta=0.46, **where)
    if window_type == HANNING:
        return torch.hann_window(window_size, periodic=False, **where)
    if window_type == POVEY:
        return torch.hann_window(window_size, periodic=False, **where).pow(0.85)
    if window_type == RECTANGULAR:
        return torch.ones(window_size, **where)
    if window_type == BLACKMAN:
        turn = 2 * math.pi / (window_size - 1)
        n = torch.arange(window_size, **where)
        return blackman_coeff - 0.5 * torch.cos(turn * n) + (0.5 - blackman_coeff) * torch.cos(2 * turn * n)
    raise Exception(f"window_type must be one of {WINDOWS}, got {window_type}")


def _get_log_energy(strided_input: Tensor, epsilon: Tensor, energy_floor: float) -> Tensor:
    energy = torch.maximum(strided_input.pow(2).sum(1), epsilon).log()
    return energy if energy_floor == 0.0 else energy.clamp(min=math.log(energy_floor))


def _channel(
    waveform: Tensor,
    channel: int,
    sample_frequency: float,
    frame_shift: float,
    frame_length: float,
    round_to_power_of_two: bool,
    preemphasis_coefficient: float,
) -> tuple[Tensor, int, int, int]:
    """The channel, and in samples the shift, the frame and its transform."""
    channel = max(channel, 0)
    assert channel < waveform.size(0), f"there is no channel {channel} of {waveform.size(0)}"
    x = waveform[channel]
    shift = int(sample_frequency * frame_shift * MILLISECONDS_TO_SECONDS)
    size = int(sample_frequency * frame_length * MILLISECONDS_TO_SECONDS)
    n_fft = _next_power_of_2(size) if round_to_power_of_two else size
    assert 2 <= size <= len(x), f"a frame must have from 2 to {len(x)} samples, all that there are, got {size}"
    assert shift > 0, f"frame_shift must be a sample at least, got {frame_shift} ms"
    assert n_fft % 2 == 0, f"a frame must have an even number of samples, got {n_fft}: round it to a power of two"
    assert 0.0 <= preemphasis_coefficient <= 1.0, (
        f"preemphasis_coefficient must be between 0 and 1, got {preemphasis_coefficient}"
    )
    assert sample_frequency > 0, f"sample_frequency must be above 0, got {sample_frequency}"
    return x, shift, size, n_fft


def _frames(
    x: Tensor,
    n_fft: int,
    size: int,
    shift: int,
    window_type: str,
    blackman_coeff: float,
    snip_edges: bool,
    raw_energy: bool,
    energy_floor: float,
    dither: float,
    remove_dc_offset: bool,
    preemphasis_coefficient: float,
) -> tuple[Tensor, Tensor]:
    """Windowed frames ``[N, n_fft]``, and the logarithms of their energies ``[N]``, before that if they are raw."""
    epsilon = _get_epsilon(x.device, x.dtype)
    frames = _get_strided(x, size, shift, snip_edges)
    if dither != 0.0:
        frames = frames + torch.randn(frames.shape, device=x.device, dtype=x.dtype) * dither
    if remove_dc_offset:
        frames = frames - frames.mean(1, keepdim=True)
    energy = _get_log_energy(frames, epsilon, energy_floor)
    if preemphasis_coefficient != 0.0:
        # before the first sample stands itself
        frames = frames - preemphasis_coefficient * torch.cat([frames[:, :1], frames[:, :-1]], 1)
    frames = frames * _feature_window_function(window_type, size, blackman_coeff, x.device, x.dtype)
    frames = torch.nn.functional.pad(frames, (0, n_fft - size))
    return frames, energy if raw_energy else _get_log_energy(frames, epsilon, energy_floor)


def _subtract_column_mean(tensor: Tensor, subtract_mean: bool) -> Tensor:
    return tensor - tensor.mean(0, keepdim=True) if subtract_mean else tensor


def spectrogram(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    min_duration: float = 0.0,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    window_type: str = POVEY,
) -> Tensor:
    """Logarithms of powers ``[N, n_fft // 2 + 1]``, the first being the frame's energy; options as :func:`fbank`'s."""
    x, shift, size, n_fft = _channel(
        waveform,
        channel,
        sample_frequency,
        frame_shift,
        frame_length,
        round_to_power_of_two,
        preemphasis_coefficient,
    )
    if len(x) < min_duration * sample_frequency:
        return torch.empty(0)
    frames, energy = _frames(
        x,
        n_fft,
        size,
        shift,
        window_type,
        blackman_coeff,
        snip_edges,
        raw_energy,
        energy_floor,
        dither,
        remove_dc_offset,
        preemphasis_coefficient,
    )
    levels = torch.maximum(torch.fft.rfft(frames).abs().pow(2.0), _get_epsilon(x.device, x.dtype)).log()
    levels[:, 0] = energy
    return _subtract_column_mean(levels, subtract_mean)


def inverse_mel_scale_scalar(mel_freq: float) -> float:
    """Hz of a frequency in mels."""
    return 700.0 * (math.exp(mel_freq / 1127.0) - 1.0)


def inverse_mel_scale(mel_freq: Tensor) -> Tensor:
    """Hz of frequencies in mels."""
    return 700.0 * ((mel_freq / 1127.0).exp() - 1.0)


def mel_scale_scalar(freq: float) -> float:
    """Mels of a frequency in Hz: O'Shaughnessy, Speech communication, 1987."""
    return 1127.0 * math.log(1.0 + freq / 700.0)


def mel_scale(freq: Tensor) -> Tensor:
    """Mels of frequencies in Hz."""
    return 1127.0 * (1.0 + freq / 700.0).log()


def vtln_warp_freq(
    vtln_low_cutoff: float,
    vtln_high_cutoff: float,
    low_freq: float,
    high_freq: float,
    vtln_warp_factor: float,
    freq: Tensor,
) -> Tensor:
    """Frequencies in Hz warped for a vocal tract's length, by three straight lines that meet: Kaldi's mel-computations.

    Args:
        vtln_low_cutoff, vtln_high_cutoff: Between these, about, the warp is by the factor.
        low_freq, high_freq: These stay where they are, as what is beyond does.
    """
    assert vtln_low_cutoff > low_freq, f"vtln_low must be above low_freq, got {vtln_low_cutoff} and {low_freq}"
    assert vtln_high_cutoff < high_freq, f"vtln_high must be below high_freq, got {vtln_high_cutoff} and {high_freq}"
    scale = 1.0 / vtln_warp_factor
    low = vtln_low_cutoff * max(1.0, vtln_warp_factor)
    high = vtln_high_cutoff * min(1.0, vtln_warp_factor)
    assert low > low_freq and high < high_freq
    rise = (scale * low - low_freq) / (low - low_freq)
    fall = (high_freq - scale * high) / (high_freq - high)
    warped = torch.where(freq < high, scale * freq, high_freq + fall * (freq - high_freq))
    warped = torch.where(freq < low, low_freq + rise * (freq - low_freq), warped)
    return torch.where((freq < low_freq) | (freq > high_freq), freq, warped)


def vtln_warp_mel_freq(
    vtln_low_cutoff: float,
    vtln_high_cutoff: float,
    low_freq: float,
    high_freq: float,
    vtln_warp_factor: float,
    mel_freq: Tensor,
) -> Tensor:
    """:func:`vtln_warp_freq` of frequencies in mels."""
    hz = inverse_mel_scale(mel_freq)
    return mel_scale(vtln_warp_freq(vtln_low_cutoff, vtln_high_cutoff, low_freq, high_freq, vtln_warp_factor, hz))


def get_mel_banks(
    num_bins: int,
    window_length_padded: int,
    sample_freq: float,
    low_freq: float,
    high_freq: float,
    vtln_low: float,
    vtln_high: float,
    vtln_warp_factor: float,
) -> tuple[Tensor, Tensor]:
    """Triangular filters ``[num_bins, window_length_padded / 2]``, without the last frequency, and their centres in Hz.

    Args:
        high_freq, vtln_high: Hz; from the Nyquist frequency down where they are not above 0.
    """
    assert num_bins > 3, f"at least 4 filters are needed, got {num_bins}"
    assert window_length_padded % 2 == 0
    nyquist = 0.5 * sample_freq
    if high_freq <= 0.0:
        high_freq += nyquist
    assert 0.0 <= low_freq < nyquist and 0.0 < high_freq <= nyquist and low_freq < high_freq, (
        f"low_freq and high_freq must rise from 0 to {nyquist}, got {low_freq} and {high_freq}"
    )
    if vtln_high < 0.0:
        vtln_high += nyquist
    assert vtln_warp_factor == 1.0 or (
        low_freq < vtln_low < high_freq and 0.0 < vtln_high < high_freq and vtln_low < vtln_high
    ), f"vtln_low and vtln_high must rise from {low_freq} to {high_freq}, got {vtln_low} and {vtln_high}"
    low, high = mel_scale_scalar(low_freq), mel_scale_scalar(high_freq)
    step = (high - low) / (num_bins + 1)
    n = torch.arange(num_bins)[:, None]
    left, centre, right = low + n * step, low + (n + 1.0) * step, low + (n + 2.0) * step
    if vtln_warp_factor != 1.0:
        left, centre, right = (
            vtln_warp_mel_freq(vtln_low, vtln_high, low_freq, high_freq, vtln_warp_factor, mel)
            for mel in (left, centre, right)
        )
    mels = mel_scale(sample_freq / window_length_padded * torch.arange(window_length_padded / 2))
    rising, falling = (mels - left) / (centre - left), (right - mels) / (right - centre)
    if vtln_warp_factor == 1.0:
        return torch.minimum(rising, falling).clamp(min=0.0), inverse_mel_scale(centre)
    # warped corners may have changed places
    bank = torch.where((mels > left) & (mels <= centre), rising, torch.zeros(1))
    return torch.where((mels > centre) & (mels < right), falling, bank), inverse_mel_scale(centre)


def fbank(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    high_freq: float = 0.0,
    htk_compat: bool = False,
    low_freq: float = 20.0,
    min_duration: float = 0.0,
    num_mel_bins: int = 23,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    use_log_fbank: bool = True,
    use_power: bool = True,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = POVEY,
) -> Tensor:
    """Mel filters ``[N, num_mel_bins]`` of a channel's frames, with the energy one more.

    Args:
        channel: Which one; the first by default.
        dither: What normally distributed numbers are multiplied by and added to frames, drawn by torch's generator.
        energy_floor: The least energy; 0 for none.
        frame_length, frame_shift: Milliseconds.
        high_freq, low_freq: Hz of the filters; ``high_freq`` from the Nyquist frequency down where it is not above 0.
        htk_compat: The energy comes last, and not first.
        min_duration: Seconds; of shorter audio nothing is computed.
        raw_energy: The energy is that before preemphasis and window.
        round_to_power_of_two: Transforms are.
        snip_edges: Take the frames that fit, and do not mirror audio at its ends.
        subtract_mean: Over all frames.
        use_power: Filter powers, and not magnitudes.
        vtln_high, vtln_low, vtln_warp: See :func:`vtln_warp_freq`.
        window_type, blackman_coeff: ``"povey"``, ``"hamming"``, ``"hanning"``, ``"rectangular"`` or ``"blackman"``.

    Raises:
        AssertionError: a channel that is not there, or options that do not fit the audio.
    """
    x, shift, size, n_fft = _channel(
        waveform,
        channel,
        sample_frequency,
        frame_shift,
        frame_length,
        round_to_power_of_two,
        preemphasis_coefficient,
    )
    if len(x) < min_duration * sample_frequency:
        return torch.empty(0, device=x.device, dtype=x.dtype)
    frames, energy = _frames(
        x,
        n_fft,
        size,
        shift,
        window_type,
        blackman_coeff,
        snip_edges,
        raw_energy,
        energy_floor,
        dither,
        remove_dc_offset,
        preemphasis_coefficient,
    )
    spectrum = torch.fft.rfft(frames).abs()
    bank, _ = get_mel_banks(num_mel_bins, n_fft, sample_frequency, low_freq, high_freq, vtln_low, vtln_high, vtln_warp)
    bank = torch.nn.functional.pad(bank.to(device=x.device, dtype=x.dtype), (0, 1))
    levels = torch.mm(spectrum.pow(2.0) if use_power else spectrum, bank.T)
    if use_log_fbank:
        levels = torch.maximum(levels, _get_epsilon(x.device, x.dtype)).log()
    if use_energy:
        energy = energy[:, None]
        levels = torch.cat((levels, energy) if htk_compat else (energy, levels), 1)
    return _subtract_column_mean(levels, subtract_mean)


def _get_dct_matrix(num_ceps: int, num_mel_bins: int) -> Tensor:
    """Basis ``[num_mel_bins, num_ceps]`` of the orthonormal cosine transform."""
    basis = create_dct(num_mel_bins, num_mel_bins, "ortho")
    basis[:, 0] = math.sqrt(1 / float(num_mel_bins))
    return basis[:, :num_ceps]


def _get_lifter_coeffs(num_ceps: int, cepstral_lifter: float) -> Tensor:
    n = torch.arange(num_ceps)
    return 1.0 + 0.5 * cepstral_lifter * torch.sin(math.pi * n / cepstral_lifter)


def mfcc(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    cepstral_lifter: float = 22.0,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    high_freq: float = 0.0,
    htk_compat: bool = False,
    low_freq: float = 20.0,
    num_ceps: int = 13,
    min_duration: float = 0.0,
    num_mel_bins: int = 23,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = POVEY,
) -> Tensor:
    """Cepstral coefficients ``[N, num_ceps]`` of :func:`fbank`, of which most options are.

    Args:
        cepstral_lifter: By which higher coefficients are raised; 0 for none.
        htk_compat: The first coefficient, or the energy, comes last.
        use_energy: The first coefficient is the frame's energy.

    Raises:
        AssertionError: as of :func:`fbank`, or more coefficients than filters.
    """
    assert num_ceps <= num_mel_bins, f"num_ceps must be at most num_mel_bins={num_mel_bins}, got {num_ceps}"
    levels = fbank(
        waveform,
        blackman_coeff,
        channel,
        dither,
        energy_floor,
        frame_length,
        frame_shift,
        high_freq,
        htk_compat,
        low_freq,
        min_duration,
        num_mel_bins,
        preemphasis_coefficient,
        raw_energy,
        remove_dc_offset,
        round_to_power_of_two,
        sample_frequency,
        snip_edges,
        False,
        use_energy,
        True,
        True,
        vtln_high,
        vtln_low,
        vtln_warp,
        window_type,
    )
    energy = None
    if use_energy:
        energy, levels = (levels[:, -1], levels[:, :-1]) if htk_compat else (levels[:, 0], levels[:, 1:])
    y = levels.matmul(_get_dct_matrix(num_ceps, num_mel_bins).to(levels))
    if cepstral_lifter != 0.0:
        y = y * _get_lifter_coeffs(num_ceps, cepstral_lifter).to(levels)
    if energy is not None:
        y = torch.cat((energy[:, None], y[:, 1:]), 1)
    if htk_compat:
        # the first vector of HTK's basis is not scaled as the others
        first = y[:, :1] if energy is not None else y[:, :1] * math.sqrt(2)
        y = torch.cat((y[:, 1:], first), 1)
    return _subtract_column_mean(y, subtract_mean)
