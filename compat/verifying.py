"""A call that we served, run by the reference too, and the two results compared."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import arrays, compare, engines, modes, profiling, records, reproducing

if TYPE_CHECKING:
    from .dispatch import Function


class VerificationError(AssertionError):
    """Under ``numerics("verify")``, our result and the reference's differ by more than the function's limit."""


def checked(
    function: Function, work: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any], planned: float
) -> tuple[Any, records.Record | None]:
    """Our result and its record, after the reference has been run on the same arguments.

    Args:
        planned: Seconds that planning the work took.
    """
    theirs = arrays.with_own_out(kwargs)
    begin = time.perf_counter()
    result = work()
    ours_seconds = planned + time.perf_counter() - begin
    kept, device = records.record(function.name), engines.taken()
    reference, seconds = function.reference(args, theirs)
    difference = compare.difference(result, reference)
    limit = function.limit(difference.dtype, function.order(*args, **kwargs), difference.largest)
    breach = bool(difference.structure) or not difference.worst <= limit
    if kept is not None:
        kept.device = device or kept.device
        records.judge(kept, difference.worst, limit, breach)
        # a profile adds our own time itself
        records.add(kept, 0.0 if profiling.on else ours_seconds, seconds)
    if breach:
        _complain(function, args, theirs, difference, limit, kept)
    profiling.leave_out(time.perf_counter() - begin - ours_seconds + planned)
    return result, kept


def _complain(
    function: Function,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    difference: compare.Difference,
    limit: float,
    kept: records.Record | None,
) -> None:
    problem = difference.structure or f"differs by {difference.worst:.3g}, limit {limit:.3g}"
    shown = ", ".join([*map(arrays.describe, args), *(f"{k}={arrays.describe(v)}" for k, v in kwargs.items())])
    message = f"{function.name}({shown}): {problem} (largest value {difference.largest:.3g})"
    if kept is not None and kept.breaches == 1:
        records.explain(kept, message, reproducing.save(function, args, kwargs))
    if modes.on_breach.get() == "raise":
        raise VerificationError(message)
    # once a call site: the record counts the others
    if kept is None or kept.breaches == 1:
        file, line = records.call_site()
        warnings.warn_explicit(message, RuntimeWarning, file, line)
