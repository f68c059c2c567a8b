"""Recursive filters of torch tensors, differentiable by signals and coefficients as often as torch asks."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torchaudio
from torch import Tensor

from mlx_spectro.design.operators import LaggedProducts, Operator, RecursiveFilter

from ...arrays import torch_results
from ...arrays.torch_autograd import is_batched, or_by_torch
from ...arrays.torch_ops import run
from ...arrays.torch_tensors import serves, to_host

_lfilter = torchaudio.functional.lfilter


class Way(NamedTuple):
    """How a filter is applied."""

    engine: Any
    backward: bool = False
    roomy: bool = False
    """Its result lies in memory as that of :func:`roomy`."""

    def transposed(self) -> Way:
        """How gradients are filtered."""
        return Way(self.engine, not self.backward)


def filtered(x: Tensor, a: Tensor, b: Tensor, way: Way) -> Tensor:
    """Signals ``x [batch, filters, T]`` by coefficients ``[filters, order + 1]``, of which the first ``a`` are 1."""
    if seen_by_torch(x, a, b):
        return _filtered_by_torch(x, a, b, way)
    if torch.is_grad_enabled() and (x.requires_grad or a.requires_grad or b.requires_grad):
        result: Tensor = _Filtered.apply(x, a, b, way)  # type: ignore[no-untyped-call]
        return result
    return _filtered(x, a, b, way)


def seen_by_torch(*tensors: Tensor) -> bool:
    """Whether only torch can see into a call, in a backward pass, where none is declined."""
    return any(not serves(tensor) or is_batched(tensor) for tensor in tensors)


def _filtered(x: Tensor, a: Tensor, b: Tensor, way: Way) -> Tensor:
    def ours() -> Tensor:
        return computed(way.engine, RecursiveFilter(way.backward), x, a, b, in_room=way.roomy)

    return or_by_torch(ours, lambda: _filtered_by_torch(x, a, b, way))


def computed(engine: Any, op: Operator, x: Tensor, a: Tensor, b: Tensor, in_room: bool = False) -> Tensor:
    """A filter's result without a gradient, in fresh memory or in that of :func:`roomy`."""
    if callable(engine):
        from ...arrays import torch_launch

        result: Tensor = engine(op, x, *map(torch_launch.side_by_side, (a, b)))
        return roomy(x.shape, a).copy_(result) if in_room else result
    y = roomy(x.shape, a) if in_room else torch_results.empty(x.shape, x.dtype)
    engine.run(op, *map(to_host, (x, a, b)), out=to_host(y))
    return y


def roomy(shape: tuple[int, ...], a: Tensor) -> Tensor:
    """Memory for signals, each after as many zeros as it has outputs before it, as torchaudio's recursion has them."""
    order = a.shape[-1] - 1
    filters = 1 if a.dim() < 2 else len(a)
    whole = torch.empty((math.prod(shape[:-1]) // filters, filters, shape[-1] + order), dtype=a.dtype, device=a.device)
    whole[..., :order] = 0
    return whole[..., order:].reshape(shape)


def _filtered_by_torch(x: Tensor, a: Tensor, b: Tensor, way: Way) -> Tensor:
    order = max(a.shape[-1], b.shape[-1])
    a, b = (torch.nn.functional.pad(each, (0, order - each.shape[-1])) for each in (a, b))
    y: Tensor = _lfilter(x.flip(-1) if way.backward else x, a, b, clamp=False)
    return y.flip(-1) if way.backward else y


class _Filtered(torch.autograd.Function):
    """A filter as torch differentiates it: all of its gradients are made of filters and of lagged products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor, way: Way) -> Tensor:
        y = _filtered(x, a, b, way)
        ctx.way, ctx.by_coefficients = way, any(ctx.needs_input_grad[1:3])
        # so that what is changed in place before the backward pass is an error where it is one in torchaudio
        ctx.save_for_backward(x, a, b, y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, a, b, y = ctx.saved_tensors
        back: Way = ctx.way.transposed()
        if not ctx.by_coefficients:
            return filtered(g, a, b, back), None, None, None
        # the gradient of what is filtered recursively: the sum of what came in
        one = torch.ones_like(a[:, :1])
        g = filtered(g, a, one, back)
        of_a = None
        if ctx.needs_input_grad[1]:
            # the first is 1, and stays so
            of_a = torch.nn.functional.pad(-_products(y, g, a.shape[-1], ctx.way)[:, 1:], (1, 0))
        of_b = _products(x, g, b.shape[-1], ctx.way) if ctx.needs_input_grad[2] else None
        return filtered(g, one, b, back) if ctx.needs_input_grad[0] else None, of_a, of_b, None


def _products(x: Tensor, g: Tensor, lags: int, way: Way) -> Tensor:
    """Gradients of coefficients ``[filters, lags]``: those of ``g`` times ``x``, earlier in a filter's time."""
    earlier, later = (g, x) if way.backward else (x, g)
    if torch.is_grad_enabled() and (earlier.requires_grad or later.requires_grad):
        result: Tensor = _Products.apply(earlier, later, lags, way.engine)  # type: ignore[no-untyped-call]
        return result
    return _multiplied(earlier, later, lags, way.engine)


def _multiplied(earlier: Tensor, later: Tensor, lags: int, engine: Any) -> Tensor:
    def theirs() -> Tensor:
        length = earlier.shape[-1]
        pairs = ((earlier[..., : max(0, length - k)], later[..., k:]) for k in range(lags))
        return torch.stack([(one * other).sum((0, -1)) for one, other in pairs], -1)

    # on a GPU torch's own operations
    if callable(engine) or seen_by_torch(earlier, later):
        return theirs()
    return or_by_torch(lambda: run(engine, LaggedProducts(lags), earlier, later), theirs)


class _Products(torch.autograd.Function):
    """Lagged products as torch differentiates them: by filters of which they are the coefficients' gradients."""

    @staticmethod
    def forward(ctx: Any, earlier: Tensor, later: Tensor, lags: int, engine: Any) -> Tensor:
        ctx.engine = engine
        ctx.save_for_backward(earlier, later)
        return _multiplied(earlier, later, lags, engine)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        earlier, later = ctx.saved_tensors
        one = torch.ones_like(g[:, :1])
        of_earlier = filtered(later, one, g, Way(ctx.engine, backward=True))
        return of_earlier, filtered(earlier, one, g, Way(ctx.engine)), None, None
