"""Calls made ready before they count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx_spectro.kernels.gpu import tune

from ..contract import records, settings
from .kinds import each_part, is_tensor, undisturbed


def prewarm(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Have everything ready that a call of a function needs: kernels compiled and loaded, tables of weights made.

    On a GPU the fastest of the kernels' variants is found too, which takes a few seconds, and the next process finds
    the result. Afterwards a CUDA graph may capture the call, with the same weights and arrays of these shapes; where an
    argument requires a gradient, that too.

    Args:
        function: One of the functions or transforms that are served, or any that calls some.
        args, kwargs: What it is called with; values don't matter.
    """
    tensors = list(filter(is_tensor, (*args, *kwargs.values())))
    as_before = undisturbed("torch" if tensors else "librosa", gradients=True)
    with tune.compiling(), records.paused(), settings.route.here("ours"), as_before:
        result = function(*args, **kwargs)
        if any(x.requires_grad for x in tensors):
            _differentiate(result, [x for x in tensors if x.requires_grad])


def _differentiate(result: Any, inputs: list[Any]) -> None:
    import torch

    outputs: list[Any] = []
    each_part(result, lambda y: outputs.append(y) if is_tensor(y) and y.requires_grad else None)
    if outputs:
        torch.autograd.grad(outputs, inputs, [torch.zeros_like(y) for y in outputs], allow_unused=True)
