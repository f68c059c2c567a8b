"""Spectra of torch tensors: the STFT, its inverse and filterbanks, each with its gradient."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from mlx_spectro import envelope
from mlx_spectro.geometry import overlap_length

from .tensors import counterpart, gradient_wanted, to_host, traced, unfit

# what follows a filterbank: nothing, ("log", amin, added) or ("db", multiplier, amin, ref_value)
Ending = tuple[str, float, bool] | tuple[str, float, float, float] | None


def run(
    engine: Any, name: str, x: Tensor, *weights: Tensor, shape: tuple[int, ...], dtype: torch.dtype, **options: Any
) -> Tensor:
    """A function of ``engine``, or where ``x`` lies in Metal's memory of MLX, without a gradient; contiguous."""
    if x.is_mps:
        from . import via_mlx

        return via_mlx.on_metal(name, x, *weights, **options)
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

    def _run(self, name: str, x: Tensor, shape: tuple[int, ...], **options: Any) -> Tensor:
        return run(self.engine, name, x, self.window, shape=shape, dtype=counterpart(x), **options)

    def _frames(self, x: Tensor) -> tuple[int, ...]:
        return *x.shape[:-1], 1 + (self.left + x.shape[-1] + self.right - self.window.numel()) // self.hop_length

    def _cut(self) -> dict[str, Any]:
        return {"hop_length": self.hop_length, "left": self.left, "scale": self.scale}

    def _padding(self) -> dict[str, Any]:
        return {**self._cut(), "right": self.right, "pad_mode": self.pad_mode}


class _Operator(Protocol):
    """A linear function of a tensor, with fixed weights."""

    @property
    def weights(self) -> Tensor: ...
    def __call__(self, x: Tensor) -> Tensor: ...
    def transposed(self, shape: torch.Size, weights: Tensor) -> _Operator:
        """Its transpose, for arguments of ``shape``."""

    def by_torch(self, x: Tensor) -> Tensor:
        """Its value in torch's own operations, for what only torch can see into."""


class _Transform(NamedTuple):
    """A method of :class:`Spectral`, and the size of what it returns where its argument does not tell."""

    spectral: Spectral
    name: str
    size: int

    @property
    def weights(self) -> Tensor:
        return self.spectral.window

    def __call__(self, x: Tensor) -> Tensor:
        transform = getattr(self.spectral, self.name)
        result: Tensor = transform(x) if self.name == "stft" else transform(x, self.size)
        return result

    def transposed(self, shape: torch.Size, weights: Tensor) -> _Transform:
        name = self.name.removesuffix("_adjoint") if self.name.endswith("_adjoint") else f"{self.name}_adjoint"
        size = shape[-1] if self.name in ("stft", "istft_adjoint") else shape[-2]
        return _Transform(self.spectral._replace(window=weights), name, size)

    def by_torch(self, x: Tensor) -> Tensor:
        return _by_torch(self.spectral, self.name, x, self.size)


class _Projection(NamedTuple):
    """Values ``[..., N, F]`` times ``weights [F, filters]``."""

    engine: Any
    weights: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:-1], self.weights.shape[1])
        return run(self.engine, "project", x, self.weights, shape=shape, dtype=x.dtype)

    def transposed(self, shape: torch.Size, weights: Tensor) -> _Projection:
        return self._replace(weights=weights.t())

    def by_torch(self, x: Tensor) -> Tensor:
        return x @ self.weights


class _Linear(torch.autograd.Function):
    """An operator as torch differentiates it: its gradient is its transpose, which is an operator too."""

    @staticmethod
    def forward(x: Tensor, operator: _Operator) -> Tensor:
        return operator(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, _Operator], output: Tensor) -> None:
        x, ctx.operator = inputs
        ctx.shape = x.shape
        # kept by torch, so that weights changed in place before the backward pass are an error, as they are in torch
        ctx.save_for_backward(ctx.operator.weights)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        transpose = ctx.operator.transposed(ctx.shape, *ctx.saved_tensors)
        if traced() or unfit(g) or torch._C._functorch.is_legacy_batchedtensor(g):
            return transpose.by_torch(g), None
        return _applied(transpose, g), None


def _applied(operator: _Operator, x: Tensor) -> Tensor:
    if not gradient_wanted(x):
        return operator(x)
    result: Tensor = _Linear.apply(x, operator)  # type: ignore[no-untyped-call]
    return result


def _by_torch(spectral: Spectral, name: str, x: Tensor, size: int) -> Tensor:
    """A method of :class:`Spectral` in torch's own operations."""
    n_fft, hop = len(spectral.window), spectral.hop_length
    window = spectral.window * spectral.scale
    lead = x.shape[: -2 if x.is_complex() else -1]
    if name == "stft":
        mode = spectral.pad_mode
        padded = torch.nn.functional.pad(x.reshape(1, -1, x.shape[-1]), (spectral.left, spectral.right), mode)
        frames = padded.reshape(*lead, -1).unfold(-1, n_fft, hop) * window
        spectrum: Tensor = torch.fft.rfft(frames) if spectral.onesided else torch.fft.fft(frames)
        return spectrum
    if name == "istft":
        frames = torch.fft.irfft(x[..., : n_fft // 2 + 1], n=n_fft) * window
        total = overlap_length(frames.shape[-2], n_fft, hop)
        index = torch.arange(total).unfold(0, n_fft, hop)
        summed = frames.new_zeros(*lead, total).index_put((..., index), frames, accumulate=True)
        samples = to_host(spectral.window.cpu())
        inverse = envelope.inverse_envelope(samples, hop, frames.shape[-2], spectral.left, size)
        y: Tensor = summed[..., spectral.left : spectral.left + size] * torch.from_numpy(inverse).to(summed.dtype)
        return y
    # the transpose of a linear function is its gradient anywhere
    forward = name.removesuffix("_adjoint")
    shape = (*lead, size) if forward == "stft" else (*lead, size, spectral.bins)
    with torch.enable_grad():
        at = torch.zeros(shape, dtype=counterpart(x), requires_grad=True)
        there = _by_torch(spectral, forward, at, x.shape[-1])
        (gradient,) = torch.autograd.grad(there, at, x, create_graph=x.requires_grad)
    return gradient


def stft(x: Tensor, spectral: Spectral) -> Tensor:
    """Spectrum ``[..., N, F]`` of audio ``[..., T]``, differentiable with respect to the audio."""
    return _applied(_Transform(spectral, "stft", 0), x)


def istft(z: Tensor, spectral: Spectral, length: int) -> Tensor:
    """Audio ``[..., length]`` of a spectrum ``[..., N, F]``, differentiable with respect to the spectrum."""
    return _applied(_Transform(spectral, "istft", length), z)


def project(x: Tensor, weights: Tensor, engine: Any) -> Tensor:
    """``x [..., N, F]`` times ``weights [F, filters]``, differentiable with respect to ``x``."""
    return _applied(_Projection(engine, weights), x)


def spectrogram(x: Tensor, spectral: Spectral, power: float) -> Tensor:
    """Magnitudes ``[..., N, F]`` to ``power`` of the STFT of audio ``[..., T]``, differentiable."""
    if not gradient_wanted(x):
        return spectral.spectrogram(x, power)
    magnitude = stft(x, spectral).abs()
    return magnitude if power == 1 else magnitude.pow(power)


def filterbank(x: Tensor, spectral: Spectral, bank: Tensor, power: float, ending: Ending = None) -> Tensor:
    """:func:`spectrogram` times ``bank [F, filters]``, and what follows it; differentiable."""
    if not gradient_wanted(x):
        return spectral.filterbank(x, bank, power, ending)
    filtered = project(spectrogram(x, spectral, power), bank, spectral.engine)
    if ending is None:
        return filtered
    if len(ending) == 3:
        _, amin, added = ending
        return (filtered + amin if added else filtered.clamp(min=amin)).log()
    _, multiplier, amin, ref_value = ending
    return multiplier * filtered.clamp(min=amin).log10() - multiplier * math.log10(max(amin, ref_value))
