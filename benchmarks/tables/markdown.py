"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell does not end it."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in (header, ["---"] * len(header), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def code(*names: str) -> str:
    """Names as code, one after the other."""
    return ", ".join(f"`{name}`" for name in names)


def versions(report: Mapping[str, Any], libraries: Iterable[str]) -> str:
    """Those of ``libraries`` that a report was made with, and their versions."""
    return ", ".join(f"{name} {report['versions'][name]}" for name in libraries if name in report["versions"])
