"""Modules of beamforming."""

import warnings

import torch
from torch import Tensor

from .. import functional as F


class PSD(torch.nn.Module):
    """Spatial covariance, see :func:`torchaudio.functional.psd`.

    Args:
        multi_mask: The mask has channels, of which the mean is taken.
    """

    def __init__(self, multi_mask: bool = False, normalize: bool = True, eps: float = 1e-15) -> None:
        super().__init__()
        self.multi_mask = multi_mask
        self.normalize = normalize
        self.eps = eps

    def forward(self, specgram: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None and self.multi_mask:
            mask = mask.mean(dim=-3)
        return F.psd(specgram, mask, self.normalize, self.eps)


def _weights(
    psd_s: Tensor, psd_n: Tensor, reference: Tensor, solution: str, diagonal_loading: bool, diag_eps: float, eps: float
) -> Tensor:
    if solution == "ref_channel":
        return F.mvdr_weights_souden(psd_s, psd_n, reference, diagonal_loading, diag_eps, eps)
    if solution == "stv_evd":
        rtf = F.rtf_evd(psd_s)
    else:
        rtf = F.rtf_power(psd_s, psd_n, reference, 3, diagonal_loading, diag_eps)
    return F.mvdr_weights_rtf(rtf, psd_n, reference, diagonal_loading, diag_eps, eps)


def _updated(mean: Tensor, weight: Tensor, new: Tensor, mask: Tensor) -> Tensor:
    """A mean of the given weight ``[..., freq]``, with what comes of a mask ``[..., freq, time]``."""
    total = weight + mask.sum(dim=-1)
    return mean * (weight / total)[..., None, None] + new * (1 / total)[..., None, None]


class MVDR(torch.nn.Module):
    """Spectra ``[..., freq, time]`` of ``[..., channels, freq, time]`` and masks of speech and noise.

    Args:
        ref_channel: The microphone whose speech is to be heard.
        solution: ``"ref_channel"`` (Souden et al., 2010), ``"stv_evd"`` or ``"stv_power"`` (a steering vector, by its
            eigenvectors or by the power method).
        multi_mask: Masks have channels, of which the mean is taken.
        diag_loading, diag_eps: See :func:`torchaudio.functional.mvdr_weights_souden`.
        online: Covariances are means over all calls: Higuchi et al., 2017.

    Raises:
        ValueError: an unknown solution.
    """

    psd_s: Tensor
    psd_n: Tensor
    mask_sum_s: Tensor
    mask_sum_n: Tensor

    def __init__(
        self,
        ref_channel: int = 0,
        solution: str = "ref_channel",
        multi_mask: bool = False,
        diag_loading: bool = True,
        diag_eps: float = 1e-7,
        online: bool = False,
    ) -> None:
        super().__init__()
        if solution not in ("ref_channel", "stv_evd", "stv_power"):
            raise ValueError(f"solution must be 'ref_channel', 'stv_evd' or 'stv_power', got '{solution}'")
        self.ref_channel = ref_channel
        self.solution = solution
        self.multi_mask = multi_mask
        self.diag_loading = diag_loading
        self.diag_eps = diag_eps
        self.online = online
        self.psd = PSD(multi_mask)
        for name in ("psd_s", "psd_n", "mask_sum_s", "mask_sum_n"):
            self.register_buffer(name, torch.zeros(1))

    def _covariances(self, psd_s: Tensor, psd_n: Tensor, mask_s: Tensor, mask_n: Tensor) -> tuple[Tensor, Tensor]:
        """Those of all calls so far."""
        if self.multi_mask:
            mask_s, mask_n = mask_s.mean(dim=-3), mask_n.mean(dim=-3)
        if self.psd_s.ndim == 1:  # nothing has come yet
            self.mask_sum_s, self.mask_sum_n = mask_s.sum(dim=-1), mask_n.sum(dim=-1)
        else:
            psd_s = _updated(self.psd_s, self.mask_sum_s, psd_s, mask_s)
            psd_n = _updated(self.psd_n, self.mask_sum_n, psd_n, mask_n)
            self.mask_sum_s = self.mask_sum_s + mask_s.sum(dim=-1)
            self.mask_sum_n = self.mask_sum_n + mask_n.sum(dim=-1)
        self.psd_s, self.psd_n = psd_s, psd_n
        return psd_s, psd_n

    def forward(self, specgram: Tensor, mask_s: Tensor, mask_n: Tensor | None = None) -> Tensor:
        """Raises ValueError where ``specgram`` is not complex, or has fewer than three dimensions."""
        dtype = specgram.dtype
        if specgram.ndim < 3:
            raise ValueError(f"specgram must be [..., channels, freq, time], got {specgram.shape}")
        if not specgram.is_complex():
            raise ValueError(f"specgram must be complex, got {dtype}")
        if dtype == torch.cfloat:
            specgram = specgram.to(torch.cdouble)
        if mask_n is None:
            warnings.warn("without mask_n, the mask of noise is 1 - mask_s", stacklevel=2)
            mask_n = 1 - mask_s
        psd_s, psd_n = self.psd(specgram, mask_s), self.psd(specgram, mask_n)
        reference = torch.zeros(specgram.size()[:-2], device=specgram.device, dtype=torch.cdouble)
        reference[..., self.ref_channel].fill_(1)
        if self.online:
            psd_s, psd_n = self._covariances(psd_s, psd_n, mask_s, mask_n)
        weights = _weights(psd_s, psd_n, reference, self.solution, self.diag_loading, self.diag_eps, 1e-8)
        return F.apply_beamforming(weights, specgram).to(dtype)


class RTFMVDR(torch.nn.Module):
    """Spectra by :func:`torchaudio.functional.mvdr_weights_rtf`."""

    def forward(
        self,
        specgram: Tensor,
        rtf: Tensor,
        psd_n: Tensor,
        reference_channel: int | Tensor,
        diagonal_loading: bool = True,
        diag_eps: float = 1e-7,
        eps: float = 1e-8,
    ) -> Tensor:
        weights = F.mvdr_weights_rtf(rtf, psd_n, reference_channel, diagonal_loading, diag_eps, eps)
        return F.apply_beamforming(weights, specgram)


class SoudenMVDR(torch.nn.Module):
    """Spectra by :func:`torchaudio.functional.mvdr_weights_souden`."""

    def forward(
        self,
        specgram: Tensor,
        psd_s: Tensor,
        psd_n: Tensor,
        reference_channel: int | Tensor,
        diagonal_loading: bool = True,
        diag_eps: float = 1e-7,
        eps: float = 1e-8,
    ) -> Tensor:
        weights = F.mvdr_weights_souden(psd_s, psd_n, reference_channel, diagonal_loading, diag_eps, eps)
        return F.apply_beamforming(weights, specgram)
