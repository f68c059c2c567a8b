"""mask_along_axis and mask_along_axis_iid of torchaudio.functional: one copy, of which spans are overwritten."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlx_spectro.design.operators import MaskSpans

from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor
from ...arrays.torch_options import exact, integer, number
from ...arrays.torch_tensors import gradient_wanted, present_engine, to_host
from ...contract import settings
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.plans import Planned
from ...contract.reasons import REJECTED, ByDesign, unread
from .resample import check_defaults

# values of an example from which on to overwrite its span alone takes less than to look at each value
_MANY = 1 << 10


def bound(dtype: np.dtype[Any], _: int, largest: float) -> float:
    """Values are copied, and spans are drawn by the same operations."""
    return 0.0


class Mask(NamedTuple):
    """A span along one of the last two axes, of fewer than ``width`` places; drawn for all examples or for each."""

    axis: int
    width: int
    each: bool

    def spans(self, x: Tensor) -> npt.NDArray[np.int64]:
        """Where spans start and end, ``[2, B]``: torchaudio's random numbers and, rounded as there, its operations.

        ``torchaudio.functional.functional``.
        """
        shape, dtype = (x.shape[:-2], x.dtype) if self.each else ((1,), torch.get_default_dtype())
        # at once, for torch draws one number after another
        drawn = torch.rand((2, *shape), device="cpu", dtype=dtype).numpy().reshape(2, -1)
        lengths = drawn[0] * self.width
        starts = drawn[1] * (x.shape[self.axis] - lengths)
        spans = np.array([starts, lengths], np.int64)
        if not self.each and spans[1, 0] >= self.width:
            raise Decline(REJECTED)
        spans[1] += spans[0]
        return spans

    def fill(self, values: Any, spans: npt.NDArray[np.int64], value: float) -> None:
        """Overwrite the spans of ``values [..., F, T]``."""
        if not self.each:
            span = slice(*spans[:, 0].tolist())
            values[(..., span) if self.axis == -1 else (..., span, slice(None))] = value
            return
        turned = values.swapaxes(self.axis, -1)
        turned = turned.reshape(-1, *turned.shape[-2:])
        if math.prod(turned.shape[1:]) < _MANY:
            places, (starts, ends) = np.arange(turned.shape[-1]), spans[..., None, None]
            torch.from_numpy(turned).masked_fill_(torch.from_numpy((places >= starts) & (places < ends)), value)
            return
        for example, (start, end) in zip(turned, spans.T.tolist(), strict=True):
            example[..., start:end] = value


def check_levels(specgram: Any) -> None:
    """Decline what is no kind of spectrogram that we mask."""
    check_tensor(specgram)
    if specgram.is_complex():
        raise Decline("there are no real values")
    if specgram.dim() < 2:
        raise Decline("there are fewer than two axes")
    if gradient_wanted(specgram):
        raise Decline("the spectrogram requires a gradient, which torch gives by masks")


class Masks(NamedTuple):
    """What is drawn along an axis, -1 or -2, of spectrograms of any size."""

    axis: int
    mask_param: int
    p: float
    each: bool

    def of(self, specgram: Tensor) -> Mask | None:
        """What is drawn of a spectrogram; None where nothing is."""
        length, width = specgram.shape[self.axis], self.mask_param
        if self.p != 1.0:
            width = min(width, int(length * self.p))
        if width < 1:
            return None
        if width > length:
            raise Decline("spans may be longer than their axis")
        return Mask(self.axis, width, self.each)


def masks(axis: int, mask_param: Any, p: Any, each: bool) -> Masks:
    portion, width = exact("p", p), integer("mask_param", mask_param)
    if not 0.0 <= portion <= 1.0:
        raise Decline(REJECTED)
    return Masks(axis, width, portion, each)


def masking(planned: Sequence[Masks], value: float | None) -> Callable[[Tensor], Tensor]:
    """What masks a spectrogram: all of it over one copy.

    Args:
        value: What is written to spans, None for the mean.
    """

    def work(specgram: Tensor) -> Tensor:
        if not specgram.numel():
            raise Decline("there are no real values")
        if settings.numerics.get() == "verify":
            raise Decline("spans are drawn at random: a second run would draw others")
        check_defaults()
        drawn = [mask for mask in [each.of(specgram) for each in planned] if mask is not None]
        if not drawn:
            return specgram
        if drawn[-1].each and not specgram.is_cpu:
            return _each_on_gpu(drawn, specgram, value)
        if len(drawn) == 1 and not specgram.is_cpu and settings.route.get() == "auto":
            raise Decline(ByDesign(f"torchaudio is as fast for one mask on {specgram.device.type}"))
        number: Any = value
        if value is None:
            number = specgram.mean().item() if specgram.is_cpu else specgram.mean()
        x, turned = specgram.resolve_neg() if specgram.is_neg() else specgram, _is_turned(drawn)
        result = (x.mT if turned else x).clone(memory_format=torch.contiguous_format)
        result = result.mT if turned else result
        # slices of NumPy's arrays are written to as those of a GPU's tensors are, and sooner than those of torch's
        values: Any = to_host(result) if result.is_cpu else result
        state = torch.get_rng_state()
        try:
            for mask in drawn:
                mask.fill(values, mask.spans(specgram), number)
        except BaseException:
            torch.set_rng_state(state)  # for the reference to draw the same
            raise
        return result

    return work


def _is_turned(drawn: Sequence[Mask]) -> bool:
    """Whether torchaudio's last result has its last two axes swapped in memory."""
    return drawn[-1].each and drawn[-1].axis == -2


def _each_on_gpu(drawn: Sequence[Mask], specgram: Tensor, value: float | None) -> Tensor:
    """Spans drawn where the examples lie, as torchaudio draws them, and laid over them by one kernel."""
    turned, engine = _is_turned(drawn), present_engine(specgram)
    x = (specgram.mT if turned else specgram).contiguous()
    op = MaskSpans(tuple([-3 - mask.axis if turned else mask.axis for mask in drawn]))
    lead = specgram.shape[:-2]
    engine.check_ready(op, x.shape, (2, len(drawn), *lead), (1,))  # before anything is drawn
    lengths, shares = numbers = specgram.new_empty((2, len(drawn), *lead))
    for length, share in zip(lengths, shares, strict=True):
        length.uniform_()
        share.uniform_()
    for axis in (-1, -2):
        alike = [k for k, mask in enumerate(drawn) if mask.axis == axis]
        if alike:  # neighbours
            lengths[alike[0] : alike[-1] + 1].mul_(drawn[alike[0]].width)
    number = specgram.mean().reshape(1) if value is None else specgram.new_full((1,), value)
    result: Tensor = engine(op, x, numbers, number)
    return result.mT if turned else result


def _axis(specgram: Tensor, axis: Any) -> int:
    """-1 or -2."""
    if type(axis) not in (int, np.int64):  # with narrower ones torchaudio calculates, and overflows
        raise Decline(unread("axis", axis))
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
    planned, value = masks(_axis(specgram, axis), mask_param, p, each), number_to_fill(specgram, mask_value)
    return Planned(masking((planned,), value), (specgram,))


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
