"""The classes of torchaudio.transforms that filter recursively: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...contract.function import Work
from .._functional import emphasis, filtering
from .._modules import Twin, reads


def _by_coeff(roundings: Any) -> Any:
    return lambda arguments: roundings(arguments["waveform"], arguments["self"].coeff)


@reads("coeff")
@adapter("torchaudio.transforms.Preemphasis", filtering.bound, order=_by_coeff(emphasis.roundings))
class Preemphasis(Twin, theirs.Preemphasis):
    """torchaudio.transforms.Preemphasis. Same arguments, same defaults."""

    def forward(self, waveform: Tensor) -> Work:
        return emphasis.preemphasis.plan(waveform, self.coeff)


@adapter("torchaudio.transforms.Deemphasis", filtering.bound, order=_by_coeff(emphasis.back_roundings))
class Deemphasis(Twin, theirs.Deemphasis):
    """torchaudio.transforms.Deemphasis. Same arguments, same defaults."""

    def forward(self, waveform: Tensor) -> Work:
        return emphasis.deemphasis.plan(waveform, self.coeff)


@adapter(
    "torchaudio.transforms.Loudness",
    emphasis.decibels,
    order=lambda arguments: emphasis.weighted_roundings(arguments["wavefrom"], arguments["self"].sample_rate),
)
class Loudness(Twin, theirs.Loudness):
    """torchaudio.transforms.Loudness. Same arguments, same defaults."""

    def forward(self, wavefrom: Tensor) -> Work:
        return emphasis.loudness.plan(wavefrom, self.sample_rate)
