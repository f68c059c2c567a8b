"""The table of what share of its time each function of librosa spends in what is ours, of the committed results."""

from __future__ import annotations

from typing import Any

from .markdown import code, markdown
from .speed import results


def measured() -> dict[str, Any]:
    """The newest committed result of ``python -m benchmarks.shares``."""
    return results("librosa-shares") or {"shares": {}}


def shares() -> str:
    """Milliseconds of librosa's own, the share of them that ours takes the place of, and in which functions."""
    rows = []
    for name, one in measured()["shares"].items():
        inside = "itself" if name in one["in"] else code(*(other.removeprefix("librosa.") for other in one["in"]))
        short = name.removeprefix("librosa.")
        rows.append([f"`{short}`", f"{one['ms']:.3g}", f"{100 * one['share']:.0f} %", inside or "-"])
    return markdown(["librosa's", "ms", "ours", "in"], rows)


def shares_of() -> str:
    """What was measured, and where."""
    result = measured()
    versions = result["versions"]
    what = f"librosa {versions['librosa']}, NumPy {versions['numpy']}, Python {versions['python']}"
    seconds, rate = result["seconds"], result["rate"]
    return f"{seconds} s of audio at {rate} Hz; {what}; {result['device']}, one call, time of the processor."
