"""InverseMelScale of torchaudio.transforms: torchaudio's own, but for its ``forward``."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchaudio import transforms as theirs

from ...arrays import torch_ops
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor, check_weights
from ...arrays.torch_options import integer
from ...arrays.torch_tensors import gradient_wanted
from ...contract import tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED, BySize
from .._modules import Twin

# gelsy, as torch calls it, gives other solutions
_DRIVERS = ("gels", "gelsd", "gelss")
# of a bank's largest and smallest singular values: of more, what a driver takes for 0 is its own
_LARGEST_CONDITION = 1000.0


class _Inverse(NamedTuple):
    """The pseudo-inverse of a filterbank ``[freq, n_mels]``, in its dtype, and the bank's condition."""

    bank: bytes
    matrix: Tensor
    condition: float


# by shape and dtype: a program has one bank of each
_inverses: dict[tuple[torch.Size, torch.dtype], _Inverse] = {}


def _inverse(bank: Tensor) -> _Inverse:
    """Computed in double precision where the last bank of this shape had other values."""
    values = torch_ops.values_of(bank.resolve_neg())
    last = _inverses.get((bank.shape, bank.dtype))
    if last is not None and last.bank == values:
        return last
    exact = bank.detach().double()
    if not exact.isfinite().all():
        raise Decline("the filterbank has values that are not finite")
    singular = torch.linalg.svdvals(exact)
    condition = float(singular[0] / singular[-1]) if singular[-1] else math.inf
    if not condition <= _LARGEST_CONDITION:
        raise Decline("filters are empty, or nearly combinations of others: torchaudio may find no solution")
    # [n_mels, freq]
    inverse = _inverses[bank.shape, bank.dtype] = _Inverse(values, torch.linalg.pinv(exact).to(bank.dtype), condition)
    return inverse


def _check_precision() -> None:
    """Decline where a program lets products in single precision be less precise."""
    backends: Any = torch.backends
    asked = {each.fp32_precision for each in (backends, backends.mkldnn, backends.mkldnn.matmul)}
    if not asked <= {"none", "ieee"}:
        raise Decline("products in single precision are let be less precise")


def _order(arguments: dict[str, Any]) -> int:
    """Filters, each a rounding, which a solution takes times the condition of the bank."""
    bank = arguments["self"].fb
    return math.ceil(bank.shape[1] * _inverse(bank).condition)


@adapter("torchaudio.transforms.InverseMelScale", tolerances.sums, order=_order)
class InverseMelScale(Twin, theirs.InverseMelScale):
    """torchaudio.transforms.InverseMelScale. Same arguments, same defaults.

    The least-norm spectrogram, as by torchaudio's drivers, where all filters count: a product with the bank's
    pseudo-inverse, which is made once, in double precision. Without a gradient, which torchaudio's operations give.
    """

    def forward(self, melspec: Tensor) -> Work:
        bank = self.fb
        check_tensor(melspec)
        if not melspec.is_cpu:
            raise Decline(BySize("on a GPU, torch's solver computes this"))
        if gradient_wanted(melspec):
            raise Decline("the mel spectrogram requires a gradient, which torchaudio's operations give")
        if not (melspec.is_floating_point() and melspec.dim() > 1 and melspec.numel()):
            raise Decline("there is no real mel spectrogram")
        check_weights("filterbank", bank, melspec.dtype, melspec)
        if self.driver not in _DRIVERS:
            raise Decline(f"the driver is {self.driver!r}: {', '.join(_DRIVERS)} are served")
        if melspec.shape[-2] != integer("n_mels", self.n_mels):
            raise Decline(REJECTED)
        if bank.dim() != 2 or not bank.shape[0] >= bank.shape[1] == melspec.shape[-2]:
            raise Decline(f"the mel spectrogram is {list(melspec.shape)}, the filterbank {list(bank.shape)}")
        if not melspec.is_contiguous():
            raise Decline("the mel spectrogram does not lie side by side in memory: x.contiguous() is served")
        _check_precision()

        def work() -> Tensor:
            least, largest = melspec.aminmax()
            if not (-math.inf < least and largest < math.inf):
                raise Decline("the mel spectrogram has values that are not finite")
            frames = melspec.view(-1, *melspec.shape[-2:]).transpose(-1, -2)
            solution = torch.matmul(frames, _inverse(bank).matrix).transpose(-1, -2)
            # of one frame, torch lays out a new result otherwise
            specgram = torch.relu(solution) if melspec.shape[-1] == 1 else solution.relu_()
            return specgram.view(*melspec.shape[:-2], *specgram.shape[-2:])

        return work
