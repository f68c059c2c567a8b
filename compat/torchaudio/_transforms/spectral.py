"""The classes of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from mlx_spectro.design.epilogues import Epilogue, Log
from mlx_spectro.design.operators import Filterbank, Project

from ...arrays import torch_autograd, torch_ops, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor, check_weights
from ...arrays.torch_options import truth
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from .._functional import decibels, deltas, spectral
from .._modules import Twin, check_part, reads

_FRAMING = "pad", "n_fft", "hop_length", "win_length"
_OPTIONS = "normalized", "center", "pad_mode", "onesided"


def _framing(module: Any) -> tuple[Any, ...]:
    return module.pad, module.window, module.n_fft, module.hop_length, module.win_length


def _options(module: Any) -> tuple[Any, ...]:
    return module.normalized, module.center, module.pad_mode, module.onesided


@reads(*_FRAMING, *_OPTIONS, "power", buffers=("window",))
@adapter("torchaudio.transforms.Spectrogram", tolerances.energy)
class Spectrogram(Twin, theirs.Spectrogram):
    """torchaudio.transforms.Spectrogram. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, waveform: Tensor) -> Work:
        return spectral.spectrogram.plan(waveform, *_framing(self), self.power, *_options(self))


@reads(*_FRAMING, *_OPTIONS, buffers=("window",))
@adapter("torchaudio.transforms.InverseSpectrogram", tolerances.spectrum)
class InverseSpectrogram(Twin, theirs.InverseSpectrogram):
    """torchaudio.transforms.InverseSpectrogram. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, spectrogram: Tensor, length: int | None = None) -> Work:
        return spectral.inverse_spectrogram.plan(spectrogram, length, *_framing(self), *_options(self))


@adapter("torchaudio.transforms.SpectralCentroid", tolerances.sums)
class SpectralCentroid(Twin, theirs.SpectralCentroid):
    """torchaudio.transforms.SpectralCentroid. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, waveform: Tensor) -> Work:
        return spectral.spectral_centroid.plan(waveform, self.sample_rate, *_framing(self))


@reads("multiplier", "amin", "db_multiplier", "top_db")
@adapter("torchaudio.transforms.AmplitudeToDB", tolerances.elementwise)
class AmplitudeToDB(Twin, theirs.AmplitudeToDB):
    """torchaudio.transforms.AmplitudeToDB. Same arguments, same defaults.

    Ours where no gradient is asked for: torch's own operations compute that.
    """

    def forward(self, x: Tensor) -> Work:
        return decibels.amplitude_to_DB.plan(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


@reads("win_length", "mode")
@adapter("torchaudio.transforms.ComputeDeltas", deltas.bound, order=deltas.order)
class ComputeDeltas(Twin, theirs.ComputeDeltas):
    """torchaudio.transforms.ComputeDeltas. Same arguments, same defaults."""

    def forward(self, specgram: Tensor) -> Work:
        return deltas.compute_deltas.plan(specgram, self.win_length, self.mode)


@reads(buffers=("fb",))
@adapter("torchaudio.transforms.MelScale", tolerances.sums)
class MelScale(Twin, theirs.MelScale):
    """torchaudio.transforms.MelScale. Same arguments, same defaults.

    The filters ``fb`` are torchaudio's own, read at each call; the products are ours.
    """

    def forward(self, specgram: Tensor) -> Work:
        bank = self.fb
        check_tensor(specgram)
        check_weights("filterbank", bank, specgram.dtype, specgram)
        engine = torch_tensors.engine_for(specgram)

        def work(specgram: Tensor, bank: Tensor) -> Tensor:
            if not (specgram.dim() > 1 and bank.dim() == 2 and len(bank) == specgram.shape[-2]):
                raise Decline(f"the spectrogram is {list(specgram.shape)}, the filterbank {list(bank.shape)}")
            if not (specgram.numel() and bank.numel()):
                raise Decline("there is nothing to filter, or no filter")
            return torch_autograd.project(specgram.transpose(-1, -2), bank, engine).transpose(-1, -2)

        def ready(y: Tensor, specgram: Tensor, bank: Tensor) -> Any:
            return torch_ops.ready(y, engine, Project(), specgram.transpose(-1, -2), bank, swapped=True)

        return Planned(work, (specgram, bank), ready)


def _transform(waveform: Tensor, module: Any, bank: Any) -> tuple[spectral.Transform, float]:
    """The transform and the power of the spectrogram that ``module`` would make for ``bank`` to filter."""
    check_part(module, Spectrogram)
    power = spectral.power_of(module.power)
    planned = spectral.transform(waveform, *_framing(module), *_options(module))
    planned.check_bank(bank, waveform)
    return planned, power


@reads(spectrogram=Spectrogram, mel_scale=MelScale)
@adapter("torchaudio.transforms.MelSpectrogram", tolerances.energy)
class MelSpectrogram(Twin, theirs.MelSpectrogram):
    """torchaudio.transforms.MelSpectrogram. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        mel_scale = self.mel_scale
        check_part(mel_scale, MelScale)
        bank = mel_scale.fb
        planned, power = _transform(waveform, self.spectrogram, bank)

        def work(waveform: Tensor, window: Tensor, bank: Tensor) -> Tensor:
            signal = planned.of(waveform, window)
            signal.check_bank(bank)
            return signal.filtered(power, bank).transpose(-1, -2)

        def ready(y: Tensor, *arrays: Tensor) -> Any:
            return planned.ready(
                y, work, lambda scale: Filterbank(planned.analysis.framing, power, scale), *arrays, swapped=True
            )

        return Planned(work, (waveform, self.spectrogram.window, bank), ready)


def _cepstrum(waveform: Tensor, spectrogram: Any, bank: Any, logarithmic: Any, to_decibel: Any, basis: Any) -> Work:
    """``basis [filters, n]`` applied to the decibels of a filtered spectrogram, or to its logarithm."""
    planned, power = _transform(waveform, spectrogram, bank)
    check_weights("basis", basis, waveform.dtype, waveform)
    epilogue: Epilogue = Log(1e-6, added=True)
    below: float | None = None
    if not logarithmic:
        check_part(to_decibel, AmplitudeToDB)
        below = decibels.range_of(to_decibel.top_db)
        numbers = to_decibel.multiplier, to_decibel.amin, to_decibel.db_multiplier
        epilogue = decibels.epilogue(*numbers, waveform.dtype)

    def work(waveform: Tensor, window: Tensor, bank: Tensor, basis: Tensor) -> Tensor:
        signal = planned.of(waveform, window)
        signal.check_bank(bank)
        if not (basis.dim() == 2 and len(basis) == bank.shape[1] and basis.numel()):
            raise Decline(f"the basis is {list(basis.shape)}, which does not fit the filters")
        levels = decibels.clipped(signal.filtered(power, bank, epilogue), below)
        return torch_autograd.project(levels, basis, signal.spectral.engine).transpose(-1, -2)

    def ready(y: Tensor, waveform: Tensor, window: Tensor, bank: Tensor, basis: Tensor) -> Any:
        def op(scale: float) -> Filterbank:
            return Filterbank(planned.analysis.framing, power, scale, epilogue)

        levels = waveform.new_empty(*y.shape[:-2], y.shape[-1], bank.shape[1])
        filtered = planned.ready(levels, work, op, waveform, window, bank)
        project = torch_ops.ready(y, planned.analysis.engine, Project(), levels, basis, swapped=True)
        if filtered is None or project is None or planned.normalized is not False:
            return None
        return lambda waveform, window, bank, basis: project(
            decibels.clipped(filtered(waveform, window, bank), below), basis
        )

    return Planned(work, (waveform, spectrogram.window, bank, basis), ready)


@reads("log_mels", buffers=("dct_mat",), MelSpectrogram=MelSpectrogram, amplitude_to_DB=AmplitudeToDB)
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


@reads("log_lf", buffers=("dct_mat", "filter_mat"), Spectrogram=Spectrogram, amplitude_to_DB=AmplitudeToDB)
@adapter("torchaudio.transforms.LFCC", tolerances.cepstrum)
class LFCC(Twin, theirs.LFCC):
    """torchaudio.transforms.LFCC. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        logarithmic = truth("log_lf", self.log_lf)
        to_decibel = None if logarithmic else self.amplitude_to_DB
        return _cepstrum(waveform, self.Spectrogram, self.filter_mat, logarithmic, to_decibel, self.dct_mat)
