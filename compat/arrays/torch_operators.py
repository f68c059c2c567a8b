"""What the operations of :mod:`.torch_library` do: their values, shapes, gradients and batches.

Forward-mode derivatives are torch's, of its own operations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mlx_spectro.design import notation
from mlx_spectro.design.envelope import FLOOR
from mlx_spectro.design.operators import Istft, Linear

from . import torch_autograd, torch_library, torch_ops, torch_tensors
from .torch_arguments import ROUNDING, smallest_envelope
from .torch_library import apply, called, checked, library, operation

# these have a transform of their framing's length
_TRANSFORMS = ("stft", "istft", "filterbank")


def _computed(text: str, size: int, x: Tensor, weights: list[Tensor]) -> Tensor:
    op = notation.read(text, size)

    def theirs() -> Tensor:
        # a transpose is a gradient, and inside of an operator torch records none
        with torch._C._PreserveDispatchKeyGuard(), torch.no_grad():
            torch._C._dispatch_tls_set_dispatch_key_excluded(torch._C.DispatchKey.AutogradFunctionality, False)
            return torch_autograd.by_torch(op, x.detach(), *weights)

    def ours() -> Tensor:
        framing: Any = op.framing if op.stem in _TRANSFORMS else None  # type: ignore[attr-defined]
        engine = torch_tensors.present_engine(x, framing and framing.n_fft, double=True)
        return torch_ops.run(engine, op, x, *weights)

    return torch_autograd.or_by_torch(ours, theirs)


def _shaped(text: str, size: int, x: Tensor, weights: list[Tensor]) -> Tensor:
    op = notation.read(text, size)
    shape = op.shape(x.shape, *(w.shape for w in weights))
    return torch.empty(shape, dtype=torch_ops.dtype_of(op, x), device=x.device)


def _checked(window: Tensor, hop_length: int, frames: int, left: int, length: int) -> Tensor:
    n_fft = window.numel()
    smallest = smallest_envelope(window, n_fft, window, hop_length, frames, left, length)
    if smallest < (1 + ROUNDING) * FLOOR:
        z = torch.zeros(n_fft // 2 + 1, frames, dtype=torch_tensors.counterpart(window), device="cpu")
        torch.ops.aten.istft(z, n_fft, hop_length, window=window.cpu(), center=left > 0, length=length)
        raise RuntimeError("istft: the windows overlap to next to nothing somewhere")
    return window.clone()


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    text, size, x, weights = inputs
    if any(w.requires_grad for w in weights):
        raise NotImplementedError("mlx_spectro::apply has no gradient of its weights, a window or a bank: detach them")
    ctx.text, ctx.size, ctx.shape = text, size, x.shape
    linear = isinstance(notation.read(text, size), Linear)
    ctx.save_for_backward(None if linear else x, *weights)


def _gradient(ctx: Any, g: Tensor) -> tuple[None, None, Tensor, list[None]]:
    x, *weights = ctx.saved_tensors
    op = notation.read(ctx.text, ctx.size)
    gradient = torch_autograd.gradient(apply, op, ctx.shape, x, tuple(weights), g)
    return None, None, gradient, [None] * len(weights)


def _batched(info: Any, places: tuple[Any, ...], text: str, size: int, x: Tensor, weights: list[Tensor]) -> Any:
    _, _, of_x, of_weights = places
    if not any(place is not None for place in of_weights):
        return called(text, size, x.movedim(of_x, 0), weights), 0
    rows = (
        called(text, size, _row(x, of_x, i), [_row(w, of_w, i) for w, of_w in zip(weights, of_weights, strict=True)])
        for i in range(info.batch_size)
    )
    return torch.stack(list(rows)), 0


def _row(x: Tensor, place: int | None, i: int) -> Tensor:
    return x if place is None else x.select(place, i)


def _batched_windows(info: Any, places: tuple[Any, ...], window: Tensor, *framing: int) -> Any:
    return torch.stack([checked(row, *framing) for row in window.unbind(places[0])]), 0


class _Apply(torch.autograd.Function):
    """``mlx_spectro::apply`` where torch.func is at work, which sees a function's rules and no operator's."""

    @staticmethod
    def forward(text: str, size: int, x: Tensor, *weights: Tensor) -> Tensor:
        return operation(text, size, x, weights)  # type: ignore[no-any-return]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        text, size, x, *weights = inputs
        _remember(ctx, (text, size, x, weights), output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        *first, gradient, weights = _gradient(ctx, g)
        if isinstance(notation.read(ctx.text, ctx.size), Istft):  # as torch's lies in memory
            gradient = gradient.mT.contiguous().mT
        return *first, gradient, *weights

    @staticmethod
    def vmap(info: Any, places: tuple[Any, ...], text: str, size: int, x: Tensor, *weights: Tensor) -> Any:
        return _batched(info, (*places[:3], places[3:]), text, size, x, list(weights))


def define() -> None:
    """Have torch know all of this."""
    for name, kernel in (("apply", _computed), ("with_overlap", _checked)):
        library.impl(name, kernel, "CompositeExplicitAutograd")
    torch.library.register_fake(operation, _shaped, lib=library)
    torch.library.register_fake(checked, lambda window, *_: torch.empty_like(window), lib=library)
    torch.library.register_autograd(operation, _gradient, setup_context=_remember, lib=library)
    torch.library.register_vmap(operation, _batched, lib=library)
    torch.library.register_vmap(checked, _batched_windows, lib=library)
    torch_library.transformable = _Apply.apply
