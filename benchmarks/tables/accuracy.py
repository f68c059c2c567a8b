"""The table of committed parity reports."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from .markdown import markdown, versions

_LIBRARIES = ("mlx", "torch", "torchaudio")
_ARRAYS = ("MLX's", "torch's")
RESULTS = Path(__file__).parents[2] / "parity_tests" / "results"


def on_gpus() -> str:
    """Parity reports of GPUs: how many rows were measured, and how many of them are red."""
    rows = []
    for path in sorted(RESULTS.glob("[0-9]*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        results = Counter(row["result"].partition(":")[0] for row in report["rows"])
        measured = results.total() - results["not available"]
        of_torch = report["device"].startswith("torch's ")
        device = report["device"].removeprefix("torch's ").removeprefix("gpu:").partition(":")[0]
        figures = map(str, (measured, measured - results["ok"], results["not available"]))
        rows.append([path.name[: len("2026-01-01")], _ARRAYS[of_torch], device, versions(report, _LIBRARIES), *figures])
    return markdown(["date", "arrays", "on", "of", "rows measured", "of which red", "not available"], rows)
