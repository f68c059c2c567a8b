"""Vad of torchaudio.transforms: torchaudio's own, but for its ``forward``."""

from __future__ import annotations

import inspect

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...contract import tolerances
from ...contract.function import Work
from .._functional.vad import vad
from .._modules import Twin

_OPTIONS = tuple(inspect.signature(vad.plan).parameters)[1:]


@adapter("torchaudio.transforms.Vad", tolerances.same)
class Vad(Twin, theirs.Vad):
    """torchaudio.transforms.Vad. Same arguments, same defaults."""

    def forward(self, waveform: Tensor) -> Work:
        return vad.plan(waveform, *(getattr(self, name) for name in _OPTIONS))
