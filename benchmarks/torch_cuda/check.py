"""What checks have in common: ours beside the reference's and the truth, and who served."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from mlx_spectro import compat
from mlx_spectro.compat import torch as ours

DEVICE = torch.device("cuda", 0)
# how many times the reference's own error ours may be; the parity table, which pools more samples, allows 1.5
_FACTOR = 2.0
# relative to the largest value, what is not told apart, in units of the last place
_ROUNDING = 2

Check = Callable[[], Any]
checks: dict[str, Check] = {}
# what checks have measured, for the report
figures: dict[str, Any] = {}


def check(function: Check) -> Check:
    """Have a function be run, by the name that it has; it raises, or returns what is to be printed."""
    checks[function.__name__] = function
    return function


def run(only: str = "") -> dict[str, str]:
    """Run the checks whose names contain one of ``only``, comma-separated: what failed, by name."""
    failed = {}
    for name, function in checks.items():
        if not any(part in name for part in only.split(",")):
            continue
        compat.reset()
        begin = time.perf_counter()
        figures.setdefault("checks", []).append(name)
        try:
            said = function()
            torch.cuda.synchronize()
        except Exception as error:  # noqa: BLE001 - one run is to show whatever is wrong
            failed[name] = f"{type(error).__name__}: {error}"[:2000]
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok {name} ({time.perf_counter() - begin:.1f} s)" + (f": {said}" if said else ""))
        sys.stdout.flush()
    return failed


def noise(*shape: int, seed: int = 0, device: Any = DEVICE) -> Tensor:
    """White noise."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


@contextlib.contextmanager
def each(problems: list[str]) -> Iterator[None]:
    """One of several cases, all of which are to be seen."""
    try:
        yield
    except AssertionError as error:
        problems.append(str(error))
        compat.reset()


def none(problems: list[str]) -> None:
    """Raise what the cases of a check have found."""
    assert not problems, f"{len(problems)} cases: " + "\n  ".join(problems[:12])


def served(device: str = "cuda:0") -> None:
    """All calls since the last time were ours, and on the device."""
    found = {(record.function, record.reason, record.device) for record in compat.report()}
    assert found, "nothing was recorded"
    wrong = [entry for entry in found if entry[1:] != ("", f"{device}, our kernels")]
    assert not wrong, wrong
    compat.reset()


def errors(y: Tensor, truth: Tensor) -> tuple[float, float]:
    """Root of the mean square and the largest of a result's errors, relative to the largest value."""
    away = (y.to(truth.dtype) - truth).abs() / truth.abs().max()
    return float(away.square().mean().sqrt()), float(away.max())


def near(mine: Tensor, theirs: Tensor, truth: Tensor, what: str, strides: bool = True) -> float:
    """Ours is as exact as the reference's, and lies in memory as it does; how many times its errors ours are."""
    assert mine.device == theirs.device, what
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype), (what, mine.shape, theirs.shape, mine.dtype)
    if strides:
        assert mine.stride() == theirs.stride(), (what, tuple(mine.shape), mine.stride(), theirs.stride())
    pairs = list(zip(errors(mine, truth), errors(theirs, truth), strict=True))
    return compared(pairs, torch.finfo(mine.dtype).eps, what)


def compared(pairs: list[tuple[float, float]], eps: float, what: str) -> float:
    """How many times the reference's errors ours are, of ``pairs`` of both; it raises where they are too many."""
    assert all(a <= max(_ROUNDING * eps, _FACTOR * b) for a, b in pairs), (what, pairs)
    return max(a / max(b, eps / 128) for a, b in pairs)


def both(call: Callable[[Any, Any], Tensor], *inputs: Any, what: str, strides: bool = True) -> float:
    """Ours, the reference's and the truth of a call that takes a library and its inputs."""
    mine = call(ours, inputs)
    served()
    exact = [x.to(torch.complex128 if x.is_complex() else torch.float64) for x in inputs]
    return near(mine, call(torch, inputs), call(torch, exact), what, strides)
