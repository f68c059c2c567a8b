"""Operators of ours as torch's dispatcher knows them: what a program holds that torch compiles or transforms.

``mlx_spectro::apply`` is any operator, as text, of a tensor and its weights. In eager code no call comes this way. What
the operations do, :mod:`.torch_operators` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch._C._functorch import maybe_current_level

from mlx_spectro.design import notation
from mlx_spectro.design.operators import Operator

library = torch.library.Library("mlx_spectro", "DEF")
library.define("apply(str op, SymInt size, Tensor x, Tensor[] weights) -> Tensor")
library.define(
    "with_overlap(Tensor window, int hop_length, SymInt frames, int left, SymInt length) -> Tensor",
    # it looks at values
    tags=(torch.Tag.cudagraph_unsafe,),
)
operation = torch.ops.mlx_spectro.apply.default
checked = torch.ops.mlx_spectro.with_overlap.default

# the same where torch.func is at work, which sees a function's rules and no operation's
transformable: Callable[..., Tensor] = operation


def apply(op: Operator, x: Tensor, *weights: Tensor) -> Tensor:
    """An operator of a tensor and its weights as one operation of torch's: an engine for what torch traces."""
    return called(*notation.write(op), x, weights)


def called(text: str, size: int, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """``mlx_spectro::apply``, inside as many of torch.func's transforms as there are."""
    if maybe_current_level() is None:
        return operation(text, size, x, weights)  # type: ignore[no-any-return]
    return transformable(text, size, x, *weights)


def with_overlap(window: Tensor, hop_length: int, frames: int, left: int, length: int) -> Tensor:
    """``window``, whose copies are known to overlap to more than nothing when the program runs.

    Raises:
        RuntimeError: then, torch's own; they do not.
    """
    return checked(window, hop_length, frames, left, length)  # type: ignore[no-any-return]
