"""Functions and classes that take the place of torchaudio's."""

from __future__ import annotations

import copy
import copyreg
import functools
import importlib
import inspect
import types
from collections.abc import Callable
from typing import Any

from torch.nn import Module
from torch.nn.modules import module as torch_module

from .. import tensors
from ..dispatch import Function, Plan
from ..limits import Limit


def serves(name: str, limit: Limit) -> Callable[[Callable[..., Plan]], Any]:
    """Make of a plan, which has the reference's own signature, the function that takes the reference's place.

    Args:
        name: A function of torchaudio, or a class whose ``forward`` is served.
        limit: Bound of ``|ours - theirs|``, see :class:`Function`.
    """
    path, _, last = name.rpartition(".")
    found: Any = getattr(importlib.import_module(path), last)
    theirs: Any = getattr(found, "forward", found)

    def decorate(plan: Callable[..., Plan]) -> Any:
        signature = inspect.signature(plan)
        names = frozenset(signature.parameters)

        def known(*args: Any, **kwargs: Any) -> Plan:
            if len(args) > len(names) or not names.issuperset(kwargs):
                return f"unknown arguments {', '.join(sorted(kwargs.keys() - names))}".rstrip()
            return plan(*args, **kwargs)

        def order(*args: Any, **kwargs: Any) -> int:
            return _order(signature.bind(*args, **kwargs).arguments)

        door = Function(name, theirs, known, limit, order, tensors.compiling)

        def serve(*args: Any, **kwargs: Any) -> Any:
            return door(*args, **kwargs)

        # TorchScript compiles the source that a function shows, with that function's globals: both are the reference's
        code, cells = serve.__code__, serve.__closure__
        ours: Any = functools.update_wrapper(types.FunctionType(code, theirs.__globals__, closure=cells), theirs)
        ours.__module__, ours.plan = plan.__module__, plan
        return ours

    return decorate


def _order(arguments: dict[str, Any]) -> int:
    """Length of the transforms in a call, or of the longest sums where there is no transform."""
    found = [arguments.get(name, 0) for name in ("n_fft", "n_freqs", "n_mels")]
    if "self" in arguments:
        found += [getattr(part, name, 0) for part in arguments["self"].modules() for name in ("n_fft", "n_stft")]
    return int(max(2, *found))


class _Kind(type):
    """The type of our classes: what is an instance of the torchaudio class is one of ours too."""

    theirs: type[Module]

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or ("theirs" in vars(cls) and isinstance(instance, cls.theirs))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or ("theirs" in vars(cls) and issubclass(subclass, cls.theirs))


class Twin(metaclass=_Kind):
    """What lets a subclass pass for ``theirs``, the torchaudio class that it extends."""

    def __init_subclass__(cls) -> None:
        if Twin in cls.__bases__:
            _, cls.theirs = cls.__bases__

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As the torchaudio class, so that a file can be loaded without us."""
        theirs = vars(type(self)).get("theirs")
        if theirs is None:  # a program's own subclass
            return super().__reduce_ex__(protocol)
        return copyreg._reconstructor, (theirs, object, None), self._state()  # type: ignore[attr-defined]

    def _state(self) -> Any:
        return super().__reduce_ex__(2)[2]

    def __copy__(self) -> Any:
        return self._with_state(self._state())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        memo[id(self)] = self._with_state({})
        memo[id(self)].__setstate__(copy.deepcopy(self._state(), memo))
        return memo[id(self)]

    def _with_state(self, state: Any) -> Any:
        twin: Any = type(self).__new__(type(self))
        twin.__setstate__(state)
        return twin


def unfused(module: Module, twin: type[Twin]) -> str:
    """Why a submodule has to be called as it is: it is no torchaudio module as torchaudio made it. Empty otherwise."""
    kind = type(module)
    known: Any = twin
    if kind not in (twin, twin.theirs) or kind.forward not in (known.forward, known.forward.__wrapped__):
        return f"{kind.__name__} is not torchaudio's own"
    if "forward" in vars(module):
        return f"{kind.__name__}.forward is not torchaudio's own"
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return f"{kind.__name__} carries hooks" if any(hooks) or torch_module._has_any_global_hook() else ""
