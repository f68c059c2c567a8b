"""mlx-spectro warm: compile host kernels ahead of time, for a container say, by the calls of the parity table."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from mlx_spectro import caches, compat, distribution
from mlx_spectro.compat.contract import records
from mlx_spectro.kernels import cpu
from mlx_spectro.ops import backend

from . import measure
from .case import Row
from .cases import table


def main(argv: list[str], prog: str) -> int:
    """Compile what functions need; 1 where nothing is kept, or there is no such function.

    Args:
        argv: Parts of names of functions; none for all.
        prog: What the command is called.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Compile the host kernels of functions, in single and in double precision, and keep them: programs "
        "of this version on this kind of processor load them from then on.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a function's name, such as torch.stft or mel")
    names = parser.parse_args(argv).names
    called_so = [row for row in table(*names) if not row.native]
    rows = [row for row in called_so if not row.missing()]
    missing = ", ".join(dict.fromkeys(row.missing() for row in called_so))
    unknown = f"these functions need {missing}" if missing else f"no function here is called like {' or '.join(names)}"
    reason = _refusal() or ("" if rows else unknown)
    if reason:
        print(f"{prog}: {reason}", file=sys.stderr)
        return 1
    begin = time.perf_counter()
    for row in rows:
        since = time.perf_counter()
        _call(row)
        print(f"{row.name}: {time.perf_counter() - since:.1f} s", flush=True)
    print(f"{len(rows)} functions in {time.perf_counter() - begin:.0f} s, kept in {caches.folder()}")
    return 0


def _refusal() -> str:
    """Why nothing can be compiled and kept."""
    if not cpu.available():
        return f"host kernels need numba: {distribution.install('host')}"
    return "" if caches.folder() is not None else "there is no folder to keep compiled code in: set HOME"


def _call(row: Row) -> None:
    """Have host kernels serve each sample of a row, and one in double precision."""
    ours, _ = row.resolve()
    samples = [sample for sample in row.samples() if not sample.untested]
    first = samples[0]
    double = replace(first, args=measure.in_double(first.args), kwargs=measure.in_double(first.kwargs))
    with backend.implementation("host"), compat.route("ours"), compat.numerics("fast"), records.apart():
        for sample in (*samples, double):
            measure.evaluate(ours, row.their_arrays, sample)
