"""The classes of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from .. import gradients, limits, tensors
from ..dispatch import Plan
from ..planning import tensor_reason, weights_reason
from ..reasons import REJECTED
from ..spectral import Ending
from . import _decibel, _spectra
from ._serving import Twin, serves, unfused


def _framing(module: Any) -> tuple[int, Tensor, int, int, int]:
    return module.pad, module.window, module.n_fft, module.hop_length, module.win_length


def _options(module: Any) -> tuple[bool | str, bool, str, bool]:
    return module.normalized, module.center, module.pad_mode, module.onesided


class Spectrogram(Twin, theirs.Spectrogram):
    """torchaudio.transforms.Spectrogram. Same arguments, same defaults."""

    @serves("torchaudio.transforms.Spectrogram", limits.energy)
    def forward(self, waveform: Tensor) -> Plan:
        return _spectra.spectrogram.plan(waveform, *_framing(self), self.power, *_options(self))


class InverseSpectrogram(Twin, theirs.InverseSpectrogram):
    """torchaudio.transforms.InverseSpectrogram. Same arguments, same defaults."""

    @serves("torchaudio.transforms.InverseSpectrogram", limits.spectrum)
    def forward(self, spectrogram: Tensor, length: int | None = None) -> Plan:
        return _spectra.inverse_spectrogram.plan(spectrogram, length, *_framing(self), *_options(self))


class SpectralCentroid(Twin, theirs.SpectralCentroid):
    """torchaudio.transforms.SpectralCentroid. Same arguments, same defaults."""

    @serves("torchaudio.transforms.SpectralCentroid", limits.sums)
    def forward(self, waveform: Tensor) -> Plan:
        return _spectra.spectral_centroid.plan(waveform, self.sample_rate, *_framing(self))


class AmplitudeToDB(Twin, theirs.AmplitudeToDB):
    """torchaudio.transforms.AmplitudeToDB. Same arguments, same defaults."""

    @serves("torchaudio.transforms.AmplitudeToDB", limits.elementwise)
    def forward(self, x: Tensor) -> Plan:
        return _decibel.amplitude_to_DB.plan(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


class MelScale(Twin, theirs.MelScale):
    """torchaudio.transforms.MelScale. Same arguments, same defaults."""

    @serves("torchaudio.transforms.MelScale", limits.sums)
    def forward(self, specgram: Tensor) -> Plan:
        reason = tensor_reason(specgram) or weights_reason("filterbank", self.fb, specgram.dtype, specgram)
        if reason:
            return reason
        if not (specgram.numel() and specgram.dim() > 1 and self.fb.dim() == 2 and len(self.fb) == specgram.shape[-2]):
            return REJECTED
        engine = tensors.engine_for(specgram)
        if isinstance(engine, str):
            return engine
        return lambda: gradients.project(specgram.transpose(-1, -2), self.fb, engine).transpose(-1, -2)


def _filtered(waveform: Tensor, module: theirs.Spectrogram, bank: Tensor) -> _spectra.Magnitudes | str:
    """The spectrogram that ``module`` would take for ``bank`` to filter, or why we cannot serve it."""
    reason = unfused(module, Spectrogram)
    if reason:
        return reason
    wanted = _spectra.magnitudes(waveform, *_framing(module), module.power, *_options(module))
    return wanted if isinstance(wanted, str) else wanted.bank_reason(bank) or wanted


class MelSpectrogram(Twin, theirs.MelSpectrogram):
    """torchaudio.transforms.MelSpectrogram. Same arguments, same defaults."""

    @serves("torchaudio.transforms.MelSpectrogram", limits.energy)
    def forward(self, waveform: Tensor) -> Plan:
        mel_scale = self.mel_scale
        bank = mel_scale.fb
        wanted = unfused(mel_scale, MelScale) or _filtered(waveform, self.spectrogram, bank)
        return wanted if isinstance(wanted, str) else lambda: wanted.filtered(bank).transpose(-1, -2)


def _cepstrum(
    waveform: Tensor,
    spectrogram: theirs.Spectrogram,
    bank: Tensor,
    to_decibel: theirs.AmplitudeToDB | None,
    basis: Tensor,
) -> Plan:
    """``basis [filters, n]`` applied to the logarithm of a filtered spectrogram, or to its decibels."""
    wanted = _filtered(waveform, spectrogram, bank)
    if isinstance(wanted, str):
        return wanted
    reason = weights_reason("basis", basis, waveform.dtype, waveform)
    if reason:
        return reason
    if basis.dim() != 2 or len(basis) != bank.shape[1]:
        return REJECTED
    ending: Ending | str = ("log", 1e-6, True)
    top_db = None
    if to_decibel is not None:
        top_db = to_decibel.top_db
        ending = unfused(to_decibel, AmplitudeToDB) or _decibel.ending(
            to_decibel.multiplier, to_decibel.amin, to_decibel.db_multiplier
        )
    if isinstance(ending, str):
        return ending

    def work() -> Tensor:
        levels = _decibel.clipped(wanted.filtered(bank, ending), top_db)
        return gradients.project(levels, basis, wanted.spectral.engine).transpose(-1, -2)

    return work


class MFCC(Twin, theirs.MFCC):
    """torchaudio.transforms.MFCC. Same arguments, same defaults."""

    @serves("torchaudio.transforms.MFCC", limits.cepstrum)
    def forward(self, waveform: Tensor) -> Plan:
        mel = self.MelSpectrogram
        mel_scale = mel.mel_scale
        reason = unfused(mel, MelSpectrogram) or unfused(mel_scale, MelScale)
        to_decibel = None if self.log_mels else self.amplitude_to_DB
        return reason or _cepstrum(waveform, mel.spectrogram, mel_scale.fb, to_decibel, self.dct_mat)


class LFCC(Twin, theirs.LFCC):
    """torchaudio.transforms.LFCC. Same arguments, same defaults."""

    @serves("torchaudio.transforms.LFCC", limits.cepstrum)
    def forward(self, waveform: Tensor) -> Plan:
        to_decibel = None if self.log_lf else self.amplitude_to_DB
        return _cepstrum(waveform, self.Spectrogram, self.filter_mat, to_decibel, self.dct_mat)
