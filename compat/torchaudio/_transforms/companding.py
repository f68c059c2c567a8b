"""MuLawEncoding and MuLawDecoding of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...contract import tolerances
from ...contract.function import Work
from .._functional.companding import mu_law_decoding, mu_law_encoding
from .._modules import Twin


@adapter("torchaudio.transforms.MuLawEncoding", tolerances.same)
class MuLawEncoding(Twin, theirs.MuLawEncoding):
    """torchaudio.transforms.MuLawEncoding. Same arguments, same defaults."""

    def forward(self, x: Tensor) -> Work:
        return mu_law_encoding.plan(x, self.quantization_channels)


@adapter("torchaudio.transforms.MuLawDecoding", tolerances.same)
class MuLawDecoding(Twin, theirs.MuLawDecoding):
    """torchaudio.transforms.MuLawDecoding. Same arguments, same defaults."""

    def forward(self, x_mu: Tensor) -> Work:
        return mu_law_decoding.plan(x_mu, self.quantization_channels)
