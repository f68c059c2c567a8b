"""Spectra of torch tensors, differentiable as often as torch asks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from mlx_spectro import interrupts
from mlx_spectro.design import envelope
from mlx_spectro.design.framing import overlap_length
from mlx_spectro.design.logarithms import reference_level

from ..contract import records
from ..dispatch import serving
from .torch_ops import Ending, Spectral, run
from .torch_tensors import counterpart, gradient_wanted, to_host, traced, unfit


class _Operator(Protocol):
    """A linear function of a tensor, with fixed weights."""

    @property
    def weights(self) -> Tensor: ...
    def __call__(self, x: Tensor) -> Tensor: ...
    def transposed(self, shape: torch.Size, weights: Tensor) -> _Operator:
        """Its transpose, for arguments of ``shape``."""

    def keeps(self, x: Tensor) -> bool:
        """Whether torch's own operations keep ``x`` for the backward pass: it must not have changed by then."""

    def place(self, x: Tensor) -> int:
        """The axis in whose place the gradient of ``x`` by torch's own operations has the last one in memory."""

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

    def keeps(self, x: Tensor) -> bool:
        return self.name == "stft" and self.spectral.kept

    def place(self, x: Tensor) -> int:
        return -2 if self.name == "istft" else -1

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

    def keeps(self, x: Tensor) -> bool:
        return False

    def place(self, x: Tensor) -> int:
        # of a matrix of columns, or of what torch takes for one, torch makes another
        columns = x.stride(-2) == 1 and x.stride(-1) * x.shape[-1] == x.numel()
        lead = range(x.dim() - 2)
        return 0 if columns and all(x.stride(i) == x.stride(i + 1) * x.shape[i + 1] for i in lead) else -1

    def by_torch(self, x: Tensor) -> Tensor:
        return x @ self.weights


class _Linear(torch.autograd.Function):
    """An operator as torch differentiates it: its gradient is its transpose, which is an operator too."""

    @staticmethod
    def forward(x: Tensor, operator: _Operator) -> Tensor:
        return _computed(operator, x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, _Operator], output: Tensor) -> None:
        x, operator = inputs
        ctx.operator, ctx.shape, ctx.place = operator, x.shape, operator.place(x)
        # so that what is changed in place before the backward pass is an error where it is one in torch
        ctx.save_for_backward(operator.weights, x if operator.keeps(x) else None)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        weights, _ = ctx.saved_tensors
        gradient = _applied(ctx.operator.transposed(ctx.shape, weights), g)
        if ctx.place != -1:
            gradient = gradient.movedim(-1, ctx.place).contiguous().movedim(ctx.place, -1)
        return gradient, None


def _applied(operator: _Operator, x: Tensor) -> Tensor:
    if traced() or unfit(x) or _is_batched(x):
        return operator.by_torch(x)
    if not gradient_wanted(x):
        return _computed(operator, x)
    result: Tensor = _Linear.apply(x, operator)  # type: ignore[no-untyped-call]
    return result


def _computed(operator: _Operator, x: Tensor) -> Tensor:
    return _or_by_torch(lambda: operator(x), lambda: operator.by_torch(x))


def _or_by_torch(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> Tensor:
    """What ``ours`` returns; in a backward pass, where no reference can step in, a fault of it is torch's to mend."""
    if serving():
        return ours()
    try:
        return ours()
    except Exception as error:  # no fault of ours is to end a program
        if interrupts.by_handler(error):
            raise
        records.fault("torch.autograd", error)
        return theirs()


def _is_batched(g: Tensor) -> bool:
    """Whether ``g`` stands for several gradients at once."""
    return torch._C._functorch.is_legacy_batchedtensor(g)


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
    return _applied(_Transform(spectral, "stft", 0), _in_place(x, spectral))


def _in_place(x: Tensor, spectral: Spectral) -> Tensor:
    """``x``, whose gradient will lie in memory as ``x`` does if torch would take frames of ``x`` itself."""
    if spectral.left or spectral.pad_mode != "constant" or x.is_contiguous() or not gradient_wanted(x):
        return x
    return x.as_strided(x.shape, x.stride(), x.storage_offset())


def istft(z: Tensor, spectral: Spectral, length: int) -> Tensor:
    """Audio ``[..., length]`` of a spectrum ``[..., N, F]``, differentiable with respect to the spectrum."""
    return _applied(_Transform(spectral, "istft", length), z)


def project(x: Tensor, weights: Tensor, engine: Any) -> Tensor:
    """``x [..., N, F]`` times ``weights [F, filters]``, differentiable with respect to ``x``."""
    return _applied(_Projection(engine, weights), x)


class _Magnitudes(torch.autograd.Function):
    """Magnitudes to a power of 1 or 2, filtered and ended, in one pass; the gradient transforms the audio once more."""

    @staticmethod
    def forward(x: Tensor, spectral: Spectral, power: float, bank: Tensor | None, ending: Ending) -> Tensor:
        return _without_gradient(x, spectral, power, bank, ending)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.spectral, ctx.power, bank, ctx.ending = inputs
        ctx.save_for_backward(x, ctx.spectral.window, bank)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, window, bank = ctx.saved_tensors
        spectral, power = ctx.spectral._replace(window=window), ctx.power
        if ctx.ending is not None:
            g = _before(ctx.ending, spectrogram(x, spectral, power, bank), g)
        if bank is not None:
            g = _applied(_Projection(spectral.engine, bank.t()), g)
        # |z| has the gradient z / |z|, or 0 where there is no phase, and |z|^2 has 2z
        z = stft(x, spectral)
        z = z.sgn() if power == 1 else z
        forward = _Transform(spectral._replace(scale=power * spectral.scale), "stft", 0)
        return _applied(forward.transposed(x.shape, window), _times(z, g)), None, None, None, None


def _times(z: Tensor, factor: Tensor) -> Tensor:
    """Complex ``z``, perhaps overwritten, times a real factor."""
    pair, factor = torch.view_as_real(z), factor.unsqueeze(-1)
    fixed = not (z.requires_grad or factor.requires_grad or _is_batched(factor))
    return torch.view_as_complex(pair.mul_(factor) if fixed else pair * factor)


def _before(ending: Ending, values: Tensor, g: Tensor) -> Tensor:
    """The gradient of ``values``, of that of what :func:`_ended` makes of them."""
    if ending is None:
        return g
    if len(ending) == 3 and ending[2]:
        return g / (values + ending[1])
    factor, amin = (1.0, ending[1]) if len(ending) == 3 else (ending[1] / math.log(10), ending[2])
    # no division by 0, whose own gradient would be NaN though it is not taken
    return torch.where(values >= amin, g * factor / values.clamp(min=amin), 0.0)


def _ended(values: Tensor, ending: Ending) -> Tensor:
    if ending is None:
        return values
    if len(ending) == 3:
        _, amin, added = ending
        return (values + amin if added else values.clamp(min=amin)).log()
    _, multiplier, amin, ref_value = ending
    reference, values = reference_level(ref_value, amin, torch.finfo(values.dtype)), values.clamp(min=amin)
    level = multiplier * values.log10() - multiplier * reference.logarithm
    # what is at the reference's level is 0, and keeps its gradient
    return level - level.detach().where((values >= reference.low) & (values <= reference.high), 0.0)


def _without_gradient(x: Tensor, spectral: Spectral, power: float, bank: Tensor | None, ending: Ending) -> Tensor:
    def ours() -> Tensor:
        return spectral.spectrogram(x, power) if bank is None else spectral.filterbank(x, bank, power, ending)

    def theirs() -> Tensor:
        values = _by_torch(spectral, "stft", x, 0).abs().pow(power)
        return values if bank is None else _ended(values @ bank, ending)

    return _or_by_torch(ours, theirs)


def spectrogram(
    x: Tensor, spectral: Spectral, power: float, bank: Tensor | None = None, ending: Ending = None, own: bool = False
) -> Tensor:
    """Magnitudes ``[..., N, F]`` to ``power`` of the STFT of audio ``[..., T]``, differentiable.

    Args:
        x, spectral: The audio and its transform.
        power: Of the magnitudes.
        bank: Filters ``[F, filters]``, if the result is to be ``[..., N, filters]``.
        ending: What follows the filters.
        own: No program holds this memory of ``x``, to change it before the backward pass.
    """
    if not gradient_wanted(x):
        return _without_gradient(x, spectral, power, bank, ending)
    if power in (1, 2):
        # torch keeps the spectrum; we keep the audio, which a program may change before the backward pass
        x = _in_place(x, spectral)
        audio = x if own or spectral.kept else x.clone()
        result: Tensor = _Magnitudes.apply(audio, spectral, power, bank, ending)  # type: ignore[no-untyped-call]
        return result
    values = stft(x, spectral).abs().pow(power)
    return values if bank is None else _ended(project(values, bank, spectral.engine), ending)
