"""The classes of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from mlx_spectro.design.epilogues import Epilogue, Log

from ...arrays import torch_autograd, torch_tensors
from ...arrays.torch_adapter import serves
from ...arrays.torch_arguments import tensor_reason, weights_reason
from ...arrays.torch_options import truth
from ...contract import tolerances
from ...contract.reasons import unread
from ...dispatch import Plan
from .._functional import decibels, spectral
from .._modules import Twin, unfused


def _framing(module: Any) -> tuple[Any, ...]:
    return module.pad, module.window, module.n_fft, module.hop_length, module.win_length


def _options(module: Any) -> tuple[Any, ...]:
    return module.normalized, module.center, module.pad_mode, module.onesided


class Spectrogram(Twin, theirs.Spectrogram):
    """torchaudio.transforms.Spectrogram. Same arguments, same defaults."""

    @serves("torchaudio.transforms.Spectrogram", tolerances.energy)
    def forward(self, waveform: Tensor) -> Plan:
        return spectral.spectrogram.plan(waveform, *_framing(self), self.power, *_options(self))


class InverseSpectrogram(Twin, theirs.InverseSpectrogram):
    """torchaudio.transforms.InverseSpectrogram. Same arguments, same defaults."""

    @serves("torchaudio.transforms.InverseSpectrogram", tolerances.spectrum)
    def forward(self, spectrogram: Tensor, length: int | None = None) -> Plan:
        return spectral.inverse_spectrogram.plan(spectrogram, length, *_framing(self), *_options(self))


class SpectralCentroid(Twin, theirs.SpectralCentroid):
    """torchaudio.transforms.SpectralCentroid. Same arguments, same defaults."""

    @serves("torchaudio.transforms.SpectralCentroid", tolerances.sums)
    def forward(self, waveform: Tensor) -> Plan:
        return spectral.spectral_centroid.plan(waveform, self.sample_rate, *_framing(self))


class AmplitudeToDB(Twin, theirs.AmplitudeToDB):
    """torchaudio.transforms.AmplitudeToDB. Same arguments, same defaults."""

    @serves("torchaudio.transforms.AmplitudeToDB", tolerances.elementwise)
    def forward(self, x: Tensor) -> Plan:
        return decibels.amplitude_to_DB.plan(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


class MelScale(Twin, theirs.MelScale):
    """torchaudio.transforms.MelScale. Same arguments, same defaults."""

    @serves("torchaudio.transforms.MelScale", tolerances.sums)
    def forward(self, specgram: Tensor) -> Plan:
        bank = self.fb
        reason = tensor_reason(specgram) or weights_reason("filterbank", bank, specgram.dtype, specgram)
        if reason:
            return reason
        if not (specgram.dim() > 1 and bank.dim() == 2 and len(bank) == specgram.shape[-2]):
            return f"the spectrogram is {list(specgram.shape)}, the filterbank {list(bank.shape)}"
        if not (specgram.numel() and bank.numel()):
            return "there is nothing to filter, or no filter"
        engine = torch_tensors.engine_for(specgram)
        if isinstance(engine, str):
            return engine
        return lambda: torch_autograd.project(specgram.transpose(-1, -2), bank, engine).transpose(-1, -2)


def _filtered(waveform: Tensor, module: Any, bank: Any) -> tuple[spectral.Signal, float] | str:
    """The signal and the power whose spectrogram ``module`` would take for ``bank`` to filter, or why we cannot."""
    reason = unfused(module, Spectrogram)
    power = reason or spectral.power_of(module.power)
    if isinstance(power, str):
        return power
    signal = spectral.signal(waveform, *_framing(module), *_options(module))
    return signal if isinstance(signal, str) else signal.bank_reason(bank) or (signal, power)


class MelSpectrogram(Twin, theirs.MelSpectrogram):
    """torchaudio.transforms.MelSpectrogram. Same arguments, same defaults."""

    @serves("torchaudio.transforms.MelSpectrogram", tolerances.energy)
    def forward(self, waveform: Tensor) -> Plan:
        mel_scale = self.mel_scale
        reason = unfused(mel_scale, MelScale)
        if reason:
            return reason
        bank = mel_scale.fb
        wanted = _filtered(waveform, self.spectrogram, bank)
        if isinstance(wanted, str):
            return wanted
        signal, power = wanted
        return lambda: signal.filtered(power, bank).transpose(-1, -2)


def _cepstrum(waveform: Tensor, spectrogram: Any, bank: Any, logarithmic: Any, to_decibel: Any, basis: Any) -> Plan:
    """``basis [filters, n]`` applied to the decibels of a filtered spectrogram, or to its logarithm."""
    wanted = _filtered(waveform, spectrogram, bank)
    if isinstance(wanted, str):
        return wanted
    signal, power = wanted
    reason = weights_reason("basis", basis, signal.x.dtype, signal.x)
    if reason:
        return reason
    if not (basis.dim() == 2 and len(basis) == bank.shape[1] and basis.numel()):
        return f"the basis is {list(basis.shape)}, which does not fit the filters"
    epilogue: Epilogue | str = Log(1e-6, added=True)
    below: float | str | None = None
    if not logarithmic:
        reason = unfused(to_decibel, AmplitudeToDB)
        if reason:
            return reason
        below = decibels.range_of(to_decibel.top_db)
        epilogue = decibels.epilogue(to_decibel.multiplier, to_decibel.amin, to_decibel.db_multiplier, signal.x.dtype)
    if isinstance(epilogue, str):
        return epilogue
    if isinstance(below, str):
        return below

    def work() -> Tensor:
        levels = decibels.clipped(signal.filtered(power, bank, epilogue), below)
        return torch_autograd.project(levels, basis, signal.spectral.engine).transpose(-1, -2)

    return work


class MFCC(Twin, theirs.MFCC):
    """torchaudio.transforms.MFCC. Same arguments, same defaults."""

    @serves("torchaudio.transforms.MFCC", tolerances.cepstrum)
    def forward(self, waveform: Tensor) -> Plan:
        mel, logarithmic = self.MelSpectrogram, truth(self.log_mels)
        reason = unfused(mel, MelSpectrogram)
        if reason or logarithmic is None:
            return reason or unread("log_mels", self.log_mels)
        mel_scale = mel.mel_scale
        reason = unfused(mel_scale, MelScale)
        if reason:
            return reason
        to_decibel = None if logarithmic else self.amplitude_to_DB
        return _cepstrum(waveform, mel.spectrogram, mel_scale.fb, logarithmic, to_decibel, self.dct_mat)


class LFCC(Twin, theirs.LFCC):
    """torchaudio.transforms.LFCC. Same arguments, same defaults."""

    @serves("torchaudio.transforms.LFCC", tolerances.cepstrum)
    def forward(self, waveform: Tensor) -> Plan:
        logarithmic = truth(self.log_lf)
        if logarithmic is None:
            return unread("log_lf", self.log_lf)
        to_decibel = None if logarithmic else self.amplitude_to_DB
        return _cepstrum(waveform, self.Spectrogram, self.filter_mat, logarithmic, to_decibel, self.dct_mat)
