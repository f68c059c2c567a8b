"""A call that we served, run by the reference too, and the two results compared."""

from __future__ import annotations

import copy
import sys
import time
import warnings
from typing import Any

import numpy as np

from mlx_spectro import interrupts

from ..arrays import kinds
from ..contract import records, settings, tolerances
from ..contract.function import Function
from . import compare, profile, reproduction

# two good transforms may differ by so many units in the last place of the largest value without a further look
_UNITS = 32
# beyond that, we may err by so many times what the reference errs: one call's largest error is one draw of many
_SLACK = 4


class VerificationError(AssertionError):
    """Under ``numerics("verify")``, our result and the reference's differ by more than they may."""


def checked(
    function: Function, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], device: str, ours_seconds: float
) -> tuple[Any, records.Record | None]:
    """Our result and its record, after the reference has been run on the same arguments.

    Args:
        device: Where we computed, if there was a choice.
    """
    begin = time.perf_counter()
    record = records.record(function.name)
    with kinds.undisturbed(function.library):
        reference, seconds = _reference(function, args, kwargs)
        parts = compare.differences(result, reference)
        bounds = _bounds(function, args, kwargs, reference, parts)
        part, bound = max(zip(parts, bounds, strict=True), key=_nearness)
        breach = bool(part.structure) or not part.worst <= bound
    if record is not None:
        record.device = device or record.device
        scale = part.largest or 1.0
        records.judge(record, part.worst / scale, bound / scale, breach)
        # a profile adds our own time itself
        records.add(record, 0.0 if profile.on else ours_seconds, seconds)
    if breach:
        _complain(function, args, kwargs, part, bound, record)
    profile.leave_out(time.perf_counter() - begin)
    return result, record


def _reference(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, float]:
    """The reference's result for a call that the program is not to notice, and the seconds that it took."""
    kwargs = kinds.with_own_out(kwargs)
    with (
        settings.numerics.here("strict"),
        kinds.undisturbed(function.library),
        records.paused(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        begin = time.perf_counter()
        result = function.theirs(*args, **kwargs)
        kinds.settle()
        return result, time.perf_counter() - begin


def _nearness(pair: tuple[compare.Difference, float]) -> float:
    """How near a part comes to its bound, or how far it goes beyond it."""
    part, bound = pair
    if part.structure or np.isnan(part.worst):
        return np.inf
    return part.worst / bound if bound else np.inf * (part.worst > 0) if part.worst else 0.0


def _bounds(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], reference: Any, parts: list[compare.Difference]
) -> list[float]:
    """How far each part of our result may be from the reference's."""
    order = function.order(*args, **kwargs)
    derived = [function.limit(part.dtype, order, part.largest) for part in parts]
    if function.limit is tolerances.decision:
        return derived
    eps = _precision((args, kwargs, reference))
    tight = [_UNITS * eps * part.largest for part in parts]
    if all(part.worst <= bound for part, bound in zip(parts, tight, strict=True)):
        return tight
    errors = _own_errors(function, args, kwargs, reference)
    if len(errors) != len(parts):
        return derived
    bounds = [bound + (1 + _SLACK) * error for bound, error in zip(tight, errors, strict=True)]
    # of sums that were rounded in double precision, a nudge of what is summed may show nothing
    return list(map(max, bounds, derived)) if _is_double((args, kwargs)) else bounds


def _precision(values: Any) -> float:
    """The coarsest precision of the arrays that a call takes and returns."""
    precisions = [0.0]
    kinds.each_array(values, lambda x: precisions.append(kinds.precision(x)))
    return max(precisions)


def _is_double(values: Any) -> bool:
    return _precision(values) <= float(np.finfo(np.float64).eps)


def _own_errors(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], reference: Any) -> list[float]:
    """How far the reference is from the truth, for each part of its result; nothing where that cannot be told.

    The truth is the reference in double precision; of what is double already, what a rounding of its input makes of it.
    """
    if not _precision((args, kwargs)):
        return []  # what is made of numbers alone has the precision that it has
    call = kinds.each_array((args, kwargs), _nudged if _is_double((args, kwargs)) else kinds.in_double)
    call = tuple(map(_module_in_double, call[0])), call[1]
    try:
        truth, _ = _reference(function, *call)
    except Exception as error:  # the reference may take no such call
        if interrupts.by_handler(error):
            raise
        return []
    return [part.worst for part in compare.differences(reference, truth, exact=False) if not part.structure]


def _nudged(x: Any) -> Any:
    """An array, each number of which may be off by its last digit."""
    eps = kinds.precision(x)
    signs = np.random.default_rng(0).choice((-eps, eps), tuple(x.shape))
    if not eps:
        return x
    return x * (1 + (sys.modules["torch"].from_numpy(signs).to(x.device) if kinds.is_tensor(x) else signs))


def _module_in_double(x: Any) -> Any:
    torch = sys.modules.get("torch")
    return copy.deepcopy(x).double() if torch is not None and isinstance(x, torch.nn.Module) else x


def _complain(
    function: Function,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    part: compare.Difference,
    bound: float,
    record: records.Record | None,
) -> None:
    problem = part.structure or f"differs by {part.worst:.3g}, limit {bound:.3g}"
    shown = ", ".join([*map(kinds.describe, args), *(f"{k}={kinds.describe(v)}" for k, v in kwargs.items())])
    message = f"{function.name}({shown}): {problem} (largest value {part.largest:.3g})"
    if record is not None and record.breaches == 1:
        records.explain(record, message, reproduction.save(function, args, kwargs))
    if settings.on_breach.get() == "raise":
        raise VerificationError(message)
    # once a call site: the record counts the others
    if record is None or record.breaches == 1:
        file, line = records.call_site()
        warnings.warn_explicit(message, RuntimeWarning, file, line)
