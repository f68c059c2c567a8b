"""The registration of what takes a library's place: a plan, by the name of the function that it is for."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from .function import Door, Function, Work
from .plans import Signature
from .tolerances import Limit


class Adapter(NamedTuple):
    """What takes the place of a library's function or class."""

    function: Function
    original: Any
    """The library's own."""
    ours: Any
    places: tuple[str, ...]
    """The library's modules that show it."""


# whose functions we take the place of
LIBRARIES = ("torch", "torchaudio", "librosa", "transformers")
# every adapter, by the public name of what it takes the place of
adapters: dict[str, Adapter] = {}


def shown_in(module: str) -> list[Adapter]:
    """The adapters of what a library's module shows."""
    return [adapter for adapter in adapters.values() if module in adapter.places]


class Library:
    """How functions take the place of a library's; a subclass says in what that library differs.

    Args:
        door: What their calls go through.
    """

    # whether a compiler reads the present call, and whether the library traces or transforms it
    compiling: Callable[[], bool] = bool
    transformed: Callable[[], bool] = bool

    def __init__(self, door: Door) -> None:
        self._door = door

    def theirs(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What calls the library's own function."""
        return original

    def guard(
        self, plan: Callable[..., Work], signature: inspect.Signature, own: Callable[..., Any]
    ) -> Callable[..., Work]:
        """``plan`` for any arguments of a call of the library's ``own``; what it cannot take, it declines."""
        return plan

    def with_values(self, plan: Callable[..., Work]) -> Callable[..., Work]:
        """``plan``, which declines where the library traces or transforms the call."""
        return plan

    def as_one(self, function: Function) -> Callable[..., Any]:
        """What a compiler takes for one operation: a call of ``function``, planned where the operation is traced."""
        raise NotImplementedError

    def arguments(self, call: inspect.BoundArguments) -> dict[str, Any]:
        """A call's arguments by name, as :meth:`order` takes them."""
        return call.arguments

    def signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Signature | None:
        """What a plan of a call depends on, and the call's arrays; None where every call is planned."""
        return None

    def sizes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
        """A call's options and sizes; None where every call is planned."""
        return None

    def order(self, arguments: dict[str, Any]) -> int:
        """What a call's limit depends on: the length of its transforms or sums."""
        raise NotImplementedError

    def in_place_of(
        self, theirs: Callable[..., Any], serve: Callable[..., Any], signature: inspect.Signature
    ) -> Callable[..., Any]:
        """``serve``, as a program sees the library's own function."""
        ours: Any = functools.wraps(theirs)(serve)
        # for inspect.getfullargspec, which looks at what is called itself
        ours.__signature__ = inspect.signature(theirs)
        return ours  # type: ignore[no-any-return]

    def adapter(
        self,
        name: str,
        limit: Limit,
        *,
        also: str = "",
        theirs: Callable[..., Any] | None = None,
        traceable: bool = False,
        order: Callable[[dict[str, Any]], float] | None = None,
    ) -> Callable[[Any], Any]:
        """Make of a plan, which has the library's own signature, the function that takes the library's place.

        A class is decorated whose ``forward`` is a plan, and keeps the rest of what it is.

        Args:
            name: What is served: a function of the library, or a class whose ``forward`` is.
            limit: Bound of ``|ours - theirs|``, see :class:`Function`.
            also: Another of the library's modules that shows it.
            theirs: What calls the library's own function, if not :meth:`theirs`.
            traceable: A call is planned where the library traces or transforms it; a compiler takes it for one
                operation. Of a class it reads ``_for_compiler``, if any.
            order: What the limit depends on, if not :meth:`order`.
        """
        path, _, last = name.rpartition(".")
        original = getattr(importlib.import_module(path), last)
        order = order or self.order

        def register(planned: Any) -> Any:
            plan, own = _function_of(planned), _function_of(original)
            signature = inspect.signature(plan)

            def order_of(*args: Any, **kwargs: Any) -> float:
                return order(self.arguments(signature.bind(*args, **kwargs)))

            call = theirs or self.theirs(own)
            guarded = self.guard(plan if traceable else self.with_values(plan), signature, own)
            function = Function(
                name, call, guarded, limit, order_of, self.compiling, self.transformed, None, self.signature, self.sizes
            )
            of_class = getattr(planned, "_for_compiler", None)
            function.for_compiler = self.as_one(function) if traceable and plan is planned else of_class
            ours: Any = self.in_place_of(own, through(self._door, function), signature)
            ours.__module__, ours.__qualname__, ours.plan = plan.__module__, plan.__qualname__, plan
            if plan is not planned:
                planned.forward, ours = ours, planned
            adapters[name] = Adapter(function, original, ours, (path, also) if also else (path,))
            return ours

        return register


def through(door: Door, function: Function) -> Callable[..., Any]:
    """What a program calls: every call goes through ``door``."""

    def serve(*args: Any, **kwargs: Any) -> Any:
        return door(function, args, kwargs)

    return serve


def _function_of(served: Any) -> Any:
    """A function itself, of a class its ``forward``."""
    return getattr(served, "forward", served)
