"""Calls that a GPU was given before: MLX repeats what it recorded of them, with hardly any Python in between."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import mlx.core as mx

from .. import _check
from ..kernels.gpu.launch_mlx import is_traced
from ..ops import autodiff, backend

Call = TypeVar("Call", bound=Callable[..., Any])

# of a function, or of a method of one object: signals of ever new lengths are not to fill the memory
_MOST = 128


def recorded(unless: Callable[..., bool] = lambda *_args, **_options: False) -> Callable[[Call], Call]:
    """Record a function of an array and of hashable options, or such a method, at the second call of a kind.

    Calls are of a kind where shape, dtype and options are equal, and no attribute of an :class:`Owner` has changed. The
    first outside a transformation runs as it is: it may compile, time, warn or raise. A recording holds no rules for
    derivatives; inside a transformation the function itself runs.

    Args:
        unless: Takes the options, and before them a method's object. Calls for which it is true are never recorded.
    """

    def decorate(function: Call) -> Call:
        own: dict[Any, Any] = {}
        is_method = next(iter(inspect.signature(function).parameters)) == "self"

        def call(replays: dict[Any, Any], bound: tuple[Any, ...], x: Any, rest: tuple[Any, ...], options: Any) -> Any:
            key = (function, _changes, x.shape, x.dtype, *rest, *options.items())
            try:
                replay = replays.get(key, _NEW)
            except TypeError:  # an option that cannot be hashed
                return function(*bound, x, *rest, **options)
            if replay is _NEW:
                if is_traced(x):  # what a first call finds out needs values
                    return function(*bound, x, *rest, **options)
                _remember(replays, key, function if unless(*bound, *rest, **options) else None)
                return function(*bound, x, *rest, **options)
            if replay is None:
                replay = _recording(lambda x: function(*bound, x, *rest, **options), x)
                _remember(replays, key, replay)
            return function(*bound, x, *rest, **options) if replay is function else replay(x)

        @functools.wraps(function)
        def of_function(*args: Any, **options: Any) -> Any:
            if not args or not isinstance(args[0], mx.array) or backend.preferred() != "gpu":
                return function(*args, **options)
            return call(own, (), args[0], args[1:], options)

        @functools.wraps(function)
        def of_method(self: Any, *args: Any, **options: Any) -> Any:
            if not args or not isinstance(args[0], mx.array) or backend.preferred() != "gpu":
                return function(self, *args, **options)
            return call(self.__dict__.setdefault("_recorded", {}), (self,), args[0], args[1:], options)

        return of_method if is_method else of_function  # type: ignore[return-value]

    return decorate


# how often an attribute of an object with recorded methods was changed: one may hold another
_changes = 0


@functools.cache
def _parameters_of(kind: Any) -> tuple[str, ...]:
    """The names of a class's parameters, those that it passes on to its base among them."""
    named = inspect.signature(kind).parameters.values()
    own = [parameter.name for parameter in named if parameter.kind is not parameter.VAR_KEYWORD]
    passed_on = _parameters_of(kind.__base__) if len(own) < len(named) else ()
    return (*own, *(name for name in passed_on if name not in own and name not in kind.fixed))


class Owner:
    """An object with recorded methods, made of parameters that are its attributes."""

    fixed: ClassVar[tuple[str, ...]] = ()
    """Parameters of a base that the class decides about itself."""

    def __setattr__(self, name: str, value: object) -> None:
        global _changes
        _changes += name in self.__dict__
        object.__setattr__(self, name, value)

    def _parameters(self) -> tuple[str, ...]:
        kind: Any = type(self)
        return _parameters_of(kind)

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self._parameters() if hasattr(self, name)}
        arguments = (f"{name}={_check.shown(value)}" for name, value in {**shown, **self._shown_else()}.items())
        return f"{type(self).__name__}({', '.join(arguments)})"

    def _shown_else(self) -> dict[str, Any]:
        """Parameters that :func:`repr` shows otherwise than the attributes of their names."""
        return {}

    def _keep(self, parameters: dict[str, Any]) -> None:
        """Have parameters among these as attributes, those that are none yet."""
        attributes = self.__dict__
        for name in self._parameters():
            if name in parameters:
                attributes.setdefault(name, parameters[name])

    def __getstate__(self) -> dict[str, Any]:
        # what MLX has compiled stays in its process
        return {**self.__dict__, "_recorded": {}, "_compiled": {}}


def forget(owner: object) -> None:
    """Drop what is recorded of an object's methods."""
    vars(owner).pop("_recorded", None)


_NEW = object()


def _remember(replays: dict[Any, Any], key: Any, value: Any) -> None:
    replays[key] = value
    # a copy: other threads add to it meanwhile
    for oldest in list(replays)[:-_MOST]:
        replays.pop(oldest, None)


def _recording(function: Callable[[mx.array], Any], like: mx.array) -> Callable[[mx.array], Any]:
    """``function`` for arrays like this one.

    What MLX compiles runs its Python where it has not seen such an array yet, and where a transformation traces it.
    """
    first = True

    def run(x: mx.array) -> Any:
        if not first:
            return function(x)
        with autodiff.none():
            return function(x)

    replay = mx.compile(run)
    replay(mx.zeros(like.shape, like.dtype))  # never evaluated
    first = False
    return replay
