"""Spectra of torch tensors: the STFT, its inverse and filterbanks, without gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .torch_tensors import counterpart, to_host

# what follows a filterbank: nothing, ("log", amin, added) or ("db", multiplier, amin, ref_value)
Ending = tuple[str, float, bool] | tuple[str, float, float, float] | None


def run(
    engine: Any, name: str, x: Tensor, *weights: Tensor, shape: tuple[int, ...], dtype: torch.dtype, **options: Any
) -> Tensor:
    """A function of ``engine``, or where ``x`` lies in Metal's memory of MLX, without a gradient; contiguous."""
    if x.is_mps:
        from . import mlx_bridge

        return mlx_bridge.on_metal(name, x, *weights, **options)
    out = torch.empty(shape, dtype=dtype, device="cpu")
    getattr(engine, name)(to_host(x), *map(to_host, weights), out=out.numpy(), **options)
    return out


class Spectral(NamedTuple):
    """Everything about an STFT or its inverse but the signal."""

    engine: Any
    window: Tensor
    hop_length: int
    left: int
    right: int = 0
    pad_mode: str = "constant"
    scale: float = 1.0
    onesided: bool = True
    kept: bool = False
    """Torch keeps the audio for the backward pass: it must not have changed by then."""

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        n_fft = self.window.numel()
        return n_fft // 2 + 1 if self.onesided else n_fft

    def stft(self, x: Tensor) -> Tensor:
        """Spectrum ``[..., N, F]`` of audio ``[..., T]``."""
        return self._run("stft", x, (*self._frames(x), self.bins), onesided=self.onesided, **self._padding())

    def stft_adjoint(self, g: Tensor, length: int) -> Tensor:
        """Transpose of :meth:`stft`, for audio of ``length`` samples."""
        options = {"onesided": self.onesided, **self._padding()}
        return self._run("stft_adjoint", g, (*g.shape[:-2], length), length=length, **options)

    def istft(self, z: Tensor, length: int) -> Tensor:
        """Audio ``[..., length]`` of a spectrum ``[..., N, F]``."""
        return self._run("istft", z, (*z.shape[:-2], length), length=length, onesided=self.onesided, **self._cut())

    def istft_adjoint(self, g: Tensor, frames: int) -> Tensor:
        """Transpose of :meth:`istft`, for a spectrum of ``frames`` frames."""
        options = {"onesided": self.onesided, **self._cut()}
        return self._run("istft_adjoint", g, (*g.shape[:-1], frames, self.bins), frames=frames, **options)

    def spectrogram(self, x: Tensor, power: float) -> Tensor:
        """Magnitudes of :meth:`stft` to ``power``, without a gradient."""
        shape, options = (*self._frames(x), self.bins), {"onesided": self.onesided, **self._padding()}
        return run(self.engine, "spectrogram", x, self.window, shape=shape, dtype=x.dtype, power=power, **options)

    def filterbank(self, x: Tensor, bank: Tensor, power: float, ending: Ending) -> Tensor:
        """:meth:`spectrogram` times ``bank [F, filters]``, and what follows it, without a gradient."""
        shape, options = (*self._frames(x), bank.shape[1]), {"power": power, "ending": ending, **self._padding()}
        return run(self.engine, "filterbank", x, self.window, bank, shape=shape, dtype=x.dtype, **options)

    def swapped(self, y: Tensor, x: Tensor) -> Tensor:
        """What was made of audio ``x``, ``y [..., N, values]``, as torch has it in memory: ``[..., values, N]``.

        A single frame of several signals may have all leading axes in one.
        """
        if y.shape[-2] == 1 and y.dim() > 2:
            rows = x.reshape(-1, x.shape[-1])
            signal, frame = rows.stride(0), self.hop_length * rows.stride(1)
            if self.left:
                signal, frame = self.left + rows.shape[1] + self.right, self.hop_length
            if len(rows) > 1 and frame > signal:  # torch has frames outermost
                y = y.reshape(1, len(rows), y.shape[-1]).transpose(0, 1)
        return y.transpose(-1, -2)

    def _run(self, name: str, x: Tensor, shape: tuple[int, ...], **options: Any) -> Tensor:
        return run(self.engine, name, x, self.window, shape=shape, dtype=counterpart(x), **options)

    def _frames(self, x: Tensor) -> tuple[int, ...]:
        return *x.shape[:-1], 1 + (self.left + x.shape[-1] + self.right - self.window.numel()) // self.hop_length

    def _cut(self) -> dict[str, Any]:
        return {"hop_length": self.hop_length, "left": self.left, "scale": self.scale}

    def _padding(self) -> dict[str, Any]:
        return {**self._cut(), "right": self.right, "pad_mode": self.pad_mode}
