"""Files about the project say what is so."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _value(path: str, pattern: str) -> str:
    (found,) = re.findall(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def test_the_citation_is_of_this_version_and_this_license() -> None:
    assert _value("CITATION.cff", r"^version: (.+)$") == _value("pyproject.toml", r'^version = "(.+)"$')
    assert _value("CITATION.cff", r"^license: (.+)$") == _value("pyproject.toml", r'^license = "(.+)"$')
