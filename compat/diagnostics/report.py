"""What a run of a program came to: as tables, as JSON and as a page."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ..contract.records import Record
from . import tables
from .tables import Table


@dataclass(frozen=True)
class Run:
    """A program that was run, and the records of it and of its child processes."""

    program: str
    records: Sequence[Record]
    seconds: float
    processes: int = 1
    unpatched: Sequence[str] = ()
    """Names that hold a library's own function because they were bound before ours was there, and what to do."""
    profiled: bool = False
    verified: bool = False
    loading: float = 0.0
    """Seconds that loading compiled kernels took before the program began."""

    @property
    def kind(self) -> str:
        """What it is called."""
        return " and ".join(["profile"] * self.profiled + ["verification"] * self.verified)

    @property
    def title(self) -> str:
        """A line over the tables."""
        return f"{self.kind} of {self.program}: {self.times}"

    @property
    def times(self) -> str:
        """How long the program took, the calls in it, and how many of them we served."""
        processes = f" in {self.processes} processes" if self.processes > 1 else ""
        calls, ours = _served(self.records)
        inside = _time(sum(record.seconds for record in self.records))
        share = f", {ours / calls:.0%} of them served by us" if calls else ""
        return f"{_time(self.seconds)}{processes}, {inside} of it in {calls} calls{share}"

    def tables(self) -> list[Table]:
        """What is to be seen, the most important first."""
        every = [_verified(self.records)] if self.verified else []
        every += [_by_function(self.records)] if self.profiled else []
        every += [_fallbacks(self.records)]
        every += [_call_sites(self.records)] if self.profiled else []
        return [table for table in every if table.rows]

    def notes(self) -> list[str]:
        """What has to be said beside the tables."""
        said = list(self.unpatched)
        if self.loading:
            said.append(f"compiled kernels were loaded in each process before it began: {_time(self.loading)}")
        if self.profiled and any(record.device.startswith("cuda") for record in self.records):
            said.append("CUDA devices were waited for before and after each call, so that its time is the device's too")
        if not self.records:
            said.append("none of the functions that mlx_spectro serves was called")
        elif not self.verified and any(record.reference for record in self.records):
            said.append(
                "'saved' compares warm calls: the reference's cost was measured once for each kind of call, here, and "
                "scaled by the size of each call"
            )
            said.append(
                "'once' is what first calls took beyond that: loading kernels in each process, compiling them in the "
                "first process of all, and making windows and filters"
            )
        for record in self.records:
            if record.breaches:
                said.append(f"breach at {_site(record)}: {record.problem}")
                if record.reproduction.endswith(".npz"):
                    said.append(f"  mlx-spectro replay {record.reproduction}")
                elif record.reproduction:
                    said.append(f"  {record.reproduction}")
        return said

    @property
    def breaches(self) -> int:
        """Calls whose difference from the reference exceeded its limit."""
        return sum(record.breaches for record in self.records)

    def show(self, file: TextIO) -> None:
        """Print everything."""
        print(f"mlx_spectro {self.title}", file=file)
        for table in self.tables():
            print(file=file)
            tables.show(table, file)
        if self.notes():
            print(file=file)
        for note in self.notes():
            print(note, file=file)

    def as_json(self) -> str:
        """The report for programs."""
        facts = {
            "profiled": self.profiled,
            "verified": self.verified,
            "program": self.program,
            "seconds": self.seconds,
            "processes": self.processes,
            "breaches": self.breaches,
            "versions": tables.versions(),
            "unpatched": list(self.unpatched),
            "records": [dataclasses.asdict(record) for record in self.records],
        }
        return json.dumps(facts, indent=1) + "\n"

    def as_html(self, template: str = "run.html.jinja") -> str:
        """The report as one page that needs no other file, or, with ``cell.html.jinja``, a part of a page."""
        return render(template, run=self, versions=tables.versions())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython shows on a terminal."""
        text = io.StringIO()
        self.show(text)
        printer.text(text.getvalue())

    def _repr_html_(self) -> str | None:
        """What a notebook shows."""
        return self.as_html("cell.html.jinja") if importlib.util.find_spec("jinja2") else None

    def write(self, path: Path) -> None:
        """Write the report as its file's ending says."""
        path.write_text(self.as_json() if path.suffix == ".json" else self.as_html(), encoding="utf-8")


class Report(list[Record]):
    """Records that are shown as tables."""

    def __repr__(self) -> str:
        if not self:
            return "no call of a function that mlx_spectro serves has been recorded"
        text = io.StringIO()
        for table in (_fallbacks(self), _served_calls(self)):
            if table.rows:
                tables.show(table, text)
                print(file=text)
        return text.getvalue().rstrip()


def render(template: str, *folders: Path, **values: Any) -> str:
    """A page from a template of this folder or of others."""
    import jinja2

    loader = jinja2.FileSystemLoader([*folders, Path(__file__).parent / "pages"])
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(**values)


def _time(seconds: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if abs(seconds) >= unit:
            return f"{seconds / unit:.3g} {name}" if abs(seconds) < 1000 else f"{seconds:.0f} s"
    return f"{seconds * 1e6:.2g} us" if seconds else "0 s"


def _working_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was deleted
        return os.sep


def _site(record: Record) -> str:
    path, _, installed = record.file.rpartition("site-packages" + os.sep)
    if not path:
        installed = record.file.removeprefix(_working_folder() + os.sep)
    return f"{installed}:{record.line}" if record.file else ""


def _served(records: Sequence[Record]) -> tuple[int, int]:
    """Calls, and those of them that we served."""
    return sum(record.calls for record in records), sum(record.calls for record in records if not record.reason)


def _costs(records: Sequence[Record]) -> tuple[str, str, str]:
    """Time, the part of it that is spent only once, and what the rest saved."""
    once = sum(record.once for record in records)
    compared = [record for record in records if record.reference]
    saved = sum(record.reference - (record.seconds - record.once) for record in compared)
    seconds = sum(record.seconds for record in records)
    return _time(seconds), _time(once) if once else "", _time(saved) if compared else ""


def _by_function(records: Sequence[Record]) -> Table:
    header = ("function", "device", "calls", "ours", "theirs", "time", "once", "saved")
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.function, []).append(record)
    rows = []
    for function, group in sorted(grouped.items(), key=lambda item: -sum(r.seconds for r in item[1])):
        calls, ours = _served(group)
        devices = dict.fromkeys(r.device for r in sorted(group, key=lambda r: bool(r.reason)) if r.device)
        rows.append((function, "; ".join(devices), str(calls), str(ours), str(calls - ours), *_costs(group)))
    if len(rows) > 1:
        calls, ours = _served(records)
        rows.append(("total", "", str(calls), str(ours), str(calls - ours), *_costs(records)))
    return Table("Functions, slowest first", header, rows)


def _fallbacks(records: Sequence[Record]) -> Table:
    header = ("served by the reference", "reason", "at", "calls")
    fallbacks = sorted((r for r in records if r.reason), key=lambda r: (-r.seconds, -r.calls))
    rows = [(r.function, r.reason, _site(r), str(r.calls)) for r in fallbacks]
    if not any(r.seconds for r in fallbacks):
        return Table("Fallbacks, most frequent first", header, rows, left=3)
    timed = [(*row, _time(r.seconds)) for row, r in zip(rows, fallbacks, strict=True)]
    return Table("Fallbacks, slowest first", (*header, "time"), timed, left=3)


def _served_calls(records: Sequence[Record]) -> Table:
    rows = [(r.function, _site(r), str(r.calls)) for r in records if not r.reason]
    return Table("Served by us", ("function", "at", "calls"), rows)


def _call_sites(records: Sequence[Record]) -> Table:
    header = ("served by us", "at", "calls", "a call", "time", "once", "saved")
    served = sorted((r for r in records if not r.reason), key=lambda r: -r.seconds)
    rows = [(r.function, _site(r), str(r.calls), _time((r.seconds - r.once) / r.calls), *_costs([r])) for r in served]
    return Table("Call sites, slowest first", header, rows)


def _verified(records: Sequence[Record]) -> Table:
    header = ("verified", "at", "calls", "worst error", "limit", "ours", "theirs", "result")
    served = sorted((r for r in records if not r.reason), key=lambda r: (-r.breaches, -_closeness(r)))
    rows = [
        (r.function, _site(r), str(r.calls), f"{r.error:.2g}", f"{r.limit:.2g}", _time(r.seconds), _time(r.reference))
        + (f"{r.breaches} breaches" if r.breaches else "ok",)
        for r in served
    ]
    return Table("Verified calls, breaches first", header, rows)


def _closeness(record: Record) -> float:
    return record.error / record.limit if record.limit else 0.0
