"""What became of the libraries' own tests, of the committed results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .markdown import markdown, versions

_LIBRARIES = ("librosa", "torch", "numpy", "python")
_RESULTS = Path(__file__).parents[2] / "parity_tests" / "results"
_BAD = ("failed", "error")


def tests(suite: str) -> str:
    """Each file of tests without our functions and with them, and what fails with them alone."""
    portions = json.loads((_RESULTS / f"upstream-{suite}.json").read_text(encoding="utf-8"))
    header = ["tests", "date", "versions", "tests run", "fail without ours", "fail with ours", "with ours alone"]
    header.append("calls that ours / the library served")
    alone = [f"- `{test}`" for one in portions for test in one["only_with_ours"]]
    said = ["What fails with ours alone:", *alone] if alone else ["Nothing fails with ours alone."]
    return "\n".join([markdown(header, map(_row, portions)), "", *said])


def _row(portion: dict[str, Any]) -> list[str]:
    suite = f"`{portion['file']}`" + (f" (`-k '{portion['keyword']}'`)" if portion["keyword"] else "")
    bad = [sum(portion[side].get(outcome, 0) for outcome in _BAD) for side in ("without", "with")]
    served = [sum(calls[i] for calls in portion["calls"].values()) for i in (0, 1)]
    counts = (sum(portion["without"].values()), *bad, len(portion["only_with_ours"]))
    return [suite, portion["date"], versions(portion, _LIBRARIES), *map(str, counts), " / ".join(map(str, served))]
