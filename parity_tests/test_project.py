"""Files about the project say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("mlx_spectro", "compat", "parity_tests", "benchmarks")


def _value(path: str, pattern: str) -> str:
    (found,) = re.findall(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def test_the_citation_is_of_this_version_and_this_license() -> None:
    assert _value("CITATION.cff", r"^version: (.+)$") == _value("pyproject.toml", r'^version = "(.+)"$')
    assert _value("CITATION.cff", r"^license: (.+)$") == _value("pyproject.toml", r'^license = "(.+)"$')


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_a_page_links_to_is_there(path: Path) -> None:
    links = re.findall(r"(?<!!)\[[^]]*\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["architecture", "adding-a-function"])
def test_the_files_and_tests_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    files = {f"/{path.relative_to(ROOT)}": path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert len(named) > 10
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []
    tests = re.findall(r"::(test_\w+)`", text)
    code = "".join(path.read_text(encoding="utf-8") for file, path in files.items() if "/test_" in file)
    assert [test for test in tests if f"def {test}(" not in code] == []


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert sorted(re.findall(r"^([a-z]+):.* ## .+$", text, re.MULTILINE)) == sorted(targets.split())
