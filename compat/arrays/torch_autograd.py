"""Spectra of torch tensors, differentiable as often as torch asks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlx_spectro import interrupts
from mlx_spectro.design import envelope
from mlx_spectro.design.epilogues import Decibels, Epilogue, Log
from mlx_spectro.design.framing import Framing, overlap_length
from mlx_spectro.design.logarithms import reference_level
from mlx_spectro.design.operators import Filterbank, Istft, Linear, Operator, PowerAdjoint, Project, Spectrogram, Stft

from ..contract import records
from ..contract.decline import Decline
from ..contract.inside import serving
from ..contract.plans import Run
from .torch_library import apply
from .torch_ops import Spectral, dtype_of, run
from .torch_tensors import gradient_wanted, serves, to_host


class Bound(NamedTuple):
    """A linear operator with its weights, and what computes it."""

    engine: Any
    op: Linear
    weights: tuple[Tensor, ...] = ()
    kept: bool = False
    """Torch's own operations keep the argument for the backward pass: it must not have changed by then."""
    sources: tuple[Tensor, ...] = ()
    """What torch's own operations keep in the weights' place."""

    def __call__(self, x: Tensor) -> Tensor:
        return run(self.engine, self.op, x, *self.weights)

    def transposed(self, shape: torch.Size, weights: tuple[Tensor, ...]) -> Bound:
        """Its transpose, for arguments of ``shape``."""
        return Bound(self.engine, self.op.transpose(shape), weights)

    def place(self, x: Tensor) -> int:
        """The axis in whose place the gradient of ``x`` by torch's own operations has the last one in memory."""
        if isinstance(self.op, Istft):
            return -2
        if not isinstance(self.op, Project):
            return -1
        # of a matrix of columns, or of what torch takes for one, torch makes another
        columns = x.stride(-2) == 1 and x.stride(-1) * x.shape[-1] == x.numel()
        lead = range(x.dim() - 2)
        return 0 if columns and all(x.stride(i) == x.stride(i + 1) * x.shape[i + 1] for i in lead) else -1

    def by_torch(self, x: Tensor) -> Tensor:
        """Its value in torch's own operations, for what only torch can see into."""
        return by_torch(self.op, x, *self.weights)


class _Linear(torch.autograd.Function):
    """An operator as torch differentiates it: its gradient is its transpose, which is an operator too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, operator: Bound) -> Tensor:
        ctx.operator, ctx.shape, ctx.place = operator, x.shape, operator.place(x)
        # so that what is changed in place before the backward pass is an error where it is one in torch
        ctx.save_for_backward(x if operator.kept else None, *operator.weights, *operator.sources)
        return _computed(operator, x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        weights = ctx.saved_tensors[1 : 1 + len(ctx.operator.weights)]
        gradient = _applied(ctx.operator.transposed(ctx.shape, weights), g)
        # on a GPU, a program's training is not to wait for a copy whose order in memory next to nobody sees
        if ctx.place != -1 and gradient.is_cpu:
            gradient = gradient.movedim(-1, ctx.place).contiguous().movedim(ctx.place, -1)
        return gradient, None


def _applied(operator: Bound, x: Tensor) -> Tensor:
    if operator.engine is apply:
        return operator(x)
    # of a call that is ours, planning has seen to it
    if not serving() and (not serves(x) or is_batched(x)):
        return operator.by_torch(x)
    if not gradient_wanted(x):
        return _computed(operator, x)
    result: Tensor = _Linear.apply(x, operator)  # type: ignore[no-untyped-call]
    return result


def _computed(operator: Bound, x: Tensor) -> Tensor:
    return or_by_torch(lambda: operator(x), lambda: operator.by_torch(x))


def or_by_torch(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> Tensor:
    """What ``ours`` returns; in a backward pass, where no reference can step in, a fault of it is torch's to mend."""
    if serving():
        return ours()
    try:
        return ours()
    except Decline as decline:
        records.record("torch.autograd", str(decline))
    except Exception as error:  # no fault of ours is to end a program
        if interrupts.by_handler(error):
            raise
        records.fault("torch.autograd", error)
    return theirs()


def is_batched(g: Tensor) -> bool:
    """Whether ``g`` stands for several gradients at once."""
    return torch._C._functorch.is_legacy_batchedtensor(g)


# what computes an operator in torch's own operations: takes it, its argument and its weights
Definition = Callable[..., Tensor]
_definitions: dict[type[Operator], Definition] = {}


def defines(kind: type[Operator]) -> Callable[[Definition], Definition]:
    """Have a function be what an operator is in torch's own operations; a transpose needs none."""

    def decorate(definition: Definition) -> Definition:
        _definitions[kind] = definition
        return definition

    return decorate


def by_torch(op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
    """A linear operator in torch's own operations."""
    definition = _definitions.get(type(op))
    if definition is not None:
        return definition(op, x, *weights)
    # the transpose of a linear function is its gradient anywhere
    assert isinstance(op, Linear)
    forward = op.transpose(x.shape)
    with torch.enable_grad():
        shape = op.shape(x.shape, *(w.shape for w in weights))
        at = torch.zeros(shape, dtype=dtype_of(op, x), device=x.device, requires_grad=True)
        (gradient,) = torch.autograd.grad(by_torch(forward, at, *weights), at, x, create_graph=x.requires_grad)
    return gradient


@defines(Stft)
def _stft_by_torch(op: Stft, x: Tensor, window: Tensor) -> Tensor:
    framing = op.framing
    padded = torch.nn.functional.pad(x.reshape(1, -1, x.shape[-1]), (framing.left, framing.right), framing.pad_mode)
    frames = padded.reshape(*x.shape[:-1], -1).unfold(-1, framing.n_fft, framing.hop_length) * (window * op.scale)
    spectrum: Tensor = torch.fft.rfft(frames) if op.onesided else torch.fft.fft(frames)
    return spectrum


@defines(Istft)
def _istft_by_torch(op: Istft, z: Tensor, window: Tensor) -> Tensor:
    n_fft, hop, left = op.framing.n_fft, op.framing.hop_length, op.framing.left
    frames = torch.fft.irfft(z[..., : n_fft // 2 + 1], n=n_fft) * (window * op.scale)
    total = overlap_length(frames.shape[-2], n_fft, hop)
    index = torch.arange(total, device=z.device).unfold(0, n_fft, hop)
    summed = frames.new_zeros(*z.shape[:-2], total).index_add(-1, index.flatten(), frames.flatten(-2))
    samples = to_host(window)
    inverse = envelope.inverse_envelope(samples, hop, frames.shape[-2], left, op.length, op.floor)
    y: Tensor = summed[..., left : left + op.length] * torch.from_numpy(inverse).to(summed)
    return y


@defines(Project)
def _project_by_torch(op: Project, x: Tensor, bank: Tensor) -> Tensor:
    return x @ (bank.t() if op.transposed else bank)


@defines(Spectrogram)
def _spectrogram_by_torch(op: Spectrogram, x: Tensor, window: Tensor) -> Tensor:
    return _of_magnitudes(by_torch(op.stft, x, window), op.power)


@defines(Filterbank)
def _filterbank_by_torch(op: Filterbank, x: Tensor, window: Tensor, bank: Tensor) -> Tensor:
    return _of_magnitudes(by_torch(op.spectrogram.stft, x, window), op.power, bank, op.epilogue)


def _of_magnitudes(z: Tensor, power: float, bank: Tensor | None = None, epilogue: Epilogue | None = None) -> Tensor:
    values = z.abs().pow(power)
    return values if bank is None else _follow(epilogue, values @ bank)


def linear(
    engine: Any, op: Linear, x: Tensor, *weights: Tensor, kept: bool = False, sources: tuple[Tensor, ...] = ()
) -> Tensor:
    """``op`` of ``x``, differentiable with respect to ``x``.

    Args:
        kept: Torch's own operations keep ``x`` for the backward pass.
        sources: What they keep in the weights' place.
    """
    return _applied(Bound(engine, op, weights, kept, sources), x)


def stft(x: Tensor, spectral: Spectral) -> Tensor:
    """Spectrum ``[..., N, F]`` of audio ``[..., T]``, differentiable with respect to the audio."""
    return linear(spectral.engine, spectral.stft, _in_place(x, spectral), spectral.window, kept=spectral.kept)


def _in_place(x: Tensor, spectral: Spectral) -> Tensor:
    """``x``, whose gradient will lie in memory as ``x`` does if torch would take frames of ``x`` itself."""
    if spectral.engine is apply:
        return x
    if spectral.framing.left or spectral.framing.pad_mode != "constant" or x.is_contiguous() or not gradient_wanted(x):
        return x
    return x.as_strided(x.shape, x.stride(), x.storage_offset())


def ready_transform(engine: Any, op: Stft | Istft, window: Tensor, kept: bool = False) -> Run | None:
    """What computes a differentiable spectrum ``[..., F, N]``, or the inverse of one; None where more is to be done."""
    if engine is apply or window.numel() != op.framing.n_fft:
        return None
    forward = isinstance(op, Stft)

    def call(x: Tensor, window: Tensor) -> Tensor:
        x = x if forward else x.transpose(-1, -2)
        y: Tensor = _Linear.apply(x, Bound(engine, op, (window,), kept))  # type: ignore[no-untyped-call]
        return y.transpose(-1, -2) if forward else y

    return call


def ready_filterbank(engine: Any, framing: Framing, kept: bool, power: float, x: Tensor) -> Run | None:
    """What computes the differentiable :func:`spectrogram`, filtered and transposed, of audio that lies like ``x``.

    None where more is to be done.
    """
    if engine is apply or power not in (1, 2) or not x.is_contiguous() or x.dim() != 2:
        return None

    def call(x: Tensor, window: Tensor, bank: Tensor) -> Tensor:
        audio, spectral = x if kept else x.clone(), Spectral(engine, window, framing, kept=kept)
        y: Tensor = _Magnitudes.apply(audio, spectral, power, bank, None)  # type: ignore[no-untyped-call]
        return y.transpose(-1, -2)

    return call


def istft(z: Tensor, spectral: Spectral, length: int) -> Tensor:
    """Audio ``[..., length]`` of a spectrum ``[..., N, F]``, differentiable with respect to the spectrum."""
    return linear(spectral.engine, spectral.istft(length), z, spectral.window)


def project(x: Tensor, weights: Tensor, engine: Any) -> Tensor:
    """``x [..., N, F]`` times ``weights [F, filters]``, differentiable with respect to ``x``."""
    return linear(engine, Project(), x, weights)


class _Magnitudes(torch.autograd.Function):
    """Magnitudes to a power of 1 or 2, filtered and ended, in one pass; the gradient transforms the audio once more."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, spectral: Spectral, power: float, bank: Tensor | None, epilogue: Epilogue | None
    ) -> Tensor:
        ctx.spectral, ctx.power, ctx.epilogue = spectral, power, epilogue
        ctx.save_for_backward(x, spectral.window, bank)
        return _without_gradient(x, spectral, power, bank, epilogue)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, window, bank = ctx.saved_tensors
        spectral = ctx.spectral._replace(window=window)
        return _of_spectrogram(x, spectral, ctx.power, bank, ctx.epilogue, g), None, None, None, None


def _of_spectrogram(
    x: Tensor, spectral: Spectral, power: float, bank: Tensor | None, epilogue: Epilogue | None, g: Tensor
) -> Tensor:
    """The gradient of ``x``, of that of its :func:`spectrogram`."""
    if epilogue is not None:
        g = _before(epilogue, spectrogram(x, spectral, power, bank), g)
    if bank is not None:
        g = linear(spectral.engine, Project(transposed=True), g, bank)
    z = stft(x, spectral)
    if power == 2 and spectral.onesided and not (z.is_cpu or spectral.engine is apply or _is_seen(z, g)):
        adjoint = PowerAdjoint(spectral.stft, x.shape[-1])
        return or_by_torch(
            lambda: run(spectral.engine, adjoint, g, z, spectral.window),
            lambda: _of_spectrum(x, spectral, power, z, g),
        )
    return _of_spectrum(x, spectral, power, z, g)


def _of_spectrum(x: Tensor, spectral: Spectral, power: float, z: Tensor, g: Tensor) -> Tensor:
    """The gradient of ``x``, of that of magnitudes to ``power`` of its spectrum ``z``."""
    # |z| has the gradient z / |z|, or 0 where there is no phase, and |z|^2 has 2z
    if power not in (1, 2):
        g = g * z.abs().pow(power - 1)
    z = z if power == 2 else z.sgn()
    forward = spectral._replace(scale=power * spectral.scale).stft
    z = _times(z, g, spectral.engine is not apply)
    return linear(spectral.engine, forward.transpose(x.shape), z, spectral.window)


def gradient(
    engine: Any, op: Operator, shape: torch.Size, x: Tensor | None, weights: tuple[Tensor, ...], g: Tensor
) -> Tensor:
    """The gradient of an operator's argument, of that of its result.

    Args:
        shape: The argument's.
        x: The argument; a linear operator needs none.
    """
    if isinstance(op, Linear):
        return _applied(Bound(engine, op.transpose(shape), weights), g)
    if not isinstance(op, (Spectrogram, Filterbank)):
        raise NotImplementedError(f"mlx_spectro::apply has no gradient of {op.name}")
    assert x is not None
    spectral = Spectral(engine, weights[0], op.framing, op.scale, getattr(op, "onesided", True))
    bank = weights[1] if len(weights) > 1 else None
    return _of_spectrogram(x, spectral, op.power, bank, getattr(op, "epilogue", None), g)


def _times(z: Tensor, factor: Tensor, own: bool) -> Tensor:
    """Complex ``z``, overwritten if it is ours and nobody asks for its gradient, times a real factor."""
    if own and not _is_seen(z, factor):
        return z.mul_(factor)
    return torch.view_as_complex(torch.view_as_real(z) * factor.unsqueeze(-1))


def _is_seen(z: Tensor, factor: Tensor) -> bool:
    """Whether torch has to see a product: somebody asks for its gradient, or there are several at once."""
    return z.requires_grad or factor.requires_grad or is_batched(factor)


def _before(epilogue: Epilogue, values: Tensor, g: Tensor) -> Tensor:
    """The gradient of ``values``, of that of what :func:`_follow` makes of them."""
    if isinstance(epilogue, Log) and epilogue.added:
        return g / (values + epilogue.amin)
    assert isinstance(epilogue, (Log, Decibels))
    factor = epilogue.multiplier / math.log(10) if isinstance(epilogue, Decibels) else 1.0
    # no division by 0, whose own gradient would be NaN though it is not taken
    return torch.where(values >= epilogue.amin, g * factor / values.clamp(min=epilogue.amin), 0.0)


def _follow(epilogue: Epilogue | None, values: Tensor) -> Tensor:
    if epilogue is None:
        return values
    if isinstance(epilogue, Log):
        return (values + epilogue.amin if epilogue.added else values.clamp(min=epilogue.amin)).log()
    assert isinstance(epilogue, Decibels)
    amin, multiplier = epilogue.amin, epilogue.multiplier
    reference, values = reference_level(epilogue.reference, amin, torch.finfo(values.dtype)), values.clamp(min=amin)
    level = multiplier * values.log10() - multiplier * reference.logarithm
    # what is at the reference's level is 0, and keeps its gradient
    return level - level.detach().where((values >= reference.low) & (values <= reference.high), 0.0)


def _without_gradient(
    x: Tensor, spectral: Spectral, power: float, bank: Tensor | None, epilogue: Epilogue | None
) -> Tensor:
    def ours() -> Tensor:
        framing, scale = spectral.framing, spectral.scale
        if bank is None:
            return run(spectral.engine, Spectrogram(framing, power, scale, spectral.onesided), x, spectral.window)
        return run(spectral.engine, Filterbank(framing, power, scale, epilogue), x, spectral.window, bank)

    def theirs() -> Tensor:
        return _of_magnitudes(by_torch(spectral.stft, x, spectral.window), power, bank, epilogue)

    return or_by_torch(ours, theirs)


def spectrogram(
    x: Tensor,
    spectral: Spectral,
    power: float,
    bank: Tensor | None = None,
    epilogue: Epilogue | None = None,
    own: bool = False,
) -> Tensor:
    """Magnitudes ``[..., N, F]`` to ``power`` of the STFT of audio ``[..., T]``, differentiable.

    Args:
        x, spectral: The audio and its transform.
        power: Of the magnitudes.
        bank: Filters ``[F, filters]``, if the result is to be ``[..., N, filters]``.
        epilogue: What follows the filters.
        own: No program holds this memory of ``x``, to change it before the backward pass.
    """
    fused = power in (1, 2)
    # kernels of GPUs take no other powers
    whole = fused or (x.is_cpu if spectral.engine is apply else not callable(spectral.engine))
    if whole and (spectral.engine is apply or not gradient_wanted(x)):
        return _without_gradient(x, spectral, power, bank, epilogue)
    if fused:
        # torch keeps the spectrum; we keep the audio, which a program may change before the backward pass
        x = _in_place(x, spectral)
        audio = x if own or spectral.kept else x.clone()
        result: Tensor = _Magnitudes.apply(audio, spectral, power, bank, epilogue)  # type: ignore[no-untyped-call]
        return result
    values = stft(x, spectral).abs().pow(power)
    return values if bank is None else _follow(epilogue, project(values, bank, spectral.engine))
