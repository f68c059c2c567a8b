"""spectrogram, fbank, mfcc and get_mel_banks of torchaudio.compliance.kaldi."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchaudio.compliance.kaldi as theirs
from torch import Tensor

from mlx_spectro.design.framing import Framing

from ...arrays import torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor
from ...arrays.torch_ops import run
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from ...contract.reasons import REJECTED, ByDesign
from .kaldi_options import Cepstra, Features, design, mel_banks, number, read

_SAMPLE_FREQUENCY, _FRAME_LENGTH = 16000.0, 25.0


def bound(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """Bound for energies, and for natural logarithms of those that lie at most 80 dB below the largest.

    There a magnitude is 1e-4 of the largest, so that its relative error is 1e4 times that of a spectrum.
    """
    return tolerances.energy(dtype, n_fft, largest) + 2e4 * tolerances.spectrum(dtype, n_fft, 1.0)


def cepstral_bound(dtype: np.dtype[Any], n_fft: int, largest: float) -> float:
    """:func:`bound` of orthonormal combinations of up to ``n_fft`` of them, lifted by the usual 1 + 22 / 2 or less."""
    return 12 * math.sqrt(n_fft) * bound(dtype, n_fft, largest)


def order(arguments: dict[str, Any]) -> int:
    """Length of a call's transforms, or more."""
    rate = arguments.get("sample_frequency", _SAMPLE_FREQUENCY)
    size = int(rate * arguments.get("frame_length", _FRAME_LENGTH) * theirs.MILLISECONDS_TO_SECONDS)
    return int(theirs._next_power_of_2(max(2, size)))


def _planned(arguments: dict[str, Any]) -> Work:
    """The features of a channel of audio that a call's ``arguments`` ask for."""
    waveform = arguments.pop("waveform")
    check_tensor(waveform)
    if not (waveform.is_floating_point() and waveform.dim() == 2):
        raise Decline("the audio is not real, or not [channels, samples]")
    if torch_tensors.gradient_wanted(waveform):
        raise Decline("the audio requires a gradient, which torch computes")
    features = read(arguments, waveform.dtype)
    channels, length = waveform.shape
    how = features.op.extraction
    if features.channel >= channels or how.framing.n_fft > length:
        raise Decline(REJECTED)
    if length < features.shortest:
        raise Decline(ByDesign("the audio is shorter than min_duration: there is nothing to compute"))
    if not how.framing.frames(length):
        raise Decline("there is no frame")
    if not features.snip_edges and waveform.stride(1) != 1:
        raise Decline("snip_edges is False, and the samples do not lie side by side: torchaudio then takes others")
    if features.dither and settings.numerics.get() == "verify":
        raise Decline(ByDesign("dither draws random numbers, and a second run to compare with would draw others"))
    engine = torch_tensors.engine_for(waveform, how.n_fft)
    if callable(engine) and features.dither:  # before anything is drawn
        engine.check(features.op, (length,), *(w.shape for w in features.weights))

    def work() -> Tensor:
        x, op = waveform[features.channel], features.op
        y = _dithered(engine, x, features) if features.dither else run(engine, op, x, *features.weights)
        if features.cepstra is not None:
            y = _cepstral(y, features.cepstra)
        return y - y.mean(0) if features.centred else y

    return work


def _dithered(engine: Any, x: Tensor, features: Features) -> Tensor:
    """The features of frames with random numbers added, as torchaudio draws them."""
    how = features.op.extraction
    size, shift, *_ = how.framing
    frames: Tensor = theirs._get_strided(x, size, shift, features.snip_edges)
    bind()
    frames = frames + torch.randn(frames.shape, device=x.device, dtype=x.dtype) * features.dither
    singly = replace(features.op, extraction=how._replace(framing=Framing(size, shift)))
    return run(engine, singly, frames, *features.weights).squeeze(1)


def _cepstral(levels: Tensor, cepstra: Cepstra) -> Tensor:
    """The coefficients: a product so small that torch's is the fastest."""
    filters, basis = len(cepstra.basis), cepstra.basis
    if not levels.is_cpu:
        from ...arrays import torch_launch

        def on_device(values: npt.NDArray[Any]) -> Tensor:
            return torch.from_numpy(values).to(levels.device)

        basis = torch_launch.of_weight("basis", basis, levels.device, on_device)
    y = levels[:, :filters] @ basis
    if cepstra.energy is not None:
        y[:, cepstra.energy] = levels[:, filters]
    return y


@adapter("torchaudio.compliance.kaldi.get_mel_banks", tolerances.elementwise)
def get_mel_banks(
    num_bins: int,
    window_length_padded: int,
    sample_freq: float,
    low_freq: float,
    high_freq: float,
    vtln_low: float,
    vtln_high: float,
    vtln_warp_factor: float,
) -> Work:
    """torchaudio.compliance.kaldi.get_mel_banks. Same arguments, same defaults.

    torchaudio's own, designed once for the same arguments.
    """
    arguments = locals()
    torch_tensors.check_untraced()
    numbers = (number(name, value) for name, value in arguments.items())
    banks = design(mel_banks, *numbers)
    return lambda: tuple(part.clone() for part in banks)


@adapter("torchaudio.compliance.kaldi.spectrogram", bound, order=order)
def spectrogram(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = _FRAME_LENGTH,
    frame_shift: float = 10.0,
    min_duration: float = 0.0,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = _SAMPLE_FREQUENCY,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    window_type: str = theirs.POVEY,
) -> Work:
    """torchaudio.compliance.kaldi.spectrogram. Same arguments, same defaults."""
    return _planned(locals())


@adapter("torchaudio.compliance.kaldi.fbank", bound, order=order)
def fbank(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = _FRAME_LENGTH,
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
    sample_frequency: float = _SAMPLE_FREQUENCY,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    use_log_fbank: bool = True,
    use_power: bool = True,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = theirs.POVEY,
) -> Work:
    """torchaudio.compliance.kaldi.fbank. Same arguments, same defaults."""
    return _planned(locals())


@adapter("torchaudio.compliance.kaldi.mfcc", cepstral_bound, order=order)
def mfcc(
    waveform: Tensor,
    blackman_coeff: float = 0.42,
    cepstral_lifter: float = 22.0,
    channel: int = -1,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = _FRAME_LENGTH,
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
    sample_frequency: float = _SAMPLE_FREQUENCY,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = theirs.POVEY,
) -> Work:
    """torchaudio.compliance.kaldi.mfcc. Same arguments, same defaults."""
    return _planned(locals())
