"""Calls with MLX arrays, as MLX differentiates them: by torch's own gradients, or not at all.

The work is done in another library's memory, where MLX sees nothing of it: without rules, its gradients would be 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from mlx_spectro.ops.mlx_on_cpu import has_no_value

from ..contract import records
from ..contract.function import Door, Function
from .kinds import OF_NUMPY, each_part, is_mlx, is_plain, to_mlx, to_numpy, to_torch

if TYPE_CHECKING:
    from torch import Tensor

Arrays = tuple[mx.array, ...]
# takes and returns arrays of the library that computes
Compute = Callable[..., Sequence[Any]]


def call(door: Door, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``function`` with MLX arrays among its arguments, whose arrays are another library's; MLX's come back.

    Raises:
        ValueError: inside ``mx.compile`` or ``mx.vmap``, where arrays have no values.
        TypeError: ``out`` is an MLX array, or a derivative of one of librosa's functions is asked for.
    """
    if is_mlx(kwargs.get("out")):
        raise TypeError(f"{function.name} cannot write to an MLX array: out must be NumPy memory, or left out")
    arguments = (*args, *kwargs.values())
    if function.library not in OF_NUMPY:
        # a window of NumPy's beside audio of MLX's
        arguments = tuple(to_torch(x) if is_plain(x) and x.ndim else x for x in arguments)
    values = [x for x in arguments if is_mlx(x)]
    if any(map(has_no_value, values)):
        raise ValueError(
            f"{function.name} looks at the values of MLX arrays, which have none inside mx.compile and mx.vmap: "
            "call it outside, or one of mlx_spectro's own functions in its place"
        )
    results: list[Any] = []

    def compute(*own: Any) -> Sequence[Any]:
        rest = iter(own)
        theirs = [next(rest) if is_mlx(x) else x for x in arguments]
        options = dict(zip(kwargs, theirs[len(args) :], strict=True))
        result = door(function, tuple(theirs[: len(args)]), options)
        results[:] = [result]
        parts: list[Any] = []
        each_part(result, parts.append)
        return parts

    of_library = _without_derivative if function.library in OF_NUMPY else _derived
    outputs = iter(of_library(function.name, compute, values))
    return each_part(results[0], lambda _: next(outputs))


def _without_derivative(name: str, compute: Compute, values: list[mx.array]) -> Arrays:
    def refuse(*_: Any) -> Any:
        raise TypeError(f"{name} has no derivative; those of mlx_spectro's own functions do")

    return _with_rules(lambda *x: map(to_mlx, compute(*map(to_numpy, x))), refuse, refuse, values)


def _derived(name: str, compute: Compute, values: Sequence[mx.array]) -> Arrays:
    """``compute`` of torch's tensors with its derivatives, each of which is such a function again."""
    import torch

    def derivative(rule: Callable[..., Sequence[Tensor]], primals: Arrays, others: Sequence[mx.array]) -> Arrays:
        def by_torch(*tensors: Tensor) -> Sequence[Tensor]:
            x, rest = tensors[: len(primals)], tensors[len(primals) :]
            with torch.enable_grad():
                # inside a further derivative they are part of its graph
                x = tuple(v if v.requires_grad else v.detach().requires_grad_(_is_inexact(v)) for v in x)
                return rule(compute(*x), x, rest, any(v.requires_grad for v in tensors))

        with records.paused():  # the program made one call
            return _derived(name, by_torch, [*primals, *others])

    def vjp(y: Any, x: Any, g: Any, again: bool) -> Sequence[Tensor]:
        return torch.autograd.grad(y, x, g, create_graph=again, materialize_grads=True)

    def jvp(y: Any, x: Any, t: Any, again: bool) -> Sequence[Tensor]:
        # the gradient is linear in the cotangent, and its transpose is the derivative
        g = [torch.zeros_like(v, requires_grad=True) for v in y]
        back = torch.autograd.grad(y, x, g, create_graph=True, materialize_grads=True)
        return torch.autograd.grad(back, g, t, create_graph=again, materialize_grads=True)

    return _with_rules(
        lambda *x: map(to_mlx, compute(*map(to_torch, x))),
        lambda primals, cotangents: derivative(vjp, primals, cotangents),
        lambda primals, tangents: derivative(jvp, primals, tangents),
        values,
    )


def _is_inexact(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


def _with_rules(forward: Callable[..., Any], vjp: Any, jvp: Any, values: Sequence[mx.array]) -> Arrays:
    """``forward`` of ``values`` by an MLX function with these rules, which take and return tuples."""

    def many(x: Any) -> Any:
        return x if isinstance(x, (tuple, list)) else (x,)

    def tangents_of(primals: Arrays, tangents: Any) -> Arrays:
        # a constant has none
        return tuple(mx.zeros_like(x) if t is None else t for x, t in zip(primals, many(tangents), strict=True))

    operator: Any = mx.custom_function(lambda *x: tuple(forward(*x)))
    operator.vjp(lambda primals, cotangents, _: _one_or_all(vjp(many(primals), many(cotangents))))
    operator.jvp(lambda primals, tangents: jvp(many(primals), tangents_of(many(primals), tangents)))
    return tuple(operator(*values))


def _one_or_all(x: Arrays) -> Any:
    return x[0] if len(x) == 1 else x
