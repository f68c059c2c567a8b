"""The classes of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchaudio import transforms as theirs

from mlx_spectro.design.epilogues import Epilogue, Log
from mlx_spectro.design.operators import Cepstrum, Filterbank, Project

from ...arrays import torch_autograd, torch_ops, torch_tensors
from ...arrays.torch_adapter import adapter, as_one
from ...arrays.torch_arguments import check_pays, check_tensor, check_weights
from ...arrays.torch_options import truth
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from .._functional import decibels, deltas, spectral
from .._modules import Twin, check_part, reads

_FRAMING = "pad", "n_fft", "hop_length", "win_length"
_OPTIONS = "normalized", "center", "pad_mode", "onesided"

# of a spectrogram: framing, power and options; of decibels: multiplier, amin, db_multiplier and top_db
_Arguments = tuple[tuple[Any, ...], Any, tuple[Any, ...]]
_Levels = tuple[Any, Any, Any, Any]

# of all values and all filters, below which a call costs both of us the same
_FEW_PRODUCTS = 3 << 20
# what torchaudio adds before a logarithm
_ADDED = 1e-6


def _framing(module: Any) -> tuple[Any, ...]:
    return module.pad, module.window, module.n_fft, module.hop_length, module.win_length


def _arguments(module: Any) -> _Arguments:
    return _framing(module), module.power, _options(module)


def _window(spectrogram: _Arguments) -> Any:
    return spectrogram[0][1]


def _options(module: Any) -> tuple[Any, ...]:
    return tuple([getattr(module, name) for name in _OPTIONS])


@reads(*_FRAMING, *_OPTIONS, "power", buffers=("window",))
@adapter("torchaudio.transforms.Spectrogram", tolerances.energy, traceable=True)
class Spectrogram(Twin, theirs.Spectrogram):
    """torchaudio.transforms.Spectrogram. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, waveform: Tensor) -> Work:
        return spectral.spectrogram.plan(waveform, *_framing(self), self.power, *_options(self))

    def _for_compiler(self, waveform: Tensor) -> Tensor:
        return spectral.spectrogram(waveform, *_framing(self), self.power, *_options(self))


@reads(*_FRAMING, *_OPTIONS, buffers=("window",))
@adapter("torchaudio.transforms.InverseSpectrogram", tolerances.spectrum, traceable=True)
class InverseSpectrogram(Twin, theirs.InverseSpectrogram):
    """torchaudio.transforms.InverseSpectrogram. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, spectrogram: Tensor, length: int | None = None) -> Work:
        return spectral.inverse_spectrogram.plan(spectrogram, length, *_framing(self), *_options(self))

    def _for_compiler(self, spectrogram: Tensor, length: int | None = None) -> Tensor:
        return spectral.inverse_spectrogram(spectrogram, length, *_framing(self), *_options(self))


@adapter("torchaudio.transforms.SpectralCentroid", tolerances.sums, traceable=True)
class SpectralCentroid(Twin, theirs.SpectralCentroid):
    """torchaudio.transforms.SpectralCentroid. Same arguments, same defaults.

    The attributes are read at each call.
    """

    def forward(self, waveform: Tensor) -> Work:
        return spectral.spectral_centroid.plan(waveform, self.sample_rate, *_framing(self))

    def _for_compiler(self, waveform: Tensor) -> Tensor:
        return spectral.spectral_centroid(waveform, self.sample_rate, *_framing(self))


@reads("multiplier", "amin", "db_multiplier", "top_db")
@adapter("torchaudio.transforms.AmplitudeToDB", tolerances.elementwise)
class AmplitudeToDB(Twin, theirs.AmplitudeToDB):
    """torchaudio.transforms.AmplitudeToDB. Same arguments, same defaults.

    Ours where no gradient is asked for: torch's own operations compute that.
    """

    def forward(self, x: Tensor) -> Work:
        return decibels.amplitude_to_DB.plan(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


@reads("win_length", "mode")
@adapter("torchaudio.transforms.ComputeDeltas", deltas.bound, order=deltas.order, traceable=True)
class ComputeDeltas(Twin, theirs.ComputeDeltas):
    """torchaudio.transforms.ComputeDeltas. Same arguments, same defaults."""

    def forward(self, specgram: Tensor) -> Work:
        return deltas.compute_deltas.plan(specgram, self.win_length, self.mode)

    def _for_compiler(self, specgram: Tensor) -> Tensor:
        return deltas.compute_deltas(specgram, self.win_length, self.mode)


@reads(buffers=("fb",))
@adapter("torchaudio.transforms.MelScale", tolerances.sums, traceable=True)
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
            check_pays(specgram, specgram.numel() * bank.shape[1], _FEW_PRODUCTS, "products")
            return torch_autograd.project(specgram.transpose(-1, -2), bank, engine).transpose(-1, -2)

        def ready(y: Tensor, specgram: Tensor, bank: Tensor) -> Any:
            x = specgram.transpose(-1, -2)
            return torch_ops.ready(y, engine, Project(), x, bank, swapped=True, turned=True)

        return Planned(work, (specgram, bank), ready)


def _transform(waveform: Any, spectrogram: _Arguments, bank: Any) -> tuple[spectral.Transform, float]:
    """The transform and the power of a spectrogram for ``bank`` to filter."""
    framing, power, options = spectrogram
    exponent = spectral.power_of(power)
    planned = spectral.transform(waveform, *framing, *options)
    planned.check_bank(bank, waveform)
    return planned, exponent


def _mel(waveform: Any, spectrogram: _Arguments, bank: Any) -> Work:
    """A spectrogram times a bank."""
    planned, power = _transform(waveform, spectrogram, bank)

    def work(waveform: Tensor, window: Tensor, bank: Tensor) -> Tensor:
        signal = planned.of(waveform, window)
        signal.check_bank(bank)
        return signal.filtered(power, bank).transpose(-1, -2)

    def ready(y: Tensor, *arrays: Tensor) -> Any:
        waveform, window, _ = arrays
        if y.requires_grad:
            engine, framing, *_, kept = planned.analysis
            if planned.zeros or planned.normalized is not False or window.numel() != framing.n_fft:
                return None
            return torch_autograd.ready_filterbank(engine, framing, kept, power, waveform)
        return planned.ready(
            y, work, lambda scale: Filterbank(planned.analysis.framing, power, scale), *arrays, swapped=True
        )

    return Planned(work, (waveform, _window(spectrogram), bank), ready)


def _mel_in_parts(waveform: Tensor, spectrogram: _Arguments, bank: Tensor) -> Tensor:
    framing, power, options = spectrogram
    return _product(spectral.spectrogram(waveform, *framing, power, *options), bank)


def _product(values: Tensor, weights: Tensor) -> Tensor:
    return torch.matmul(values.transpose(-1, -2), weights).transpose(-1, -2)


_mel_at_once = as_one("torchaudio.transforms.MelSpectrogram", _mel, _mel_in_parts, tolerances.energy)


@reads(spectrogram=Spectrogram, mel_scale=MelScale)
@adapter("torchaudio.transforms.MelSpectrogram", tolerances.energy, traceable=True)
class MelSpectrogram(Twin, theirs.MelSpectrogram):
    """torchaudio.transforms.MelSpectrogram. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        return _mel(waveform, *_mel_parts(self))

    def _for_compiler(self, waveform: Tensor) -> Tensor:
        return _mel_at_once(waveform, *_mel_parts(self))


def _mel_parts(module: Any) -> tuple[_Arguments, Any]:
    """What a mel spectrogram is made with."""
    check_part(module.mel_scale, MelScale)
    check_part(module.spectrogram, Spectrogram)
    return _arguments(module.spectrogram), module.mel_scale.fb


def _cepstrum(waveform: Tensor, spectrogram: _Arguments, bank: Any, decibel: _Levels | None, basis: Any) -> Work:
    """``basis [filters, n]`` applied to the decibels of a filtered spectrogram, or to its logarithm."""
    planned, power = _transform(waveform, spectrogram, bank)
    check_weights("basis", basis, waveform.dtype, waveform)
    epilogue: Epilogue = Log(_ADDED, added=True)
    below: float | None = None
    if decibel is not None:
        multiplier, amin, db_multiplier, top_db = decibel
        below = decibels.range_of(top_db)
        epilogue = decibels.epilogue(multiplier, amin, db_multiplier, waveform.dtype)
    # a GPU's kernels know the peak when they have filtered
    at_once = below is not None and power in (1, 2) and callable(planned.analysis.engine)
    at_once = at_once and not torch_tensors.transformed()

    def filtered(scale: float) -> Filterbank:
        return Filterbank(planned.analysis.framing, power, scale, epilogue)

    def clipped(scale: float) -> Cepstrum:
        return Cepstrum(filtered(scale), below, packed=True)

    def work(waveform: Tensor, window: Tensor, bank: Tensor, basis: Tensor) -> Tensor:
        signal = planned.of(waveform, window)
        signal.check_bank(bank)
        if not (basis.dim() == 2 and len(basis) == bank.shape[1] and basis.numel()):
            raise Decline(f"the basis is {list(basis.shape)}, which does not fit the filters")
        engine, window, _, scale, *_ = signal.spectral
        if at_once and not torch_tensors.gradient_wanted(signal.x):
            return torch_ops.run(engine, clipped(scale), signal.x, window, bank, basis).transpose(-1, -2)
        levels = decibels.clipped(signal.filtered(power, bank, epilogue), below)
        return torch_autograd.project(levels, basis, engine).transpose(-1, -2)

    def ready(y: Tensor, waveform: Tensor, window: Tensor, bank: Tensor, basis: Tensor) -> Any:
        if at_once:
            return planned.ready(y, work, clipped, waveform, window, bank, basis, swapped=True)
        levels = waveform.new_empty(*y.shape[:-2], y.shape[-1], bank.shape[1])
        filter_audio = planned.ready(levels, work, filtered, waveform, window, bank)
        project = torch_ops.ready(y, planned.analysis.engine, Project(), levels, basis, swapped=True)
        if filter_audio is None or project is None or planned.normalized is not False:
            return None
        return lambda waveform, window, bank, basis: project(
            decibels.clipped(filter_audio(waveform, window, bank), below), basis
        )

    return Planned(work, (waveform, _window(spectrogram), bank, basis), ready)


def _cepstrum_in_parts(
    waveform: Tensor, spectrogram: _Arguments, bank: Tensor, decibel: _Levels | None, basis: Tensor
) -> Tensor:
    mel = _mel_at_once(waveform, spectrogram, bank)
    levels = torch.log(mel + _ADDED) if decibel is None else decibels.amplitude_to_DB(mel, *decibel)
    return _product(levels, basis)


_cepstrum_at_once = as_one("torchaudio.transforms.MFCC", _cepstrum, _cepstrum_in_parts, tolerances.cepstrum)


def _levels(module: Any) -> _Levels:
    check_part(module, AmplitudeToDB)
    return module.multiplier, module.amin, module.db_multiplier, module.top_db


@reads("log_mels", buffers=("dct_mat",), MelSpectrogram=MelSpectrogram, amplitude_to_DB=AmplitudeToDB)
@adapter("torchaudio.transforms.MFCC", tolerances.cepstrum, traceable=True)
class MFCC(Twin, theirs.MFCC):
    """torchaudio.transforms.MFCC. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        return _cepstrum(waveform, *_mfcc_parts(self))

    def _for_compiler(self, waveform: Tensor) -> Tensor:
        return _cepstrum_at_once(waveform, *_mfcc_parts(self))


def _mfcc_parts(module: Any) -> tuple[Any, ...]:
    check_part(module.MelSpectrogram, MelSpectrogram)
    decibel = None if truth("log_mels", module.log_mels) else _levels(module.amplitude_to_DB)
    return *_mel_parts(module.MelSpectrogram), decibel, module.dct_mat


@reads("log_lf", buffers=("dct_mat", "filter_mat"), Spectrogram=Spectrogram, amplitude_to_DB=AmplitudeToDB)
@adapter("torchaudio.transforms.LFCC", tolerances.cepstrum, traceable=True)
class LFCC(Twin, theirs.LFCC):
    """torchaudio.transforms.LFCC. Same arguments, same defaults.

    Parts that are replaced or carry hooks are called as torchaudio calls them.
    """

    def forward(self, waveform: Tensor) -> Work:
        return _cepstrum(waveform, *_lfcc_parts(self))

    def _for_compiler(self, waveform: Tensor) -> Tensor:
        return _cepstrum_at_once(waveform, *_lfcc_parts(self))


def _lfcc_parts(module: Any) -> tuple[Any, ...]:
    check_part(module.Spectrogram, Spectrogram)
    decibel = None if truth("log_lf", module.log_lf) else _levels(module.amplitude_to_DB)
    return _arguments(module.Spectrogram), module.filter_mat, decibel, module.dct_mat
