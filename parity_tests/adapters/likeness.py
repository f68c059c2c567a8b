"""Calls of torch's and torchaudio's functions, ours and theirs, compared in all that a program can see of them."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from mlx_spectro import compat
from mlx_spectro.compat.arrays.torch_tensors import has_names
from mlx_spectro.compat.contract.adapter import adapters

# length of the longest transforms that are compared
_ORDER = 128


class Outcome(NamedTuple):
    """What came of a call."""

    result: Any
    error: tuple[str, str]
    said: list[tuple[str, str, str, int]]
    """Warnings: text, category, file and line."""
    next_number: float
    """What torch draws after the call."""


@contextlib.contextmanager
def every_warning() -> Iterator[None]:
    """Inside, torch says every time what it otherwise says once a process, to us as to a program without us."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        yield
    finally:
        torch.set_warn_always(before)


def outcome(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    """What comes of a call; both libraries are called from this same line."""
    result, error = None, ("", "")
    torch.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
        except Exception as raised:  # noqa: BLE001 - whatever the reference raises, ours is to raise
            # what follows is a trace of addresses, or which tensor of its own a library kept
            error = type(raised).__name__, re.split(r"\nException raised from|inplace operation: \[", str(raised))[0]
    said = [(str(w.message), w.category.__name__, w.filename, w.lineno) for w in caught]
    return Outcome(result, error, said, torch.rand(()).item())


def form(x: Any) -> Any:
    """Everything about a result but its values."""
    if isinstance(x, tuple):
        return tuple(map(form, x))
    if not isinstance(x, torch.Tensor):
        return type(x)
    laid = (x.stride(), x.storage_offset()) if x.layout is torch.strided else x.layout
    names = x.names if has_names(x) else ()
    return type(x), x.dtype, tuple(x.shape), laid, x.device, x.requires_grad, x.is_conj(), x.is_inference(), names


def difference(mine: Any, theirs: Any, bound: Callable[[float], float]) -> str:
    """How far two results of one form differ, if by more than the ``bound`` of the largest value; else empty."""
    if isinstance(mine, tuple):
        parts = (difference(*pair, bound) for pair in zip(mine, theirs, strict=True))
        return next(filter(None, parts), "")
    if not isinstance(mine, torch.Tensor) or mine.layout is not torch.strided or mine.device.type != "cpu":
        return ""
    if has_names(theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that names are an experiment
            mine, theirs = mine.rename(None), theirs.rename(None)
    a, b = (x.detach().as_subclass(torch.Tensor).resolve_conj() for x in (mine, theirs))
    finite = b.isfinite()
    if not torch.equal(a.isfinite(), finite):
        return f"{int(a.isfinite().sum())} of {a.numel()} are finite, not {int(finite.sum())}"
    if not finite.any():
        return ""
    a, b = a[finite], b[finite]
    largest, worst = float(b.abs().max()), float((a - b).abs().max())
    return "" if worst <= bound(largest) else f"differs by {worst:.3g}, where {largest:.3g} is the largest value"


def unlike(
    name: str,
    calls: tuple[Callable[..., Any], Callable[..., Any]],
    *args: Any,
    bound: Callable[[float], float] | None = None,
    **kwargs: Any,
) -> str:
    """What tells our call from the reference's; empty where nothing does.

    Args:
        name: The function that is served.
        calls: What calls ours, and what calls the reference's.
        args, kwargs: The call.
        bound: Of the difference, by the largest value; the function's own limit if there is none.
    """
    compat.reset()
    mine, theirs = (outcome(call, args, kwargs) for call in calls)
    if mine.error != theirs.error:
        return f"raises {mine.error}, not {theirs.error}; {reasons()}"
    if mine.said != theirs.said:
        return f"says {mine.said}, not {theirs.said}; {reasons()}"
    if mine.next_number != theirs.next_number:
        return f"draws other random numbers; {reasons()}"
    if form(mine.result) != form(theirs.result):
        return f"gives {form(mine.result)}, not {form(theirs.result)}; {reasons()}"

    def limit(largest: float) -> float:
        part = mine.result[0] if isinstance(mine.result, tuple) else mine.result
        double = part.dtype in (torch.float64, torch.complex128)
        return adapters[name].function.limit(np.dtype(np.float64 if double else np.float32), _ORDER, largest)

    found = difference(mine.result, theirs.result, bound or limit)
    return f"{found}; {reasons()}" if found else ""


def reasons() -> set[tuple[str, str]]:
    """Who served the calls since the last reset: functions, and why not we."""
    return {(record.function, record.reason) for record in compat.report()}


def shown(value: Any) -> str:
    """A value as a test's message names it."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return f"{type(value).__name__}({value.dtype}{list(value.shape)})"
    return f"{type(value).__name__}({value!r})"
