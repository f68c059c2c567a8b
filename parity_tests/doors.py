"""Functions behind the door whose plans a test writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx_spectro.compat import dispatch
from mlx_spectro.compat.contract.adapter import through
from mlx_spectro.compat.contract.decline import Decline
from mlx_spectro.compat.contract.function import Function


def door(
    name: str, theirs: Callable[..., Any], plan: Callable[..., Any], limit: Any = lambda *_: 1.0
) -> Callable[..., Any]:
    """A function of the library that ``name`` begins with, as a program calls it."""
    return through(dispatch.call, Function(name, theirs, plan, limit, lambda *_, **__: 2))


def declining(reason: str) -> Callable[..., Any]:
    """A plan that leaves every call to the reference."""

    def plan(*_: Any, **__: Any) -> Any:
        raise Decline(reason)

    return plan
