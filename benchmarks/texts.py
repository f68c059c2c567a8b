"""python -m benchmarks.texts: which committed reports of GPUs are older than the kernels' texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlx_spectro.kernels.gpu.texts import digests

_ROOT = Path(__file__).parents[1]
_FOLDERS = _ROOT / "benchmarks" / "results", _ROOT / "parity_tests" / "results"


def outdated(report: dict[str, Any]) -> str:
    """In what a GPU's report is older than the texts; empty where it is not."""
    made_of, now = report.get("texts"), digests()
    if made_of is None:
        return "does not say which texts it is of"
    changed = _kinds(name for name in now if made_of.get(name, now[name]) != now[name])
    new = _kinds(now.keys() - made_of.keys())
    said = [f"is older than the text of {changed}"] if changed else []
    return " and ".join(said + ([f"has nothing of {new}"] if new else []))


def _kinds(names: Iterator[str] | set[str]) -> str:
    """Names without the sizes in them."""
    return ", ".join(sorted({re.sub(r"_\d+", "", name) for name in names}))


def newest(folder: Path) -> dict[Path, dict[str, Any]]:
    """A folder's newest report of each kind, its name without the date, if it is of a GPU."""
    files = {file.stem[len("2000-01-01-") :]: file for file in sorted(folder.glob("*-[0-9][0-9]-*.json"))}
    reports = {file: json.loads(file.read_text(encoding="utf-8")) for file in files.values()}
    return {file: report for file, report in reports.items() if not report.get("device", "cpu").startswith("cpu")}


def main() -> None:
    for folder in _FOLDERS:
        for file, report in newest(folder).items():
            if said := outdated(report):
                print(f"warning: {file.relative_to(_ROOT)}, of {report['device']}, {said}")


if __name__ == "__main__":
    main()
