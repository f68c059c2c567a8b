"""AddNoise of torchaudio.transforms: torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...contract import tolerances
from ...contract.function import Work
from .._functional.mixing import add_noise
from .._modules import Twin


@adapter("torchaudio.transforms.AddNoise", tolerances.same)
class AddNoise(Twin, theirs.AddNoise):
    """torchaudio.transforms.AddNoise. Same arguments, same defaults."""

    def forward(self, waveform: Tensor, noise: Tensor, snr: Tensor, lengths: Tensor | None = None) -> Work:
        return add_noise.plan(waveform, noise, snr, lengths)
