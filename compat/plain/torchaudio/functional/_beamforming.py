"""Beamforming of spectra of several microphones: minimum variance, distortionless response (MVDR)."""

import torch
from torch import Tensor


def psd(specgram: Tensor, mask: Tensor | None = None, normalize: bool = True, eps: float = 1e-10) -> Tensor:
    """Spatial covariance ``[..., freq, channels, channels]`` of spectra ``[..., channels, freq, time]``.

    Args:
        mask: Weights ``[..., freq, time]``.
        normalize: Divide them by their sum over time, to which ``eps`` is added.

    Raises:
        ValueError: a mask of another shape.
    """
    frames = specgram.transpose(-3, -2)
    products = torch.einsum("...ct,...et->...tce", [frames, frames.conj()])
    if mask is not None:
        if mask.shape[:-1] != frames.shape[:-2] or mask.shape[-1] != frames.shape[-1]:
            raise ValueError(f"mask must be as specgram without channels, got {mask.shape} and {frames.shape}")
        if normalize:
            mask = mask / (mask.sum(dim=-1, keepdim=True) + eps)
        products = products * mask[..., None, None]
    return products.sum(dim=-3)


def _compute_mat_trace(input: Tensor, dim1: int = -1, dim2: int = -2) -> Tensor:
    if input.ndim < 2:
        raise ValueError(f"a matrix has two dimensions at least, got {input.ndim}")
    if input.shape[dim1] != input.shape[dim2]:
        raise ValueError(f"matrices must be square, got {input.shape}")
    return torch.diagonal(input, 0, dim1=dim1, dim2=dim2).sum(dim=-1)


def _tik_reg(mat: Tensor, reg: float = 1e-7, eps: float = 1e-8) -> Tensor:
    """``mat [..., C, C]`` with a share of its trace on the diagonal: Tikhonov's regularisation."""
    load = _compute_mat_trace(mat).real[..., None, None] * reg + eps
    return mat + load * torch.eye(mat.size(-1), dtype=mat.dtype, device=mat.device)


def _assert_psd_matrices(psd_s: Tensor, psd_n: Tensor) -> None:
    if psd_s.ndim < 3 or psd_n.ndim < 3:
        raise ValueError(f"covariances must be [..., freq, channels, channels], got {psd_s.shape} and {psd_n.shape}")
    if not (psd_s.is_complex() and psd_n.is_complex()):
        raise TypeError(f"covariances must be complex, got {psd_s.dtype} and {psd_n.dtype}")
    if psd_s.shape != psd_n.shape:
        raise ValueError(f"covariances must be of one shape, got {psd_s.shape} and {psd_n.shape}")
    if psd_s.shape[-1] != psd_s.shape[-2]:
        raise ValueError(f"covariances must be square, got {psd_s.shape}")


def mvdr_weights_souden(
    psd_s: Tensor,
    psd_n: Tensor,
    reference_channel: int | Tensor,
    diagonal_loading: bool = True,
    diag_eps: float = 1e-7,
    eps: float = 1e-8,
) -> Tensor:
    """Weights ``[..., freq, channels]`` of covariances of speech and noise ``[..., freq, channels, channels]``.

    Souden, Benesty and Affes, On optimal frequency-domain multichannel linear filtering for noise reduction, 2010.

    Args:
        reference_channel: Its number, or weights ``[..., channels]``.
        diagonal_loading: Add ``diag_eps`` times its trace to the diagonal of ``psd_n``.

    Raises:
        ValueError: covariances of other shapes.
        TypeError: covariances that are not complex, or another reference.
    """
    _assert_psd_matrices(psd_s, psd_n)
    if diagonal_loading:
        psd_n = _tik_reg(psd_n, reg=diag_eps)
    ratio = torch.linalg.solve(psd_n, psd_s)
    ratio = ratio / (_compute_mat_trace(ratio)[..., None, None] + eps)
    if isinstance(reference_channel, int):
        return ratio[..., :, reference_channel]
    elif isinstance(reference_channel, Tensor):
        weights = reference_channel.to(psd_n.dtype)
        return torch.einsum("...c,...c->...", [ratio, weights[..., None, None, :]])
    raise TypeError(f"reference_channel must be an int or a Tensor, got {type(reference_channel)}")


def mvdr_weights_rtf(
    rtf: Tensor,
    psd_n: Tensor,
    reference_channel: int | Tensor | None = None,
    diagonal_loading: bool = True,
    diag_eps: float = 1e-7,
    eps: float = 1e-8,
) -> Tensor:
    """Weights ``[..., freq, channels]`` of relative transfer functions, and of a covariance of noise.

    Arguments as in :func:`mvdr_weights_souden`; without a reference they are not scaled.
    """
    if rtf.ndim < 2:
        raise ValueError(f"rtf must be [..., freq, channels], got {rtf.shape}")
    if psd_n.ndim < 3:
        raise ValueError(f"psd_n must be [..., freq, channels, channels], got {psd_n.shape}")
    if not (rtf.is_complex() and psd_n.is_complex()):
        raise TypeError(f"rtf and psd_n must be complex, got {rtf.dtype} and {psd_n.dtype}")
    if rtf.shape != psd_n.shape[:-1]:
        raise ValueError(f"psd_n must be as rtf with one more axis of channels, got {psd_n.shape} and {rtf.shape}")
    if psd_n.shape[-1] != psd_n.shape[-2]:
        raise ValueError(f"psd_n must be square, got {psd_n.shape}")
    if diagonal_loading:
        psd_n = _tik_reg(psd_n, reg=diag_eps)
    steered = torch.linalg.solve(psd_n, rtf.unsqueeze(-1)).squeeze(-1)
    power = torch.einsum("...d,...d->...", [rtf.conj(), steered])
    weights = steered / (power.real.unsqueeze(-1) + eps)
    if reference_channel is None:
        return weights
    elif isinstance(reference_channel, int):
        return weights * rtf[..., reference_channel].conj()[..., None]
    elif isinstance(reference_channel, Tensor):
        reference = reference_channel.to(psd_n.dtype)[..., None, :]
        return weights * torch.einsum("...c,...c->...", [rtf.conj(), reference])[..., None]
    raise TypeError(f"reference_channel must be an int or a Tensor, got {type(reference_channel)}")


def rtf_evd(psd_s: Tensor) -> Tensor:
    """Relative transfer functions ``[..., freq, channels]``: the eigenvector of the covariance's largest eigenvalue.

    Raises:
        TypeError: a covariance that is not complex.
        ValueError: one that is not square.
    """
    if not psd_s.is_complex():
        raise TypeError(f"psd_s must be complex, got {psd_s.dtype}")
    if psd_s.shape[-1] != psd_s.shape[-2]:
        raise ValueError(f"psd_s must be square, got {psd_s.shape}")
    return torch.linalg.eigh(psd_s)[1][..., -1]


def rtf_power(
    psd_s: Tensor,
    psd_n: Tensor,
    reference_channel: int | Tensor,
    n_iter: int = 3,
    diagonal_loading: bool = True,
    diag_eps: float = 1e-7,
) -> Tensor:
    """Relative transfer functions ``[..., freq, channels]`` by the power method, of ``n_iter`` steps.

    Arguments and errors as in :func:`mvdr_weights_souden`.

    Raises:
        ValueError: ``n_iter`` is below 1.
    """
    _assert_psd_matrices(psd_s, psd_n)
    if n_iter <= 0:
        raise ValueError(f"n_iter must be above 0, got {n_iter}")
    if diagonal_loading:
        psd_n = _tik_reg(psd_n, reg=diag_eps)
    ratio = torch.linalg.solve(psd_n, psd_s)
    if isinstance(reference_channel, int):
        rtf = ratio[..., reference_channel]
    elif isinstance(reference_channel, Tensor):
        weights = reference_channel.to(psd_n.dtype)
        rtf = torch.einsum("...c,...c->...", [ratio, weights[..., None, None, :]])
    else:
        raise TypeError(f"reference_channel must be an int or a Tensor, got {type(reference_channel)}")
    rtf = rtf.unsqueeze(-1)
    for _ in range(n_iter - 2):
        rtf = torch.matmul(ratio, rtf)
    # the last step is by one covariance alone
    return torch.matmul(psd_s if n_iter >= 2 else psd_n, rtf).squeeze(-1)


def apply_beamforming(beamform_weights: Tensor, specgram: Tensor) -> Tensor:
    """Spectra ``[..., freq, time]`` of ``specgram [..., channels, freq, time]`` by weights ``[..., freq, channels]``.

    Raises:
        ValueError: leading dimensions that differ.
        TypeError: weights or spectra that are not complex.
    """
    if beamform_weights.shape[:-2] != specgram.shape[:-3]:
        raise ValueError(
            f"weights and spectra differ in leading dimensions: {beamform_weights.shape} and {specgram.shape}"
        )
    if not (beamform_weights.is_complex() and specgram.is_complex()):
        raise TypeError(f"weights and spectra must be complex, got {beamform_weights.dtype} and {specgram.dtype}")
    return torch.einsum("...fc,...cft->...ft", [beamform_weights.conj(), specgram])
