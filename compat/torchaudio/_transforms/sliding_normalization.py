"""SlidingWindowCmn of torchaudio.transforms: torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...contract.function import Work
from .._functional.filtering import bound
from .._functional.sliding_normalization import roundings, sliding_window_cmn
from .._modules import Twin


def _options(module: Any) -> tuple[Any, ...]:
    return module.cmn_window, module.min_cmn_window, module.center, module.norm_vars


@adapter(
    "torchaudio.transforms.SlidingWindowCmn",
    bound,
    order=lambda arguments: roundings(arguments["specgram"], *_options(arguments["self"])),
)
class SlidingWindowCmn(Twin, theirs.SlidingWindowCmn):
    """torchaudio.transforms.SlidingWindowCmn. Same arguments, same defaults."""

    def forward(self, specgram: Tensor) -> Work:
        return sliding_window_cmn.plan(specgram, *_options(self))
