"""griffinlim of torchaudio.functional."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import GriffinLim, Stft

from ...arrays import kinds, torch_ops, torch_tensors
from ...arrays.torch_adapter import adapter
from ...arrays.torch_arguments import check_tensor, synthesis
from ...arrays.torch_options import exact, integer, truth
from ...contract import settings, tolerances
from ...contract.decline import Decline
from ...contract.function import Work
from ...contract.inside import bind
from ...contract.reasons import REJECTED, ByDesign

_EPS = 1e-16
# of what is larger, squares of spectra may overflow, and reciprocals vanish
_LARGEST = {torch.float32: 1e15, torch.float64: 1e150}


def iterations(arguments: dict[str, Any]) -> int:
    """Iterations, each of which is a few roundings, and makes those before it larger."""
    return int(arguments["self"].n_iter if "self" in arguments else arguments["n_iter"])


@adapter("torchaudio.functional.griffinlim", tolerances.iterated, order=iterations)
def griffinlim(
    specgram: Tensor,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float,
    n_iter: int,
    momentum: float,
    length: int | None,
    rand_init: bool,
) -> Work:
    """torchaudio.functional.griffinlim. Same arguments, same defaults.

    The same random numbers. A few iterations make a rounding a thousand times larger, and so results differ in their
    last digits: they are as near to the magnitudes. Gradients are torch's own operations'. In a CUDA graph, which
    torchaudio's own cannot be captured in, a spectrogram that ours do not take becomes NaN.
    """
    check_tensor(specgram)
    if torch_tensors.gradient_wanted(specgram):
        raise Decline("the spectrogram requires a gradient, which torch's own operations compute")
    if not (specgram.is_floating_point() and specgram.dim() > 1 and specgram.numel()):
        raise Decline("there is no real spectrogram")
    if window is None:
        raise Decline("window is None, of which torch warns")
    share = exact("momentum", momentum)
    if not 0 <= share < 1:
        raise Decline(REJECTED)
    exponent, turns, random = exact("power", power), integer("n_iter", n_iter), truth("rand_init", rand_init)
    if not (0.1 <= exponent <= 10 and turns >= 0):
        raise Decline("power is not between 0.1 and 10, or n_iter below 0")
    if random and settings.numerics.get() == "verify":
        raise Decline(ByDesign("phases are drawn at random, and a second run to compare with would draw others"))
    dtype, spectra = specgram.dtype, torch_tensors.counterpart(specgram)
    bins, frames = specgram.shape[-2:]
    like = specgram.new_empty((), dtype=spectra).expand(1, bins, frames)
    back, samples = synthesis(like, n_fft, hop_length, win_length, window, True, None, length).of(like, window)
    size, hop = back.framing.n_fft, back.framing.hop_length
    half = size // 2
    if not back.onesided:
        raise Decline("n_fft is 2, whose spectra torch takes for two-sided ones")
    framing = Framing(size, hop, half, half, "reflect")
    if turns and (framing.refusal(samples) or framing.frames(samples) != frames):
        raise Decline(REJECTED)
    least, most = specgram.aminmax()
    fit = (least >= 0) & (most.pow(1 / exponent) < _LARGEST[dtype])
    captured = specgram.is_cuda and kinds.is_capturing()
    if not (captured or fit.item()):
        raise Decline("the spectrogram holds values that are negative, not finite or very large")
    op = GriffinLim(back.istft(samples), Stft(framing), turns, share / (1 + share), _EPS)
    rows = math.prod(specgram.shape[:-2])
    if callable(back.engine):  # before anything is drawn
        back.engine.check_ready(op, (rows, frames, bins), (rows, frames, bins), (size,))

    def work() -> Tensor:
        packed = specgram.reshape(rows, bins, frames)
        levels = packed.pow(1 / exponent).transpose(-1, -2).contiguous()
        if captured:  # in a graph, nobody looks at values
            levels.masked_fill_(~fit, math.nan)
        start = levels.to(spectra)
        if random:
            bind()
            # as torchaudio draws them, in which order decides which bin gets which
            start = levels * torch.rand(packed.shape, dtype=spectra, device=packed.device).transpose(-1, -2)
        audio = torch_ops.run(back.engine, op, levels, start.contiguous(), back.window)
        return audio.reshape(*specgram.shape[:-2], samples)

    return work
