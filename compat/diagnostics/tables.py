"""Tables on a terminal: by rich where it is installed and the output is a terminal, plain otherwise."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple, TextIO

from mlx_spectro import distribution

from ..contract.adapter import LIBRARIES


class Table(NamedTuple):
    """Rows of text under a header; columns but the first ``left`` are aligned to the right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 2


def fancy(file: TextIO) -> bool:
    """Whether rich can draw on this output."""
    return file.isatty() and importlib.util.find_spec("rich") is not None


def show(table: Table, file: TextIO) -> None:
    """Print a table."""
    if fancy(file):
        _draw(table, file)
        return
    widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
    print(table.title, file=file)
    for row in (table.header, *table.rows):
        cells = (c.ljust(w) if i < table.left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        print("  ".join(cells).rstrip(), file=file)


def _draw(table: Table, file: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(title=Text(table.title), title_justify="left")
    for i, name in enumerate(table.header):
        grid.add_column(name, justify="left" if i < table.left else "right", overflow="fold")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    Console(file=file).print(grid)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter, those installed."""
    numbers = {"python": platform.python_version()}
    for package in (distribution.NAME, "mlx", "numpy", "numba", *LIBRARIES):
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            continue
    return numbers
