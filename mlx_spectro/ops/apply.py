"""Operators on MLX arrays, by the fastest implementation present, with every transformation.

A linear operator is its own derivative, its gradient is its transpose, and a batch axis is one more leading axis. The
others take their derivatives from their definitions, which are made of smaller operators.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import mlx.core as mx

from ..design.operators import Linear, Operator
from . import backend, mlx_on_cpu, mlx_on_gpu
from .autodiff import Function, fused, with_rules

# what computes an operator: takes it, its argument and its weights
Definition = Callable[..., mx.array]
# an operator's own rules for derivatives, of it, its weights and its function; None where it has none
Rules = Callable[[Any, tuple[Any, ...], Function], Function | None]

_KERNELS: dict[str, ModuleType] = {"host": mlx_on_cpu, "gpu": mlx_on_gpu}
_definitions: dict[type[Operator], Definition] = {}
_rules: dict[type[Operator], Rules] = {}


def defines(kind: type[Operator]) -> Callable[[Definition], Definition]:
    """Have a function be the definition of an operator, which holds anywhere."""

    def decorate(definition: Definition) -> Definition:
        _definitions[kind] = definition
        return definition

    return decorate


def derives(*kinds: type[Operator]) -> Callable[[Rules], Rules]:
    """Have a function give operators rules of their own for derivatives."""

    def decorate(rules: Rules) -> Rules:
        _rules.update(dict.fromkeys(kinds, rules))
        return rules

    return decorate


def define(op: Operator, x: mx.array, *weights: Any) -> mx.array:
    """``op`` by its definition; by that of what it is the transpose of, where it has none of its own."""
    definition = _definitions.get(type(op))
    if definition is None:
        importlib.import_module(f".{op.stem}", __package__)
        definition = _definitions.get(type(op)) or _by_transpose
    return definition(op, x, *weights)


def _by_transpose(op: Operator, g: mx.array, *weights: Any) -> mx.array:
    """The transpose of a linear function is its gradient, here by MLX's own rules."""
    assert isinstance(op, Linear), f"{type(op).__name__} has no definition"
    forward, kind = op.transpose(g.shape), mx.complex64 if op.is_complex else mx.float32
    anywhere = mx.zeros(op.shape(g.shape, *(weight.shape for weight in weights)), kind)
    return mx.vjp(lambda x: define(forward, x, *weights), [anywhere], [g])[1][0]


def kernels_of(op: Operator, x: mx.array, *weights: Any) -> ModuleType | None:
    """The module whose kernels compute ``op`` here; None for its definition, which alone takes no values at all."""
    kernels = _KERNELS.get(backend.preferred()) if x.size else None
    return kernels if kernels is not None and kernels.serves(op, x, *weights) else None


def apply(op: Operator, x: mx.array, *weights: Any) -> mx.array:
    """Compute an operator.

    Args:
        op: What to compute.
        x: Its argument, float32 or complex64, by which the result can be derived.
        weights: A window or a bank, MLX arrays; frequencies, NumPy's.

    Raises:
        ValueError: a signal too short for its padding or for one frame.
    """
    kernels = kernels_of(op, x, *weights)
    if kernels is None:
        return define(op, x, *weights)
    op.check(x.shape)
    return _derivable(op, weights, kernels)(x)


def compute(op: Operator, x: mx.array, *weights: Any) -> mx.array:
    """:func:`apply` without rules for derivatives, as a function with rules of its own needs it.

    Inside one function with rules, what another captures of its argument has no value.
    """
    kernels = kernels_of(op, x, *weights)
    if kernels is None:
        return define(op, x, *weights)
    op.check(x.shape)
    return _by_kernels(op, kernels, x, *weights)


def _by_kernels(op: Operator, kernels: ModuleType, x: mx.array, *weights: Any) -> mx.array:
    y: mx.array | None = kernels.run(op, x, *weights)
    return define(op, x, *weights) if y is None else y


def _derivable(op: Operator, weights: tuple[Any, ...], kernels: ModuleType) -> Function:
    def forward(x: mx.array) -> mx.array:
        return _by_kernels(op, kernels, x, *weights)

    if isinstance(op, Linear):

        def vjp(x: mx.array, g: mx.array) -> mx.array:
            return apply(op.transpose(x.shape), g, *weights)

        return with_rules(forward, vjp, lambda _, t: apply(op, t, *weights))
    rules = _rules.get(type(op))
    own = rules(op, weights, forward) if rules is not None else None
    return own or fused(forward, lambda x: define(op, x, *weights))
