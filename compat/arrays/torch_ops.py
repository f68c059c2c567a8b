"""Operators on torch tensors, without gradients, and the STFT of a call as a value."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlx_spectro.design.framing import Framing
from mlx_spectro.design.operators import Istft, Operator, Stft, bins_of

from .torch_tensors import counterpart, to_host, transformed

_shape_of = attrgetter("shape")


def run(engine: Any, op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
    """``op`` without a gradient, contiguous. An engine that is a function takes tensors, any other host memory."""
    if callable(engine):
        return engine(op, x, *weights)  # type: ignore[no-any-return]
    out = torch.empty(op.shape(x.shape, *map(_shape_of, weights)), dtype=dtype_of(op, x), device="cpu")
    engine.run(op, to_host(x), *map(to_host, weights), out=out.numpy())
    return out


def dtype_of(op: Operator, x: Tensor) -> torch.dtype:
    """The dtype of ``op``'s result."""
    return counterpart(x) if op.is_complex != x.is_complex() else x.dtype


class Spectral(NamedTuple):
    """Everything about an STFT or its inverse but the signal."""

    engine: Any
    window: Tensor
    framing: Framing
    scale: float = 1.0
    onesided: bool = True
    kept: bool = False
    """Torch keeps the audio for the backward pass: it must not have changed by then."""

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        return bins_of(self.framing.n_fft, self.onesided)

    @property
    def stft(self) -> Stft:
        """The transform."""
        return Stft(self.framing, self.scale, self.onesided)

    def istft(self, length: int) -> Istft:
        """The inverse, of ``length`` samples."""
        return Istft(self.framing, length, self.scale, self.onesided)

    def swapped(self, y: Tensor, x: Tensor) -> Tensor:
        """What was made of audio ``x``, ``y [..., N, values]``, as torch has it in memory: ``[..., values, N]``.

        A single frame of several signals may have all leading axes in one.
        """
        if not transformed() and y.shape[-2] == 1 and y.dim() > 2:
            framing, rows = self.framing, x.reshape(-1, x.shape[-1])
            signal, frame = rows.stride(0), framing.hop_length * rows.stride(1)
            if framing.left:
                signal, frame = framing.left + rows.shape[1] + framing.right, framing.hop_length
            if len(rows) > 1 and frame > signal:  # torch has frames outermost
                y = y.reshape(1, len(rows), y.shape[-1]).transpose(0, 1)
        return y.transpose(-1, -2)
