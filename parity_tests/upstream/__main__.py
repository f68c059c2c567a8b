"""Run a library's own tests without our functions and with them, and tell what differs.

librosa's tests are those of its sdist, which pip downloads. It holds neither their recordings, for which ours stand in,
nor numbers and pictures to compare with: some fail either way. torch's are of the samples and checks that its wheel
holds. The status is 1 where a test fails with our functions alone, 2 where tests could not be run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlx_spectro.compat.diagnostics.tables import versions

from ..table import console
from . import plugin
from .suites import SUITES, SuiteError

ROOT = Path(__file__).parents[2]
_BAD = ("failed", "error")
# messages of tests that fail either way
_MOST = 5

Outcomes = dict[str, list[str]]


def run(
    folder: Path, test_file: str, keyword: str, jobs: int, route: str | None
) -> tuple[Outcomes, dict[str, list[int]]]:
    """Outcome and message of each test of a file, and how many calls of each function ours and the library's served.

    Args:
        folder: Has ``tests``.
        test_file: One of them.
        keyword: pytest's ``-k``.
        jobs: Processes.
        route: None for the library without us.
    """
    with tempfile.TemporaryDirectory() as results:
        above = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": above, plugin.FOLDER: results, plugin.CACHE: str(folder / "numba")}
        if route is not None:
            environment |= {plugin.SHIM: "1", "MLX_SPECTRO_ROUTE": route}
        command = ["-p", plugin.__name__, "-p", "no:cacheprovider", "-q", "--no-header", "--tb=line", "-o", "addopts="]
        command += ["-n", str(jobs)] if jobs > 1 else []
        command += ["-k", keyword] if keyword else []
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *command, f"tests/{test_file}"],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        outcomes = Path(results) / "outcomes.json"
        if not outcomes.exists():
            raise SuiteError(f"pytest ended with status {done.returncode}: {(done.stdout + done.stderr).strip()}")
        calls: dict[str, list[int]] = {}
        for path in Path(results).glob("calls-*.json"):
            for name, ours, count in json.loads(path.read_text(encoding="utf-8")):
                calls.setdefault(name, [0, 0])[0 if ours else 1] += count
        return json.loads(outcomes.read_text(encoding="utf-8")), calls


def compared(theirs: Outcomes, ours: Outcomes) -> dict[str, Any]:
    """Counts of both, and each test whose outcome is another with ours."""
    nothing = ["missing", ""]
    differ = [
        {"test": test, "without": before[0], "with": after[0], "message": after[1] or before[1]}
        for test in sorted({*theirs, *ours})
        if (before := theirs.get(test, nothing))[0] != (after := ours.get(test, nothing))[0]
    ]
    return {
        "without": dict(sorted(Counter(outcome for outcome, _ in theirs.values()).items())),
        "with": dict(sorted(Counter(outcome for outcome, _ in ours.values()).items())),
        "either_way": dict(
            Counter(
                after[1] for test, after in ours.items() if after[0] in _BAD and theirs.get(test, nothing)[0] in _BAD
            ).most_common(_MOST)
        ),
        "differ": differ,
        "only_with_ours": [one["test"] for one in differ if one["with"] in _BAD and one["without"] not in _BAD],
    }


def portion(folder: Path, test_file: str, options: argparse.Namespace) -> dict[str, Any]:
    """What came of one file of tests."""
    theirs, _ = run(folder, test_file, options.keyword, options.jobs, None)
    ours, calls = run(folder, test_file, options.keyword, options.jobs, options.route)
    return {
        "file": test_file,
        "keyword": options.keyword,
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "route": options.route,
        **compared(theirs, ours),
        "calls": dict(sorted(calls.items())),
    }


def merged(before: list[dict[str, Any]], portions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The portions that a file held already, and these in place of those of the same tests."""
    by_tests = {(one["file"], one["keyword"]): one for one in [*before, *portions]}
    # a file's tests all together take the place of some of them
    whole = {one["file"] for one in portions if not one["keyword"]}
    return [by_tests[tests] for tests in sorted(by_tests) if not (tests[1] and tests[0] in whole)]


def recorded(path: Path | None) -> list[dict[str, Any]]:
    """The portions that a file holds."""
    portions: list[dict[str, Any]] = []
    if path is not None and path.exists():
        portions = json.loads(path.read_text(encoding="utf-8"))
    return portions


def show(suite: str, portions: list[dict[str, Any]]) -> None:
    """Print counts, and what fails with our functions alone."""
    rows = []
    for one in portions:
        ours, theirs = (sum(calls[i] for calls in one["calls"].values()) for i in (0, 1))
        bad = [sum(one[side].get(outcome, 0) for outcome in _BAD) for side in ("without", "with")]
        tests = sum(one["without"].values())
        rows.append([one["file"], one["keyword"], *map(str, (tests, *bad, len(one["only_with_ours"]), ours, theirs))])
    header = ("file", "-k", "tests", "fail without", "fail with", "only with", "calls by ours", "by the library")
    console.show(f"{suite}'s own tests, without our functions and with them", header, rows)
    for one in portions:
        for message, count in one["either_way"].items():
            print(f"{one['file']}: {count} either way: {message}")
        for differing in one["differ"]:
            print("{test}: {without} without, {with} with: {message}".format(**differing))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m parity_tests.upstream", description=__doc__)
    parser.add_argument("suite", choices=list(SUITES))
    parser.add_argument("files", nargs="*", metavar="FILE", help="of the suite's test files; default: all of them")
    parser.add_argument("-k", dest="keyword", default="", metavar="EXPR", help="tests that pytest's -k selects")
    parser.add_argument("-n", "--jobs", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument(
        "--route", choices=("ours", "auto"), default="ours", help="ours wherever it can serve (default)"
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write what came of it, beside what F holds already")
    parser.add_argument("--rest", action="store_true", help="leave out files whose tests F holds, of these versions")
    options = parser.parse_intermixed_args()
    if options.jobs > 1 and find_spec("xdist") is None:
        parser.error("--jobs needs pytest-xdist")
    portions: list[dict[str, Any]] = []
    torn = False
    with tempfile.TemporaryDirectory() as temporary, console.until_interrupted():
        folder = Path(temporary)
        try:
            SUITES[options.suite](folder)
        except SuiteError as error:
            print(f"{parser.prog}: {error}", file=sys.stderr)
            return 2
        known = sorted(path.name for path in (folder / "tests").glob("*.py") if path.name != "__init__.py")
        unknown = [name for name in options.files if name not in known]
        if unknown:
            parser.error(f"{options.suite} has no {', '.join(unknown)}; its files are {', '.join(known)}")
        before = recorded(options.json)
        done = {one["file"] for one in before if not one["keyword"] and one["versions"] == versions()}
        files = [name for name in options.files or known if not (options.rest and name in done)]
        for test_file in console.progress(files, options.suite):
            try:
                portions.append(portion(folder, test_file, options))
            except SuiteError as error:
                torn = True
                print(f"{parser.prog}: {test_file}: {error}", file=sys.stderr)
                continue
            if options.json:
                text = json.dumps(merged(before, portions), indent=1)
                options.json.write_text(text + "\n", encoding="utf-8")
    show(options.suite, portions)
    if torn:
        return 2
    return 1 if any(one["only_with_ours"] for one in portions) else 0


if __name__ == "__main__":
    sys.exit(main())
