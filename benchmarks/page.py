"""python -m benchmarks.page F.json F.html: the figures of a benchmark as a page, its ratios as bars."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from mlx_spectro.compat.diagnostics.report import render

# the bars' axis: ratios from 1/4 to 64, an octave a step
_FIRST, _LAST = -2, 6


def place(ratio: float) -> float:
    """Where ``ratio`` lies on the bars' axis, in percent."""
    octave = min(max(math.log2(ratio), _FIRST), _LAST)
    return 100 * (octave - _FIRST) / (_LAST - _FIRST)


def as_html(report: dict[str, Any]) -> str:
    """A page of what ``python -m benchmarks --json F`` wrote."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in report["rows"]:
        groups.setdefault(row["name"], []).append(row)
    marks = [(f"{2.0**octave:g}", place(2.0**octave)) for octave in range(_FIRST, _LAST + 1)]
    return render("report.html.jinja", Path(__file__).parent, report=report, groups=groups, place=place, marks=marks)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("json", type=Path, help="what python -m benchmarks --json wrote")
    parser.add_argument("html", type=Path)
    options = parser.parse_args()
    options.html.write_text(as_html(json.loads(options.json.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
