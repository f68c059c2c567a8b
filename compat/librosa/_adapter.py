"""What librosa asks of functions that take the place of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from .. import dispatch
from ..contract.adapter import Library
from ..contract.decline import Decline
from ..contract.function import Work
from ..contract.lines import at_callers_line
from ..contract.plans import OPTIONS

# NumPy's own, such as ref=np.max: they hold nothing that would have to be let go
_FUNCTIONS = frozenset((type(np.max), np.ufunc))


class Librosa(Library):
    """How functions take the place of librosa's."""

    def theirs(self, original: Callable[..., Any]) -> Callable[..., Any]:
        return at_callers_line(original)

    def guard(
        self, plan: Callable[..., Work], signature: inspect.Signature, own: Callable[..., Any]
    ) -> Callable[..., Work]:
        others = signature.parameters.keys() - inspect.signature(own).parameters.keys()
        if not others:
            return plan

        def plan_of_this_version(*args: Any, **kwargs: Any) -> Work:
            if not others.isdisjoint(kwargs):
                raise Decline(f"arguments of another version of librosa: {', '.join(sorted(others & kwargs.keys()))}")
            return plan(*args, **kwargs)

        return plan_of_this_version

    def arguments(self, call: inspect.BoundArguments) -> dict[str, Any]:
        call.apply_defaults()
        return {**call.arguments, **call.arguments.get("kwargs", {})}

    def sizes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
        key: list[Any] = [*kwargs]
        for value in (*args, *kwargs.values()):
            kind = type(value)
            if kind is np.ndarray:
                key.append(value.shape)
            elif kind in OPTIONS or kind in _FUNCTIONS:
                key.append(value)
            else:
                return None
        return tuple(key)

    def order(self, arguments: dict[str, Any]) -> int:
        """Length of the transforms or sums of a call."""
        sizes = (arguments.get(key) for key in ("n_fft", "frame_length"))
        # beside decibels given, librosa does not look at what n_fft is
        return max((int(size) for size in sizes if isinstance(size, (int, np.integer)) and size > 2), default=2)


adapter = Librosa(dispatch.call).adapter
