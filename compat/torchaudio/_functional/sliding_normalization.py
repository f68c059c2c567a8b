"""sliding_window_cmn of torchaudio.functional."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mlx_spectro.design.operators import SlidingNormalization
from mlx_spectro.design.windows_in_time import bounds

from ...arrays import kinds
from ...arrays.torch_adapter import adapter
from ...arrays.torch_ops import run
from ...arrays.torch_options import integer, truth
from ...arrays.torch_tensors import gradient_wanted
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.reasons import REJECTED
from .filtering import bound, check_signal, engine_for


def roundings(
    specgram: Tensor, cmn_window: int = 600, min_cmn_window: int = 100, center: bool = False, norm_vars: bool = False
) -> int:
    """Of torchaudio's sums, which frames enter and leave: each of as many steps rounds a sum of a window's values.

    Of a variance, a mean of squares less a squared mean, the error is relative to the squares.
    """
    x, frames = specgram.detach().double(), specgram.shape[-2]
    starts, ends = map(torch.tensor, bounds(frames, cmn_window, min_cmn_window, center))
    count = (ends - starts)[:, None]

    def means(values: Tensor) -> Tensor:
        before = torch.nn.functional.pad(values.cumsum(-2), (0, 0, 1, 0))
        return (before[..., ends, :] - before[..., starts, :]) / count

    mean, steps, largest = means(x), 2 * frames + 4, float(x.abs().max())
    left, error = x - mean, steps * largest
    if norm_vars:
        variance = torch.where(count == 1, 1.0, means(x * x) - mean * mean)
        left, least = left / variance.sqrt(), float(variance.min())
        if not least > 0:
            return 1 << 62
        error = error / math.sqrt(least) + float(left.abs().max()) * 2 * steps * largest**2 / least
    ratio = error / float(left.abs().max())
    return math.ceil(ratio) if math.isfinite(ratio) else 1 << 62


def _largest(x: Tensor) -> Tensor:
    """The largest magnitude of each feature, in double precision."""
    least, most = (bound.double() for bound in torch.aminmax(x, dim=-2))
    return torch.maximum(-least, most)


def _sums_fit(x: Tensor, largest: Tensor) -> Tensor:
    """Whether torchaudio's sums, in the precision of ``x``, cannot overflow."""
    return (largest * x.shape[-2] < torch.finfo(x.dtype).max / 4).all()


def _check_sums(x: Tensor, squared: bool) -> None:
    """Decline features of which torchaudio's sums overflow, or vanish among what rounds."""
    largest, limits = _largest(x), torch.finfo(x.dtype)
    if squared:
        largest = largest.square()
        if not (largest * limits.eps > limits.tiny).all():
            raise Decline("a feature's squares vanish, or nearly")
    if not _sums_fit(x, largest):
        raise Decline("values are not finite, or so large that their sums may overflow")


@adapter("torchaudio.functional.sliding_window_cmn", bound, order=lambda arguments: roundings(**arguments))
def sliding_window_cmn(
    specgram: Tensor, cmn_window: int = 600, min_cmn_window: int = 100, center: bool = False, norm_vars: bool = False
) -> Work:
    """torchaudio.functional.sliding_window_cmn. Same arguments, same defaults.

    Sums are in double precision. In a CUDA graph, where nobody looks at values, features become NaN where torchaudio's
    sums may overflow.
    """
    check_signal(specgram)
    if specgram.dim() < 2:
        raise Decline(REJECTED)
    if gradient_wanted(specgram):
        raise Decline("the spectrogram requires a gradient, which torch follows through every frame")
    engine = engine_for(specgram)
    window, least = integer("cmn_window", cmn_window), integer("min_cmn_window", min_cmn_window)
    if window < 1:
        raise Decline("there are no frames in a window")
    op = SlidingNormalization(window, least, truth("center", center), truth("norm_vars", norm_vars))
    captured = specgram.is_cuda and kinds.is_capturing()
    if op.scaled and captured:
        raise Decline("a CUDA graph is being captured, and variances are looked at in every call")
    try:
        signals = specgram.view(-1, *specgram.shape[-2:])
    except RuntimeError:
        raise Decline(REJECTED) from None

    def work() -> Tensor:
        if not captured:
            _check_sums(signals, op.scaled)
        y = run(engine, op, signals)
        if captured:
            y.masked_fill_(~_sums_fit(signals, _largest(signals)), math.nan)
        if op.scaled and not y.isfinite().all():
            raise Decline("a window's variance is nothing but rounding")
        return y.view(specgram.shape) if specgram.dim() > 2 else y[0].squeeze(0)

    return work
