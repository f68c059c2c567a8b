"""One door for every function that we and a reference library both serve: who serves a call, why, and how well."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from . import arrays, engines, modes, profiling, records, verifying

# work we can do for a call, or the reason why the reference has to
Plan = Callable[[], Any] | str

# every function served, by its public name
functions: dict[str, Function] = {}


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
        functions.setdefault(name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.compiling():
            return self.theirs(*args, **kwargs)
        foreign = arrays.foreign(self.library, args, kwargs)
        if foreign is not None:
            return foreign.call(self)
        if profiling.on:
            return profiling.timed(self, args, kwargs)
        return self.serve(args, kwargs)[0]

    def serve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, records.Record | None]:
        """The result of a call whose arrays are its library's own, and the call's record."""
        numerics = modes.numerics.get()
        if numerics == "strict":
            kept = records.record(self.name, "strict numerics")
            return self.theirs(*args, **kwargs), kept
        engines.taken()  # what a gradient left, or a call that raised
        begin = time.perf_counter()
        work = self.plan(*args, **kwargs)
        if isinstance(work, str):
            kept = records.record(self.name, work)
            result = self.theirs(*args, **kwargs)
            if modes.on_fallback.get() == "raise":
                raise records.FallbackError(f"{self.name} was served by the reference: {work}")
            return result, kept
        if numerics == "verify":
            return verifying.checked(self, work, args, kwargs, planned=time.perf_counter() - begin)
        result = work()
        kept, device = records.record(self.name), engines.taken()
        if kept is not None:
            kept.device = device or kept.device
        return result, kept

    def reference(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, float]:
        """The reference's result for a call that the program is not to notice, and the seconds that it took."""
        kwargs = arrays.with_own_out(kwargs)
        with modes.numerics.here("strict"), arrays.undisturbed(self.library), records.paused():
            begin = time.perf_counter()
            result = self.theirs(*args, **kwargs)
            return result, time.perf_counter() - begin
