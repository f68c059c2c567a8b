"""Tables and progress on a terminal: by rich where it is installed and the output is a terminal, plain otherwise."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def fancy() -> bool:
    """Whether rich can draw on this output."""
    return sys.stdout.isatty() and importlib.util.find_spec("rich") is not None


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; its columns but the first two are aligned to the right."""
    if fancy():
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for i, name in enumerate(header):
            table.add_column(name, justify="left" if i < 2 else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(title)
    for row in (header, *rows):
        cells = (c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        print("  ".join(cells).rstrip())


def progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """``items``, with a bar on a terminal."""
    if not fancy():
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
