"""README and the documentation say what is so."""

from __future__ import annotations

from pathlib import Path

import pytest

for library in ("numba", "torchaudio", "librosa"):
    pytest.importorskip(library)

import torchaudio

from benchmarks import tables
from benchmarks.tables import functions, speed

AUDIO = (torchaudio.functional, torchaudio.transforms)


def test_every_table_is_on_a_page() -> None:
    shown = {name for page in tables.pages() for name in tables.names(page.read_text(encoding="utf-8"))}
    assert shown == set(tables.TABLES)


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.stem)
def test_tables_are_those_of_the_parity_table_and_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.written(text) == text


def test_a_column_names_the_wait_policy_that_it_was_measured_under(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"name": "torch.stft", "contenders": {"torch": {"seconds": 2.0}, "host": {"seconds": 1.0}}}
    results = {
        "cpu": {"rows": [row], "wait_policy": "passive"},
        "cpu-default": {"rows": [row], "wait_policy": "default"},
    }
    monkeypatch.setattr(speed, "_results", results.get)
    assert speed.cpu().splitlines() == [
        "| in place of | 2 threads, AVX-512, passive | 2 threads, AVX-512, default |",
        "| --- | --- | --- |",
        "| `torch.stft` | 2.0 / 2.0 | 2.0 / 2.0 |",
    ]


def _cells(table: str) -> dict[str, list[str]]:
    return {name.strip("| `"): cells for name, *cells in (line.split(" | ") for line in table.splitlines())}


def test_what_is_served_by_default_is_told_from_what_we_serve_only_when_asked() -> None:
    table = _cells(functions.functions("librosa"))
    assert table["librosa.stft"][:2] == ["ours", "ours"]
    assert table["librosa.power_to_db"][:2] == ["ours", "ours where arrays are large"]
    assert table["librosa.filters.mel"][:2] == ["ours", "librosa's"]
    assert table["librosa.feature.delta"][0].startswith("librosa's: ")


def test_what_is_made_of_ours_says_of_which() -> None:
    table = _cells(functions.functions("librosa"))
    inside = "`librosa.istft`, `librosa.onset.onset_strength`, `librosa.stft`"
    assert table["librosa.beat.plp"][0] == f"librosa's, with ours inside: {inside}"


def test_every_public_function_has_a_line_and_no_cell_is_empty() -> None:
    names = {f"torchaudio.{module.__name__[11:]}.{name}" for module in AUDIO for name in module.__all__}
    table = _cells(functions.functions("torchaudio"))
    assert names <= table.keys()
    assert all(cell.strip(" |") for cells in table.values() for cell in cells)
