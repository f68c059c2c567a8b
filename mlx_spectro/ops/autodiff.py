"""Functions of one array whose rules for ``mx.vjp``, ``mx.jvp`` and ``mx.vmap`` are given."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import mlx.core as mx

Function = Callable[[mx.array], mx.array]

_rules: ContextVar[bool] = ContextVar("mlx_spectro_rules", default=True)


@contextlib.contextmanager
def none() -> Iterator[None]:
    """Inside, functions come without rules: nobody will derive what is made of them, and MLX has less to do."""
    token = _rules.set(False)
    try:
        yield
    finally:
        _rules.reset(token)


def with_rules(forward: Function, vjp: Callable[[mx.array, mx.array], mx.array], jvp: Any) -> Function:
    """``forward`` with these rules; a batch axis is one more leading axis."""
    if not _rules.get():
        return forward
    operator: Any = mx.custom_function(forward)
    operator.vjp(lambda primal, cotangent, _output: vjp(primal, cotangent))
    operator.jvp(jvp)

    def vmap(x: mx.array, axis: int | None) -> tuple[Any, int | None]:
        return (operator(x), None) if axis is None else (operator(mx.moveaxis(x, axis, 0)), 0)

    operator.vmap(vmap)
    return operator  # type: ignore[no-any-return]


def linear(forward: Function, transpose: Callable[[mx.array, tuple[int, ...]], mx.array]) -> Function:
    """``forward`` with the rules of a linear operator for ``mx.vjp``, ``mx.jvp`` and ``mx.vmap``.

    Args:
        forward: Takes and returns one array, with any leading axes.
        transpose: Takes a cotangent and the shape of ``forward``'s input.
    """

    def vjp(primal: mx.array, cotangent: mx.array) -> mx.array:
        shape = primal.shape
        return linear(lambda g: transpose(g, shape), lambda t, _: forward(t))(cotangent)

    return with_rules(forward, vjp, lambda _primal, tangent: linear(forward, transpose)(tangent))


def fused(forward: Function, parts: Function) -> Function:
    """``forward`` with the derivatives of ``parts``, which computes the same step by step."""
    return with_rules(
        forward,
        lambda primal, cotangent: mx.vjp(parts, [primal], [cotangent])[1][0],
        lambda primal, tangent: mx.jvp(parts, [primal], [tangent])[1][0],
    )


def fused_pair(
    forward: Callable[[mx.array, mx.array], mx.array], parts: Callable[[mx.array, mx.array], mx.array]
) -> Callable[[mx.array, mx.array], mx.array]:
    """:func:`fused` for functions of two arrays; ``mx.vmap`` takes the parts."""
    if not _rules.get():
        return forward
    operator: Any = mx.custom_function(forward)
    operator.vjp(lambda primals, cotangent, _output: tuple(mx.vjp(parts, list(primals), [cotangent])[1]))
    operator.jvp(lambda primals, tangents: mx.jvp(parts, list(primals), list(tangents))[1][0])
    operator.vmap(lambda arrays, axes: (mx.vmap(parts, in_axes=tuple(axes))(*arrays), 0))
    return operator  # type: ignore[no-any-return]
