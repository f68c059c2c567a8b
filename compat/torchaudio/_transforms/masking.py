"""FrequencyMasking, TimeMasking and SpecAugment of torchaudio.transforms: each its own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...arrays.torch_options import integer, truth
from ...contract.function import Work
from ...contract.plans import Planned
from .._functional.masking import along, bound, check_levels, masking, masks
from .._modules import Twin, reads


def _along(module: Any, specgram: Any, mask_value: Any) -> Work:
    """What a module that masks along one axis does."""
    check_levels(specgram)
    axis = integer("axis", module.axis) + specgram.dim() - 3
    return along(specgram, module.mask_param, mask_value, axis, module.p, truth("iid_masks", module.iid_masks))


@reads("mask_param", "axis", "iid_masks", "p")
@adapter("torchaudio.transforms.FrequencyMasking", bound)
class FrequencyMasking(Twin, theirs.FrequencyMasking):
    """torchaudio.transforms.FrequencyMasking. Same arguments, same defaults. The same random numbers."""

    def forward(self, specgram: Tensor, mask_value: float | Tensor = 0.0) -> Work:
        return _along(self, specgram, mask_value)


@reads("mask_param", "axis", "iid_masks", "p")
@adapter("torchaudio.transforms.TimeMasking", bound)
class TimeMasking(Twin, theirs.TimeMasking):
    """torchaudio.transforms.TimeMasking. Same arguments, same defaults. The same random numbers."""

    def forward(self, specgram: Tensor, mask_value: float | Tensor = 0.0) -> Work:
        return _along(self, specgram, mask_value)


@reads("n_time_masks", "time_mask_param", "n_freq_masks", "freq_mask_param", "iid_masks", "p", "zero_masking")
@adapter("torchaudio.transforms.SpecAugment", bound)
class SpecAugment(Twin, theirs.SpecAugment):
    """torchaudio.transforms.SpecAugment. Same arguments, same defaults. The same random numbers.

    All masks are laid over one copy.
    """

    def forward(self, specgram: Tensor) -> Work:
        check_levels(specgram)
        each = specgram.dim() > 2 and self.iid_masks is True
        planned = [
            masks(axis, width, self.p, each)
            for axis, name, count, width in (
                (-1, "n_time_masks", self.n_time_masks, self.time_mask_param),
                (-2, "n_freq_masks", self.n_freq_masks, self.freq_mask_param),
            )
            for _ in range(integer(name, count))
        ]
        value = 0.0 if truth("zero_masking", self.zero_masking) else None
        return Planned(masking(planned, value), (specgram,))
