"""The table of extractions, of the committed results."""

from __future__ import annotations

from .markdown import markdown
from .speed import results, sourced


def times() -> str:
    """Hours of audio a minute, by who serves the functions and where."""
    reports = [report for kind in ("extraction", "extraction-h200") if (report := results(kind))]
    rows = []
    for report in reports:
        for row in report["rows"]:
            device = report["gpu"] if row["device"].startswith("cuda") else "CPU"
            hours = (f"{60 * report['hours'] / row[of]:.1f}" for of in ("seconds", "core_seconds"))
            rows.append([row["like"], row["by"], device, str(row["workers"]), *hours, f"{row['begin_seconds']:.1f}"])
    header = ["functions like", "served by", "on", "workers", "hours a minute", "a minute of a core", "s for one file"]
    return sourced(markdown(header, rows), *reports)
