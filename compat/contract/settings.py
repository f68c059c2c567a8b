"""How exact a call must be, who serves it, and what a fallback does: process defaults, overridden inside a ``with``."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Generic, TypeVar, overload

from mlx_spectro.ops import backend

Value = TypeVar("Value", bound=str)


class Setting(Generic[Value]):
    """A string with a process-wide default (from the environment) and a value of its own inside a context.

    Called with a value it changes the process default, or only the context of a block if used in a ``with``.
    Called without one it returns the value in force.

    Attributes:
        changed: Whether a value other than the first may be in force, here or in any other context.

    Args:
        in_vain: Says why a value that is called for has no effect here; empty where it has.
    """

    # calls whose ``with`` has not begun yet in other threads; far more than can be on their way at once
    _MOST_CALLS = 16

    def __init__(
        self, name: str, variable: str, values: tuple[Value, ...], in_vain: Callable[[str], str] = lambda _: ""
    ) -> None:
        self.name = name
        self._in_vain = in_vain
        self.values = values
        self._default = self._checked(os.environ.get(variable, values[0]), source=f"environment variable {variable}")
        self._calls: list[_Scope[Value]] = []
        self._elsewhere: set[int] = set()
        self.changed = self._default != values[0]
        self._context: ContextVar[Value | None] = ContextVar(name, default=None)

    def get(self) -> Value:
        """The value in force here."""
        # a copy: the last one may begin meanwhile
        last = self._calls[-1:] if self._calls else ()
        return self._context.get() or (last[0].value if last else self._default)

    @contextlib.contextmanager
    def here(self, value: str) -> Iterator[None]:
        """``value`` inside the block, and at no time in another thread."""
        token = self._set(self._checked(value))
        try:
            yield
        finally:
            self._reset(token)

    @overload
    def __call__(self) -> Value: ...
    @overload
    def __call__(self, value: str) -> _Scope[Value]: ...
    def __call__(self, value: str | None = None) -> _Scope[Value] | Value:
        if value is None:
            return self.get()
        scope = _Scope(self, self._checked(value))
        reason = self._in_vain(value)
        if reason:
            warnings.warn(f"{self.name}({value!r}): {reason}", RuntimeWarning, stacklevel=2)
        self._calls.append(scope)
        if len(self._calls) > self._MOST_CALLS:
            self._default = self._calls.pop(0).value
        self._note()
        return scope

    def _set(self, value: Value) -> Token[Value | None]:
        token = self._context.set(value)
        if value != self.values[0]:
            self._elsewhere.add(id(token))
        self._note()
        return token

    def _reset(self, token: Token[Value | None]) -> None:
        with contextlib.suppress(ValueError):  # a generator's block may end in another context than it began in
            self._context.reset(token)
        self._elsewhere.discard(id(token))
        self._note()

    def _note(self) -> None:
        last = self._calls[-1:]
        default = last[0].value if last else self._default
        self.changed = default != self.values[0] or bool(self._elsewhere)

    def _checked(self, value: str, source: str | None = None) -> Value:
        for allowed in self.values:
            if value == allowed:
                return allowed
        options = ", ".join(map(repr, self.values))
        raise ValueError(f"{source or self.name} must be one of {options}, got {value!r}")


class _Scope(Generic[Value]):
    """What a call of a setting returns: the new process default, until a ``with`` makes it its own."""

    def __init__(self, setting: Setting[Value], value: Value) -> None:
        self.setting, self.value = setting, value
        self._tokens: list[Token[Value | None]] = []

    def __enter__(self) -> Value:
        with contextlib.suppress(ValueError):
            self.setting._calls.remove(self)
        self._tokens.append(self.setting._set(self.value))
        return self.value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.setting._reset(self._tokens.pop())


# fast: ours where it can be; strict: the reference always; verify: both, compared
numerics: Setting[str] = Setting("numerics", "MLX_SPECTRO_NUMERICS", ("fast", "strict", "verify"))
# auto: whoever is faster; ours: ours wherever it can serve
route: Setting[str] = Setting("route", "MLX_SPECTRO_ROUTE", ("auto", "ours"))


def without_gpu(device: str) -> str:
    """Why asking for ``device`` has no effect; empty where it has."""
    missing = device == "gpu" and not backend.gpu_takes_host_arrays()
    return "MLX can use no GPU here, so CPU arrays are computed on the CPU" if missing else ""


# background: the reference serves calls whose host kernels are still to be compiled, in another thread meanwhile;
# blocking: such calls wait
compilation: Setting[str] = Setting("compilation", "MLX_SPECTRO_COMPILATION", ("background", "blocking"))
# auto: whoever is faster transforms CPU arrays; gpu: MLX's GPU wherever it can; cpu: it never does
device: Setting[str] = Setting("device", "MLX_SPECTRO_DEVICE", ("auto", "gpu", "cpu"), without_gpu)
# what a call of ours that the reference had to serve does, beyond being recorded
on_fallback: Setting[str] = Setting("on_fallback", "MLX_SPECTRO_ON_FALLBACK", ("record", "raise"))
# what an exception of our own does, beyond having the reference serve the call
on_fault: Setting[str] = Setting("on_fault", "MLX_SPECTRO_ON_FAULT", ("record", "raise"))
# what a call that breaches its limit under numerics("verify") does
on_breach: Setting[str] = Setting("on_breach", "MLX_SPECTRO_ON_BREACH", ("raise", "warn"))
