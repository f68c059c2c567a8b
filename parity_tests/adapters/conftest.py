"""Fixtures for tests of adapters. torch is imported by those that need it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlx_spectro import caches, compat

if TYPE_CHECKING:
    from .cuda_machine import Machine


@pytest.fixture
def every_warning() -> Iterator[None]:
    """torch says every time what it otherwise says once a process."""
    from . import likeness

    with likeness.every_warning():
        yield


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, untuned: None) -> Iterator[Machine]:
    """A machine that stands in for one with CUDA, where we serve every call that we can."""
    from .cuda_machine import machine

    monkeypatch.setattr(caches, "folder", lambda: tmp_path)
    with machine(monkeypatch) as made, compat.route("ours"):
        yield made
