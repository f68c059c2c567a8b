"""A pytest plugin, loaded by name: what becomes of each test, and who served the library's calls, as JSON."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

FOLDER = "MLX_SPECTRO_UPSTREAM_FOLDER"
SHIM = "MLX_SPECTRO_UPSTREAM_SHIM"
CACHE = "MLX_SPECTRO_UPSTREAM_CACHE"
_RANK = ("passed", "xfailed", "skipped", "xpassed", "failed", "error")

if {CACHE, "PYTEST_XDIST_WORKER"} <= os.environ.keys():
    # numba's cached ufuncs crash once two processes have compiled one at the same time
    os.environ["NUMBA_CACHE_DIR"] = os.path.join(os.environ[CACHE], os.environ["PYTEST_XDIST_WORKER"])
with contextlib.suppress(ImportError):
    import librosa.core.convert  # noqa: F401 - its tests take this module for loaded, which another file's had done
if SHIM in os.environ:
    from mlx_spectro import compat

    compat.install()


class _Outcomes:
    def __init__(self) -> None:
        self.of: dict[str, tuple[str, str]] = {}

    def add(self, test: str, outcome: str, message: str = "") -> None:
        """What a phase of a test came to; the worst phase counts."""
        before = self.of.get(test, ("passed", ""))
        self.of[test] = max(before, (outcome, message), key=lambda one: _RANK.index(one[0]))


_outcomes = _Outcomes()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.skipped else "xpassed"
    elif report.failed and report.when != "call":
        outcome = "error"
    else:
        outcome = report.outcome
    _outcomes.add(report.nodeid, outcome, _message(report) if report.failed else "")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _outcomes.add(report.nodeid, "error", _message(report))


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines: list[str] = text.strip().splitlines()
    return lines[0] if crash is not None and lines else (lines or [""])[-1]


def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = Path(os.environ[FOLDER])
    if not hasattr(session.config, "workerinput"):
        (folder / "outcomes.json").write_text(json.dumps(_outcomes.of), encoding="utf-8")
    if SHIM in os.environ:
        calls: Counter[tuple[str, bool]] = Counter()
        for record in compat.report():
            calls[record.function, not record.reason] += record.calls
        served = [[name, ours, count] for (name, ours), count in sorted(calls.items())]
        (folder / f"calls-{os.getpid()}.json").write_text(json.dumps(served), encoding="utf-8")
