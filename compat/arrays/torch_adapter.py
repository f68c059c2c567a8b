"""What torch and torchaudio ask of functions that take the place of theirs."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

import torch

from .. import dispatch
from ..contract import records
from ..contract.adapter import Library
from ..contract.decline import Decline
from ..contract.function import Function, Work
from ..contract.reasons import REJECTED
from ..contract.tolerances import Limit
from . import torch_operators, torch_signature, torch_tensors


class _Torch(Library):
    compiling = staticmethod(torch_tensors.compiling)
    transformed = staticmethod(torch_tensors.transformed)

    def with_values(self, plan: Callable[..., Work]) -> Callable[..., Work]:
        @functools.wraps(plan)
        def planned(*args: Any, **kwargs: Any) -> Work:
            if torch_tensors.transformed():
                torch_tensors.check_untraced()
            return plan(*args, **kwargs)

        return planned

    def as_one(self, function: Function) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            token = torch_tensors.for_compiler.set(True)
            try:
                with records.paused():
                    return dispatch.call(function, args, kwargs)
            finally:
                torch_tensors.for_compiler.reset(token)

        call.__name__ = function.name.rpartition(".")[2]  # as a graph names it

        def announce() -> None:
            torch.compiler.allow_in_graph(call)

        # as torch.compiler.assume_constant_result does, which would import the compiler now: it calls this as it reads
        announce._dynamo_marked_constant = True  # type: ignore[attr-defined]

        def read(*args: Any, **kwargs: Any) -> Any:
            announce()
            return call(*args, **kwargs)

        return read

    signature = staticmethod(torch_signature.of)
    sizes = staticmethod(torch_signature.sizes)

    def guard(
        self, plan: Callable[..., Work], signature: inspect.Signature, own: Callable[..., Any]
    ) -> Callable[..., Work]:
        names = tuple(signature.parameters)
        needed = [name for name, one in signature.parameters.items() if one.default is one.empty]
        # by the number of positional arguments: what the others may be called, and which of them there have to be
        others = [(frozenset(names[i:]), frozenset(needed[i:])) for i in range(len(names) + 1)]

        def plan_or_decline(*args: Any, **kwargs: Any) -> Work:
            if len(args) < len(others):
                allowed, required = others[len(args)]
                if allowed.issuperset(kwargs) and required <= kwargs.keys():
                    return plan(*args, **kwargs)
            unknown = sorted(kwargs.keys() - others[0][0])
            if unknown or len(args) > len(names):
                raise Decline(f"arguments that mlx_spectro does not know: {', '.join(unknown)}")
            raise Decline(REJECTED)

        return plan_or_decline

    def order(self, arguments: dict[str, Any]) -> int:
        """Length of the transforms in a call, or of the longest sums where there is no transform."""
        sizes = [arguments.get(name, 0) for name in ("n_fft", "n_freqs", "n_mels")]
        if "self" in arguments:
            sizes += [getattr(part, name, 0) for part in arguments["self"].modules() for name in ("n_fft", "n_stft")]
        return int(max(2, *sizes))

    def in_place_of(
        self, theirs: Callable[..., Any], serve: Callable[..., Any], signature: inspect.Signature
    ) -> Callable[..., Any]:
        ours: Any = serve
        if isinstance(theirs, types.FunctionType):
            # TorchScript compiles the source that a function shows, with that function's globals: both the reference's
            ours = types.FunctionType(ours.__code__, theirs.__globals__, closure=ours.__closure__)
            signature = inspect.signature(theirs)
        ours.__signature__ = signature
        functools.update_wrapper(ours, theirs)
        return ours  # type: ignore[no-any-return]


torch_operators.define()
_torch = _Torch(dispatch.call)
adapter = _torch.adapter


def as_one(name: str, plan: Callable[..., Work], theirs: Callable[..., Any], limit: Limit) -> Callable[..., Any]:
    """What a compiler takes for one operation: work that no function alone is, planned where it is traced.

    Args:
        name: Whose work it is.
        plan, theirs: Ours, and what takes its place where it is declined.
        limit: As in :class:`Function`.
    """
    return _torch.as_one(Function(name, theirs, plan, limit, lambda *_: 2, transformed=_torch.transformed))
