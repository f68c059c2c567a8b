"""The parity report as a table, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlx_spectro.compat.diagnostics import report
from mlx_spectro.compat.diagnostics.tables import versions
from mlx_spectro.kernels.gpu.texts import digests

from . import console
from .measure import Outcome
from .pictures import Picture

HEADER = (
    "function", "against", "by", "samples", "untested", "worst", "its limit", "reference's", "RMS", "its limit",
    "reference's", "result",
)  # fmt: skip


def _against(outcome: Outcome) -> str:
    library = outcome.row.against
    return f"{library} {versions().get(library, '')}".strip()


def _result(outcome: Outcome) -> str:
    if outcome.unavailable:
        return f"not available: {outcome.unavailable}"
    return outcome.verdict() or "ok"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    ours, theirs = outcome.ours, outcome.theirs
    numbers = (
        ours.worst,
        outcome.worst_limit,
        theirs.worst,
        outcome.typical(ours),
        outcome.typical_limit,
        outcome.typical(theirs),
    )
    measured = ["", "", "", "", "", ""] if outcome.unavailable else [f"{value:.1e}" for value in numbers]
    return (
        outcome.title, _against(outcome), outcome.implementation, str(outcome.samples), str(len(outcome.untested)),
        *measured, _result(outcome),
    )  # fmt: skip


def print_table(outcomes: Sequence[Outcome], device: str) -> None:
    """Print one row a function and implementation, then what was wrong in detail."""
    console.show(f"Parity on {device}", HEADER, [_cells(outcome) for outcome in outcomes])
    for outcome in outcomes:
        for problem in outcome.problems[:5]:
            print(f"{outcome.title} ({outcome.implementation}): {problem}")
    handed_over = sorted({f"{outcome.title}: {why}" for outcome in outcomes for why in outcome.handed_over})
    if handed_over:
        print("torch served some samples:", *handed_over, sep="\n  ")
    print(f"{_counted(outcomes)}; errors are relative to each sample's largest value, against float64")


def _counted(outcomes: Sequence[Outcome]) -> str:
    red = sum(not outcome.green for outcome in outcomes)
    unavailable = sum(bool(outcome.unavailable) for outcome in outcomes)
    return f"{len(outcomes)} rows, {red} red" + (f", {unavailable} not available" if unavailable else "")


def as_json(outcomes: Sequence[Outcome], device: str) -> str:
    """The report for programs; a GPU's says which texts its kernels are of."""
    rows = [
        {
            "function": outcome.title,
            "against": _against(outcome),
            "implementation": outcome.implementation,
            "samples": outcome.samples,
            "untested": outcome.untested,
            "handed_over": sorted(outcome.handed_over),
            "worst": outcome.ours.worst,
            "worst_limit": outcome.worst_limit,
            "reference_worst": outcome.theirs.worst,
            "rms": outcome.typical(outcome.ours),
            "rms_limit": outcome.typical_limit,
            "reference_rms": outcome.typical(outcome.theirs),
            "why": outcome.row.why,
            "result": _result(outcome),
        }
        for outcome in outcomes
    ]
    texts = {} if device.startswith("cpu") else {"texts": digests()}
    return json.dumps({"device": device, "versions": versions(), **texts, "rows": rows}, indent=1)


def write_html(outcomes: Sequence[Outcome], device: str, path: Path) -> None:
    """Write the report as one page that needs no other file: red rows first, then each module's."""
    groups: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.row.group, {}).setdefault(outcome.title, []).append(outcome)
    page = report.render(
        "report.html.jinja", Path(__file__).parent,
        device=device, versions=versions(), header=HEADER, counted=_counted(outcomes), cells=_cells,
        groups=dict(sorted(groups.items())), summary=_summary, pictures=_pictures,
        red=[outcome for outcome in outcomes if not outcome.green],
    )  # fmt: skip
    path.write_text(page, encoding="utf-8")


def _summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What a group's rows came to."""
    measured = [outcome for outcome in outcomes if not outcome.unavailable]
    return {
        "rows": len(outcomes),
        "red": sum(not outcome.green for outcome in outcomes),
        "unavailable": len(outcomes) - len(measured),
        "samples": sum(outcome.samples for outcome in measured),
        "untested": sum(len(outcome.untested) for outcome in measured),
        "nearest": max((outcome.ours.worst / outcome.worst_limit for outcome in measured), default=0.0),
    }


def _pictures(outcomes: Sequence[Outcome]) -> list[Picture]:
    """A few of a function's pictures: all of what is red, else one, of a person's own recording where there is one."""
    red = [picture for outcome in outcomes if not outcome.green for picture in outcome.pictures]
    others = [picture for outcome in reversed(outcomes) for picture in outcome.pictures]
    return red or sorted(others, key=lambda picture: not picture.own)[:1]
