"""Masks over bands of frequency or spans of time, of random places and widths: SpecAugment (Park et al., 2019)."""

import torch
from torch import Tensor


def _get_mask_param(mask_param: int, p: float, axis_length: int) -> int:
    """Bound of a mask's width, which is at most the share ``p`` of the axis."""
    return mask_param if p == 1.0 else min(mask_param, int(axis_length * p))


def _check(dim: int, least: int, axis: int, p: float) -> None:
    if dim < least:
        raise ValueError(f"a spectrogram of at least {least} dimensions is needed, got {dim}")
    if axis != dim - 2 and axis != dim - 1:
        raise ValueError(f"axis must be {dim - 2} (frequency) or {dim - 1} (time), got {axis}")
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must be between 0 and 1, got {p}")


def mask_along_axis_iid(
    specgrams: Tensor, mask_param: int, mask_value: float | Tensor, axis: int, p: float = 1.0
) -> Tensor:
    """``specgrams [..., freq, time]``, three dimensions at least, each with a mask of its own.

    Args:
        mask_param: A mask is narrower than this; widths and places are drawn uniformly from torch's generator.
        mask_value: What masked values become.
        axis: The one that is masked, of the last two.
        p: The largest share of the axis that may be masked.

    Raises:
        ValueError: too few dimensions, another axis, or ``p`` is not in [0, 1].
    """
    dim = specgrams.dim()
    _check(dim, 3, axis, p)
    size = specgrams.shape[axis]
    mask_param = _get_mask_param(mask_param, p, size)
    if mask_param < 1:
        return specgrams
    signals = specgrams.shape[: dim - 2]
    width = torch.rand(signals, device=specgrams.device, dtype=specgrams.dtype) * mask_param
    start = torch.rand(signals, device=specgrams.device, dtype=specgrams.dtype) * (size - width)
    begin = start.long()[..., None, None]
    end = begin + width.long()[..., None, None]
    places = torch.arange(0, size, device=specgrams.device, dtype=specgrams.dtype)
    masked = (places >= begin) & (places < end)
    last = specgrams.transpose(axis, -1)
    if isinstance(mask_value, Tensor):
        last = torch.where(masked, mask_value.repeat(last.shape), last)
    else:
        last = last.masked_fill(masked, mask_value)
    return last.transpose(axis, -1)


def mask_along_axis(specgram: Tensor, mask_param: int, mask_value: float, axis: int, p: float = 1.0) -> Tensor:
    """``specgram [..., freq, time]`` with one mask for all, see :func:`mask_along_axis_iid`.

    Raises:
        ValueError: fewer than two dimensions, another axis, or ``p`` is not in [0, 1].
    """
    dim = specgram.dim()
    _check(dim, 2, axis, p)
    size = specgram.shape[axis]
    mask_param = _get_mask_param(mask_param, p, size)
    if mask_param < 1:
        return specgram
    width = torch.rand(1) * mask_param
    start = torch.rand(1) * (size - width)
    begin = start.long().squeeze()
    end = begin + width.long().squeeze()
    places = torch.arange(0, size, device=specgram.device, dtype=specgram.dtype)
    masked = (places >= begin) & (places < end)
    if axis == dim - 2:
        masked = masked.unsqueeze(-1)
    if end - begin >= mask_param:
        raise ValueError(f"a mask must be narrower than mask_param={mask_param}")
    packed = specgram.reshape([-1] + list(specgram.shape[-2:]))
    return packed.masked_fill(masked, mask_value).reshape(specgram.shape)
