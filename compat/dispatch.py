"""One door for every function that we and a reference library both serve: who serves a call, why, and how well."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from mlx_spectro import interrupts

from .arrays import foreign, kinds, placement
from .contract import records, settings
from .contract.decline import Decline
from .contract.reasons import REJECTED, STRICT, ByDesign
from .diagnostics import profile, verify

# our work for a call, to be called once
Plan = Callable[[], Any]
# what runs here inside a call through the door: our work for it, or the reference's; only the outer call is booked
_inside: ContextVar[str] = ContextVar("mlx_spectro_inside", default="")

# every function served, by its public name
functions: dict[str, Function] = {}


def serving() -> bool:
    """Whether we are at work for a call here; in a backward pass we are not."""
    return _inside.get() == "ours"


class Function:
    """A function of a reference library that we serve too.

    Args:
        name: Its public name, ``"torch.stft"``.
        theirs: The reference library's own function.
        plan: Takes a call's arguments and returns our work for it, or raises :class:`Decline` where the reference has
            to serve it, for arguments too that the reference rejects: it raises its own error.
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
        other = foreign.call(self, args, kwargs)
        if other is not None:
            return other()
        if _inside.get() == "ours":
            return self._part(args, kwargs)
        if profile.on:
            return profile.timed(self, args, kwargs)
        return self.serve(args, kwargs)[0]

    def serve(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, records.Record | None]:
        """The result of a call whose arrays are its library's own, and the call's record."""
        numerics = settings.numerics.get()
        if numerics == "strict":
            return self._handed_over(STRICT, args, kwargs)
        before = placement.taken()  # of a call that this one interrupts, or what a gradient left
        compared = kinds.with_own_out(kwargs) if numerics == "verify" else kwargs
        begin = time.perf_counter()
        outside = _inside.set("ours")
        reason: str | Exception | None = None
        try:
            result = self.plan(*args, **kwargs)()
        except Decline as decline:
            (reason,) = decline.args
        except Warning:  # the program has made errors of warnings
            raise
        except Exception as error:  # no fault of ours is to end a program
            if interrupts.by_handler(error):
                raise
            reason = error
        finally:
            _inside.reset(outside)
            device = placement.taken(before)
        # outside of what has been caught, whose frames hold the call's arrays
        if reason is not None:
            return self._handed_over(reason, args, kwargs)
        if numerics == "verify":
            return verify.checked(self, result, args, compared, device, time.perf_counter() - begin)
        kept = records.record(self.name)
        if kept is not None:
            kept.device = device or kept.device
        return result, kept

    def _part(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call inside our work for another call."""
        if settings.numerics.get() == "strict":
            return self.theirs(*args, **kwargs)
        try:
            work = self.plan(*args, **kwargs)
        except Decline:
            work = functools.partial(self.theirs, *args, **kwargs)
        return work()

    def _handed_over(
        self, reason: str | Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, records.Record | None]:
        """The reference's result and its record, for a reason or because we raised an exception."""
        fault = isinstance(reason, Exception)
        if _inside.get() and not fault:  # the program's own call has been booked
            return self.theirs(*args, **kwargs), None
        # of these, the reference's own error is the first to be heard
        doubtful = fault or reason == REJECTED
        kept = None if doubtful else records.record(self.name, str(reason))
        outside = _inside.set("reference")
        try:
            result = self.theirs(*args, **kwargs)
        except Exception:
            if doubtful:
                records.record(self.name, REJECTED)
            raise
        finally:
            _inside.reset(outside)
        if doubtful:
            kept = records.fault(self.name, reason)
        elif settings.on_fallback.get() == "raise" and not isinstance(reason, ByDesign):
            raise records.FallbackError(f"{self.name} was served by the reference: {reason}")
        return result, kept

    def reference(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, float]:
        """The reference's result for a call that the program is not to notice, and the seconds that it took."""
        kwargs = kinds.with_own_out(kwargs)
        with (
            settings.numerics.here("strict"),
            kinds.undisturbed(self.library),
            records.paused(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            begin = time.perf_counter()
            result = self.theirs(*args, **kwargs)
            return result, time.perf_counter() - begin
