"""What torchaudio.functional.functional shows, here of several modules, and loudness."""
# ruff: noqa: F401

import math

import torch
from torch import Tensor

from . import filtering
from ._banks import _hz_to_mel, _mel_to_hz, create_dct, linear_fbanks, melscale_fbanks
from ._beamforming import apply_beamforming, mvdr_weights_rtf, mvdr_weights_souden, psd, rtf_evd, rtf_power
from ._convolve import _check_convolve_mode, _check_shape_compatible, convolve, fftconvolve
from ._distances import edit_distance, frechet_distance
from ._features import (
    _compute_nccf,
    _find_max_per_frame,
    _median_smoothing,
    compute_deltas,
    detect_pitch_frequency,
    sliding_window_cmn,
)
from ._levels import add_noise, deemphasis, mu_law_decoding, mu_law_encoding, preemphasis
from ._masks import _get_mask_param, mask_along_axis, mask_along_axis_iid
from ._pitch_shift import _fix_waveform_shape, _stretch_waveform, pitch_shift
from ._resample import (
    _apply_sinc_resample_kernel,
    _get_sinc_resample_kernel,
    resample,
    speed,
)
from ._spectral import (
    DB_to_amplitude,
    _get_complex_dtype,
    amplitude_to_DB,
    griffinlim,
    inverse_spectrogram,
    phase_vocoder,
    spectral_centroid,
    spectrogram,
)
from ._transducer import rnnt_loss
from .filtering import highpass_biquad, treble_biquad

__all__ = [
    "DB_to_amplitude",
    "add_noise",
    "amplitude_to_DB",
    "apply_beamforming",
    "compute_deltas",
    "convolve",
    "create_dct",
    "deemphasis",
    "detect_pitch_frequency",
    "edit_distance",
    "fftconvolve",
    "frechet_distance",
    "griffinlim",
    "inverse_spectrogram",
    "linear_fbanks",
    "loudness",
    "mask_along_axis",
    "mask_along_axis_iid",
    "melscale_fbanks",
    "mu_law_decoding",
    "mu_law_encoding",
    "mvdr_weights_rtf",
    "mvdr_weights_souden",
    "phase_vocoder",
    "pitch_shift",
    "preemphasis",
    "psd",
    "resample",
    "rnnt_loss",
    "rtf_evd",
    "rtf_power",
    "sliding_window_cmn",
    "spectral_centroid",
    "spectrogram",
    "speed",
]


def loudness(waveform: Tensor, sample_rate: int) -> Tensor:
    """Loudness in LKFS of audio ``[..., channels, T]``, by ITU-R BS.1770-4.

    Raises:
        ValueError: more than 5 channels.
    """
    if waveform.size(-2) > 5:
        raise ValueError(f"at most 5 channels can be weighted, got {waveform.size(-2)}")
    size = int(round(0.4 * sample_rate))  # noqa: RUF046 (in TorchScript it is none)
    step = int(round(size * 0.25))  # noqa: RUF046
    heard = treble_biquad(waveform, sample_rate, 4.0, 1500.0, 1 / math.sqrt(2))
    heard = highpass_biquad(heard, sample_rate, 38.0, 0.5)
    energy = heard.square().unfold(-1, size, step).mean(-1)
    weights = torch.tensor([1.0, 1.0, 1.0, 1.41, 1.41], dtype=waveform.dtype, device=waveform.device)
    weights = weights[: energy.size(-2)]
    levels = _lkfs((weights.unsqueeze(-1) * energy).sum(-2))
    # blocks that are heard at all, and then those not far below the mean of these
    loud = levels > -70.0
    gate = _lkfs((weights * _mean_of(energy, loud)).sum(-1)) - 10
    loud = loud & (levels > gate.unsqueeze(-1))
    return _lkfs((weights * _mean_of(energy, loud)).sum(-1))


def _lkfs(energy: Tensor) -> Tensor:
    return -0.691 + 10 * torch.log10(energy)


def _mean_of(energy: Tensor, blocks: Tensor) -> Tensor:
    """Mean ``[..., channels]`` of ``energy [..., channels, T]`` over those ``blocks [..., T]`` that are True."""
    blocks = blocks.unsqueeze(-2)
    return (blocks * energy).sum(-1) / torch.count_nonzero(blocks, dim=-1)
