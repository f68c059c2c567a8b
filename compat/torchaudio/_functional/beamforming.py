"""psd and apply_beamforming of torchaudio.functional, by products of matrices a frequency.

torchaudio sums up what a covariance is made of, and copies the spectra of several examples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...arrays import torch_results
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_other, check_pays, check_tensor
from ...arrays.torch_options import number, truth
from ...arrays.torch_tensors import gradient_wanted
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED, BySize

# values of all spectra and of an example's, below which torchaudio is as fast
_MANY, _LARGE = 1 << 18, 1 << 16


def check_spectra(specgram: Tensor) -> None:
    """Decline what are no spectra of several channels that we multiply."""
    check_tensor(specgram)
    if not specgram.is_cpu:
        raise Decline(BySize("on a GPU, torch's operations compute this"))
    if not (specgram.is_complex() and specgram.numel()):
        raise Decline("there are no complex values")
    if specgram.dim() < 3:
        raise Decline(REJECTED)


def check_mask(mask: Tensor, specgram: Tensor) -> None:
    """Decline a mask that is not real, or of more precision than the spectra."""
    check_other("mask", mask)
    if mask.is_complex() or mask.device != specgram.device:
        raise Decline("the mask is not real, or lies elsewhere than the spectra")
    if torch.promote_types(mask.dtype, specgram.dtype) != specgram.dtype:
        raise Decline("the mask is of more precision than the spectra")


def check_without_gradients(*tensors: Tensor | None) -> None:
    for tensor in tensors:
        if isinstance(tensor, Tensor) and gradient_wanted(tensor):
            raise Decline("the spectra or a mask require a gradient, which torchaudio's operations give")


@adapter("torchaudio.functional.psd", tolerances.sums, order=lambda arguments: int(arguments["specgram"].shape[-1]))
def psd(specgram: Tensor, mask: Tensor | None = None, normalize: bool = True, eps: float = 1e-10) -> Work:
    """torchaudio.functional.psd. Same arguments, same defaults.

    Ours without a gradient: torchaudio's has another order in memory.
    """
    check_spectra(specgram)
    check_without_gradients(specgram, mask)
    frames = specgram.transpose(-3, -2)
    if mask is None:
        return lambda: torch.matmul(frames, frames.mH)
    check_mask(mask, specgram)
    if mask.shape != (*frames.shape[:-2], frames.shape[-1]):
        raise Decline(REJECTED)
    normalized, floor = truth("normalize", normalize), number("eps", eps)

    def work() -> Tensor:
        weights = mask / (mask.sum(dim=-1, keepdim=True) + floor) if normalized else mask
        return torch.matmul(frames * weights.unsqueeze(-2), frames.mH)

    return work


def check_examples(specgram: Tensor) -> None:
    """Decline spectra that torchaudio's product takes as well: of one example, few, or not side by side in memory."""
    if not specgram.is_contiguous():
        raise Decline("the spectra do not lie side by side in memory: x.contiguous() is served")
    if specgram.shape[:-3].numel() < 2:
        raise Decline(BySize("of one example, torch's product is as fast"))
    check_pays(specgram, specgram.numel(), _MANY, "values")
    check_pays(specgram, specgram.shape[-3:].numel(), _LARGE, "values of an example")


@adapter(
    "torchaudio.functional.apply_beamforming",
    tolerances.sums,
    order=lambda arguments: int(arguments["specgram"].shape[-3]),
)
def apply_beamforming(beamform_weights: Tensor, specgram: Tensor) -> Work:
    """torchaudio.functional.apply_beamforming. Same arguments, same defaults.

    Ours for several examples, without gradients: each by torchaudio's product, of its spectra as they lie in memory.
    """
    check_spectra(specgram)
    check_other("beamform_weights", beamform_weights)
    check_without_gradients(specgram, beamform_weights)
    if beamform_weights.dim() < 2 or beamform_weights.shape[:-2] != specgram.shape[:-3]:
        raise Decline(REJECTED)
    channels, bins, frames = specgram.shape[-3:]
    if beamform_weights.dtype != specgram.dtype or beamform_weights.shape[-2:] != (bins, channels):
        raise Decline("the weights are of another dtype, or not one for each bin and channel")
    if not beamform_weights.is_cpu:
        raise Decline(REJECTED)
    check_examples(specgram)

    def work() -> Tensor:
        weights = beamform_weights.conj().resolve_conj().reshape(-1, bins, 1, channels)
        examples, result = (
            specgram.view(-1, channels, bins, frames),
            torch_results.empty((len(weights), bins, frames), specgram.dtype),
        )
        for of_bins, spectra, y in zip(weights, examples, result, strict=True):
            torch.bmm(of_bins, spectra.transpose(0, 1), out=y.unsqueeze(1))
        return result.view(*specgram.shape[:-3], bins, frames)

    return work
