"""Functions of torch and torchaudio that take the place of the library's own."""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any

from ..contract.decline import Decline
from ..contract.reasons import REJECTED
from ..contract.tolerances import Limit
from ..dispatch import Function, Plan, functions
from . import torch_tensors


def serves(name: str, limit: Limit, call: Callable[..., Any] | None = None) -> Callable[[Callable[..., Plan]], Any]:
    """Make of a plan, which has the reference's own signature, the function that takes the reference's place.

    Args:
        name: A function of torch or torchaudio, or a class whose ``forward`` is served.
        limit: Bound of ``|ours - theirs|``, see :class:`Function`.
        call: What calls the reference's function, where that is not to be called as it is.
    """
    path, _, last = name.rpartition(".")
    found: Any = getattr(importlib.import_module(path), last)
    theirs: Any = getattr(found, "forward", found)

    def decorate(plan: Callable[..., Plan]) -> Any:
        signature = inspect.signature(plan)
        names = tuple(signature.parameters)
        needed = [name for name, one in signature.parameters.items() if one.default is one.empty]
        # by the number of positional arguments: what the others may be called, and which of them there have to be
        others = [(frozenset(names[i:]), frozenset(needed[i:])) for i in range(len(names) + 1)]

        def known(*args: Any, **kwargs: Any) -> Plan:
            if len(args) < len(others):
                allowed, required = others[len(args)]
                if allowed.issuperset(kwargs) and required <= kwargs.keys():
                    return plan(*args, **kwargs)
            unknown = sorted(kwargs.keys() - others[0][0])
            if unknown or len(args) > len(names):
                raise Decline(f"arguments that mlx_spectro does not know: {', '.join(unknown)}")
            raise Decline(REJECTED)

        def order(*args: Any, **kwargs: Any) -> int:
            return _order(signature.bind(*args, **kwargs).arguments)

        door = functions[name] = Function(name, call or theirs, known, limit, order, torch_tensors.compiling)

        def serve(*args: Any, **kwargs: Any) -> Any:
            return door(*args, **kwargs)

        ours: Any = serve
        if isinstance(theirs, types.FunctionType):
            # TorchScript compiles the source that a function shows, with that function's globals: both the reference's
            ours = types.FunctionType(serve.__code__, theirs.__globals__, closure=serve.__closure__)
        else:
            ours.__signature__ = signature
        functools.update_wrapper(ours, theirs)
        ours.__module__, ours.__qualname__, ours.plan = plan.__module__, plan.__qualname__, plan
        return ours

    return decorate


def _order(arguments: dict[str, Any]) -> int:
    """Length of the transforms in a call, or of the longest sums where there is no transform."""
    found = [arguments.get(name, 0) for name in ("n_fft", "n_freqs", "n_mels")]
    if "self" in arguments:
        found += [getattr(part, name, 0) for part in arguments["self"].modules() for name in ("n_fft", "n_stft")]
    return int(max(2, *found))
