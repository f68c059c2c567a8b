"""The classes of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from mlx_spectro.design.epilogues import Epilogue, Log

from ...arrays import torch_autograd, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor, check_weights
from ...arrays.torch_options import truth
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._functional import decibels, deltas, spectral
from .._modules import Twin, check_part


def _framing(module: Any) -> tuple[Any, ...]:
    return module.pad, module.window, module.n_fft, module.hop_length, module.win_length


def _options(module: Any) -> tuple[Any, ...]:
    return module.normalized, module.center, module.pad_mode, module.onesided


@adapter("torchaudio.transforms.Spectrogram", tolerances.energy)
class Spectrogram(Twin, theirs.Spectrogram):
    """torchaudio.transforms.Spectrogram. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, waveform: Tensor) -> Work:
        return spectral.spectrogram.plan(waveform, *_framing(self), self.power, *_options(self))

    def _compiled(self, waveform: Tensor) -> Tensor:
        return spectral.spectrogram(waveform, *_framing(self), self.power, *_options(self))


@adapter("torchaudio.transforms.InverseSpectrogram", tolerances.spectrum)
class InverseSpectrogram(Twin, theirs.InverseSpectrogram):
    """torchaudio.transforms.InverseSpectrogram. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, spectrogram: Tensor, length: int | None = None) -> Work:
        return spectral.inverse_spectrogram.plan(spectrogram, length, *_framing(self), *_options(self))

    def _compiled(self, spectrogram: Tensor, length: int | None = None) -> Tensor:
        return spectral.inverse_spectrogram(spectrogram, length, *_framing(self), *_options(self))


@adapter("torchaudio.transforms.SpectralCentroid", tolerances.sums)
class SpectralCentroid(Twin, theirs.SpectralCentroid):
    """torchaudio.transforms.SpectralCentroid. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, waveform: Tensor) -> Work:
        return spectral.spectral_centroid.plan(waveform, self.sample_rate, *_framing(self))

    def _compiled(self, waveform: Tensor) -> Tensor:
        return spectral.spectral_centroid(waveform, self.sample_rate, *_framing(self))


@adapter("torchaudio.transforms.AmplitudeToDB", tolerances.elementwise)
class AmplitudeToDB(Twin, theirs.AmplitudeToDB):
    """torchaudio.transforms.AmplitudeToDB. Same arguments, same defaults.

    Ours where no gradient is asked for: torch's own operations compute that.
    """

    def forward(self, x: Tensor) -> Work:
        return decibels.amplitude_to_DB.plan(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


@adapter("torchaudio.transforms.ComputeDeltas", deltas.bound, order=deltas.order)
class ComputeDeltas(Twin, theirs.ComputeDeltas):
    """torchaudio.transforms.ComputeDeltas. Same arguments, same defaults."""

    def forward(self, specgram: Tensor) -> Work:
        return deltas.compute_deltas.plan(specgram, self.win_length, self.mode)

    def _compiled(self, specgram: Tensor) -> Tensor:
        return deltas.compute_deltas(specgram, self.win_length, self.mode)


@adapter("torchaudio.transforms.MelScale", tolerances.sums)
class MelScale(Twin, theirs.MelScale):
    """torchaudio.transforms.MelScale. Same arguments, same defaults.

    The filters ``fb`` are torchaudio's own, read at each call; the products are ours.
    """

    def forward(self, specgram: Tensor) -> Work:
        bank = self.fb
        check_tensor(specgram)
        check_weights("filterbank", bank, specgram.dtype, specgram)
        if not (specgram.dim() > 1 and bank.dim() == 2 and len(bank) == specgram.shape[-2]):
            raise Decline(f"the spectrogram is {list(specgram.shape)}, the filterbank {list(bank.shape)}")
        if not (specgram.numel() and bank.numel()):
            raise Decline("there is nothing to filter, or no filter")
        engine = torch_tensors.engine_for(specgram)
        return lambda: torch_autograd.project(specgram.transpose(-1, -2), bank, engine).transpose(-1, -2)


def _filtered(waveform: Tensor, module: Any, bank: Any) -> tuple[spectral.Signal, float]:
    """The signal and the power whose spectrogram ``module`` would take for ``bank`` to filter."""
    check_part(module, Spectrogram)
    power = spectral.power_of(module.power)
    signal = spectral.signal(waveform, *_framing(module), *_options(module))
    signal.check_bank(bank)
    return signal, power


@adapter("torchaudio.transforms.MelSpectrogram", tolerances.energy)
class MelSpectrogram(Twin, theirs.MelSpectrogram):
    """torchaudio.transforms.MelSpectrogram. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        mel_scale = self.mel_scale
        check_part(mel_scale, MelScale)
        bank = mel_scale.fb
        signal, power = _filtered(waveform, self.spectrogram, bank)
        return lambda: signal.filtered(power, bank).transpose(-1, -2)


def _cepstrum(waveform: Tensor, spectrogram: Any, bank: Any, logarithmic: Any, to_decibel: Any, basis: Any) -> Work:
    """``basis [filters, n]`` applied to the decibels of a filtered spectrogram, or to its logarithm."""
    signal, power = _filtered(waveform, spectrogram, bank)
    check_weights("basis", basis, signal.x.dtype, signal.x)
    if not (basis.dim() == 2 and len(basis) == bank.shape[1] and basis.numel()):
        raise Decline(f"the basis is {list(basis.shape)}, which does not fit the filters")
    epilogue: Epilogue = Log(1e-6, added=True)
    below: float | None = None
    if not logarithmic:
        check_part(to_decibel, AmplitudeToDB)
        below = decibels.range_of(to_decibel.top_db)
        numbers = to_decibel.multiplier, to_decibel.amin, to_decibel.db_multiplier
        epilogue = decibels.epilogue(*numbers, signal.x.dtype)

    def work() -> Tensor:
        levels = decibels.clipped(signal.filtered(power, bank, epilogue), below)
        return torch_autograd.project(levels, basis, signal.spectral.engine).transpose(-1, -2)

    return work


@adapter("torchaudio.transforms.MFCC", tolerances.cepstrum)
class MFCC(Twin, theirs.MFCC):
    """torchaudio.transforms.MFCC. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        mel, logarithmic = self.MelSpectrogram, truth("log_mels", self.log_mels)
        check_part(mel, MelSpectrogram)
        mel_scale = mel.mel_scale
        check_part(mel_scale, MelScale)
        to_decibel = None if logarithmic else self.amplitude_to_DB
        return _cepstrum(waveform, mel.spectrogram, mel_scale.fb, logarithmic, to_decibel, self.dct_mat)


@adapter("torchaudio.transforms.LFCC", tolerances.cepstrum)
class LFCC(Twin, theirs.LFCC):
    """torchaudio.transforms.LFCC. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        logarithmic = truth("log_lf", self.log_lf)
        to_decibel = None if logarithmic else self.amplitude_to_DB
        return _cepstrum(waveform, self.Spectrogram, self.filter_mat, logarithmic, to_decibel, self.dct_mat)
