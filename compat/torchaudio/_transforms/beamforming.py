"""PSD, MVDR, SoudenMVDR and RTFMVDR of torchaudio.transforms: each torchaudio's own, but for its ``forward``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchaudio import functional
from torchaudio import transforms as theirs

from ...arrays.torch_adapter import adapter
from ...arrays.torch_options import truth
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from .._functional.beamforming import (
    apply_beamforming,
    check_examples,
    check_mask,
    check_spectra,
    check_without_gradients,
    psd,
)
from .._modules import Twin, check_part, part

_beamed: Any = theirs.MVDR.forward
_souden, _by_transfer = functional.mvdr_weights_souden, functional.mvdr_weights_rtf
# what a module that is online remembers
_KEPT = ("psd_s", "psd_n", "mask_sum_s", "mask_sum_n")


def _channels(arguments: dict[str, Any]) -> int:
    return int(arguments["specgram"].shape[-3])


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


def _beamed_by(weigh: Callable[..., Tensor], specgram: Tensor, *arguments: Any) -> Work:
    """Spectra by torchaudio's weights."""
    check_spectra(specgram)
    check_without_gradients(specgram, *arguments)
    # before weights are computed
    check_examples(specgram)

    def work() -> Tensor:
        weights = weigh(*arguments)
        result: Tensor = apply_beamforming.plan(weights, specgram)()
        return result

    return work


@adapter("torchaudio.transforms.SoudenMVDR", tolerances.sums, order=_channels)
class SoudenMVDR(Twin, theirs.SoudenMVDR):
    """torchaudio.transforms.SoudenMVDR. Same arguments, same defaults.

    Weights are torchaudio's, and are applied to each example as its spectra lie in memory.
    """

    def forward(
        self,
        specgram: Tensor,
        psd_s: Tensor,
        psd_n: Tensor,
        reference_channel: int | Tensor,
        diagonal_loading: bool = True,
        diag_eps: float = 1e-7,
        eps: float = 1e-8,
    ) -> Work:
        return _beamed_by(_souden, specgram, psd_s, psd_n, reference_channel, diagonal_loading, diag_eps, eps)


@adapter("torchaudio.transforms.RTFMVDR", tolerances.sums, order=_channels)
class RTFMVDR(Twin, theirs.RTFMVDR):
    """torchaudio.transforms.RTFMVDR. Same arguments, same defaults.

    Weights are torchaudio's, and are applied to each example as its spectra lie in memory.
    """

    def forward(
        self,
        specgram: Tensor,
        rtf: Tensor,
        psd_n: Tensor,
        reference_channel: int | Tensor,
        diagonal_loading: bool = True,
        diag_eps: float = 1e-7,
        eps: float = 1e-8,
    ) -> Work:
        return _beamed_by(_by_transfer, specgram, rtf, psd_n, reference_channel, diagonal_loading, diag_eps, eps)
