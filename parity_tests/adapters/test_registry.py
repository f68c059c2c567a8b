"""Adapters register themselves, stand-ins show what is registered, and no module of the shim needs itself."""

from __future__ import annotations

import ast
import graphlib
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlx_spectro import compat
from mlx_spectro.compat.contract.adapter import adapters

for library in ("torch", "torchaudio", "librosa", "transformers.audio_utils"):
    pytest.importorskip(library)
    importlib.import_module(f"mlx_spectro.compat.{library}")

FOLDER = Path(compat.__file__).resolve().parent
SOURCES = {
    ".".join(path.relative_to(FOLDER).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in FOLDER.rglob("*.py")
    if "startup" not in path.parts
}


@pytest.mark.parametrize("name", adapters)
def test_what_is_registered_is_shown_wherever_the_library_shows_it(name: str) -> None:
    adapter = adapters[name]
    last = name.rpartition(".")[2]
    assert adapter.function.name == name
    for place in adapter.places:
        stand_in, library = (importlib.import_module(prefix + place) for prefix in ("mlx_spectro.compat.", ""))
        assert getattr(stand_in, last) is adapter.ours
        assert getattr(library, last) is adapter.original is not adapter.ours


def test_stand_ins_replace_nothing_else() -> None:
    places = {place for adapter in adapters.values() for place in adapter.places}
    for place in places:
        shown = vars(importlib.import_module(f"mlx_spectro.compat.{place}"))["_ours"]
        assert shown == {name.rpartition(".")[2] for name, adapter in adapters.items() if place in adapter.places}


def imports(name: str) -> Iterator[str]:
    """The modules of the shim that a module of it imports, in functions and for type checkers too."""
    path = SOURCES[name]
    package = list(path.relative_to(FOLDER).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            for alias in node.names:
                module = f"{base}.{alias.name}".strip(".")
                yield module if module in SOURCES else base


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: {other for other in imports(name) if other != name} for name in SOURCES}
    assert sum(map(len, graph.values())) > len(SOURCES)
    graphlib.TopologicalSorter(graph).prepare()


def test_what_every_room_may_know_knows_no_room() -> None:
    contract = [name for name in SOURCES if name.startswith("contract.")]
    assert contract
    assert {other.partition(".")[0] for name in contract for other in imports(name)} == {"contract"}
