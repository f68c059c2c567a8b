"""The parity report as a table, as JSON and as a page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_spectro.compat import reporting
from mlx_spectro.compat.tables import versions

from . import console
from .measure import Outcome

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
    red = sum(not outcome.green for outcome in outcomes)
    print(f"{len(outcomes)} rows, {red} red; errors are relative to each sample's largest value, against float64")


def as_json(outcomes: Sequence[Outcome], device: str) -> str:
    """The report for programs."""
    rows = [
        {
            "function": outcome.title,
            "against": _against(outcome),
            "implementation": outcome.implementation,
            "samples": outcome.samples,
            "untested": outcome.untested,
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
    return json.dumps({"device": device, "versions": versions(), "rows": rows}, indent=1)


def write_html(outcomes: Sequence[Outcome], device: str, path: Path) -> None:
    """Write the report as one page that needs no other file."""
    sections = [
        {
            "outcome": outcome,
            "cells": _cells(outcome),
            "share": min(1.5, outcome.ours.worst / outcome.worst_limit),
            "pictures": [(label, _picture(ours, theirs)) for label, ours, theirs in outcome.pictures],
        }
        for outcome in outcomes
    ]
    page = reporting.render(
        "report.html.jinja", Path(__file__).parent,
        device=device, versions=versions(), header=HEADER, sections=sections, red=[s for s in outcomes if not s.green],
    )  # fmt: skip
    path.write_text(page, encoding="utf-8")


def _picture(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> str:
    """Ours, theirs and their difference side by side, as the data of a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.2), dpi=80, layout="constrained")
    panels = figure.subplots(1, 3, sharex=True)
    for panel, title, values in zip(
        panels, ("ours", "reference", "difference"), (ours, theirs, ours - theirs), strict=True
    ):
        while values.ndim > 2 or (values.ndim == 2 and theirs.ndim == 2 and values.shape[0] == 2):
            values = values[0]
        panel.set_title(title, fontsize=9)
        panel.tick_params(labelsize=7)
        if values.ndim == 1:
            panel.plot(values, linewidth=0.5)
            continue
        if np.iscomplexobj(values) or values.min() >= 0:
            values = 20 * np.log10(np.abs(values) + 1e-9)
        image = panel.imshow(values, origin="lower", aspect="auto", interpolation="nearest")
        figure.colorbar(image, ax=panel).ax.tick_params(labelsize=7)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return base64.b64encode(data.getvalue()).decode()
