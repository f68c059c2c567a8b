"""One door for every function that we and a reference library both serve: who serves a call, why, and how well."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from mlx_spectro import interrupts
from mlx_spectro.kernels.cpu.runtime import background

from .arrays import foreign, kinds
from .contract import records, settings
from .contract.decline import Decline
from .contract.function import Function
from .contract.inside import OURS, REFERENCE, inside, is_bound, serving
from .contract.plans import Work
from .contract.reasons import COMPILING, NO_VALUES, REJECTED, STRICT, ByDesign, BySize
from .diagnostics import profile, verify

# callers between a record and the program: what serves, the door, and what a program calls
_SHIMS = 3


def _can_do_without_kernels() -> bool:
    """Whether the reference may serve the call that we are at work for until its kernels are compiled."""
    return (
        serving()
        and not is_bound()
        and not profile.on
        and not settings.numerics.changed
        and settings.compilation.get() == "background"
        and settings.route.get() == "auto"
        and settings.on_fallback.get() == "record"
    )


background.can_do_without = _can_do_without_kernels


def call(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call of a program's."""
    if function.compiling():
        return _for_compiler(function, args, kwargs)
    if function.by_size and not profile.on:
        by_size = function.hand_over(args, kwargs)
        if by_size is not None:
            return _left(function, by_size, args, kwargs)
    nested = serving()
    work = function.planned(args, kwargs) if function.repeats and not nested else None
    if work is None:
        rewritten = foreign.rewritten(function, args, kwargs)
        if rewritten is not None:
            return rewritten(call)
    if nested:
        return _part(function, args, kwargs)
    if profile.on and not function.transformed():
        return profile.timed(serve, function, args, kwargs)
    return serve(function, args, kwargs, work)[0]


def serve(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], work: Work | None = None
) -> tuple[Any, records.Record | None]:
    """The result of a call whose arrays are its library's own, and the call's record.

    Args:
        work: Our work for it, if a call like it was planned before.
    """
    numerics = settings.numerics.get()
    if numerics == "strict":
        return _handed_over(function, STRICT, args, kwargs)
    compared, begin = kwargs, 0.0
    if numerics == "verify":
        if function.transformed():
            return _handed_over(function, NO_VALUES, args, kwargs)
        if kinds.is_capturing():
            return _handed_over(function, "a CUDA graph is being captured, where nothing can be compared", args, kwargs)
        kinds.settle()
        compared, begin = kinds.with_own_out(kwargs), time.perf_counter()
    here = records.here
    # of a call that this one interrupts, or what a gradient left
    outer_device, here.device = here.device, ""
    outside = inside.set(OURS)
    reason: str | Exception | None = None
    try:
        result = (work or function.work(args, kwargs))()
    except Decline as decline:
        (reason,) = decline.args
    except background.Compiling:
        reason = COMPILING
    except Warning:  # the program has made errors of warnings
        raise
    except Exception as error:  # no fault of ours is to end a program
        if interrupts.by_handler(error):
            raise
        reason = error
    finally:
        inside.reset(outside)
        device, here.device = here.device, outer_device
    # outside of what has been caught, whose frames hold the call's arrays
    if reason is not None:
        if type(reason) is BySize:
            function.leave(args, kwargs, reason)
        try:
            return _handed_over(function, reason, args, kwargs)
        finally:
            # an error knows this frame, which would keep it, and with it a call's arrays, until garbage is collected
            del reason
    if numerics == "verify":
        kinds.settle()
        return verify.checked(function, result, args, compared, device, time.perf_counter() - begin)
    record = records.record(function.name, depth=_SHIMS)
    if record is not None:
        record.device = device or record.device
    return result, record


def _for_compiler(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a compiler reads: it makes of it a guard that nobody asks for other numerics."""
    if function.for_compiler is None or settings.numerics.changed:
        return function.theirs(*args, **kwargs)
    try:
        return function.for_compiler(*args, **kwargs)
    except Decline:
        return function.theirs(*args, **kwargs)


def _part(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call inside our work for another call."""
    if settings.numerics.get() == "strict":
        return function.theirs(*args, **kwargs)
    with contextlib.suppress(Decline):
        return function.plan(*args, **kwargs)()
    return function.theirs(*args, **kwargs)


def _left(function: Function, by_size: BySize, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The reference's result of a call that was left to it for its sizes before."""
    if inside.get():  # the program's own call has been booked
        return function.theirs(*args, **kwargs)
    records.record(function.name, by_size, depth=_SHIMS)
    outside = inside.set(REFERENCE)
    try:
        return function.theirs(*args, **kwargs)
    finally:
        inside.reset(outside)


def _handed_over(
    function: Function, reason: str | Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, records.Record | None]:
    """The reference's result and its record, for a reason or because we raised an exception."""
    fault = isinstance(reason, Exception)
    if inside.get() and not fault:  # the program's own call has been booked
        return function.theirs(*args, **kwargs), None
    # of these, the reference's own error is the first to be heard
    doubtful = fault or reason == REJECTED
    record = None if doubtful else records.record(function.name, str(reason), depth=_SHIMS)
    outside = inside.set(REFERENCE)
    try:
        result = function.theirs(*args, **kwargs)
    except Exception:
        if doubtful:
            records.record(function.name, REJECTED)
        raise
    finally:
        inside.reset(outside)
    if doubtful:
        try:
            record = records.fault(function.name, reason)
        finally:
            del reason  # which knows this frame, if it is an error
    elif settings.on_fallback.get() == "raise" and not isinstance(reason, ByDesign):
        raise records.FallbackError(f"{function.name} was served by the reference: {reason}")
    return result, record
