"""The table of extractions, of the committed results."""

from __future__ import annotations

from .markdown import markdown
from .speed import results, sourced


def times() -> str:
    """Hours of audio a minute, by who serves the functions and where."""
    result = results("extraction")
    if result is None:
        return "Not measured on a quiet machine yet."
    rows = []
    for row in result["rows"]:
        hours = (f"{60 * result['hours'] / row[of]:.1f}" for of in ("seconds", "core_seconds"))
        rows.append([row["like"], row["by"], row["device"], str(row["workers"]), *hours, f"{row['begin_seconds']:.1f}"])
    header = [
        "functions like",
        "served by",
        "on",
        "workers",
        "hours a minute",
        "a minute of a core",
        "s for one recording",
    ]
    return sourced(markdown(header, rows), result)
