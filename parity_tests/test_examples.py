"""The examples in docstrings are what comes out."""

from __future__ import annotations

import doctest
import importlib

import pytest

from .test_layers import modules, room

WITH_EXAMPLES = [
    name
    for name, path in modules().items()
    if (room(name) in ("features", "design") or ".streaming." in name or ".extraction." in name)
    and ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_what_comes_out(name: str) -> None:
    if ".extraction." in name:
        pytest.importorskip("librosa")
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed
