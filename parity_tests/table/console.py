"""Tables and progress on a terminal: by rich where it is installed and the output is a terminal, plain otherwise."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from mlx_spectro.compat.diagnostics import tables

Item = TypeVar("Item")


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; its columns but the first two are aligned to the right."""
    tables.show(tables.Table(title, header, rows), sys.stdout)


def progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """``items``, with a bar on a terminal."""
    if not tables.fancy(sys.stdout):
        yield from items
        return
    from rich.progress import track

    yield from track(items, description=what, transient=True)


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """End early, and quietly, on Ctrl-C: what was done so far is still reported."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted: this is what was done so far", file=sys.stderr)


def joined(parts: Iterable[str]) -> str:
    """Parts that are not empty, one space between."""
    return " ".join(part for part in parts if part)
