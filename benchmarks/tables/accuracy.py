"""The table of committed parity reports."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from .markdown import markdown

RESULTS = Path(__file__).parents[2] / "parity_tests" / "results"


def on_gpus() -> str:
    """Parity reports of MLX's GPU: how many rows were measured, and how many of them are red."""
    rows = []
    for path in sorted(RESULTS.glob("[0-9]*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        results = Counter(row["result"].partition(":")[0] for row in report["rows"])
        measured = results.total() - results["not available"]
        libraries = ", ".join(f"{name} {report['versions'][name]}" for name in ("mlx", "torch", "torchaudio"))
        figures = (measured, measured - results["ok"], results["not available"])
        rows.append([path.name[: len("2026-01-01")], report["device"].split(":")[1], libraries, *map(str, figures)])
    return markdown(["date", "on", "of", "rows measured", "of which red", "not available"], rows)
