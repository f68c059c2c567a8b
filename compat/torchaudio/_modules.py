"""Classes that take the place of torchaudio's."""

from __future__ import annotations

import copy
import copyreg
import operator
from collections.abc import Callable, Hashable
from multiprocessing.reduction import ForkingPickler
from typing import Any

from torch.nn import Module
from torch.nn.modules import module as torch_module
from torch.nn.utils.parametrize import is_parametrized

from ..arrays.torch_signature import note, sized_by
from ..contract.decline import Decline
from ..contract.plans import MOST, OPTIONS


class _Kind(type):
    """The type of our classes: what is an instance of the torchaudio class is one of ours too."""

    theirs: type[Module]

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or ("theirs" in vars(cls) and isinstance(instance, cls.theirs))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or ("theirs" in vars(cls) and issubclass(subclass, cls.theirs))


class _Passing:
    """No items of a list, to be pickled with a module which passes for one of another class until they are asked for.

    Pickle compares an object's class with the one that it is told, and takes the items next.
    """

    def __init__(self, module: Any, kind: type) -> None:
        self._module, self._kind = module, type(module)
        module.__class__ = kind

    def __iter__(self) -> _Passing:
        return self

    def __next__(self) -> Any:
        self._module.__class__ = self._kind
        raise StopIteration

    def __del__(self) -> None:
        self._module.__class__ = self._kind


class Twin(metaclass=_Kind):
    """What lets a subclass pass for ``theirs``, the torchaudio class that it extends."""

    def __init_subclass__(cls) -> None:
        if Twin in cls.__bases__:
            _, cls.theirs = cls.__bases__
            # what goes to another process of the program's, and not to a file, is ours there too
            ForkingPickler.register(cls, lambda twin: (copyreg.__newobj__, (cls,), twin._state()))  # type: ignore[attr-defined]

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As the torchaudio class, so that a file can be loaded without us."""
        theirs = vars(type(self)).get("theirs")
        if theirs is None:  # a program's own subclass
            return super().__reduce_ex__(protocol)
        # as pickle writes any object, which torch.load(weights_only=True) reads
        return copyreg.__newobj__, (theirs,), self._state(), _Passing(self, theirs)  # type: ignore[attr-defined]

    def _state(self) -> Any:
        return super().__reduce_ex__(2)[2]

    def __copy__(self) -> Any:
        return self._with_state(self._state())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        memo[id(self)] = self._with_state({})
        # of a module with parametrizations torch refuses the state, which would go to a file, and copies attributes
        state = vars(self) if is_parametrized(self) else self._state()  # type: ignore[arg-type]
        memo[id(self)].__setstate__(copy.deepcopy(state, memo))
        return memo[id(self)]

    def _with_state(self, state: Any) -> Any:
        twin: Any = type(self).__new__(type(self))
        twin.__setstate__(state)
        return twin


# of our classes, what takes the place of torchaudio's ``forward``, and that itself: a program may replace either
_forwards: dict[type[Twin], tuple[Any, Any]] = {}


def part(kind: Any) -> Any:
    """Note one of our classes that others may have as a part."""
    _forwards[kind] = kind.forward, kind.forward.__wrapped__
    return kind


def check_part(module: Module, twin: type[Twin]) -> None:
    """Decline a submodule that has to be called as it is: it is no torchaudio module as torchaudio made it."""
    kind = type(module)
    if kind not in (twin, twin.theirs) or kind.forward not in _forwards[twin]:
        raise Decline(f"the submodule {kind.__name__} is not a class of torchaudio's own")
    if "forward" in vars(module):
        raise Decline(f"the submodule {kind.__name__} has another forward than torchaudio's")
    # written so that torch's compiler can read it
    if (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or torch_module._has_any_global_hook()
    ):
        raise Decline(f"the submodule {kind.__name__} carries hooks, which have to be called")


# by a module's identity, the options and classes of parts that it had when it was last seen, and what stands for them
_known: dict[int, tuple[list[Any], object]] = {}
_tokens: dict[Hashable, object] = {}


def _learned(module: Module, facts: list[Any]) -> tuple[list[Any], object]:
    """What a module is noted by: modules whose forwards read equal things have the same token."""
    kinds = tuple(map(type, facts))
    if not OPTIONS.issuperset(kind for kind in kinds if not issubclass(kind, type)):
        raise Decline("an attribute is of no kind that can be compared")
    # -0.0 equals 0.0
    exact = kinds, *[repr(fact) if type(fact) is float and not fact else fact for fact in facts]
    for table in (_known, _tokens):
        if len(table) >= MOST:
            table.clear()
    known = _known[id(module)] = facts, _tokens.setdefault(exact, object())
    return known


def reads(*options: str, buffers: tuple[str, ...] = (), **parts: type[Twin]) -> Callable[[type[Twin]], type[Twin]]:
    """Say of one of our classes what its ``forward`` reads of a module, so that calls can be planned together.

    Args:
        options: Attributes that are no tensors.
        buffers: Tensors.
        parts: Submodules, which it computes itself.
    """

    named, twins = {*buffers, *parts}, [(name, twin, vars(twin)["gather"]) for name, twin in parts.items()]
    # the first one twice: of one alone there would be no tuple
    options_of: Any = operator.itemgetter(*options[:1], *options) if options else lambda _: ()

    def gather(module: Module, facts: list[Any], held: list[Any]) -> None:
        state = module.__dict__
        if not state.keys().isdisjoint(named):
            raise Decline("an attribute hides a buffer or a part")
        facts += options_of(state)
        for name in buffers:
            held.append(state["_buffers"][name])
        for name, twin, gather_of in twins:
            submodule = state["_modules"][name]
            check_part(submodule, twin)
            facts.append(type(submodule))
            gather_of(submodule, facts, held)

    def noted_by(module: Module, key: list[Any], places: list[Any], tensors: list[Any]) -> None:
        facts: list[Any] = []
        held: list[Any] = []
        gather(module, facts, held)
        known = _known.get(id(module))
        # what is the same object is what it was
        if known is None or len(known[0]) != len(facts) or not all(map(operator.is_, known[0], facts)):
            known = _learned(module, facts)
        key.append(known[1])
        note(held, key, places, tensors)

    def add_sizes(module: Module, key: list[Any]) -> bool:
        # parts are left out: they are as their module's options have made them, or the library serves them right
        state = vars(module)
        values = options_of(state)
        if not OPTIONS.issuperset(map(type, values)):
            return False
        key += values
        for name in buffers:
            key.append(getattr(state["_buffers"][name], "shape", None))
        return True

    def decorate(kind: Any) -> Any:
        kind.gather, kind.noted_by, sized_by[kind] = staticmethod(gather), staticmethod(noted_by), add_sizes
        return part(kind)

    return decorate
