"""mask_along_axis and mask_along_axis_iid of torchaudio.functional: one copy, of which spans are overwritten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor
from ...arrays.torch_options import integer, number
from ...arrays.torch_tensors import gradient_wanted
from ...contract import settings
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED, ByDesign, unread
from .resample import check_defaults

# examples with spans of their own, of so few values that to overwrite one by one takes longer
_MANY, _SMALL = 8, 1 << 13


def bound(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Values are copied, and spans are drawn by the same operations."""
    return 0.0


class Mask(NamedTuple):
    """A span along one of the last two axes, of fewer than ``width`` places; drawn for all examples or for each."""

    axis: int
    width: int
    each: bool

    def spans(self, x: Tensor) -> list[tuple[int, int]]:
        """Where spans start and how long they are: torchaudio's operations, one for one, for the same numbers.

        ``torchaudio.functional.functional``.
        """
        shape, dtype = (x.shape[:-2], x.dtype) if self.each else ((1,), torch.get_default_dtype())
        value = torch.rand(shape, device="cpu", dtype=dtype) * self.width
        start = (torch.rand(shape, device="cpu", dtype=dtype) * (x.shape[self.axis] - value)).long().flatten()
        lengths = value.long().flatten()
        if not self.each and int(lengths) >= self.width:
            raise Decline(REJECTED)
        return list(zip(start.tolist(), lengths.tolist(), strict=True))

    def fill(self, examples: Tensor, spans: list[tuple[int, int]], value: float | Tensor) -> None:
        """Overwrite the spans of ``examples [B, F, T]``."""
        if not self.each:
            examples.narrow(self.axis, *spans[0]).fill_(value)
            return
        for example, span in zip(examples.unbind(), spans, strict=True):
            example.narrow(self.axis, *span).fill_(value)


def check_levels(specgram: Any) -> None:
    """Decline what is no spectrogram that we mask."""
    check_tensor(specgram)
    if specgram.is_complex() or not specgram.numel():
        raise Decline("there are no real values")
    if specgram.dim() < 2:
        raise Decline("there are fewer than two axes")
    if gradient_wanted(specgram):
        raise Decline("the spectrogram requires a gradient, which torch gives by masks")
    if settings.numerics.get() == "verify":
        raise Decline("spans are drawn at random: a second run would draw others")
    check_defaults()


def mask(specgram: Tensor, axis: int, mask_param: Any, p: Any, each: bool) -> Mask | None:
    """What is drawn along an axis, -1 or -2; None where nothing is."""
    portion, width = number("p", p), integer("mask_param", mask_param)
    if not 0.0 <= portion <= 1.0:
        raise Decline(REJECTED)
    length = specgram.shape[axis]
    if portion != 1.0:
        width = min(width, int(length * portion))
    if width < 1:
        return None
    if width > length:
        raise Decline("spans may be longer than their axis")
    if each and not specgram.is_cpu:
        raise Decline(f"spans are drawn on {specgram.device.type}, where nobody waits for them")
    if each and settings.route.get() == "auto":
        examples, values = math.prod(specgram.shape[:-2]), math.prod(specgram.shape[-2:])
        if examples > _MANY and values < _SMALL:
            raise Decline(ByDesign(f"torchaudio is as fast for many examples of fewer than {_SMALL} values"))
    return Mask(axis, width, each)


def masked(specgram: Tensor, masks: Sequence[Mask], value: float | Tensor) -> Work:
    """The work of masking: all of them over one copy."""
    if len(masks) == 1 and not specgram.is_cpu and settings.route.get() == "auto":
        raise Decline(ByDesign(f"torchaudio is as fast for one mask on {specgram.device.type}"))

    def work() -> Tensor:
        # in memory as torchaudio's last result
        axis = masks[-1].axis if masks[-1].each else -1
        turned = specgram.transpose(axis, -1).clone(memory_format=torch.contiguous_format)
        result = turned.transpose(axis, -1)
        examples = turned.view(-1, *turned.shape[-2:]).transpose(axis, -1)
        state = torch.get_rng_state()
        try:
            for each in masks:
                each.fill(examples, each.spans(specgram), value)
        except BaseException:
            torch.set_rng_state(state)  # for the reference to draw the same
            raise
        return result

    return work


def _axis(specgram: Tensor, axis: Any) -> int:
    """-1 or -2."""
    place = integer("axis", axis) - specgram.dim()
    if place not in (-1, -2):
        raise Decline(REJECTED)
    return place


def number_to_fill(specgram: Tensor, value: Any) -> float:
    """A number that ``specgram`` can hold."""
    if type(value) not in (int, float):
        raise Decline(unread("mask_value", value))
    value = number("mask_value", value)
    if math.isfinite(value) and abs(value) > torch.finfo(specgram.dtype).max:
        raise Decline("mask_value is more than its dtype holds")  # which torchaudio rejects once it masks anything
    return float(value)


def along(specgram: Any, mask_param: Any, mask_value: Any, axis: Any, p: Any, each: bool) -> Work:
    check_levels(specgram)
    if each and specgram.dim() < 3:
        raise Decline(REJECTED)
    drawn, value = mask(specgram, _axis(specgram, axis), mask_param, p, each), number_to_fill(specgram, mask_value)
    return (lambda: specgram) if drawn is None else masked(specgram, (drawn,), value)


@adapter("torchaudio.functional.mask_along_axis", bound)
def mask_along_axis(specgram: Tensor, mask_param: int, mask_value: float, axis: int, p: float = 1.0) -> Work:
    """torchaudio.functional.mask_along_axis. Same arguments, same defaults. The same random numbers."""
    return along(specgram, mask_param, mask_value, axis, p, each=False)


@adapter("torchaudio.functional.mask_along_axis_iid", bound)
def mask_along_axis_iid(
    specgrams: Tensor, mask_param: int, mask_value: float | Tensor, axis: int, p: float = 1.0
) -> Work:
    """torchaudio.functional.mask_along_axis_iid. Same arguments, same defaults. The same random numbers."""
    return along(specgrams, mask_param, mask_value, axis, p, each=True)
