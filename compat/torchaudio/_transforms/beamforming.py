"""PSD and MVDR of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...arrays.torch_options import truth
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._functional.beamforming import check_mask, check_spectra, check_without_gradients, psd
from .._modules import Twin, check_part, part

_beamed: Any = theirs.MVDR.forward
# what a module that is online remembers
_KEPT = ("psd_s", "psd_n", "mask_sum_s", "mask_sum_n")


@part
@adapter("torchaudio.transforms.PSD", tolerances.sums, order=lambda arguments: int(arguments["specgram"].shape[-1]))
class PSD(Twin, theirs.PSD):
    """torchaudio.transforms.PSD. Same arguments, same defaults."""

    def forward(self, specgram: Tensor, mask: Tensor | None = None) -> Work:
        if mask is not None and truth("multi_mask", self.multi_mask):
            check_spectra(specgram)
            check_mask(mask, specgram)
            mask = mask.mean(dim=-3)
        return psd.plan(specgram, mask, self.normalize, self.eps)


class _WithOurs:
    """A module of beamforming whose part is ours."""

    def __init__(self, module: theirs.MVDR) -> None:
        self._module = module

    def psd(self, specgram: Tensor, mask: Tensor) -> Tensor:
        result: Tensor = PSD.forward(self._module.psd, specgram, mask)  # type: ignore[assignment]
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@adapter("torchaudio.transforms.MVDR", tolerances.sums, order=lambda arguments: int(arguments["specgram"].shape[-1]))
class MVDR(Twin, theirs.MVDR):
    """torchaudio.transforms.MVDR. Same arguments, same defaults.

    Its covariances are ours.
    """

    def forward(self, specgram: Tensor, mask_s: Tensor, mask_n: Tensor | None = None) -> Work:
        check_spectra(specgram)
        if mask_n is None:
            raise Decline("mask_n is not given, of which torchaudio warns before it computes, or raises, anything")
        for mask in (mask_s, mask_n):
            check_mask(mask, specgram)
        check_without_gradients(specgram, mask_s, mask_n)
        check_part(self.psd, PSD)
        if not self.online:
            return lambda: _beamed(_WithOurs(self), specgram, mask_s, mask_n)
        if settings.numerics.get() == "verify":
            raise Decline("the module keeps what it has heard: a second run would keep it twice")

        def work() -> Tensor:
            before = [(name, getattr(self, name)) for name in _KEPT]
            try:
                return _beamed(_WithOurs(self), specgram, mask_s, mask_n)
            except BaseException:
                for name, value in before:
                    setattr(self, name, value)
                raise

        return work
