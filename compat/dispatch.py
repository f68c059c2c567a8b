"""One door for every function that we and a reference library both serve: who serves a call, why, and how well."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from . import arrays, compare, modes, records

P = ParamSpec("P")
R = TypeVar("R")

# work we can do for a call, or the reason why the reference has to
Plan = Callable[[], Any] | str


class VerificationError(AssertionError):
    """Under ``numerics("verify")``, our result and the reference's differ by more than the function's limit."""


class Function:
    """A function of a reference library that we serve too.

    Args:
        name: Its public name, ``"torch.stft"``.
        theirs: The reference library's own function.
        plan: Takes a call's arguments and returns our work for it, to be called, or the reason why the reference has to
            serve it. Arguments that the reference rejects are such a reason: it raises its own error.
        limit: ``(dtype, n_fft, largest) -> bound`` of ``|ours - theirs|``; ``n_fft`` is :attr:`order` of the call.
        order: Takes a call's arguments and returns the length of its transforms.
        compiling: Whether a compiler reads this very call; it is to see nothing but the reference's function.
    """

    def __init__(
        self,
        name: str,
        theirs: Callable[..., Any],
        plan: Callable[..., Plan],
        limit: Callable[[Any, int, float], float],
        order: Callable[..., int],
        compiling: Callable[[], bool] = bool,
    ) -> None:
        self.name, self.theirs, self.plan, self.limit, self.order = name, theirs, plan, limit, order
        self.compiling = compiling
        self.library = name.partition(".")[0]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.compiling():
            return self.theirs(*args, **kwargs)
        foreign = arrays.foreign(self.library, args, kwargs)
        if foreign is not None:
            return foreign.call(self)
        numerics = modes.numerics.get()
        if numerics == "strict":
            records.record(self.name, "strict numerics")
            return self.theirs(*args, **kwargs)
        work = self.plan(*args, **kwargs)
        if isinstance(work, str):
            records.record(self.name, work)
            result = self.theirs(*args, **kwargs)
            if modes.on_fallback.get() == "raise":
                raise records.FallbackError(f"{self.name} was served by the reference: {work}")
            return result
        result = work()
        records.record(self.name)
        if numerics == "verify":
            self._verify(result, args, kwargs)
        return result

    def _verify(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with modes.numerics("strict"), arrays.undisturbed(self.library), records.paused():
            reference = self.theirs(*args, **kwargs)
        difference = compare.difference(result, reference)
        limit = self.limit(difference.dtype, self.order(*args, **kwargs), difference.largest)
        if difference.worst <= limit and not difference.structure:
            return
        problem = difference.structure or f"differs by {difference.worst:.3g}, limit {limit:.3g}"
        shown = ", ".join([*map(arrays.describe, args), *(f"{k}={arrays.describe(v)}" for k, v in kwargs.items())])
        message = f"{self.name}({shown}): {problem} (largest value {difference.largest:.3g})"
        if modes.on_breach.get() == "raise":
            raise VerificationError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)
