"""Resample, Speed and SpeedPerturbation of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor
from ...arrays.torch_options import integer
from ...arrays.torch_signature import sized_by
from ...contract import settings
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from .._functional.resample import bound, by_module, check_defaults, check_pays, lengths_at, order, planned_by_module
from .._modules import Twin, check_part, reads


@reads("orig_freq", "new_freq", "gcd", "width", buffers=("kernel",))
@adapter("torchaudio.transforms.Resample", bound, order=order)
class Resample(Twin, theirs.Resample):
    """torchaudio.transforms.Resample. Same arguments, same defaults.

    The kernel is torchaudio's own, read at each call, where it is not zero.
    """

    def forward(self, waveform: Tensor) -> Work:
        return planned_by_module(self, waveform)


def _faster(module: Any, waveform: Any, lengths: Any) -> Work:
    """What a module of torchaudio's Speed does."""
    check_part(module.resampler, Resample)
    orig = integer("source_sample_rate", module.source_sample_rate)
    count = lengths_at(lengths, orig, integer("target_sample_rate", module.target_sample_rate))
    work = by_module(module.resampler, waveform)
    return lambda: (work(), count())


@reads("source_sample_rate", "target_sample_rate", resampler=Resample)
@adapter("torchaudio.transforms.Speed", bound, order=order)
class Speed(Twin, theirs.Speed):
    """torchaudio.transforms.Speed. Same arguments, same defaults.

    A resampler that is replaced or carries hooks is called as torchaudio calls it.
    """

    def forward(self, waveform: Any, lengths: Tensor | None = None) -> Work:
        return _faster(self, waveform, lengths)


@adapter("torchaudio.transforms.SpeedPerturbation", bound, order=order)
class SpeedPerturbation(Twin, theirs.SpeedPerturbation):
    """torchaudio.transforms.SpeedPerturbation. Same arguments, same defaults.

    The factor is drawn as torchaudio draws it, from the same generator.
    """

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Work:
        if settings.numerics.get() == "verify":
            raise Decline("the factor is drawn at random: a second run would draw another one")
        check_tensor(waveform)
        check_defaults()
        speeders = list(self.speeders)
        for speeder in speeders:
            check_part(speeder, Speed)
            check_part(speeder.resampler, Resample)
        check_pays([speeder.resampler for speeder in speeders], waveform)
        state = torch.get_rng_state()
        try:
            bind()
            return _faster(speeders[int(torch.randint(len(speeders), ()))], waveform, lengths)
        except BaseException:
            torch.set_rng_state(state)  # for the reference to draw the same
            raise


def _add_sizes(module: Any, key: list[Any]) -> bool:
    speeders = vars(module)["_modules"]["speeders"]
    return all(sized_by[Speed](speeder, key) for speeder in vars(speeders)["_modules"].values())


sized_by[SpeedPerturbation] = _add_sizes
