"""Convolve and FFTConvolve of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...contract.function import Work
from .._functional import convolution
from .._modules import Twin, reads


def _by_mode(roundings: Any) -> Any:
    return lambda arguments: roundings(arguments["x"], arguments["y"], arguments["self"].mode)


@reads("mode")
@adapter("torchaudio.transforms.Convolve", convolution.bound, order=_by_mode(convolution.roundings_of_sums))
class Convolve(Twin, theirs.Convolve):
    """torchaudio.transforms.Convolve. Same arguments, same defaults."""

    def forward(self, x: Tensor, y: Tensor) -> Work:
        return convolution.convolve.plan(x, y, self.mode)


@reads("mode")
@adapter("torchaudio.transforms.FFTConvolve", convolution.bound, order=_by_mode(convolution.roundings))
class FFTConvolve(Twin, theirs.FFTConvolve):
    """torchaudio.transforms.FFTConvolve. Same arguments, same defaults."""

    def forward(self, x: Tensor, y: Tensor) -> Work:
        return convolution.fftconvolve.plan(x, y, self.mode)
